// The search over 19 trial scales for symmetric levels -limit .. limit - 1 (Q6_K; with an importance matrix Q3_K,
// Q4_0 and Q5_0 too), four sub-blocks in the lanes.
//
// Try t has the scale -(limit + 0.1 t) / peak, t = 0 and then -9 .. 9; its sums are sum(w x l) and sum(w l l) with
// l = round(scale * x). The sums of all tries are independent of each other, so they are made two at a time over
// columns that stay loaded; trialChoice.ts picks the winner. Levels are never stored: once the scale is chosen they
// come from x / d, except for the rare sub-block whose scale is 0.
import { ZERO, nearestInt, nearestIntOf, peakOf, unpackHi32, unpackHi64, unpackLo32, unpackLo64 } from "./lanes";
import { NOTHING, PEAKS, SUMS } from "./trialChoice";

/** Room for four groups: per value x, w and w*x of four lanes. Shared with other searches that need columns. */
export const COLUMNS: usize = memory.data(4 * 32 * 96, 16);
/** Bytes of one value's entry. */
export const STEP: usize = 48;

const SQUARE: i32 = 0, GIVEN: i32 = 1, ROOTED: i32 = 2;

/** Whether the group laid out last has NaN or infinite values, for which only the reference's own rounding is right. */
let odd: bool = false;

// @ts-ignore: decorator
@inline function weightOf(x: v128, given: v128, sigma2: v128, kind: i32): v128 {
  if (kind == SQUARE) return f32x4.mul(x, x);
  if (kind == GIVEN) return given;
  return f32x4.mul(given, f32x4.sqrt(f32x4.add(sigma2, f32x4.mul(x, x))));
}

// @ts-ignore: decorator
@inline function put(p: usize, x: v128, w: v128): void {
  v128.store(p, x);
  v128.store(p, w, 16);
  v128.store(p, f32x4.mul(w, x), 32);
}

/**
 * Lays four sub-blocks of `n` values, `pitch` bytes apart, into columns and returns the value of largest magnitude of
 * each. Weights at `given`, in the same layout.
 */
// @ts-ignore: decorator
@inline function columns(source: usize, pitch: usize, given: usize, sigma2: v128, n: i32, to: usize, kind: i32): v128 {
  let top = ZERO, low = ZERO, total = ZERO;
  const end = to + <usize>n * STEP;
  for (let p = to; p < end; p += 4 * STEP) {
    const a = v128.load(source), b = v128.load(source + pitch);
    const c = v128.load(source + 2 * pitch), d = v128.load(source + 3 * pitch);
    const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
    const x0 = unpackLo64(ab, cd), x1 = unpackHi64(ab, cd), x2 = unpackLo64(AB, CD), x3 = unpackHi64(AB, CD);
    let w0 = ZERO, w1 = ZERO, w2 = ZERO, w3 = ZERO;
    if (kind != SQUARE) {
      const e = v128.load(given), f = v128.load(given + pitch);
      const g = v128.load(given + 2 * pitch), h = v128.load(given + 3 * pitch);
      const ef = unpackLo32(e, f), gh = unpackLo32(g, h), EF = unpackHi32(e, f), GH = unpackHi32(g, h);
      w0 = unpackLo64(ef, gh); w1 = unpackHi64(ef, gh); w2 = unpackLo64(EF, GH); w3 = unpackHi64(EF, GH);
      given += 16;
    }
    put(p, x0, weightOf(x0, w0, sigma2, kind));
    put(p + STEP, x1, weightOf(x1, w1, sigma2, kind));
    put(p + 2 * STEP, x2, weightOf(x2, w2, sigma2, kind));
    put(p + 3 * STEP, x3, weightOf(x3, w3, sigma2, kind));
    top = f32x4.pmax(f32x4.pmax(f32x4.pmax(f32x4.pmax(top, x0), x1), x2), x3);
    low = f32x4.pmin(f32x4.pmin(f32x4.pmin(f32x4.pmin(low, x0), x1), x2), x3);
    total = f32x4.add(f32x4.add(f32x4.add(f32x4.add(total, x0), x1), x2), x3);
    source += 16;
  }
  odd = !i32x4.all_true(f32x4.lt(f32x4.abs(total), f32x4.splat(f32.MAX_VALUE)));
  return peakOf(top, low, to, end, STEP);
}

