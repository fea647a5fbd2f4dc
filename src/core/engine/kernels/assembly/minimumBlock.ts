// Shared parts of the block quantisers: transposing into records, levels,
// scale packing and the scalar redo.
import { REC, SCALE, MINV, KEPT_INV, KEPT_LO } from "./minimumSearch";
import { searchScalar, foundMin, roundInt, clampInt } from "./minimumSearchScalar";

export const LEVELS: usize = memory.data(256, 16);
const GATHER: usize = memory.data(256, 16);

// Writes sub-block rows x, x+n, ... x+3n as lanes of every 64-byte record.
// @ts-ignore: decorator
@inline
export function transpose(x: usize, n: usize, rec: usize): void {
  const row = n << 2, end = x + row;
  for (; x < end; x += 16, rec += 256) {
    const a = v128.load(x), b = v128.load(x + row), c = v128.load(x + 2 * row), d = v128.load(x + 3 * row);
    const p = v128.shuffle<f32>(a, b, 0, 4, 1, 5), q = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const r = v128.shuffle<f32>(a, b, 2, 6, 3, 7), s = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(rec, v128.shuffle<i64>(p, q, 0, 2));
    v128.store(rec, v128.shuffle<i64>(p, q, 1, 3), 64);
    v128.store(rec, v128.shuffle<i64>(r, s, 0, 2), 128);
    v128.store(rec, v128.shuffle<i64>(r, s, 1, 3), 192);
  }
}

// Weights sqrt(mean square) + |x| for 32-value sub-blocks.
export function weighByRms(): void {
  let sa = f32x4.splat(0), sb = sa;
  for (let p = REC; p < REC + 2048; p += 64) {
    const a = v128.load(p), b = v128.load(p, 32);
    sa = f32x4.add(sa, f32x4.mul(a, a));
    sb = f32x4.add(sb, f32x4.mul(b, b));
  }
  const n = f32x4.splat(32);
  sa = f32x4.sqrt(f32x4.div(sa, n));
  sb = f32x4.sqrt(f32x4.div(sb, n));
  for (let p = REC; p < REC + 2048; p += 64) {
    v128.store(p, f32x4.add(sa, f32x4.abs(v128.load(p))), 16);
    v128.store(p, f32x4.add(sb, f32x4.abs(v128.load(p, 32))), 48);
  }
}

// Turns the importance already transposed into the weight slots into weights
// importance * sqrt(sigma2 + x*x).
export function weighByImportance(sigma2: f32): void {
  const s = f32x4.splat(sigma2);
  for (let p = REC; p < REC + 2048; p += 32) {
    const x = v128.load(p);
    v128.store(p, f32x4.mul(v128.load(p, 16), f32x4.sqrt(f32x4.add(s, f32x4.mul(x, x)))), 16);
  }
}

// Sum of squares of 256 values, in order.
export function sumSquares(x: usize): f32 {
  let s: f32 = 0;
  for (let end = x + 1024; x < end; x += 16) {
    const a = load<f32>(x), b = load<f32>(x, 4), c = load<f32>(x, 8), d = load<f32>(x, 12);
    s += a * a;
    s += b * b;
    s += c * c;
    s += d * d;
  }
  return s;
}

// Scalar search for sub-block j: levels to LEVELS, scale and minimum in place.
export function redo(j: u32, n: i32, top: i32, rmin: f32, rstep: f32, steps: i32, mad: bool, le: bool): void {
  const from = REC + ((j >> 3) << 10) + ((j & 4) << 3) + ((j & 3) << 2);
  for (let i = 0; i < n; i++) {
    store<f32>(GATHER + (i << 2), load<f32>(from + (i << 6)));
    store<f32>(GATHER + (i << 2), load<f32>(from + (i << 6), 16), 128);
  }
  const scale = searchScalar(GATHER, GATHER + 128, n, top, rmin, rstep, steps, mad, le, LEVELS + j * n);
  store<f32>(SCALE + (j << 2), scale);
  store<f32>(MINV + (j << 2), foundMin);
}

// Levels of the best candidate of sub-block j (n values at x), for a unit of 0.
export function keptLevels(j: usize, x: usize, n: usize, top: i32): void {
  const inv = load<f32>(KEPT_INV + (j << 2)), lo = load<f32>(KEPT_LO + (j << 2));
  for (let i: usize = 0; i < n; i++) {
    store<u8>(LEVELS + j * n + i, clampInt(roundInt(inv * (load<f32>(x + (i << 2)) - lo)), top));
  }
}

// @ts-ignore: decorator
@inline
function bits(x: usize, d: v128, dm: v128): v128 {
  const v = f32x4.div(f32x4.add(v128.load(x), dm), d);
  return i32x4.sub(
    v128.and(f32x4.add(v, f32x4.splat(12582912)), i32x4.splat(0x7fffff)), i32x4.splat(0x400000));
}

// Sixteen levels of round((x + dm) / d), clamped to [0, top].
// @ts-ignore: decorator
@inline
export function levels16(x: usize, d: v128, dm: v128, top: i8): v128 {
  const a = i16x8.narrow_i32x4_s(bits(x, d, dm), bits(x + 16, d, dm));
  const b = i16x8.narrow_i32x4_s(bits(x + 32, d, dm), bits(x + 48, d, dm));
  return i8x16.min_u(i8x16.narrow_i16x8_u(a, b), i8x16.splat(top));
}
