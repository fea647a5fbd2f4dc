// Q3_K without an importance matrix: levels -4..3 by coordinate descent. Starting from round(-4 x / peak) with
// weights w = x*x, the reference goes over the 16 values of a sub-block up to five times; at each value it takes its
// share out of the sums, proposes the level that fits the rest best, and keeps it if (sum w x l)^2 / sum(w l l) grows.
import { COLUMNS } from "./trialSearch";
import { NOTHING } from "./trialChoice";
import { WIDE_STEP, layOut } from "./columns";
import { ZERO, magic4, mantissa4, unpackHi32, unpackHi64, unpackLo32, unpackLo64 } from "./lanes";

/** Sub-blocks of one batch, whose unsettled ones share lanes. */
export const BATCH: i32 = 256;
/** Scales and values of largest magnitude of a batch. */
export const SCALE: usize = memory.data(256 * 4, 16);
export const PEAK: usize = memory.data(256 * 4, 16);
/** Numbers of the sub-blocks still to be descended on, padded to a multiple of sixteen. */
const LIST: usize = memory.data(288 * 4, 16);
const STATE: usize = memory.data(4 * 32, 16);

const LEAST4: usize = memory.data<u32>([0x3ffffc, 0x3ffffc, 0x3ffffc, 0x3ffffc], 16);
const MOST4: usize = memory.data<u32>([0x400003, 0x400003, 0x400003, 0x400003], 16);
const EXPONENT4: usize = memory.data<u32>([0x4b000000, 0x4b000000, 0x4b000000, 0x4b000000], 16);
const THREE4: usize = memory.data<u32>([0x40400000, 0x40400000, 0x40400000, 0x40400000], 16);
const MINUS_FOUR4: usize = memory.data<u32>([0xc0800000, 0xc0800000, 0xc0800000, 0xc0800000], 16);
/** 2^22 less a rounding: beyond it the reference's rounding wraps. */
const HUGE4: usize = memory.data<u32>([0x4a7ffffc, 0x4a7ffffc, 0x4a7ffffc, 0x4a7ffffc], 16);
const MAGNITUDE4: usize = memory.data<u32>([0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff], 16);

const END: usize = COLUMNS + 16 * WIDE_STEP;
let listed: i32 = 0;

/** A level as the low 23 bits of the magic sum, clamped to -4..3: 0x400000 stands for 0. */
// @ts-ignore: decorator
@inline function clamped(v: v128): v128 {
  const bits = v128.and(f32x4.add(v, magic4()), mantissa4());
  return i32x4.min_s(i32x4.max_s(bits, v128.load(LEAST4)), v128.load(MOST4));
}
// @ts-ignore: decorator
@inline function asFloat(bits: v128): v128 {
  return f32x4.sub(v128.or(bits, v128.load(EXPONENT4)), magic4());
}

/**
 * First levels of the sub-blocks `sub` to `sub` + 3 at `x`, their scales, and which of them the descent could change
 * at all: those where some level is not the best for the sums it would start from. They go to the list, the rest is
 * settled, as sums change with the first change only.
 */
export function settle(x: usize, sub: usize): void {
  const peak = layOut(x, x + 64, x + 128, x + 192, 16, COLUMNS), s = f32x4.div(f32x4.splat(-4), peak);
  let lx = ZERO, l2 = ZERO, least = ZERO;
  for (let p = COLUMNS; p < END; p += WIDE_STEP) {
    const v = v128.load(p), w = f32x4.mul(v, v);
    const bits = clamped(f32x4.mul(s, v)), l = asFloat(bits);
    const px = f32x4.mul(f32x4.mul(w, v), l), p2 = f32x4.mul(f32x4.mul(w, l), l);
    lx = f32x4.add(lx, px);
    l2 = f32x4.add(l2, p2);
    least = f32x4.pmin(least, px);
    v128.store(p, bits, 16); v128.store(p, px, 32); v128.store(p, p2, 48);
  }
  const some = f32x4.ge(f32x4.abs(peak), f32x4.splat(NOTHING));
  v128.store(PEAK + (sub << 2), peak);
  v128.store(SCALE + (sub << 2), v128.and(f32x4.div(lx, l2), v128.and(some, f32x4.gt(l2, ZERO))));
  // Where every sum without one's own term is negative (a positive peak) nothing can be proposed. Rounding is
  // monotone, so the least term decides for all.
  const live = v128.and(some, f32x4.gt(f32x4.sub(lx, least), ZERO));
  let open = ZERO;
  for (let p = COLUMNS; p < END; p += WIDE_STEP) {
    const a = f32x4.sub(lx, v128.load(p, 32)), b = f32x4.sub(l2, v128.load(p, 48));
    const same = i32x4.eq(clamped(f32x4.div(f32x4.mul(v128.load(p), b), a)), v128.load(p, 16));
    open = v128.or(open, v128.andnot(f32x4.gt(a, ZERO), same));
  }
  // Appended without branches: how many lanes stay open is not predictable.
  const k = i32x4.bitmask(v128.and(open, live));
  let at = LIST + (<usize>listed << 2);
  store<i32>(at, <i32>sub); at += (k & 1) << 2;
  store<i32>(at, <i32>sub + 1); at += (k & 2) << 1;
  store<i32>(at, <i32>sub + 2); at += k & 4;
  store<i32>(at, <i32>sub + 3); at += (k & 8) >> 1;
  listed = <i32>(at - LIST) >> 2;
}

