// Entry points. Addresses are bytes in the imported memory; rows of floats in, rows of blocks out;
// `importance` is one row of f32 weights, or 0.
import { widenF16, widenBf16, narrowF16, narrowBf16 } from "./halves";
import { firstNonFinite } from "./validate";
import { blockQ4, blockQ5 } from "./q4k";
import { blockQ2 } from "./q2k";
import { plain } from "./q3k";
import { weighted } from "./q3kWeighted";

export { q6k as quantiseQ6_K } from "./q6k";
export { iq4nl as quantiseIQ4_NL, iq4xs as quantiseIQ4_XS } from "./iq4";
export { widenF16 as widenFromF16, widenBf16 as widenFromBF16 };
export { addLowRank } from "./lowRank";
export { transpose } from "./transpose";
export { addScaledDifference, addScaled, addConstant, sumSquares, rowNorms, scaleRowsToMagnitude, maxAbs } from "./arithmetic";
export * from "./validate";
export { firstNonFinite as validateF32 };

export function widenFromF32(source: usize, target: usize, count: usize): void {
  memory.copy(target, source, count << 2);
}
export function quantiseF32(source: usize, target: usize, rows: usize, columns: usize, importance: usize): void {
  memory.copy(target, source, (rows * columns) << 2);
}
export function quantiseF16(source: usize, target: usize, rows: usize, columns: usize, importance: usize): void {
  narrowF16(source, target, rows * columns);
}
export function quantiseBF16(source: usize, target: usize, rows: usize, columns: usize, importance: usize): void {
  narrowBf16(source, target, rows * columns);
}

export function quantiseQ3_K(src: usize, dst: usize, rows: i32, perRow: i32, q: usize): void {
  if (q) weighted(src, dst, rows, perRow >> 8, q);
  else plain(src, dst, rows * (perRow >> 8));
}

export function quantiseQ4_K(x: usize, y: usize, rows: i32, perRow: i32, im: usize): void {
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < perRow; b += 256, x += 1024, y += 144) blockQ4(x, y, im ? im + (<usize>b << 2) : 0);
  }
}

export function quantiseQ5_K(x: usize, y: usize, rows: i32, perRow: i32, im: usize): void {
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < perRow; b += 256, x += 1024, y += 176) blockQ5(x, y, im ? im + (<usize>b << 2) : 0);
  }
}

export function quantiseQ2_K(x: usize, y: usize, rows: i32, perRow: i32, im: usize): void {
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < perRow; b += 256, x += 1024, y += 84) blockQ2(x, y, im ? im + (<usize>b << 2) : 0);
  }
}

/** First byte that the kernels do not use for themselves. */
export function heapBase(): usize {
  return __heap_base;
}
