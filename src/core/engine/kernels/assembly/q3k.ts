// Q3_K without weights: levels -4..3 settled by coordinate descent, then 6-bit scales.
import { halfOf, floatOf } from "./halves";
import { ZERO, EPS, MAGIC, COLS, LEVELS, unpackLo32, unpackHi32, unpackLo64, unpackHi64, leadingScale, firstMax,
  kMagic, kMantissa, kLeast4, kMost3, kExponent, kThree, kMinusFour, kHuge, kAbs } from "./lanes";
import { levels, packScales, packLevels, finalScale } from "./q3kPacking";

const BATCH: i32 = 16; // super-blocks whose unsettled sub-blocks share lanes
const SCALE: usize = memory.data(16 * 64, 16);
const TOP: usize = memory.data(16 * 64, 16);
const LIST: usize = memory.data(288 * 4, 16);
const STATE: usize = memory.data(4 * 32, 16);
const QUANT: usize = memory.data(16, 16);

const STEP: usize = 96;
const END: usize = COLS + 16 * STEP;
let listed: i32 = 0;

/** Transposes four sub-blocks to x of the columns; returns the values of largest magnitude. */
// @ts-ignore: decorator
@inline function layOut(a: usize, b: usize, c: usize, d: usize): v128 {
  let top = ZERO, low = ZERO;
  for (let p = COLS; p < END; p += 4 * STEP) {
    const e = v128.load(a), f = v128.load(b), g = v128.load(c), h = v128.load(d);
    const ef = unpackLo32(e, f), gh = unpackLo32(g, h), EF = unpackHi32(e, f), GH = unpackHi32(g, h);
    const x0 = unpackLo64(ef, gh), x1 = unpackHi64(ef, gh), x2 = unpackLo64(EF, GH), x3 = unpackHi64(EF, GH);
    v128.store(p, x0); v128.store(p, x1, 96); v128.store(p, x2, 192); v128.store(p, x3, 288);
    top = f32x4.pmax(f32x4.pmax(f32x4.pmax(f32x4.pmax(top, x0), x1), x2), x3);
    low = f32x4.pmin(f32x4.pmin(f32x4.pmin(f32x4.pmin(low, x0), x1), x2), x3);
    a += 16; b += 16; c += 16; d += 16;
  }
  const neg = f32x4.neg(low);
  if (v128.any_true(v128.and(f32x4.eq(top, neg), f32x4.gt(top, ZERO)))) return firstMax(COLS, END, STEP);
  return v128.bitselect(top, low, f32x4.gt(top, neg));
}

/** A level as the low 23 bits of the magic sum, clamped to -4..3: 0x400000 stands for 0. */
// @ts-ignore: decorator
@inline function clamped(v: v128): v128 {
  const bits = v128.and(f32x4.add(v, kMagic()), kMantissa());
  return i32x4.min_s(i32x4.max_s(bits, kLeast4()), kMost3());
}
// @ts-ignore: decorator
@inline function asFloat(bits: v128): v128 {
  return f32x4.sub(v128.or(bits, kExponent()), kMagic());
}

/**
 * First levels of one group of four sub-blocks, their scales, and which of them the
 * descent could change at all: those where some level is not the best for the sums it
 * would start from. They go to the list, the rest is settled.
 */
