import type { StudioError } from '../../errors';
import type { GgmlTypeName } from './ggmlTypes';

/** Scalar value types of GGUF metadata, in the order of their ids 0 to 12 (9 is the array). */
export const GGUF_VALUE_TYPES = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
] as const;

export type GgufScalarType = Exclude<(typeof GGUF_VALUE_TYPES)[number], 'array'>;

/** Array elements: numbers in a typed array or plain array, strings, booleans or 64-bit integers. */
export type GgufElements =
  | readonly string[]
  | readonly boolean[]
  | readonly bigint[]
  | readonly number[]
  | NumericArray
  | BigUint64Array
  | BigInt64Array;

export type NumericArray =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** One metadata value with the type it has in the file. */
export type GgufValue =
  | { readonly type: 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64'; readonly value: number }
  | { readonly type: 'u64' | 'i64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | GgufArray;

export interface GgufArray {
  readonly type: 'array';
  readonly elements: GgufScalarType;
  /** Numbers come in the typed array of their element type; empty when the contents were skipped. */
  readonly value: GgufElements;
  /** Number of elements that stand in the file but were not read, on request of the caller. */
  readonly skipped?: number;
}

/** Elements of an array in the file, read or skipped. */
export function ggufArrayLength(array: GgufArray): number {
  return array.skipped ?? array.value.length;
}

/** Metadata in file order; a Map, so that keys like `__proto__` are keys like any other. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** One tensor entry. */
export interface GgufTensor {
  readonly name: string;
  /** GGUF order, fastest dimension first: ne[0] is the row length. */
  readonly shape: readonly number[];
  readonly type: GgmlTypeName;
  /** From the start of the tensor data. */
  readonly offset: number;
  readonly bytes: number;
}

/** A validated GGUF header. */
export interface GgufFile {
  readonly version: 2 | 3;
  readonly metadata: GgufMetadata;
  /** In file order. */
  readonly tensors: readonly GgufTensor[];
  readonly alignment: number;
  /** First byte of tensor data, from the start of the file. */
  readonly dataOffset: number;
  readonly fileBytes: number;
}

/** A GGUF header that was read although something about the file is wrong. */
export interface GgufDescription extends GgufFile {
  /** What is wrong, most telling first; empty for a file that the strict reader accepts. */
  readonly problems: readonly StudioError[];
}
