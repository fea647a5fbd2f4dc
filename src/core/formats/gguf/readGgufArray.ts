import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import type { GgufCursor } from './ggufCursor';
import type { GgufArray, GgufElements, GgufScalarType } from './ggufTypes';

/** Arrays longer than this are skipped when the caller asks for no contents. */
const SHORT_ARRAY = 64;

/** Bytes of one element; a string takes at least its length. */
const ELEMENT_BYTES: Readonly<Record<GgufScalarType, number>> = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
  string: 8,
};

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LENIENT_UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

export interface GgufArrayOptions {
  readonly arrays?: 'keep' | 'skip' | undefined;
  /** Told of text that is not UTF-8, which is then read with replacement characters; without it, it is refused. */
  readonly onProblem?: ((problem: StudioError) => void) | undefined;
}

/** The elements of an array whose element type was read; the cursor stands at its length. `key` names it in errors. */
export async function readGgufArray(
  cursor: GgufCursor,
  key: string,
  elements: GgufScalarType,
  options: GgufArrayOptions,
): Promise<GgufArray> {
  await cursor.ensure(8);
  const offset = cursor.position;
  const announced = cursor.u64(`the array ${key}`);
  const bytes = ELEMENT_BYTES[elements];
  if (announced > BigInt(LIMITS.gguf.arrayElements) || announced * BigInt(bytes) > BigInt(cursor.remaining)) {
    throw new StudioError(
      'gguf/length',
      `The array ${key}, at byte ${offset}, announces ${announced} elements of type ${elements}; ${cursor.remaining} bytes remain in the file and the limit is ${LIMITS.gguf.arrayElements} elements. The file is damaged or cut short: fetch it again.`,
      {
        detail: { key, offset, elements: announced.toString(), remaining: cursor.remaining },
      },
    );
  }
  const count = Number(announced);
  const isSkipped = options.arrays === 'skip' && count > SHORT_ARRAY;
  if (elements === 'string') {
    const value = await readStrings(cursor, key, count, isSkipped, options);
    return { type: 'array', elements, value, ...(isSkipped ? { skipped: count } : {}) };
  }
  checkHeaderBudget(cursor, count * bytes);
  if (isSkipped) {
    cursor.skip(count * bytes);
    return { type: 'array', elements, value: [], skipped: count };
  }
  const raw = new Uint8Array(count * bytes);
  await cursor.fill(raw);
  return { type: 'array', elements, value: typedElements(elements, raw) };
}

/** `gguf/length` when `bytes` more would make the header larger than any header is. */
export function checkHeaderBudget(cursor: GgufCursor, bytes: number): void {
  if (cursor.position + bytes > LIMITS.gguf.headerBytes) {
    throw new StudioError(
      'gguf/length',
      `The GGUF header grows beyond ${LIMITS.gguf.headerBytes} bytes at byte ${cursor.position}, more than any real one. The file is damaged or was made to exhaust memory: do not use it.`,
      {
        detail: { offset: cursor.position, bytes },
      },
    );
  }
}

/** Typed arrays are little endian on every platform that runs this engine, as GGUF is. */
function typedElements(elements: Exclude<GgufScalarType, 'string'>, raw: Uint8Array<ArrayBuffer>): GgufElements {
  switch (elements) {
    case 'u8':
      return raw;
    case 'i8':
      return new Int8Array(raw.buffer);
    case 'u16':
      return new Uint16Array(raw.buffer);
    case 'i16':
      return new Int16Array(raw.buffer);
    case 'u32':
      return new Uint32Array(raw.buffer);
    case 'i32':
      return new Int32Array(raw.buffer);
    case 'f32':
      return new Float32Array(raw.buffer);
    case 'f64':
      return new Float64Array(raw.buffer);
    case 'u64':
      return new BigUint64Array(raw.buffer);
    case 'i64':
      return new BigInt64Array(raw.buffer);
    case 'bool':
      return Array.from(raw, (byte) => byte !== 0);
  }
}

async function readStrings(
  cursor: GgufCursor,
  key: string,
  count: number,
  isSkipped: boolean,
  options: GgufArrayOptions,
): Promise<string[]> {
  const strings: string[] = [];
  let done = 0;
  while (done < count) {
    await cursor.ensure(8);
    const next = stringLength(cursor, key, done);
    checkHeaderBudget(cursor, 8 + next);
    await cursor.ensure(8 + next);
    const batch = takeBatch(cursor, count - done, !isSkipped);
    if (!isSkipped) {
      decodeBatch(batch, strings, key, options.onProblem);
    }
    done += batch.count;
  }
  return strings;
}