function first(x: usize, sub: usize): void {
  const max = layOut(x, x + 64, x + 128, x + 192);
  const s = f32x4.div(f32x4.splat(-4), max);
  let slx = ZERO, sl2 = ZERO, least = ZERO;
  for (let p = COLS; p < END; p += STEP) {
    const v = v128.load(p), w = f32x4.mul(v, v);
    const bits = clamped(f32x4.mul(s, v)), l = asFloat(bits);
    const px = f32x4.mul(f32x4.mul(w, v), l), p2 = f32x4.mul(f32x4.mul(w, l), l);
    slx = f32x4.add(slx, px);
    sl2 = f32x4.add(sl2, p2);
    least = f32x4.pmin(least, px);
    v128.store(p, bits, 16); v128.store(p, px, 32); v128.store(p, p2, 48);
  }
  const some = f32x4.ge(f32x4.abs(max), f32x4.splat(EPS));
  v128.store(TOP + (sub << 2), max);
  v128.store(SCALE + (sub << 2), v128.and(f32x4.div(slx, sl2), v128.and(some, f32x4.gt(sl2, ZERO))));
  // Negative sums (max > 0) have nothing to descend to: no sum without one's own term is positive.
  const live = v128.and(some, f32x4.gt(f32x4.sub(slx, least), ZERO));
  let open = ZERO;
  for (let p = COLS; p < END; p += STEP) {
    const a = f32x4.sub(slx, v128.load(p, 32)), b = f32x4.sub(sl2, v128.load(p, 48));
    const same = i32x4.eq(clamped(f32x4.div(f32x4.mul(v128.load(p), b), a)), v128.load(p, 16));
    open = v128.or(open, v128.andnot(f32x4.gt(a, ZERO), same));
  }
  // Without branches: how many lanes stay open is not predictable.
  const k = i32x4.bitmask(v128.and(open, live));
  let at = LIST + (<usize>listed << 2);
  store<i32>(at, <i32>sub); at += (k & 1) << 2;
  store<i32>(at, <i32>sub + 1); at += (k & 2) << 1;
  store<i32>(at, <i32>sub + 2); at += k & 4;
  store<i32>(at, <i32>sub + 3); at += (k & 8) >> 1;
  listed = <i32>(at - LIST) >> 2;
}

/**
 * Descends on four listed sub-blocks and stores their scales. Exact for every quotient,
 * but it waits for each element in turn; descendFast does sixteen and hands over the odd cases.
 */
function descend(x: usize, at: usize): void {
  const i = load<u32>(at), j = load<u32>(at, 4), m = load<u32>(at, 8), n = load<u32>(at, 12);
  const max = layOut(x + (<usize>i << 6), x + (<usize>j << 6), x + (<usize>m << 6), x + (<usize>n << 6));
  const s = f32x4.div(f32x4.splat(-4), max);
  let slx = ZERO, sl2 = ZERO;
  for (let p = COLS; p < END; p += STEP) {
    const v = v128.load(p), w = f32x4.mul(v, v), wv = f32x4.mul(w, v);
    const bits = clamped(f32x4.mul(s, v)), l = asFloat(bits);
    const px = f32x4.mul(wv, l), p2 = f32x4.mul(f32x4.mul(w, l), l);
    slx = f32x4.add(slx, px);
    sl2 = f32x4.add(sl2, p2);
    v128.store(p, bits, 16); v128.store(p, px, 32); v128.store(p, p2, 48);
    v128.store(p, w, 64); v128.store(p, wv, 80);
  }
  for (let pass = 0; pass < 5; pass++) {
    let changed = false;
    for (let p = COLS; p < END; p += STEP) {
      const oldBits = v128.load(p, 16), px = v128.load(p, 32), p2 = v128.load(p, 48);
      const a = f32x4.sub(slx, px), b = f32x4.sub(sl2, p2);
      const bits = clamped(f32x4.div(f32x4.mul(v128.load(p), b), a)), l = asFloat(bits);
      const nx = f32x4.mul(v128.load(p, 80), l), n2 = f32x4.mul(f32x4.mul(v128.load(p, 64), l), l);
      const c = f32x4.add(a, nx), d = f32x4.add(b, n2);
      const better = f32x4.gt(f32x4.mul(f32x4.mul(c, c), sl2), f32x4.mul(f32x4.mul(slx, slx), d));
      const may = v128.andnot(v128.and(f32x4.gt(a, ZERO), f32x4.gt(d, ZERO)), i32x4.eq(bits, oldBits));
      const take = v128.and(better, may);
      if (v128.any_true(take)) {
        slx = v128.bitselect(c, slx, take);
        sl2 = v128.bitselect(d, sl2, take);
        v128.store(p, v128.bitselect(bits, oldBits, take), 16);
        v128.store(p, v128.bitselect(nx, px, take), 32);
        v128.store(p, v128.bitselect(n2, p2, take), 48);
        changed = true;
      }
    }
    if (!changed) break;
  }
  const r = v128.and(f32x4.div(slx, sl2), f32x4.gt(sl2, ZERO));
  store<f32>(SCALE + (<usize>i << 2), f32x4.extract_lane(r, 0));
  store<f32>(SCALE + (<usize>j << 2), f32x4.extract_lane(r, 1));
  store<f32>(SCALE + (<usize>m << 2), f32x4.extract_lane(r, 2));
  store<f32>(SCALE + (<usize>n << 2), f32x4.extract_lane(r, 3));
}

