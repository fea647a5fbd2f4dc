// Shared helpers: lane transposes, half floats, scratch memory, the pick over trial scales.

export const ZERO: v128 = f32x4(0, 0, 0, 0);
export const EPS: f32 = 1e-15;
export const MAGIC: f32 = 12582912.0;

/** Scratch for one super-block, as four groups of four lanes. Addresses are constants. */
export const COLS: usize = memory.data(4 * 32 * 96, 16);
export const SUMS: usize = memory.data(20 * 128, 16);
export const SCALES: usize = memory.data(64, 16);
export const MAXES: usize = memory.data(64, 16);
export const LEVELS: usize = memory.data(256, 16);

// Vector constants live in memory: V8 rebuilds a v128 constant with three instructions at every use.
const KONST: usize = memory.data<u32>([
  0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000, // kMagic
  0x7fffff, 0x7fffff, 0x7fffff, 0x7fffff, // kMantissa
  0x400000, 0x400000, 0x400000, 0x400000, // kZeroBits
  0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000, // kMagicBits
  0x3ffffc, 0x3ffffc, 0x3ffffc, 0x3ffffc, // kLeast4
  0x400003, 0x400003, 0x400003, 0x400003, // kMost3
  0x4b000000, 0x4b000000, 0x4b000000, 0x4b000000, // kExponent
  0x40400000, 0x40400000, 0x40400000, 0x40400000, // kThree
  0xc0800000, 0xc0800000, 0xc0800000, 0xc0800000, // kMinusFour
  0x4a7ffffc, 0x4a7ffffc, 0x4a7ffffc, 0x4a7ffffc, // kHuge
  0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff, // kAbs
], 16);
// @ts-ignore: decorator
@inline export function kMagic(): v128 { return v128.load(KONST, 0); }
// @ts-ignore: decorator
@inline export function kMantissa(): v128 { return v128.load(KONST, 16); }
// @ts-ignore: decorator
@inline export function kZeroBits(): v128 { return v128.load(KONST, 32); }
// @ts-ignore: decorator
@inline export function kMagicBits(): v128 { return v128.load(KONST, 48); }
// @ts-ignore: decorator
@inline export function kLeast4(): v128 { return v128.load(KONST, 64); }
// @ts-ignore: decorator
@inline export function kMost3(): v128 { return v128.load(KONST, 80); }
// @ts-ignore: decorator
@inline export function kExponent(): v128 { return v128.load(KONST, 96); }
// @ts-ignore: decorator
@inline export function kThree(): v128 { return v128.load(KONST, 112); }
// @ts-ignore: decorator
@inline export function kMinusFour(): v128 { return v128.load(KONST, 128); }
// @ts-ignore: decorator
@inline export function kHuge(): v128 { return v128.load(KONST, 144); }
// @ts-ignore: decorator
@inline export function kAbs(): v128 { return v128.load(KONST, 160); }

// @ts-ignore: decorator
@inline export function unpackLo32(a: v128, b: v128): v128 { return v128.shuffle<f32>(a, b, 0, 4, 1, 5); }
// @ts-ignore: decorator
@inline export function unpackHi32(a: v128, b: v128): v128 { return v128.shuffle<f32>(a, b, 2, 6, 3, 7); }
// @ts-ignore: decorator
@inline export function unpackLo64(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 0, 2); }
// @ts-ignore: decorator
@inline export function unpackHi64(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 1, 3); }

/** The level of a product, as the reference's magic addition has it (wraps beyond 2^22, NaN gives 0). */
// @ts-ignore: decorator
@inline export function nearestInt(v: v128): v128 {
  const bits = v128.and(f32x4.add(v, kMagic()), kMantissa());
  return i32x4.sub(bits, kZeroBits());
}

/** The value of largest magnitude per lane, the first one on a tie; `step` bytes apart, x first. */
export function firstMax(p: usize, end: usize, step: usize): v128 {
  let big = ZERO, max = ZERO;
  for (; p < end; p += step) {
    const x = v128.load(p);
    const ax = f32x4.abs(x);
    const more = f32x4.gt(ax, big);
    big = v128.bitselect(ax, big, more);
    max = v128.bitselect(x, max, more);
  }
  return max;
}

// @ts-ignore: decorator
@inline function betterOf(slx: v128, sl2: v128, best: v128): v128 {
  return v128.and(f32x4.gt(sl2, ZERO), f32x4.gt(f32x4.mul(slx, slx), f32x4.mul(best, sl2)));
}

