import type { PlainTensor } from './tensors';

/** A matrix of doubles, row by row, with the size of the operands that each value is made of. */
export interface Reference {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
  /** Sum of the magnitudes of all terms of each value: what rounding errors are relative to. */
  readonly magnitudes: Float64Array;
}

/** A base weight as it is stored. */
export function referenceOf(tensor: PlainTensor): Reference {
  const columns = tensor.shape.at(-1)!;
  return {
    rows: tensor.values.length / columns,
    columns,
    values: tensor.values.slice(),
    magnitudes: tensor.values.map(Math.abs),
  };
}

/** + scale * left @ right, with left [rows, rank] and right [rank, columns] given by their elements. */
export function addLowRank(
  base: Reference,
  rank: number,
  scale: number,
  left: (row: number, k: number) => number,
  right: (k: number, column: number) => number,
): Reference {
  const values = base.values.slice();
  const magnitudes = base.magnitudes.slice();
  for (let i = 0; i < base.rows; i++) {
    for (let j = 0; j < base.columns; j++) {
      let sum = 0;
      let size = 0;
      for (let k = 0; k < rank; k++) {
        const product = left(i, k) * right(k, j);
        sum += product;
        size += Math.abs(product);
      }
      values[i * base.columns + j]! += scale * sum;
      magnitudes[i * base.columns + j]! += Math.abs(scale) * size;
    }
  }
  return { ...base, values, magnitudes };
}

/** + scale * B @ A, as PEFT stores them. */
export function addLora(base: Reference, a: PlainTensor, b: PlainTensor, scale: number): Reference {
  const rank = a.shape[0]!;
  const columns = a.shape[1]!;
  return addLowRank(
    base,
    rank,
    scale,
    (i, k) => b.values[i * rank + k]!,
    (k, j) => a.values[k * columns + j]!,
  );
}

/** DoRA: every row brought to its magnitude. */
export function toMagnitudes(changed: Reference, magnitude: ArrayLike<number>): Reference {
  const values = changed.values.slice();
  const magnitudes = changed.magnitudes.slice();
  for (let i = 0; i < changed.rows; i++) {
    const row = values.subarray(i * changed.columns, (i + 1) * changed.columns);
    const factor = magnitude[i]! / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let j = 0; j < changed.columns; j++) {
      row[j]! *= factor;
      magnitudes[i * changed.columns + j]! *= Math.abs(factor);
    }
  }
  return { ...changed, values, magnitudes };
}

/** The largest error of `ours` in units of the f32 rounding (2^-24) of the operands. */
export function errorInRoundings(ours: ArrayLike<number>, reference: Reference): number {
  let worst = 0;
  for (let i = 0; i < reference.values.length; i++) {
    worst = Math.max(
      worst,
      Math.abs(ours[i]! - reference.values[i]!) / Math.max(reference.magnitudes[i]! * 2 ** -24, Number.MIN_VALUE),
    );
  }
  return ours.length === reference.values.length ? worst : Infinity;
}

/** The bf16 nearest to a value, ties to even. */
export function toBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const rounded = ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) << 16;
  return new Float32Array(Uint32Array.of(rounded >>> 0).buffer)[0]!;
}

/** One unit in the last place of a bf16 of that size. */
export function bf16Unit(value: number): number {
  return 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value) || 2 ** -126))) - 7);
}