// The fast descent keeps four groups interleaved: element-major, 4 * 96 bytes per element.
const ROW: usize = 4 * STEP;

/** Lays out group `g` of the four listed sub-blocks at `at`, with levels as floats. */
function enter(g: usize, x: usize, at: usize): void {
  const i = load<u32>(at), j = load<u32>(at, 4), m = load<u32>(at, 8), n = load<u32>(at, 12);
  let a = x + (<usize>i << 6), b = x + (<usize>j << 6), c = x + (<usize>m << 6), d = x + (<usize>n << 6);
  let max = f32x4.splat(load<f32>(TOP + (<usize>i << 2)));
  max = f32x4.replace_lane(max, 1, load<f32>(TOP + (<usize>j << 2)));
  max = f32x4.replace_lane(max, 2, load<f32>(TOP + (<usize>m << 2)));
  max = f32x4.replace_lane(max, 3, load<f32>(TOP + (<usize>n << 2)));
  const s = f32x4.div(f32x4.splat(-4), max);
  const start = COLS + g * STEP, end = start + 16 * ROW;
  for (let p = start; p < end; p += 4 * ROW) {
    const e = v128.load(a), f = v128.load(b), h = v128.load(c), k = v128.load(d);
    const ef = unpackLo32(e, f), hk = unpackLo32(h, k), EF = unpackHi32(e, f), HK = unpackHi32(h, k);
    term(p, unpackLo64(ef, hk), s); term(p + ROW, unpackHi64(ef, hk), s);
    term(p + 2 * ROW, unpackLo64(EF, HK), s); term(p + 3 * ROW, unpackHi64(EF, HK), s);
    a += 16; b += 16; c += 16; d += 16;
  }
  let slx = ZERO, sl2 = ZERO;
  for (let p = start; p < end; p += ROW) {
    const l = v128.load(p, 16);
    slx = f32x4.add(slx, f32x4.mul(v128.load(p, 80), l));
    sl2 = f32x4.add(sl2, f32x4.mul(f32x4.mul(v128.load(p, 64), l), l));
  }
  v128.store(STATE + (g << 5), slx); v128.store(STATE + (g << 5), sl2, 16);
}

// @ts-ignore: decorator
@inline function term(p: usize, v: v128, s: v128): void {
  const w = f32x4.mul(v, v), wv = f32x4.mul(w, v), l = near(f32x4.mul(s, v));
  v128.store(p, v); v128.store(p, l, 16); v128.store(p, w, 64); v128.store(p, wv, 80);
}

/** Rounded and clamped as float bits; right only for quotients below 2^22. */
// @ts-ignore: decorator
@inline function near(v: v128): v128 {
  return i32x4.min_u(i32x4.min_s(f32x4.nearest(v), kThree()), kMinusFour());
}
// @ts-ignore: decorator
@inline function odd(a: v128, q: v128): v128 {
  return v128.andnot(f32x4.gt(a, ZERO), f32x4.lt(v128.and(q, kAbs()), kHuge()));
}
// @ts-ignore: decorator
@inline function taken(a: v128, d: v128, l: v128, old: v128, c: v128, slx: v128, sl2: v128): v128 {
  const may = v128.and(v128.and(f32x4.gt(a, ZERO), f32x4.gt(d, ZERO)), f32x4.ne(l, old));
  return v128.and(may, f32x4.gt(f32x4.mul(f32x4.mul(c, c), sl2), f32x4.mul(f32x4.mul(slx, slx), d)));
}