/**
 * Runs through `n` tries of four groups in the reference's order and leaves the four
 * groups' scales at SCALES. Try 0 is the starting point; `strict` asks for suml2 > 0 there.
 */
export function pick(n: i32, strict: bool): void {
  let p = SUMS;
  let x0 = v128.load(p), y0 = v128.load(p, 16), x1 = v128.load(p, 32), y1 = v128.load(p, 48);
  let x2 = v128.load(p, 64), y2 = v128.load(p, 80), x3 = v128.load(p, 96), y3 = v128.load(p, 112);
  let s0 = f32x4.div(x0, y0), s1 = f32x4.div(x1, y1), s2 = f32x4.div(x2, y2), s3 = f32x4.div(x3, y3);
  if (strict) {
    s0 = v128.and(s0, f32x4.gt(y0, ZERO)); s1 = v128.and(s1, f32x4.gt(y1, ZERO));
    s2 = v128.and(s2, f32x4.gt(y2, ZERO)); s3 = v128.and(s3, f32x4.gt(y3, ZERO));
  } else {
    s0 = v128.and(s0, f32x4.ne(y0, ZERO)); s1 = v128.and(s1, f32x4.ne(y1, ZERO));
    s2 = v128.and(s2, f32x4.ne(y2, ZERO)); s3 = v128.and(s3, f32x4.ne(y3, ZERO));
  }
  let b0 = f32x4.mul(s0, x0), b1 = f32x4.mul(s1, x1), b2 = f32x4.mul(s2, x2), b3 = f32x4.mul(s3, x3);
  for (let t = 1; t < n; t++) {
    p += 128;
    x0 = v128.load(p); y0 = v128.load(p, 16); x1 = v128.load(p, 32); y1 = v128.load(p, 48);
    x2 = v128.load(p, 64); y2 = v128.load(p, 80); x3 = v128.load(p, 96); y3 = v128.load(p, 112);
    let m = betterOf(x0, y0, b0), s = f32x4.div(x0, y0);
    s0 = v128.bitselect(s, s0, m); b0 = v128.bitselect(f32x4.mul(s, x0), b0, m);
    m = betterOf(x1, y1, b1); s = f32x4.div(x1, y1);
    s1 = v128.bitselect(s, s1, m); b1 = v128.bitselect(f32x4.mul(s, x1), b1, m);
    m = betterOf(x2, y2, b2); s = f32x4.div(x2, y2);
    s2 = v128.bitselect(s, s2, m); b2 = v128.bitselect(f32x4.mul(s, x2), b2, m);
    m = betterOf(x3, y3, b3); s = f32x4.div(x3, y3);
    s3 = v128.bitselect(s, s3, m); b3 = v128.bitselect(f32x4.mul(s, x3), b3, m);
  }
  // Groups without anything above the threshold have no scale.
  const eps = f32x4.splat(EPS);
  v128.store(SCALES, v128.andnot(s0, f32x4.lt(f32x4.abs(v128.load(MAXES)), eps)));
  v128.store(SCALES, v128.andnot(s1, f32x4.lt(f32x4.abs(v128.load(MAXES, 16)), eps)), 16);
  v128.store(SCALES, v128.andnot(s2, f32x4.lt(f32x4.abs(v128.load(MAXES, 32)), eps)), 32);
  v128.store(SCALES, v128.andnot(s3, f32x4.lt(f32x4.abs(v128.load(MAXES, 48)), eps)), 48);
}

/** The first of the 16 scales at `p` with the largest magnitude, NaN left out; 0 if there is none. */
export function leadingScale(p: usize): f32 {
  const a = f32x4.abs(v128.load(p)), b = f32x4.abs(v128.load(p, 16));
  const c = f32x4.abs(v128.load(p, 32)), d = f32x4.abs(v128.load(p, 48));
  let m = f32x4.pmax(f32x4.pmax(f32x4.pmax(f32x4.pmax(ZERO, a), b), c), d);
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  if (f32x4.extract_lane(m, 0) == 0) return 0;
  const at = i32x4.bitmask(f32x4.eq(a, m)) | (i32x4.bitmask(f32x4.eq(b, m)) << 4)
    | (i32x4.bitmask(f32x4.eq(c, m)) << 8) | (i32x4.bitmask(f32x4.eq(d, m)) << 12);
  return load<f32>(p + (<usize>ctz(at) << 2));
}