/** Columns with the weights x*x. */
export function columnsSquare(source: usize, pitch: usize, n: i32, to: usize): v128 {
  return columns(source, pitch, 0, ZERO, n, to, SQUARE);
}
/** Columns with the given weights. */
export function columnsGiven(source: usize, pitch: usize, given: usize, n: i32, to: usize): v128 {
  return columns(source, pitch, given, ZERO, n, to, GIVEN);
}
/** Columns with the weights given * sqrt(sigma2 + x*x). */
export function columnsRooted(source: usize, pitch: usize, given: usize, sigma2: v128, n: i32, to: usize): v128 {
  return columns(source, pitch, given, sigma2, n, to, ROOTED);
}

// |scale * x| is at most limit + 0.1 t (and a rounding), so tries below -5 need no clamp, those below 5 only the
// upper one.
const FREE: i32 = 0, UPPER: i32 = 1, BOTH: i32 = 2;

/** round(s * x), clamped, as a float. Float bits clamp as integers: signed for the top, unsigned for the bottom. */
// @ts-ignore: decorator
@inline function level(x: v128, s: v128, high: v128, low: v128, clamp: i32): v128 {
  let l = f32x4.nearest(f32x4.mul(s, x));
  if (clamp >= UPPER) l = i32x4.min_s(l, high);
  if (clamp == BOTH) l = i32x4.min_u(l, low);
  return l;
}

