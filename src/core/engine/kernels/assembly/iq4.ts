// IQ4_NL and IQ4_XS: levels from a fixed table, four blocks of 32 in the lanes, four such groups at a time.
import { halfOf } from "./halves";
import {
  ZERO, MAGIC, COLS, SUMS, SCALES, MAXES, unpackLo32, unpackHi32, unpackLo64, unpackHi64,
  pick, firstMax,
  kMagic, kMagicBits,
} from "./lanes";
import { spread } from "./trialSearch";

/** Bytes of a column entry: x, midpoint, lower wqx, wqx flip, lower wqq, wqq flip. */
const STEP: usize = 96;
const GROUP: usize = 32 * STEP;
const WEIGHTS: usize = memory.data(32 * 16, 16);
const PAD_X: usize = memory.data(16 * 128, 16);
const PAD_Q: usize = memory.data(16 * 128, 16);

// A level's index is the number of midpoints at or below the scaled value. The value, in
// halves, is cut into 32 cells of width 8 (-16..15), each with at most one midpoint:
// index = BASE[cell] + (rest > CUT[cell]).
// @ts-ignore: decorator
@inline function perCell(cell: v128, low: v128, high: v128): v128 {
  return v128.or(i8x16.swizzle(low, i8x16.add(cell, kSixteen())), i8x16.swizzle(high, cell));
}
// As in lib.ts, constants from memory.
const TABLES: usize = memory.data<u32>([
  0xbfad9881, 0xf6eaddcf, 0x26190d01, 0x71594535, // kTable
  0x1010000, 0x3020201, 0x5040403, 0x7060605, // kBaseLow
  0xa090908, 0xc0c0b0b, 0xe0e0d0d, 0xf0f0f0e, // kBaseHigh
  0x63630863, 0x630b6304, 0x630b630d, 0x6ff6306, // kCutLow
  0xe05630d, 0x9630a63, 0x63630d63, 0x63636309, // kCutHigh
  0x10101010, 0x10101010, 0x10101010, 0x10101010, // kSixteen
  0xf0f0f0f, 0xf0f0f0f, 0xf0f0f0f, 0xf0f0f0f, // kFifteen
  0xf0f0f0f0, 0xf0f0f0f0, 0xf0f0f0f0, 0xf0f0f0f0, // kMinus16
  0xf000f, 0xf000f, 0xf000f, 0xf000f, // kLow4
], 16);
// @ts-ignore: decorator
@inline function kTable(): v128 { return v128.load(TABLES, 0); }
// @ts-ignore: decorator
@inline function kBaseLow(): v128 { return v128.load(TABLES, 16); }
// @ts-ignore: decorator
@inline function kBaseHigh(): v128 { return v128.load(TABLES, 32); }
// @ts-ignore: decorator
@inline function kCutLow(): v128 { return v128.load(TABLES, 48); }
// @ts-ignore: decorator
@inline function kCutHigh(): v128 { return v128.load(TABLES, 64); }
// @ts-ignore: decorator
@inline function kSixteen(): v128 { return v128.load(TABLES, 80); }
// @ts-ignore: decorator
@inline function kFifteen(): v128 { return v128.load(TABLES, 96); }
// @ts-ignore: decorator
@inline function kMinus16(): v128 { return v128.load(TABLES, 112); }
// @ts-ignore: decorator
@inline function kLow4(): v128 { return v128.load(TABLES, 128); }

/** Twice the scaled values, floored, as integers of eight. */
// @ts-ignore: decorator
@inline function halves(a: v128, b: v128): v128 {
  const magic = kMagic(), bits = kMagicBits();
  return i16x8.narrow_i32x4_s(
    i32x4.sub(f32x4.add(f32x4.floor(a), magic), bits), i32x4.sub(f32x4.add(f32x4.floor(b), magic), bits));
}
// @ts-ignore: decorator
@inline function cellOf(a: v128, b: v128): v128 {
  const c = i8x16.narrow_i16x8_s(i16x8.shr_s(a, 4), i16x8.shr_s(b, 4));
  return i8x16.max_s(i8x16.min_s(c, kFifteen()), kMinus16());
}
// @ts-ignore: decorator
@inline function indexOf(a: v128, b: v128, cell: v128): v128 {
  const low4 = kLow4();
  const rest = i8x16.narrow_i16x8_s(v128.and(a, low4), v128.and(b, low4));
  const base = perCell(cell, kBaseLow(), kBaseHigh());
  const cut = perCell(cell, kCutLow(), kCutHigh());
  return i8x16.sub(base, i8x16.gt_s(rest, cut));
}
// @ts-ignore: decorator
@inline function wide(bytes: v128, k: i32): v128 {
  const h = k < 2 ? i16x8.extend_low_i8x16_s(bytes) : i16x8.extend_high_i8x16_s(bytes);
  return f32x4.convert_i32x4_s(k & 1 ? i32x4.extend_high_i16x8_s(h) : i32x4.extend_low_i16x8_s(h));
}

