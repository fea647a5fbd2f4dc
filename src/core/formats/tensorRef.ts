/** Element types of safetensors files, by the names the format uses. */
export const SAFETENSORS_DTYPES = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  I64: 64,
  U64: 64,
  F64: 64,
  C64: 64,
} as const;

/** The values are bits an element. */
export type SafetensorsDtype = keyof typeof SAFETENSORS_DTYPES;

/** One tensor in a safetensors file, ready to be read by range. */
export interface TensorRef {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  /** Row-major, slowest dimension first, as the file has it: a linear weight is [out, in]. */
  readonly shape: readonly number[];
  /** Path of the file that holds it, as it can be opened. */
  readonly file: string;
  /** First byte, from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Part `index` of a tensor's slowest dimension, without that dimension. */
export function outerSlice(ref: TensorRef, index: number): TensorRef {
  const bytes = ref.bytes / (ref.shape[0] ?? 1);
  return { ...ref, shape: ref.shape.slice(1), offset: ref.offset + index * bytes, bytes };
}