/** The sums of two tries, to `out` and `out2`. */
// @ts-ignore: decorator
@inline function pair(p: usize, end: usize, out: usize, out2: usize, s: v128, t: v128, high: v128, low: v128, clamp: i32): void {
  let sx = ZERO, s2 = ZERO, tx = ZERO, t2 = ZERO;
  // Two values a round: V8 12 does not unroll such a loop itself, and V8 13 spills the sums of a longer one.
  for (; p < end; p += 2 * STEP) {
    let x = v128.load(p), w = v128.load(p, 16), wx = v128.load(p, 32);
    let l = level(x, s, high, low, clamp), m = level(x, t, high, low, clamp);
    sx = f32x4.add(sx, f32x4.mul(wx, l)); s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
    tx = f32x4.add(tx, f32x4.mul(wx, m)); t2 = f32x4.add(t2, f32x4.mul(f32x4.mul(w, m), m));
    x = v128.load(p, 48); w = v128.load(p, 64); wx = v128.load(p, 80);
    l = level(x, s, high, low, clamp); m = level(x, t, high, low, clamp);
    sx = f32x4.add(sx, f32x4.mul(wx, l)); s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
    tx = f32x4.add(tx, f32x4.mul(wx, m)); t2 = f32x4.add(t2, f32x4.mul(f32x4.mul(w, m), m));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
  v128.store(out2, tx); v128.store(out2, t2, 16);
}

function pairFree(p: usize, end: usize, out: usize, out2: usize, s: v128, t: v128): void {
  pair(p, end, out, out2, s, t, ZERO, ZERO, FREE);
}
function pairUpper(p: usize, end: usize, out: usize, out2: usize, s: v128, t: v128, high: v128): void {
  pair(p, end, out, out2, s, t, high, ZERO, UPPER);
}
function pairBoth(p: usize, end: usize, out: usize, out2: usize, s: v128, t: v128, high: v128, low: v128): void {
  pair(p, end, out, out2, s, t, high, low, BOTH);
}

// @ts-ignore: decorator
@inline function last(p: usize, end: usize, out: usize, s: v128, high: v128, low: v128): void {
  let sx = ZERO, s2 = ZERO;
  for (; p < end; p += 2 * STEP) {
    let l = level(v128.load(p), s, high, low, BOTH);
    sx = f32x4.add(sx, f32x4.mul(v128.load(p, 32), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(v128.load(p, 16), l), l));
    l = level(v128.load(p, 48), s, high, low, BOTH);
    sx = f32x4.add(sx, f32x4.mul(v128.load(p, 80), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(v128.load(p, 64), l), l));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

/** One try with the reference's own rounding, for any values. */
function tryExactly(p: usize, end: usize, out: usize, s: v128, limit: f32): void {
  const high = i32x4.splat(<i32>limit - 1), low = i32x4.splat(-<i32>limit);
  let sx = ZERO, s2 = ZERO;
  for (; p < end; p += STEP) {
    const n = nearestInt(f32x4.mul(s, v128.load(p)));
    const l = f32x4.convert_i32x4_s(i32x4.max_s(i32x4.min_s(n, high), low));
    sx = f32x4.add(sx, f32x4.mul(v128.load(p, 32), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(v128.load(p, 16), l), l));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

/** The number of the try in slot `slot`: 0, then -9 .. -1, then 1 .. 9. */
// @ts-ignore: decorator
@inline export function tenths(slot: i32): f32 {
  const t = slot == 0 ? 0 : slot < 10 ? slot - 10 : slot - 9;
  return <f32>t;
}

// @ts-ignore: decorator
@inline function trials(limit: f32, t: f32, peak: v128): v128 {
  return f32x4.div(f32x4.splat(-(limit + <f32>0.1 * t)), peak);
}

/** The trial scale of a slot. */
// @ts-ignore: decorator
@inline export function trialScale(slot: i32, limit: f32, peak: f32): f32 { return -(limit + <f32>0.1 * tenths(slot)) / peak; }

/** The sums of all 19 tries of group `g` (0 to 3), whose columns are at `p`. */
export function tries(g: i32, p: usize, n: i32, limit: f32, peak: v128): void {
  const end = p + <usize>n * STEP, o = SUMS + (<usize>g << 5);
  const high = f32x4.splat(limit - 1), low = f32x4.splat(-limit);
  v128.store(PEAKS + (<usize>g << 4), peak);
  if (odd) {
    for (let t = 0; t < 19; t++) tryExactly(p, end, o + (<usize>t << 7), trials(limit, tenths(t), peak), limit);
    return;
  }
  pairFree(p, end, o + 128, o + 256, trials(limit, -9, peak), trials(limit, -8, peak));
  pairFree(p, end, o + 384, o + 512, trials(limit, -7, peak), trials(limit, -6, peak));
  pairUpper(p, end, o + 640, o + 768, trials(limit, -5, peak), trials(limit, -4, peak), high);
  pairUpper(p, end, o + 896, o + 1024, trials(limit, -3, peak), trials(limit, -2, peak), high);
  pairUpper(p, end, o + 1152, o, trials(limit, -1, peak), trials(limit, 0, peak), high);
  pairUpper(p, end, o + 1280, o + 1408, trials(limit, 1, peak), trials(limit, 2, peak), high);
  pairUpper(p, end, o + 1536, o + 1664, trials(limit, 3, peak), trials(limit, 4, peak), high);
  pairBoth(p, end, o + 1792, o + 1920, trials(limit, 5, peak), trials(limit, 6, peak), high, low);
  pairBoth(p, end, o + 2048, o + 2176, trials(limit, 7, peak), trials(limit, 8, peak), high, low);
  last(p, end, o + 2304, trials(limit, 9, peak), high, low);
}

// @ts-ignore: decorator
@inline function clamped(v: f32, limit: i32): i32 { return max(-limit, min(limit - 1, nearestIntOf(v))); }

/**
 * The levels (plus `limit`) that the search itself ends on, for a sub-block whose stored scale comes out 0 and which
 * therefore keeps them: the n values and weights in lane `k` of the columns at `p`.
 */
export function searchedLevels(p: usize, k: i32, n: i32, limit: i32, peak: f32, out: usize): void {
  if (abs(peak) < NOTHING) {
    memory.fill(out, 0, n);
    return;
  }
  const lane = p + (<usize>k << 2);
  let kept: f32 = 0, best: f32 = 0;
  for (let t = 0; t < 19; t++) {
    const s = trialScale(t, <f32>limit, peak);
    let sx: f32 = 0, s2: f32 = 0;
    for (let i = 0; i < n; i++) {
      const q = lane + <usize>i * STEP, l = <f32>clamped(s * load<f32>(q), limit);
      sx += load<f32>(q, 32) * l;
      s2 += load<f32>(q, 16) * l * l;
    }
    if (t == 0 || (s2 > 0 && sx * sx > best * s2)) {
      kept = s;
      // A scale of 0 times an infinite sum is NaN, above which nothing comes.
      const scale: f32 = s2 != 0 ? sx / s2 : 0;
      best = scale * sx;
    }
  }
  for (let i = 0; i < n; i++) store<u8>(out + i, limit + clamped(kept * load<f32>(lane + <usize>i * STEP), limit));
}
