import type { GgmlTypeName } from './ggmlTypes';

/** Scalar value types of GGUF metadata, in the order of their ids 0 to 12 (9 is the array). */
export const GGUF_VALUE_TYPES = [
  'u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string', 'array', 'u64', 'i64', 'f64',
] as const;

export type GgufScalarType = Exclude<(typeof GGUF_VALUE_TYPES)[number], 'array'>;

/** Array elements: numbers in a typed array or plain array, strings, booleans or 64-bit integers. */
export type GgufElements = readonly string[] | readonly boolean[] | readonly bigint[] | readonly number[] | NumericArray;

export type NumericArray =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** One metadata value with the type it has in the file. */
export type GgufValue =
  | { readonly type: 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64'; readonly value: number }
  | { readonly type: 'u64' | 'i64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'array'; readonly elements: GgufScalarType; readonly value: GgufElements };

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