/** Transposes four blocks of 32 to x of the columns; returns the values of largest magnitude. */
function layOut(src: usize, cols: usize): v128 {
  let top = ZERO, low = ZERO;
  const end = cols + GROUP;
  for (let p = cols; p < end; p += 4 * STEP) {
    const a = v128.load(src), b = v128.load(src, 128), c = v128.load(src, 256), d = v128.load(src, 384);
    const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
    const x0 = unpackLo64(ab, cd), x1 = unpackHi64(ab, cd), x2 = unpackLo64(AB, CD), x3 = unpackHi64(AB, CD);
    v128.store(p, x0); v128.store(p, x1, 96); v128.store(p, x2, 192); v128.store(p, x3, 288);
    top = f32x4.pmax(f32x4.pmax(f32x4.pmax(f32x4.pmax(top, x0), x1), x2), x3);
    low = f32x4.pmin(f32x4.pmin(f32x4.pmin(f32x4.pmin(low, x0), x1), x2), x3);
    src += 16;
  }
  const neg = f32x4.neg(low);
  if (v128.any_true(v128.and(f32x4.eq(top, neg), f32x4.gt(top, ZERO)))) return firstMax(cols, end, STEP);
  return v128.bitselect(top, low, f32x4.gt(top, neg));
}

function plainWeights(cols: usize): void {
  for (let i: usize = 0; i < 32; i++) {
    const x = v128.load(cols + i * STEP);
    v128.store(WEIGHTS + (i << 4), f32x4.mul(x, x));
  }
}

// @ts-ignore: decorator
@inline function rooted(p: usize, q: v128, sigma2: v128): v128 {
  const x = v128.load(p);
  return f32x4.mul(q, f32x4.sqrt(f32x4.add(sigma2, f32x4.mul(x, x))));
}

function givenWeights(cols: usize, q: usize, sigma2: v128): void {
  for (let p = WEIGHTS; p < WEIGHTS + 512; p += 64) {
    const a = v128.load(q), b = v128.load(q, 128), c = v128.load(q, 256), d = v128.load(q, 384);
    const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
    v128.store(p, rooted(cols, unpackLo64(ab, cd), sigma2));
    v128.store(p, rooted(cols + STEP, unpackHi64(ab, cd), sigma2), 16);
    v128.store(p, rooted(cols + 2 * STEP, unpackLo64(AB, CD), sigma2), 32);
    v128.store(p, rooted(cols + 3 * STEP, unpackHi64(AB, CD), sigma2), 48);
    q += 16;
    cols += 4 * STEP;
  }
}

/** The starting point: a scale of the other sign than the tries. */
function start(cols: usize, max: v128, out: usize): void {
  const id = f32x4.div(f32x4.splat(1), f32x4.div(max, f32x4.splat(127)));
  const twice = f32x4.add(id, id);
  let sx = ZERO, s2 = ZERO;
  for (let w = WEIGHTS; w < WEIGHTS + 512; w += 64) {
    const a = halves(f32x4.mul(twice, v128.load(cols)), f32x4.mul(twice, v128.load(cols, 96)));
    const b = halves(f32x4.mul(twice, v128.load(cols, 192)), f32x4.mul(twice, v128.load(cols, 288)));
    const q = i8x16.swizzle(kTable(), indexOf(a, b, cellOf(a, b)));
    let v = wide(q, 0), wv = f32x4.mul(v128.load(w), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    v = wide(q, 1); wv = f32x4.mul(v128.load(w, 16), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols, 96))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    v = wide(q, 2); wv = f32x4.mul(v128.load(w, 32), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols, 192))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    v = wide(q, 3); wv = f32x4.mul(v128.load(w, 48), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols, 288))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    cols += 4 * STEP;
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