/** The length of the string at the cursor, checked against the limit and the file; the cursor does not move. */
function stringLength(cursor: GgufCursor, key: string, index: number): number {
  const { view } = cursor.readable();
  const length = view.byteLength < 8 ? undefined : view.getBigUint64(0, true);
  if (length === undefined || length > BigInt(LIMITS.gguf.stringBytes) || length > BigInt(cursor.remaining - 8)) {
    throw new StudioError(
      'gguf/length',
      `String ${index} of the array ${key}, at byte ${cursor.position}, announces ${length ?? 'an unknown number of'} bytes; ${Math.max(0, cursor.remaining - 8)} remain in the file and the limit is ${LIMITS.gguf.stringBytes}. The file is damaged or cut short: fetch it again.`,
      {
        detail: { key, offset: cursor.position, index, length: length?.toString(), remaining: cursor.remaining },
      },
    );
  }
  return Number(length);
}

/** Whole strings that lay in the window: their bytes end to end, and how many bytes and UTF-16 units each has. */
interface StringBatch {
  readonly count: number;
  readonly text: Uint8Array;
  readonly byteLengths: readonly number[];
  readonly unitLengths: readonly number[];
  /** Every string begins at a character, so that the text is valid if and only if each string is. */
  readonly startsCleanly: boolean;
}

/**
 * Takes the strings that lie whole in the window, at least one, up to `limit`. Decoding them one by one would cost
 * a quarter of a second for a large vocabulary; laid end to end they are decoded at once and then sliced.
 */
function takeBatch(cursor: GgufCursor, limit: number, collect: boolean): StringBatch {
  const { bytes, view } = cursor.readable();
  const text = new Uint8Array(collect ? bytes.length : 0);
  const byteLengths: number[] = [];
  const unitLengths: number[] = [];
  let startsCleanly = true;
  let count = 0;
  let at = 0;
  let filled = 0;
  while (count < limit && at + 8 <= bytes.length) {
    const length = view.getUint32(at, true);
    if (view.getUint32(at + 4, true) !== 0 || length > LIMITS.gguf.stringBytes || at + 8 + length > bytes.length) {
      break;
    }
    at += 8;
    if (collect) {
      startsCleanly &&= length === 0 || (bytes[at]! & 0xc0) !== 0x80;
      const start = filled;
      let units = 0;
      for (const end = at + length; at < end; at++) {
        const byte = bytes[at]!;
        text[filled++] = byte;
        units += (byte & 0xc0) === 0x80 ? 0 : byte >= 0xf0 ? 2 : 1;
      }
      byteLengths.push(filled - start);
      unitLengths.push(units);
    } else {
      at += length;
    }
    count++;
  }
  cursor.skip(at);
  return { count, text: text.subarray(0, filled), byteLengths, unitLengths, startsCleanly };
}

function decodeBatch(
  batch: StringBatch,
  strings: string[],
  key: string,
  onProblem: GgufArrayOptions['onProblem'],
): void {
  const text = batch.startsCleanly ? decodeUtf8(batch.text) : undefined;
  if (text === undefined) {
    decodeOneByOne(batch, strings, key, onProblem);
    return;
  }
  let at = 0;
  for (const units of batch.unitLengths) {
    strings.push(text.slice(at, at + units));
    at += units;
  }
}

function decodeOneByOne(
  batch: StringBatch,
  strings: string[],
  key: string,
  onProblem: GgufArrayOptions['onProblem'],
): void {
  let at = 0;
  for (const length of batch.byteLengths) {
    strings.push(
      decodeGgufText(batch.text.subarray(at, at + length), `string ${strings.length} of the array ${key}`, onProblem),
    );
    at += length;
  }
}

/** UTF-8 text; `gguf/encoding` when it is not, thrown or, with `onProblem`, reported and read with replacements. */
export function decodeGgufText(bytes: Uint8Array, what: string, onProblem?: (problem: StudioError) => void): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined) {
    return text;
  }
  const problem = new StudioError(
    'gguf/encoding',
    `The text of ${what} is not valid UTF-8. Convert the model again with a current converter.`,
    { detail: { what } },
  );
  if (onProblem === undefined) {
    throw problem;
  }
  onProblem(problem);
  return LENIENT_UTF8.decode(bytes);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
