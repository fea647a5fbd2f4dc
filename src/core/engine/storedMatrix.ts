import { StudioError } from '../errors';
import { GGML_TYPES, rowBytes, type GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { TensorRef } from '../formats/tensorRef';
import type { StoredMatrix, StoredType } from './buildPlan';

/** Bytes of a row of `columns` values in an input. */
export function storedRowBytes(type: StoredType, columns: number): number {
  if (type === 'F8_E4M3' || type === 'F8_E5M2') {
    return columns;
  }
  return rowBytes(type, columns) ?? Math.ceil(columns / GGML_TYPES[type].block) * GGML_TYPES[type].bytes;
}

const FLOAT_DTYPES: Readonly<Partial<Record<TensorRef['dtype'], StoredType>>> = {
  F16: 'F16',
  BF16: 'BF16',
  F32: 'F32',
  F64: 'F64',
  F8_E4M3: 'F8_E4M3',
  F8_E5M2: 'F8_E5M2',
};

/** A safetensors dtype as the engine reads it; undefined for integers and exotic floats. */
export function storedType(dtype: TensorRef['dtype']): StoredType | undefined {
  return FLOAT_DTYPES[dtype];
}

/**
 * A safetensors tensor as a matrix: one dimension is a single row of its elements, or
 * with `asColumn` one value a row; more than two dimensions are folded into the rows.
 * @throws StudioError model/dtype for dtypes that hold no plain numbers
 */
export function storedMatrix(ref: TensorRef, file: number, asColumn = false): StoredMatrix {
  const type = storedType(ref.dtype);
  if (type === undefined) {
    throw new StudioError(
      'model/dtype',
      `${ref.name} is stored as ${ref.dtype}, which holds no plain numbers. Pass the 16-bit weights.`,
      { detail: { tensor: ref.name, dtype: ref.dtype } },
    );
  }
  const columns = asColumn ? 1 : (ref.shape.at(-1) ?? 1);
  const elements = ref.shape.reduce((product, dimension) => product * dimension, 1);
  return { file, offset: ref.offset, type, rows: columns === 0 ? 0 : elements / columns, columns };
}

/** The ggml type that keeps a safetensors float as it is; F32 for those without a counterpart. */
export function keptType(type: StoredType): GgmlTypeName {
  return type === 'F16' || type === 'BF16' ? type : 'F32';
}
