import { StudioError } from '../errors';
import type { LevelEncoding, ScaleType } from './buildPlan';

/** A row-wise view of levels and scales in one memory; addresses and lengths in bytes. */
export interface ScaledRows {
  readonly encoding: LevelEncoding;
  readonly scaleType: ScaleType;
  /** Address of the first row's levels, and bytes a row. */
  readonly levels: number;
  readonly levelRowBytes: number;
  /** Address of the first scale row that was read, and bytes a row. */
  readonly scales: number;
  readonly scaleRowBytes: number;
  readonly rowBlock: number;
  readonly columnBlock: number;
  /** Rows of the first scale row's block that lie before the first row. */
  readonly skippedRows: number;
}

/** Bytes of a scale. */
export const SCALE_BYTES: Readonly<Record<ScaleType, number>> = { F32: 4, F16: 2, BF16: 2, F8_E8M0: 1, F8_E4M3: 1 };

/**
 * Values of `rows` rows as f32 at `target`: level * scale, rounded once. Levels and scales are exact in f32, so that their
 * product in f64 is too.
 */
export function widenScaled(
  buffer: ArrayBuffer,
  from: ScaledRows,
  target: number,
  rows: number,
  columns: number,
): void {
  const levels = levelTable(from.encoding);
  const perByte = levels.length / 256;
  const bytes = new Uint8Array(buffer);
  const values = new Float32Array(buffer, target, rows * columns);
  const view = new DataView(buffer);
  for (let row = 0; row < rows; row++) {
    const levelRow = from.levels + row * from.levelRowBytes;
    const scaleRow = from.scales + Math.floor((from.skippedRows + row) / from.rowBlock) * from.scaleRowBytes;
    let at = row * columns;
    for (let first = 0, group = 0; first < columns; first += from.columnBlock, group++) {
      const scale = readScale(view, from.scaleType, scaleRow + group * SCALE_BYTES[from.scaleType]);
      const end = Math.min(columns, first + from.columnBlock);
      if (perByte === 1) {
        for (let column = first; column < end; column++) {
          values[at++] = levels[bytes[levelRow + column]!]! * scale;
        }
      } else {
        for (let column = first; column < end; column++) {
          values[at++] = levels[bytes[levelRow + (column >> 1)]! * 2 + (column & 1)]! * scale;
        }
      }
    }
  }
}

function readScale(view: DataView, type: ScaleType, address: number): number {
  switch (type) {
    case 'F32':
      return view.getFloat32(address, true);
    case 'BF16':
      return bfloat(view.getUint16(address, true));
    case 'F16':
      return half(view.getUint16(address, true));
    case 'F8_E8M0': {
      const exponent = view.getUint8(address);
      return exponent === 255 ? NaN : 2 ** (exponent - 127);
    }
    case 'F8_E4M3':
      return levelTable('F8_E4M3')[view.getUint8(address)]!;
  }
}

const WORD = new DataView(new ArrayBuffer(4));

function bfloat(bits: number): number {
  WORD.setUint32(0, bits * 65_536);
  return WORD.getFloat32(0);
}

function half(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  return sign * smallFloat(bits % 0x8000, 10, 15, true);
}

/** A float without its sign: `mantissa` bits, exponent bias, and whether the highest exponent means infinity. */
function smallFloat(bits: number, mantissa: number, bias: number, hasInfinity: boolean): number {
  const step = 2 ** mantissa;
  const exponent = Math.floor(bits / step);
  const fraction = bits % step;
  if (hasInfinity && exponent === 2 * bias + 1) {
    return fraction === 0 ? Infinity : NaN;
  }
  return exponent === 0 ? (fraction / step) * 2 ** (1 - bias) : (1 + fraction / step) * 2 ** (exponent - bias);
}

const tables = new Map<LevelEncoding, Float32Array>();

/** The values of every byte: one each, or two of the nibble encodings, the low one first. */
function levelTable(encoding: LevelEncoding): Float32Array {
  let table = tables.get(encoding);
  if (table === undefined) {
    const nibbles = encoding === 'E2M1' || encoding === 'OFFSET4';
    table = Float32Array.from({ length: nibbles ? 512 : 256 }, (_, index) =>
      levelValue(encoding, nibbles ? (index % 2 === 0 ? (index / 2) % 16 : Math.floor(index / 32)) : index),
    );
    tables.set(encoding, table);
  }
  return table;
}

function levelValue(encoding: LevelEncoding, bits: number): number {
  const byteSign = bits >= 128 ? -1 : 1;
  switch (encoding) {
    case 'F8_E4M3':
      // The "fn" form: no infinity, and NaN where all bits are set.
      return bits % 128 === 127 ? NaN : byteSign * smallFloat(bits % 128, 3, 7, false);
    case 'F8_E5M2':
      return byteSign * smallFloat(bits % 128, 2, 15, true);
    case 'E2M1':
      return (bits >= 8 ? -1 : 1) * smallFloat(bits % 8, 1, 1, false);
    case 'I8':
      return bits >= 128 ? bits - 256 : bits;
    case 'OFFSET4':
      return bits - 8;
    case 'OFFSET8':
      return bits - 128;
    default:
      throw new StudioError('internal/unexpected', `Levels of kind ${String(encoding)} are not known.`);
  }
}
