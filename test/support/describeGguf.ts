import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface GoldenValue {
  key: string;
  type: string;
  value?: unknown;
  sha256?: string;
  count?: number;
}

export interface GoldenTensor {
  name: string;
  shape: number[];
  type: string;
  offset: number;
  bytes: number;
  sha256: string;
  /** Of the decays of a state space, -exp(x): libraries round `exp` differently in the last place. */
  values?: number[];
}

export interface Golden {
  version: number;
  dataOffset: number;
  fileBytes: number;
  fileSha256: string;
  metadata: GoldenValue[];
  tensors: GoldenTensor[];
}

const SCALARS = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string', 'array', 'u64', 'i64', 'f64'];
const WIDTH: Record<string, number> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  u64: 8,
  i64: 8,
  f64: 8,
};
const TYPES: Record<number, [string, number, number]> = {
  0: ['F32', 1, 4],
  1: ['F16', 1, 2],
  2: ['Q4_0', 32, 18],
  3: ['Q4_1', 32, 20],
  6: ['Q5_0', 32, 22],
  7: ['Q5_1', 32, 24],
  39: ['MXFP4', 32, 17],
  8: ['Q8_0', 32, 34],
  10: ['Q2_K', 256, 84],
  11: ['Q3_K', 256, 110],
  12: ['Q4_K', 256, 144],
  13: ['Q5_K', 256, 176],
  14: ['Q6_K', 256, 210],
  20: ['IQ4_NL', 32, 18],
  23: ['IQ4_XS', 256, 136],
  30: ['BF16', 1, 2],
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Describes a GGUF in the form of the goldens (test/golden/README.md). A reader of its own, as simple as can be, so that it
 * does not share a mistake with the product's.
 */
export function describeGguf(path: string): Golden {
  const file = readFileSync(path);
  let at = 4;
  const u32 = (): number => file.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(file.readBigUInt64LE((at += 8) - 8));
  const bytes = (): Buffer => {
    const length = u64();
    return file.subarray(at, (at += length));
  };
  const scalar = (type: string): unknown => {
    if (type === 'string') {
      return bytes().toString('utf8');
    }
    const start = at;
    at += WIDTH[type]!;
    switch (type) {
      case 'u8':
        return file.readUInt8(start);
      case 'i8':
        return file.readInt8(start);
      case 'u16':
        return file.readUInt16LE(start);
      case 'i16':
        return file.readInt16LE(start);
      case 'u32':
        return file.readUInt32LE(start);
      case 'i32':
        return file.readInt32LE(start);
      case 'f32':
        return file.readFloatLE(start);
      case 'f64':
        return file.readDoubleLE(start);
      case 'bool':
        return file.readUInt8(start) !== 0;
      case 'i64':
        return Number(file.readBigInt64LE(start));
      default:
        return Number(file.readBigUInt64LE(start));
    }
  };
  const version = u32();
  const tensorCount = u64();
  const keyCount = u64();
  const metadata: GoldenValue[] = [];
  for (let i = 0; i < keyCount; i++) {
    const key = bytes().toString('utf8');
    const type = SCALARS[u32()]!;
    if (type !== 'array') {
      metadata.push({ key, type, value: scalar(type) });
      continue;
    }
    const start = at;
    const element = SCALARS[u32()]!;
    const count = u64();
    const value: unknown[] = [];
    for (let k = 0; k < count; k++) {
      value.push(scalar(element));
    }
    metadata.push({ key, type: `array<${element}>`, count, sha256: sha256(file.subarray(start, at)), value });
  }
  const entries = Array.from({ length: tensorCount }, () => {
    const name = bytes().toString('utf8');
    const shape = Array.from({ length: u32() }, () => u64());
    const [type, block, size] = TYPES[u32()]!;
    return { name, shape, type, offset: u64(), bytes: (shape.reduce((a, b) => a * b, 1) / block) * size };
  });
  const dataOffset = Math.ceil(at / 32) * 32;
  const tensors = entries.map((entry) => {
    const data = file.subarray(dataOffset + entry.offset, dataOffset + entry.offset + entry.bytes);
    const values = entry.name.endsWith('.ssm_a')
      ? { values: Array.from({ length: data.length / 4 }, (_, i) => data.readFloatLE(4 * i)) }
      : {};
    return { ...entry, sha256: sha256(data), ...values };
  });
  return { version, dataOffset, fileBytes: file.length, fileSha256: sha256(file), metadata, tensors };
}

/** A golden's metadata entry and ours, in a form that compares: long strings and arrays by their hashes. */
export function comparable(ours: GoldenValue, golden: GoldenValue): GoldenValue {
  const { key, type } = ours;
  if (golden.sha256 !== undefined && type === 'string') {
    return { ...golden, key, type, sha256: sha256(Buffer.from(ours.value as string)) };
  }
  if (golden.sha256 !== undefined) {
    return { key, type, count: ours.count!, sha256: ours.sha256! };
  }
  return { key, type, value: ours.value };
}
