// The search over 19 trial scales (symmetric levels, -nmax..nmax-1), four sub-blocks in the lanes.
import { ZERO, EPS, SUMS, MAXES, unpackLo32, unpackHi32, unpackLo64, unpackHi64, firstMax, nearestInt, MAGIC } from "./lanes";

/** Whether the group laid out last has NaN or infinite values, which need the reference's own rounding. */
let odd: bool = false;

/** Bytes of one column entry: x, w and w*x of four lanes. */
const STEP: usize = 48;

export const SQUARE: i32 = 0, GIVEN: i32 = 1, ROOTED: i32 = 2;

// @ts-ignore: decorator
@inline function weigh(x: v128, q: v128, sigma2: v128, kind: i32): v128 {
  if (kind == SQUARE) return f32x4.mul(x, x);
  if (kind == GIVEN) return q;
  return f32x4.mul(q, f32x4.sqrt(f32x4.add(sigma2, f32x4.mul(x, x))));
}

// @ts-ignore: decorator
@inline function put(p: usize, x: v128, w: v128): void {
  v128.store(p, x);
  v128.store(p, w, 16);
  v128.store(p, f32x4.mul(w, x), 32);
}

/**
 * Lays four sub-blocks of `n` values, `pitch` bytes apart, into columns and
 * returns the value of largest magnitude of each. q: weights at the same pitch.
 */
// @ts-ignore: decorator
@inline function columns(src: usize, pitch: usize, q: usize, sigma2: v128, n: i32, cols: usize, kind: i32): v128 {
  let top = ZERO, low = ZERO, total = ZERO;
  const end = cols + <usize>n * STEP;
  for (let p = cols; p < end; p += 4 * STEP) {
    const a = v128.load(src), b = v128.load(src + pitch);
    const c = v128.load(src + 2 * pitch), d = v128.load(src + 3 * pitch);
    const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
    const x0 = unpackLo64(ab, cd), x1 = unpackHi64(ab, cd), x2 = unpackLo64(AB, CD), x3 = unpackHi64(AB, CD);
    let w0 = ZERO, w1 = ZERO, w2 = ZERO, w3 = ZERO;
    if (kind != SQUARE) {
      const e = v128.load(q), f = v128.load(q + pitch), g = v128.load(q + 2 * pitch), h = v128.load(q + 3 * pitch);
      const ef = unpackLo32(e, f), gh = unpackLo32(g, h), EF = unpackHi32(e, f), GH = unpackHi32(g, h);
      w0 = unpackLo64(ef, gh); w1 = unpackHi64(ef, gh); w2 = unpackLo64(EF, GH); w3 = unpackHi64(EF, GH);
      q += 16;
    }
    put(p, x0, weigh(x0, w0, sigma2, kind));
    put(p + STEP, x1, weigh(x1, w1, sigma2, kind));
    put(p + 2 * STEP, x2, weigh(x2, w2, sigma2, kind));
    put(p + 3 * STEP, x3, weigh(x3, w3, sigma2, kind));
    top = f32x4.pmax(f32x4.pmax(f32x4.pmax(f32x4.pmax(top, x0), x1), x2), x3);
    low = f32x4.pmin(f32x4.pmin(f32x4.pmin(f32x4.pmin(low, x0), x1), x2), x3);
    total = f32x4.add(f32x4.add(f32x4.add(f32x4.add(total, x0), x1), x2), x3);
    src += 16;
  }
  odd = !i32x4.all_true(f32x4.lt(f32x4.abs(total), f32x4.splat(f32.MAX_VALUE)));
  const neg = f32x4.neg(low);
  // +m and -m in one sub-block: the first one counts, so look again in order.
  if (v128.any_true(v128.and(f32x4.eq(top, neg), f32x4.gt(top, ZERO)))) return firstMax(cols, end, STEP);
  return v128.bitselect(top, low, f32x4.gt(top, neg));
}

export function columnsSquare(src: usize, pitch: usize, n: i32, cols: usize): v128 {
  return columns(src, pitch, 0, ZERO, n, cols, SQUARE);
}
export function columnsGiven(src: usize, pitch: usize, q: usize, n: i32, cols: usize): v128 {
  return columns(src, pitch, q, ZERO, n, cols, GIVEN);
}
export function columnsRooted(src: usize, pitch: usize, q: usize, sigma2: v128, n: i32, cols: usize): v128 {
  return columns(src, pitch, q, sigma2, n, cols, ROOTED);
}

