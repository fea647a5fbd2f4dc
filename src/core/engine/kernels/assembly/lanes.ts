// What all kernels share: four f32 values side by side in a v128, turned so that each lane holds its own block.

export const ZERO: v128 = f32x4(0, 0, 0, 0);

/** 1.5 * 2^23: adding it rounds a float below 2^22 to an integer, which is then in the low bits of the sum. */
export const MAGIC: f32 = 12582912.0;

// Vector constants are loaded, not splatted: V8 builds a splatted constant anew, in three instructions, at every use.
const MAGIC4: usize = memory.data<u32>([0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000], 16);
const MANTISSA4: usize = memory.data<u32>([0x7fffff, 0x7fffff, 0x7fffff, 0x7fffff], 16);
const ZERO_BITS4: usize = memory.data<u32>([0x400000, 0x400000, 0x400000, 0x400000], 16);

/** {@link MAGIC} in all lanes, as a float or as its bits. */
// @ts-ignore: decorator
@inline export function magic4(): v128 { return v128.load(MAGIC4); }
/** The low 23 bits of each lane, which hold the rounded integer after adding the magic number. */
// @ts-ignore: decorator
@inline export function mantissa4(): v128 { return v128.load(MANTISSA4); }
/** What those 23 bits are for 0. */
// @ts-ignore: decorator
@inline export function zeroBits4(): v128 { return v128.load(ZERO_BITS4); }

/** Rounds as the reference does: to nearest even by the magic sum, wrapping beyond 2^22, 0 for NaN. */
// @ts-ignore: decorator
@inline export function nearestInt(v: v128): v128 {
  return i32x4.sub(v128.and(f32x4.add(v, magic4()), mantissa4()), zeroBits4());
}

/** {@link nearestInt} of one value. */
// @ts-ignore: decorator
@inline export function nearestIntOf(v: f32): i32 {
  return (reinterpret<i32>(v + MAGIC) & 0x7fffff) - 0x400000;
}

// @ts-ignore: decorator
@inline export function unpackLo32(a: v128, b: v128): v128 { return v128.shuffle<f32>(a, b, 0, 4, 1, 5); }
// @ts-ignore: decorator
@inline export function unpackHi32(a: v128, b: v128): v128 { return v128.shuffle<f32>(a, b, 2, 6, 3, 7); }
// @ts-ignore: decorator
@inline export function unpackLo64(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 0, 2); }
// @ts-ignore: decorator
@inline export function unpackHi64(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 1, 3); }

/** Stores the columns of the four rows a, b, c, d, `step` bytes apart. */
// @ts-ignore: decorator
@inline export function storeColumns(a: v128, b: v128, c: v128, d: v128, to: usize, step: usize): void {
  const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
  v128.store(to, unpackLo64(ab, cd));
  v128.store(to + step, unpackHi64(ab, cd));
  v128.store(to + 2 * step, unpackLo64(AB, CD));
  v128.store(to + 3 * step, unpackHi64(AB, CD));
}

/** Sixteen small integers of four vectors as signed bytes. */
// @ts-ignore: decorator
@inline export function bytesOf(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** Two times sixteen levels below 16 as low and high halves of bytes. */
// @ts-ignore: decorator
@inline export function nibbles(low: v128, high: v128): v128 {
  return v128.or(low, i16x8.shl(high, 4));
}

/**
 * The value of largest magnitude in each lane: `top` and `low` are the largest and the smallest value, or 0. Where
 * +m and -m are both there the first one counts, so then the values (at `p`, `step` bytes apart) are seen again.
 */
// @ts-ignore: decorator
@inline export function peakOf(top: v128, low: v128, p: usize, end: usize, step: usize): v128 {
  const negated = f32x4.neg(low);
  if (v128.any_true(v128.and(f32x4.eq(top, negated), f32x4.gt(top, ZERO)))) return firstPeak(p, end, step);
  return v128.bitselect(top, low, f32x4.gt(top, negated));
}

function firstPeak(p: usize, end: usize, step: usize): v128 {
  let most = ZERO, peak = ZERO;
  for (; p < end; p += step) {
    const x = v128.load(p), magnitude = f32x4.abs(x), more = f32x4.gt(magnitude, most);
    most = v128.bitselect(magnitude, most, more);
    peak = v128.bitselect(x, peak, more);
  }
  return peak;
}

/** The sum of the squares of 256 values, in order. */
export function sumOfSquares(x: usize): f32 {
  let s: f32 = 0;
  for (const end = x + 1024; x < end; x += 16) {
    const a = load<f32>(x), b = load<f32>(x, 4), c = load<f32>(x, 8), d = load<f32>(x, 12);
    s += a * a; s += b * b; s += c * c; s += d * d;
  }
  return s;
}