// @ts-ignore: decorator
@inline function candidates(p: usize, w: usize, a: v128, b: v128): void {
  const hi = f32x4.pmax(a, b), lo = f32x4.pmin(a, b);
  const x = v128.load(p), wt = v128.load(w);
  const wh = f32x4.mul(wt, hi), wl = f32x4.mul(wt, lo);
  const px = f32x4.mul(wl, x), p2 = f32x4.mul(wl, lo);
  v128.store(p, f32x4.mul(f32x4.add(a, b), f32x4.splat(0.5)), 16);
  v128.store(p, px, 32);
  v128.store(p, v128.xor(px, f32x4.mul(wh, x)), 48);
  v128.store(p, p2, 64);
  v128.store(p, v128.xor(p2, f32x4.mul(wh, hi)), 80);
}

/**
 * Trial scales run from -120/max to -134/max, so a value meets at most one midpoint on
 * the way: the next one outward of its level at -120/max. Both levels' terms are prepared here.
 */
function prepare(cols: usize, max: v128): void {
  const twice = f32x4.mul(f32x4.div(f32x4.splat(-120), max), f32x4.splat(2));
  for (let w = WEIGHTS; w < WEIGHTS + 512; w += 64) {
    const a = halves(f32x4.mul(twice, v128.load(cols)), f32x4.mul(twice, v128.load(cols, 96)));
    const b = halves(f32x4.mul(twice, v128.load(cols, 192)), f32x4.mul(twice, v128.load(cols, 288)));
    const cell = cellOf(a, b), l = indexOf(a, b, cell);
    const out = v128.or(i8x16.lt_s(cell, i8x16.splat(0)), i8x16.splat(1));
    const m = i8x16.min_s(i8x16.max_s(i8x16.add(l, out), i8x16.splat(0)), kFifteen());
    const near = i8x16.swizzle(kTable(), l), far = i8x16.swizzle(kTable(), m);
    candidates(cols, w, wide(near, 0), wide(far, 0));
    candidates(cols + STEP, w + 16, wide(near, 1), wide(far, 1));
    candidates(cols + 2 * STEP, w + 32, wide(near, 2), wide(far, 2));
    candidates(cols + 3 * STEP, w + 48, wide(near, 3), wide(far, 3));
    cols += 4 * STEP;
  }
}

