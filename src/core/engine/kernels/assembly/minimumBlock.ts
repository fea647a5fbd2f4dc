// What the types with minima share around the search: records, weights, repeated searches, final levels.
import { ZERO, storeColumns } from "./lanes";
import { minimumLevels, searchedMinimumLevels } from "./levels";
import { BEST_FACTORS, BEST_ORIGINS, MINIMA, MINIMUM_SCALES, RECORDS } from "./minimumSearch";
import { foundMinimum, searchScalar } from "./minimumSearchScalar";

/** The levels of the block at work, in the order of its values. */
export const MINIMUM_LEVELS: usize = memory.data(256, 16);
const GATHERED: usize = memory.data(256, 16);

/** Writes four sub-blocks of n values, one after the other at x, as lanes of n records; `to` is a slot of the first. */
// @ts-ignore: decorator
@inline export function toRecords(x: usize, n: usize, to: usize): void {
  const row = n << 2, end = x + row;
  for (; x < end; x += 16, to += 256) {
    storeColumns(v128.load(x), v128.load(x + row), v128.load(x + 2 * row), v128.load(x + 3 * row), to, 64);
  }
}

/** Weights sqrt(mean square) + |x| for sub-blocks of 32 values. */
export function weighByRms(): void {
  let sa = ZERO, sb = ZERO;
  for (let p = RECORDS; p < RECORDS + 2048; p += 64) {
    const a = v128.load(p), b = v128.load(p, 32);
    sa = f32x4.add(sa, f32x4.mul(a, a));
    sb = f32x4.add(sb, f32x4.mul(b, b));
  }
  const n = f32x4.splat(32);
  sa = f32x4.sqrt(f32x4.div(sa, n));
  sb = f32x4.sqrt(f32x4.div(sb, n));
  for (let p = RECORDS; p < RECORDS + 2048; p += 64) {
    v128.store(p, f32x4.add(sa, f32x4.abs(v128.load(p))), 16);
    v128.store(p, f32x4.add(sb, f32x4.abs(v128.load(p, 32))), 48);
  }
}

/** Turns the importance in the weight slots into weights importance * sqrt(sigma2 + x*x). */
export function weighByImportance(sigma2: f32): void {
  const s = f32x4.splat(sigma2);
  for (let p = RECORDS; p < RECORDS + 2048; p += 32) {
    const x = v128.load(p);
    v128.store(p, f32x4.mul(v128.load(p, 16), f32x4.sqrt(f32x4.add(s, f32x4.mul(x, x)))), 16);
  }
}

/** Searches sub-block j (of n values) again, one value after the other: levels, scale and minimum to their places. */
export function searchAgain(j: usize, n: i32, top: i32, first: f32, step: f32, steps: i32, absolute: bool, flatBelow: bool): void {
  const from = RECORDS + ((j >> 3) << 10) + ((j & 4) << 3) + ((j & 3) << 2);
  for (let i: usize = 0; i < <usize>n; i++) {
    store<f32>(GATHERED + (i << 2), load<f32>(from + (i << 6)));
    store<f32>(GATHERED + (i << 2), load<f32>(from + (i << 6), 16), 128);
  }
  const scale = searchScalar(GATHERED, GATHERED + 128, n, top, first, step, steps, absolute, flatBelow, MINIMUM_LEVELS + j * n);
  store<f32>(MINIMUM_SCALES + (j << 2), scale);
  store<f32>(MINIMA + (j << 2), foundMinimum);
}

/** The levels that the search itself ended on, of sub-block j with n values at x: 16, or 32. */
// @ts-ignore: decorator
@inline export function keepLevels(j: usize, x: usize, n: usize, top: i8): void {
  const factor = v128.load32_splat(BEST_FACTORS + (j << 2)), origin = v128.load32_splat(BEST_ORIGINS + (j << 2));
  v128.store(MINIMUM_LEVELS + j * n, searchedMinimumLevels(x, factor, origin, top));
  if (n == 32) v128.store(MINIMUM_LEVELS + j * n, searchedMinimumLevels(x + 64, factor, origin, top), 16);
}

/** The levels for the scale and minimum that a reader decodes. */
// @ts-ignore: decorator
@inline export function decodeLevels(j: usize, x: usize, n: usize, top: i8, scale: f32, minimum: f32): void {
  const d = f32x4.splat(scale), m = f32x4.splat(minimum);
  v128.store(MINIMUM_LEVELS + j * n, minimumLevels(x, d, m, top));
  if (n == 32) v128.store(MINIMUM_LEVELS + j * n, minimumLevels(x + 64, d, m, top), 16);
}
