// The kernels' entry points. All addresses are bytes in the imported memory. A quantiser takes rows of f32 values,
// where its blocks go, the number of rows, the values of a row, and the address of one row of importance weights or 0.
import { plainQ3_K } from "./q3k";
import { weightedQ3_K } from "./q3kWeighted";
import { plainQ4_0, plainQ4_1, plainQ5_0, plainQ5_1 } from "./simple";
import { weightedQ4_0, weightedQ4_1, weightedQ5_0, weightedQ5_1 } from "./simpleWeighted";
import { firstNonFinite } from "./validate";

export { addConstant, addScaled, addScaledDifference, maxAbs, rowNorms, scaleRowsToMagnitude, sumSquares } from "./arithmetic";
export * from "./floats";
export { quantiseIQ4_NL, quantiseIQ4_XS } from "./iq4";
export { addLowRank } from "./lowRank";
export { quantiseQ2_K } from "./q2k";
export { quantiseQ4_K, quantiseQ5_K } from "./q45k";
export { quantiseQ6_K } from "./q6k";
export { quantiseQ8_0 } from "./simple";
export { transpose } from "./transpose";
export * from "./validate";
export { firstNonFinite as validateF32 };

export function quantiseQ4_0(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  if (importance) weightedQ4_0(x, y, rows, columns, importance);
  else plainQ4_0(x, y, rows * columns);
}

export function quantiseQ4_1(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  if (importance) weightedQ4_1(x, y, rows, columns, importance);
  else plainQ4_1(x, y, rows * columns);
}

export function quantiseQ5_0(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  if (importance) weightedQ5_0(x, y, rows, columns, importance);
  else plainQ5_0(x, y, rows * columns);
}

export function quantiseQ5_1(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  if (importance) weightedQ5_1(x, y, rows, columns, importance);
  else plainQ5_1(x, y, rows * columns);
}

export function quantiseQ3_K(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  if (importance) weightedQ3_K(x, y, rows, columns, importance);
  else plainQ3_K(x, y, <i32>((rows * columns) >> 8));
}

/** First byte that the kernels do not use for themselves. */
export function heapBase(): usize {
  return __heap_base;
}