function pair(cols: usize, out: usize, s: v128, t: v128): void {
  let sx = ZERO, s2 = ZERO, tx = ZERO, t2 = ZERO;
  const end = cols + GROUP;
  for (; cols < end; cols += 2 * STEP) {
    let x = v128.load(cols), m = v128.load(cols, 16), p = v128.load(cols, 32), pf = v128.load(cols, 48);
    let r = v128.load(cols, 64), rf = v128.load(cols, 80);
    let a = f32x4.ge(f32x4.mul(s, x), m), b = f32x4.ge(f32x4.mul(t, x), m);
    sx = f32x4.add(sx, v128.xor(p, v128.and(a, pf))); s2 = f32x4.add(s2, v128.xor(r, v128.and(a, rf)));
    tx = f32x4.add(tx, v128.xor(p, v128.and(b, pf))); t2 = f32x4.add(t2, v128.xor(r, v128.and(b, rf)));
    x = v128.load(cols, 96); m = v128.load(cols, 112); p = v128.load(cols, 128); pf = v128.load(cols, 144);
    r = v128.load(cols, 160); rf = v128.load(cols, 176);
    a = f32x4.ge(f32x4.mul(s, x), m); b = f32x4.ge(f32x4.mul(t, x), m);
    sx = f32x4.add(sx, v128.xor(p, v128.and(a, pf))); s2 = f32x4.add(s2, v128.xor(r, v128.and(a, rf)));
    tx = f32x4.add(tx, v128.xor(p, v128.and(b, pf))); t2 = f32x4.add(t2, v128.xor(r, v128.and(b, rf)));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
  v128.store(out, tx, 128); v128.store(out, t2, 144);
}

/** All 16 tries of group `g`: q is its weights or 0; sigma2 is taken per block unless given. */
function group(g: i32, src: usize, q: usize, sigma2: v128, perBlock: bool): void {
  const cols = COLS + <usize>g * GROUP, out = SUMS + (<usize>g << 5);
  const max = layOut(src, cols);
  v128.store(MAXES + (<usize>g << 4), max);
  if (!q) plainWeights(cols);
  else {
    if (perBlock) {
      sigma2 = ZERO;
      for (let p = cols; p < cols + GROUP; p += STEP) {
        const x = v128.load(p);
        sigma2 = f32x4.add(sigma2, f32x4.mul(x, x));
      }
      sigma2 = f32x4.mul(sigma2, f32x4.splat(0.0625));
    }
    givenWeights(cols, q, sigma2);
  }
  start(cols, max, out);
  prepare(cols, max);
  for (let t = 0; t < 16; t += 2) {
    const s = f32x4.div(f32x4.splat(<f32>(t - 134)), max), u = f32x4.div(f32x4.splat(<f32>(t - 133)), max);
    pair(cols, out + 128 + (<usize>t << 7), s, u);
  }
}

// @ts-ignore: decorator
@inline function bound(v: v128): v128 {
  return f32x4.pmax(f32x4.splat(-1024), f32x4.pmin(f32x4.splat(1024), v));
}

/** Sixteen final indices of x*id; NaN counts as the top one. */
// @ts-ignore: decorator
@inline function sixteen(x: usize, id: v128): v128 {
  const two = f32x4.splat(2);
  const a = bound(f32x4.mul(two, f32x4.mul(id, v128.load(x)))), b = bound(f32x4.mul(two, f32x4.mul(id, v128.load(x, 16))));
  const c = bound(f32x4.mul(two, f32x4.mul(id, v128.load(x, 32)))), d = bound(f32x4.mul(two, f32x4.mul(id, v128.load(x, 48))));
  const e = halves(a, b), f = halves(c, d);
  return indexOf(e, f, cellOf(e, f));
}

function packed(x: usize, scale: f32, out: usize): void {
  const id = f32x4.splat(scale != 0 ? 1 / scale : 0);
  const low = sixteen(x, id), high = sixteen(x + 64, id);
  v128.store(out, v128.or(low, i16x8.shl(high, 4)));
}

function nonLinear(x: usize, y: usize, q: usize, n: usize): void {
  for (let g = 0; g < 4; g++) group(g, x + (<usize>g << 9), q ? q + (<usize>g << 9) : 0, ZERO, true);
  pick(16, true);
  for (let i: usize = 0; i < n; i++) {
    const d = load<f32>(SCALES + (i << 2));
    store<u16>(y, halfOf(d));
    packed(x + (i << 7), d, y + 2);
    y += 18;
  }
}

export function iq4nl(src: usize, dst: usize, rows: i32, perRow: i32, q: usize): void {
  let blocks = perRow >> 5;
  if (!q) { blocks *= rows; rows = 1; }
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < blocks; i += 16) {
      const n = <usize>min(16, blocks - i), w = q ? q + (<usize>i << 7) : 0;
      if (n == 16) nonLinear(src, dst, w, 16);
      else {
        memory.fill(PAD_X, 0, 2048);
        memory.copy(PAD_X, src, n << 7);
        if (q) memory.copy(PAD_Q, w, n << 7);
        nonLinear(PAD_X, dst, q ? PAD_Q : 0, n);
      }
      src += n << 7;
      dst += n * 18;
    }
  }
}

function superBlock(x: usize, y: usize, scales: usize): void {
  let top: f32 = 0, lead: f32 = 0;
  for (let i = 0; i < 8; i++) {
    const s = load<f32>(scales + (<usize>i << 2));
    if (abs(s) > top) { top = abs(s); lead = s; }
  }
  const d: f32 = -lead / 32, id: f32 = d != 0 ? 1 / d : 0;
  store<u16>(y, halfOf(d));
  let high: u32 = 0, low: u32 = 0;
  for (let i = 0; i < 8; i++) {
    const bits = reinterpret<i32>(id * load<f32>(scales + (<usize>i << 2)) + MAGIC);
    const l = max(-32, min(31, (bits & 0x7fffff) - 0x400000));
    packed(x + (<usize>i << 7), d * <f32>l, y + 8 + (<usize>i << 4));
    low |= ((l + 32) & 15) << (i << 2);
    high |= ((l + 32) >> 4) << (i << 1);
  }
  store<u16>(y, high, 2);
  store<u32>(y, low, 4);
}

export function iq4xs(src: usize, dst: usize, rows: i32, perRow: i32, q: usize): void {
  let blocks = perRow >> 8;
  if (!q) { blocks *= rows; rows = 1; }
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < blocks; i += 2) {
      const n = min(2, blocks - i);
      let sigma2 = ZERO;
      for (let g = 0; g < n << 1; g++) {
        if (q && !(g & 1)) sigma2 = f32x4.splat(spread(src + (<usize>g << 9)) * <f32>0.0078125);
        group(g, src + (<usize>g << 9), q ? q + (<usize>i << 10) + (<usize>g << 9) : 0, sigma2, false);
      }
      pick(16, true);
      for (let k: usize = 0; k < <usize>n; k++) {
        superBlock(src, dst, SCALES + (k << 5));
        src += 1024;
        dst += 136;
      }
    }
  }
}