/** Descends on all sub-blocks of the list (values of sub-block 0 at x), storing their scales, and empties it. */
export function descendOnListed(x: usize): void {
  for (let k = 0; k < 15; k++) store<i32>(LIST + (<usize>(listed + k) << 2), load<i32>(LIST));
  for (let k = 0; k < listed; k += 16) {
    const at = LIST + (<usize>k << 2);
    if (descendFast(x, at)) continue;
    for (let i: usize = 0; i < 64; i += 16) descend(x, at + i);
  }
  listed = 0;
}

/**
 * Descends on four listed sub-blocks and stores their scales. Exact for every quotient, but it waits for each value
 * in turn; descendFast does sixteen sub-blocks and leaves the odd cases to this one.
 */
function descend(x: usize, at: usize): void {
  const i = <usize>load<u32>(at) << 6, j = <usize>load<u32>(at, 4) << 6;
  const m = <usize>load<u32>(at, 8) << 6, n = <usize>load<u32>(at, 12) << 6;
  const s = f32x4.div(f32x4.splat(-4), layOut(x + i, x + j, x + m, x + n, 16, COLUMNS));
  let lx = ZERO, l2 = ZERO;
  for (let p = COLUMNS; p < END; p += WIDE_STEP) {
    const v = v128.load(p), w = f32x4.mul(v, v), wv = f32x4.mul(w, v);
    const bits = clamped(f32x4.mul(s, v)), l = asFloat(bits);
    const px = f32x4.mul(wv, l), p2 = f32x4.mul(f32x4.mul(w, l), l);
    lx = f32x4.add(lx, px);
    l2 = f32x4.add(l2, p2);
    v128.store(p, bits, 16); v128.store(p, px, 32); v128.store(p, p2, 48);
    v128.store(p, w, 64); v128.store(p, wv, 80);
  }
  for (let pass = 0; pass < 5; pass++) {
    let changed = false;
    for (let p = COLUMNS; p < END; p += WIDE_STEP) {
      const oldBits = v128.load(p, 16), px = v128.load(p, 32), p2 = v128.load(p, 48);
      const a = f32x4.sub(lx, px), b = f32x4.sub(l2, p2);
      const bits = clamped(f32x4.div(f32x4.mul(v128.load(p), b), a)), l = asFloat(bits);
      const nx = f32x4.mul(v128.load(p, 80), l), n2 = f32x4.mul(f32x4.mul(v128.load(p, 64), l), l);
      const c = f32x4.add(a, nx), d = f32x4.add(b, n2);
      const better = f32x4.gt(f32x4.mul(f32x4.mul(c, c), l2), f32x4.mul(f32x4.mul(lx, lx), d));
      const may = v128.andnot(v128.and(f32x4.gt(a, ZERO), f32x4.gt(d, ZERO)), i32x4.eq(bits, oldBits));
      const take = v128.and(better, may);
      if (v128.any_true(take)) {
        lx = v128.bitselect(c, lx, take);
        l2 = v128.bitselect(d, l2, take);
        v128.store(p, v128.bitselect(bits, oldBits, take), 16);
        v128.store(p, v128.bitselect(nx, px, take), 32);
        v128.store(p, v128.bitselect(n2, p2, take), 48);
        changed = true;
      }
    }
    if (!changed) break;
  }
  leave(at, f32x4.div(lx, l2), l2);
}

// The fast descent keeps four groups side by side: 4 * 96 bytes a value. Levels are floats, and shares of the sums
// are computed anew from them.
const ROW: usize = 4 * WIDE_STEP;