/** Descends on sixteen listed sub-blocks; false if some quotient was too large for it. */
function descendFast(x: usize, at: usize): bool {
  for (let g: usize = 0; g < 4; g++) enter(g, x, at + (g << 4));
  let x0 = v128.load(STATE), y0 = v128.load(STATE, 16), x1 = v128.load(STATE, 32), y1 = v128.load(STATE, 48);
  let x2 = v128.load(STATE, 64), y2 = v128.load(STATE, 80), x3 = v128.load(STATE, 96), y3 = v128.load(STATE, 112);
  let bad = ZERO;
  for (let pass = 0; pass < 5; pass++) {
    let any = ZERO;
    for (let p = COLS; p < COLS + 16 * ROW; p += ROW) {
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

function leave(at: usize, scale: v128, sl2: v128): void {
  const r = v128.and(scale, f32x4.gt(sl2, ZERO));
  store<f32>(SCALE + (<usize>load<u32>(at) << 2), f32x4.extract_lane(r, 0));
  store<f32>(SCALE + (<usize>load<u32>(at, 4) << 2), f32x4.extract_lane(r, 1));
  store<f32>(SCALE + (<usize>load<u32>(at, 8) << 2), f32x4.extract_lane(r, 2));
  store<f32>(SCALE + (<usize>load<u32>(at, 12) << 2), f32x4.extract_lane(r, 3));
}

/** The levels the descent itself ends on, for sub-blocks whose stored scale comes out 0. */
function settledLevels(x: usize, sub: usize, out: usize): void {
  const max = load<f32>(TOP + (sub << 2));
  if (!(abs(max) >= EPS)) {
    memory.fill(out, 0, 16);
    return;
  }
  const at = LIST + 280 * 4;
  const n = <u32>sub;
  store<u32>(at, n); store<u32>(at, n, 4); store<u32>(at, n, 8); store<u32>(at, n, 12);
  descend(x, at);
  for (let i: usize = 0; i < 16; i++) store<u8>(out + i, load<i32>(COLS + i * STEP, 16) - 0x3ffffc);
}

function finish(x: usize, sub: usize, y: usize): void {
  const scales = SCALE + (sub << 2);
  const lead = leadingScale(scales);
  let half: u32 = 0;
  if (lead != 0) {
    const iscale: f32 = <f32>-32 / lead;
    half = halfOf(1 / iscale);
    for (let j: usize = 0; j < 16; j++) {
      const bits = reinterpret<i32>(iscale * load<f32>(scales + (j << 2)) + MAGIC);
      store<u8>(QUANT + j, max(-32, min(31, <i32><i8>bits)) + 32);
    }
    packScales(v128.load(QUANT), y);
  } else {
    memory.fill(y + 96, 0, 12);
    v128.store(QUANT, ZERO);
  }
  store<u16>(y, half, 108);
  const d = floatOf(half);
  for (let j: usize = 0; j < 16; j++) {
    const dj = finalScale(d, QUANT, j);
    if (dj != 0) levels(x + ((sub + j) << 6), dj, LEVELS + (j << 4));
    else settledLevels(x, sub + j, LEVELS + (j << 4));
  }
  packLevels(y);
}

export function plain(src: usize, dst: usize, blocks: i32): void {
  while (blocks > 0) {
    const n = min(BATCH, blocks);
    listed = 0;
    for (let sub: usize = 0; sub < <usize>n << 4; sub += 4) first(src + (sub << 6), sub);
    if (listed) {
      for (let k = 0; k < 15; k++) store<i32>(LIST + (<usize>(listed + k) << 2), load<i32>(LIST));
      for (let k = 0; k < listed; k += 16) {
        const at = LIST + (<usize>k << 2);
        if (descendFast(src, at)) continue;
        for (let i: usize = 0; i < 64; i += 16) descend(src, at + i);
      }
    }
    for (let b: usize = 0; b < <usize>n; b++) finish(src, b << 4, dst + b * 110);
    src += <usize>n << 10;
    dst += <usize>n * 110;
    blocks -= n;
  }
}