// A trial scale (nmax + 0.1 is)/max keeps |scale*x| within nmax + 0.1 is, so the tries
// below nmax - 0.5 need no clamp and those below nmax + 0.5 only the upper one.
const FREE: i32 = 0, UPPER: i32 = 1, BOTH: i32 = 2;

/** Rounded to a level, as a float. Float bits clamp as integers: signed for the top, unsigned for the bottom. */
// @ts-ignore: decorator
@inline function level(x: v128, s: v128, hi: v128, lo: v128, clamp: i32): v128 {
  let l = f32x4.nearest(f32x4.mul(s, x));
  if (clamp >= UPPER) l = i32x4.min_s(l, hi);
  if (clamp == BOTH) l = i32x4.min_u(l, lo);
  return l;
}

// @ts-ignore: decorator
@inline function pair(cols: usize, end: usize, out: usize, out2: usize, s: v128, t: v128, hi: v128, lo: v128, clamp: i32): void {
  let sx = ZERO, s2 = ZERO, tx = ZERO, t2 = ZERO;
  for (; cols < end; cols += 4 * STEP) {
    let x = v128.load(cols), w = v128.load(cols, 16), wx = v128.load(cols, 32);
    let l = level(x, s, hi, lo, clamp), m = level(x, t, hi, lo, clamp);
    sx = f32x4.add(sx, f32x4.mul(wx, l)); s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
    tx = f32x4.add(tx, f32x4.mul(wx, m)); t2 = f32x4.add(t2, f32x4.mul(f32x4.mul(w, m), m));
    x = v128.load(cols, 48); w = v128.load(cols, 64); wx = v128.load(cols, 80);
    l = level(x, s, hi, lo, clamp); m = level(x, t, hi, lo, clamp);
    sx = f32x4.add(sx, f32x4.mul(wx, l)); s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
    tx = f32x4.add(tx, f32x4.mul(wx, m)); t2 = f32x4.add(t2, f32x4.mul(f32x4.mul(w, m), m));
    x = v128.load(cols, 96); w = v128.load(cols, 112); wx = v128.load(cols, 128);
    l = level(x, s, hi, lo, clamp); m = level(x, t, hi, lo, clamp);
    sx = f32x4.add(sx, f32x4.mul(wx, l)); s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
    tx = f32x4.add(tx, f32x4.mul(wx, m)); t2 = f32x4.add(t2, f32x4.mul(f32x4.mul(w, m), m));
    x = v128.load(cols, 144); w = v128.load(cols, 160); wx = v128.load(cols, 176);
    l = level(x, s, hi, lo, clamp); m = level(x, t, hi, lo, clamp);
    sx = f32x4.add(sx, f32x4.mul(wx, l)); s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
    tx = f32x4.add(tx, f32x4.mul(wx, m)); t2 = f32x4.add(t2, f32x4.mul(f32x4.mul(w, m), m));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
  v128.store(out2, tx); v128.store(out2, t2, 16);
}

function pairFree(cols: usize, end: usize, out: usize, out2: usize, s: v128, t: v128): void {
  pair(cols, end, out, out2, s, t, ZERO, ZERO, FREE);
}
function pairUpper(cols: usize, end: usize, out: usize, out2: usize, s: v128, t: v128, hi: v128): void {
  pair(cols, end, out, out2, s, t, hi, ZERO, UPPER);
}
function pairBoth(cols: usize, end: usize, out: usize, out2: usize, s: v128, t: v128, hi: v128, lo: v128): void {
  pair(cols, end, out, out2, s, t, hi, lo, BOTH);
}

// @ts-ignore: decorator
@inline function trial(nmax: f32, is: f32, max: v128): v128 {
  return f32x4.div(f32x4.splat(-(nmax + <f32>0.1 * is)), max);
}

// @ts-ignore: decorator
@inline function last(cols: usize, end: usize, out: usize, s: v128, hi: v128, lo: v128): void {
  let sx = ZERO, s2 = ZERO;
  for (; cols < end; cols += 2 * STEP) {
    let l = level(v128.load(cols), s, hi, lo, BOTH);
    sx = f32x4.add(sx, f32x4.mul(v128.load(cols, 32), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(v128.load(cols, 16), l), l));
    l = level(v128.load(cols, 48), s, hi, lo, BOTH);
    sx = f32x4.add(sx, f32x4.mul(v128.load(cols, 80), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(v128.load(cols, 64), l), l));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

function tryExact(cols: usize, end: usize, out: usize, s: v128, nmax: f32): void {
  const hi = i32x4.splat(<i32>nmax - 1), lo = i32x4.splat(-<i32>nmax);
  let sx = ZERO, s2 = ZERO;
  for (; cols < end; cols += STEP) {
    const n = nearestInt(f32x4.mul(s, v128.load(cols)));
    const l = f32x4.convert_i32x4_s(i32x4.max_s(i32x4.min_s(n, hi), lo));
    sx = f32x4.add(sx, f32x4.mul(v128.load(cols, 32), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(v128.load(cols, 16), l), l));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

/** The try in slot `t`, in tenths. */
// @ts-ignore: decorator
@inline function tenths(t: i32): f32 { const k = t == 0 ? 0 : t < 10 ? t - 10 : t - 9; return <f32>k; }

/** Sums of the 19 tries of group `g` to SUMS: slot 0 is the plain scale, then -9..-1, 1..9. */
export function tries(g: i32, cols: usize, n: i32, nmax: f32, max: v128): void {
  const end = cols + <usize>n * STEP, o = SUMS + (<usize>g << 5);
  const hi = f32x4.splat(nmax - 1), lo = f32x4.splat(-nmax);
  v128.store(MAXES + (<usize>g << 4), max);
  if (odd) {
    for (let t = 0; t < 19; t++) tryExact(cols, end, o + (<usize>t << 7), trial(nmax, tenths(t), max), nmax);
    return;
  }
  pairFree(cols, end, o + 128, o + 256, trial(nmax, -9, max), trial(nmax, -8, max));
  pairFree(cols, end, o + 384, o + 512, trial(nmax, -7, max), trial(nmax, -6, max));
  pairUpper(cols, end, o + 640, o + 768, trial(nmax, -5, max), trial(nmax, -4, max), hi);
  pairUpper(cols, end, o + 896, o + 1024, trial(nmax, -3, max), trial(nmax, -2, max), hi);
  pairUpper(cols, end, o + 1152, o, trial(nmax, -1, max), trial(nmax, 0, max), hi);
  pairUpper(cols, end, o + 1280, o + 1408, trial(nmax, 1, max), trial(nmax, 2, max), hi);
  pairUpper(cols, end, o + 1536, o + 1664, trial(nmax, 3, max), trial(nmax, 4, max), hi);
  pairBoth(cols, end, o + 1792, o + 1920, trial(nmax, 5, max), trial(nmax, 6, max), hi, lo);
  pairBoth(cols, end, o + 2048, o + 2176, trial(nmax, 7, max), trial(nmax, 8, max), hi, lo);
  last(cols, end, o + 2304, trial(nmax, 9, max), hi, lo);
}

/**
 * The levels (plus nmax) the search itself ends on, for the rare sub-blocks whose stored
 * scale comes out 0 and which therefore keep them. x and weights are read from lane `k` of `cols`.
 */
export function searchedLevels(cols: usize, k: i32, n: i32, nmax: i32, most: f32, out: usize): void {
  if (abs(most) < EPS) {
    memory.fill(out, 0, n);
    return;
  }
  let kept: f32 = 0, best: f32 = 0;
  for (let t = 0; t < 19; t++) {
    const s: f32 = -(<f32>nmax + <f32>0.1 * tenths(t)) / most;
    let sx: f32 = 0, s2: f32 = 0;
    for (let i = 0; i < n; i++) {
      const p = cols + <usize>i * STEP + (<usize>k << 2);
      const l = <f32>rounded(s * load<f32>(p), nmax);
      sx += load<f32>(p, 32) * l;
      s2 += load<f32>(p, 16) * l * l;
    }
    if (t == 0 || (s2 > 0 && sx * sx > best * s2)) {
      kept = s;
      best = s2 != 0 ? sx / s2 * sx : 0;
    }
  }
  for (let i = 0; i < n; i++) {
    store<u8>(out + i, nmax + rounded(kept * load<f32>(cols + <usize>i * STEP + (<usize>k << 2)), nmax));
  }
}

// @ts-ignore: decorator
@inline function rounded(v: f32, nmax: i32): i32 {
  return max(-nmax, min(nmax - 1, (reinterpret<i32>(v + MAGIC) & 0x7fffff) - 0x400000));
}

/** The sum of squares of 256 values, in order. */
export function spread(x: usize): f32 {
  let s: f32 = 0;
  for (const end = x + 1024; x < end; x += 16) {
    const a = load<f32>(x), b = load<f32>(x, 4), c = load<f32>(x, 8), d = load<f32>(x, 12);
    s += a * a; s += b * b; s += c * c; s += d * d;
  }
  return s;
}