/** Lays out group `g` of the four listed sub-blocks at `at`. */
function enter(g: usize, x: usize, at: usize): void {
  const i = load<u32>(at), j = load<u32>(at, 4), m = load<u32>(at, 8), n = load<u32>(at, 12);
  let a = x + (<usize>i << 6), b = x + (<usize>j << 6), c = x + (<usize>m << 6), d = x + (<usize>n << 6);
  let peak = f32x4.splat(load<f32>(PEAK + (<usize>i << 2)));
  peak = f32x4.replace_lane(peak, 1, load<f32>(PEAK + (<usize>j << 2)));
  peak = f32x4.replace_lane(peak, 2, load<f32>(PEAK + (<usize>m << 2)));
  peak = f32x4.replace_lane(peak, 3, load<f32>(PEAK + (<usize>n << 2)));
  const s = f32x4.div(f32x4.splat(-4), peak), start = COLUMNS + g * WIDE_STEP, end = start + 16 * ROW;
  for (let p = start; p < end; p += 4 * ROW) {
    const e = v128.load(a), f = v128.load(b), h = v128.load(c), k = v128.load(d);
    const ef = unpackLo32(e, f), hk = unpackLo32(h, k), EF = unpackHi32(e, f), HK = unpackHi32(h, k);
    term(p, unpackLo64(ef, hk), s); term(p + ROW, unpackHi64(ef, hk), s);
    term(p + 2 * ROW, unpackLo64(EF, HK), s); term(p + 3 * ROW, unpackHi64(EF, HK), s);
    a += 16; b += 16; c += 16; d += 16;
  }
  let lx = ZERO, l2 = ZERO;
  for (let p = start; p < end; p += ROW) {
    const l = v128.load(p, 16);
    lx = f32x4.add(lx, f32x4.mul(v128.load(p, 80), l));
    l2 = f32x4.add(l2, f32x4.mul(f32x4.mul(v128.load(p, 64), l), l));
  }
  v128.store(STATE + (g << 5), lx); v128.store(STATE + (g << 5), l2, 16);
}

// @ts-ignore: decorator
@inline function term(p: usize, v: v128, s: v128): void {
  const w = f32x4.mul(v, v), wv = f32x4.mul(w, v), l = near(f32x4.mul(s, v));
  v128.store(p, v); v128.store(p, l, 16); v128.store(p, w, 64); v128.store(p, wv, 80);
}

/** Rounded and clamped as float bits; right only for magnitudes below 2^22. */
// @ts-ignore: decorator
@inline function near(v: v128): v128 {
  return i32x4.min_u(i32x4.min_s(f32x4.nearest(v), v128.load(THREE4)), v128.load(MINUS_FOUR4));
}
// @ts-ignore: decorator
@inline function odd(a: v128, q: v128): v128 {
  return v128.andnot(f32x4.gt(a, ZERO), f32x4.lt(v128.and(q, v128.load(MAGNITUDE4)), v128.load(HUGE4)));
}
// @ts-ignore: decorator
@inline function taken(a: v128, d: v128, l: v128, old: v128, c: v128, lx: v128, l2: v128): v128 {
  const may = v128.and(v128.and(f32x4.gt(a, ZERO), f32x4.gt(d, ZERO)), f32x4.ne(l, old));
  return v128.and(may, f32x4.gt(f32x4.mul(f32x4.mul(c, c), l2), f32x4.mul(f32x4.mul(lx, lx), d)));
}

/** Descends on sixteen listed sub-blocks; false, with nothing stored, if some quotient was too large for it. */
function descendFast(x: usize, at: usize): bool {
  for (let g: usize = 0; g < 4; g++) enter(g, x, at + (g << 4));
  let x0 = v128.load(STATE), y0 = v128.load(STATE, 16), x1 = v128.load(STATE, 32), y1 = v128.load(STATE, 48);
  let x2 = v128.load(STATE, 64), y2 = v128.load(STATE, 80), x3 = v128.load(STATE, 96), y3 = v128.load(STATE, 112);
  let bad = ZERO;
  // A lane that has settled may run on: a pass without a change repeats itself.
  for (let pass = 0; pass < 5; pass++) {
    let any = ZERO;
    for (let p = COLUMNS; p < COLUMNS + 16 * ROW; p += ROW) {
      let old = v128.load(p, 16), w = v128.load(p, 64), wv = v128.load(p, 80);
      let a = f32x4.sub(x0, f32x4.mul(wv, old)), b = f32x4.sub(y0, f32x4.mul(f32x4.mul(w, old), old));
      let q = f32x4.div(f32x4.mul(v128.load(p), b), a), l = near(q);
      let c = f32x4.add(a, f32x4.mul(wv, l)), d = f32x4.add(b, f32x4.mul(f32x4.mul(w, l), l));
      let take = taken(a, d, l, old, c, x0, y0);
      x0 = v128.bitselect(c, x0, take); y0 = v128.bitselect(d, y0, take);
      v128.store(p, v128.bitselect(l, old, take), 16);
      any = v128.or(any, take); bad = v128.or(bad, odd(a, q));
      old = v128.load(p, 112); w = v128.load(p, 160); wv = v128.load(p, 176);
      a = f32x4.sub(x1, f32x4.mul(wv, old)); b = f32x4.sub(y1, f32x4.mul(f32x4.mul(w, old), old));
      q = f32x4.div(f32x4.mul(v128.load(p, 96), b), a); l = near(q);
      c = f32x4.add(a, f32x4.mul(wv, l)); d = f32x4.add(b, f32x4.mul(f32x4.mul(w, l), l));
      take = taken(a, d, l, old, c, x1, y1);
      x1 = v128.bitselect(c, x1, take); y1 = v128.bitselect(d, y1, take);
      v128.store(p, v128.bitselect(l, old, take), 112);
      any = v128.or(any, take); bad = v128.or(bad, odd(a, q));
      old = v128.load(p, 208); w = v128.load(p, 256); wv = v128.load(p, 272);
      a = f32x4.sub(x2, f32x4.mul(wv, old)); b = f32x4.sub(y2, f32x4.mul(f32x4.mul(w, old), old));
      q = f32x4.div(f32x4.mul(v128.load(p, 192), b), a); l = near(q);
      c = f32x4.add(a, f32x4.mul(wv, l)); d = f32x4.add(b, f32x4.mul(f32x4.mul(w, l), l));
      take = taken(a, d, l, old, c, x2, y2);
      x2 = v128.bitselect(c, x2, take); y2 = v128.bitselect(d, y2, take);
      v128.store(p, v128.bitselect(l, old, take), 208);
      any = v128.or(any, take); bad = v128.or(bad, odd(a, q));
      old = v128.load(p, 304); w = v128.load(p, 352); wv = v128.load(p, 368);
      a = f32x4.sub(x3, f32x4.mul(wv, old)); b = f32x4.sub(y3, f32x4.mul(f32x4.mul(w, old), old));
      q = f32x4.div(f32x4.mul(v128.load(p, 288), b), a); l = near(q);
      c = f32x4.add(a, f32x4.mul(wv, l)); d = f32x4.add(b, f32x4.mul(f32x4.mul(w, l), l));
      take = taken(a, d, l, old, c, x3, y3);
      x3 = v128.bitselect(c, x3, take); y3 = v128.bitselect(d, y3, take);
      v128.store(p, v128.bitselect(l, old, take), 304);
      any = v128.or(any, take); bad = v128.or(bad, odd(a, q));
    }
    if (!v128.any_true(any)) break;
  }
  if (v128.any_true(bad)) return false;
  leave(at, f32x4.div(x0, y0), y0); leave(at + 16, f32x4.div(x1, y1), y1);
  leave(at + 32, f32x4.div(x2, y2), y2); leave(at + 48, f32x4.div(x3, y3), y3);
  return true;
}

function leave(at: usize, scale: v128, l2: v128): void {
  const r = v128.and(scale, f32x4.gt(l2, ZERO));
  store<f32>(SCALE + (<usize>load<u32>(at) << 2), f32x4.extract_lane(r, 0));
  store<f32>(SCALE + (<usize>load<u32>(at, 4) << 2), f32x4.extract_lane(r, 1));
  store<f32>(SCALE + (<usize>load<u32>(at, 8) << 2), f32x4.extract_lane(r, 2));
  store<f32>(SCALE + (<usize>load<u32>(at, 12) << 2), f32x4.extract_lane(r, 3));
}

/** The levels (0..7) that the descent itself ends on, for sub-blocks whose stored scale comes out 0. */
export function settledLevels(x: usize, sub: usize, out: usize): void {
  const peak = load<f32>(PEAK + (sub << 2));
  if (!(abs(peak) >= NOTHING)) {
    memory.fill(out, 0, 16);
    return;
  }
  const at = LIST + 280 * 4, n = <u32>sub;
  store<u32>(at, n); store<u32>(at, n, 4); store<u32>(at, n, 8); store<u32>(at, n, 12);
  descend(x, at);
  for (let i: usize = 0; i < 16; i++) store<u8>(out + i, load<i32>(COLUMNS + i * WIDE_STEP, 16) - 0x3ffffc);
}
