// IQ4_NL and IQ4_XS: levels from a fixed table, four blocks of 32 values in the lanes, four such groups at a time.
// The search has a starting point (scale 127/peak) and 15 tries, -134/peak to -120/peak. That is a factor of 1.117,
// and neighbouring midpoints of the table are further apart, so on the way from the last try outward a value meets
// at most one midpoint. The terms of both levels that a value can have are prepared once; a try then is one product
// and one comparison a value. Rounding is monotone, so this is exact.
import { WIDE_STEP, layOut } from "./columns";
import { halfOf } from "./halves";
import { cellsOf, fifteen16, floored, indicesOf, levelsAt } from "./iq4Table";
import { ZERO, nearestIntOf, nibbles, quarter, sumOfSquares, unpackHi32, unpackHi64, unpackLo32, unpackLo64 } from "./lanes";
import { PEAKS, SCALES, SUMS, chooseOfIq4 } from "./trialChoice";
import { COLUMNS } from "./trialSearch";

/** A column's entry: x, midpoint, then for the inner level w q x and its difference (xor) to the outer one's, and w q q likewise. */
const GROUP: usize = 32 * WIDE_STEP;
const WEIGHTS: usize = memory.data(32 * 16, 16);
const PAD_X: usize = memory.data(16 * 128, 16);
const PAD_WEIGHTS: usize = memory.data(16 * 128, 16);

function squareWeights(cols: usize): void {
  for (let i: usize = 0; i < 32; i++) {
    const x = v128.load(cols + i * WIDE_STEP);
    v128.store(WEIGHTS + (i << 4), f32x4.mul(x, x));
  }
}

// @ts-ignore: decorator
@inline function rooted(p: usize, given: v128, sigma2: v128): v128 {
  const x = v128.load(p);
  return f32x4.mul(given, f32x4.sqrt(f32x4.add(sigma2, f32x4.mul(x, x))));
}

function givenWeights(cols: usize, given: usize, sigma2: v128): void {
  for (let p = WEIGHTS; p < WEIGHTS + 512; p += 64) {
    const a = v128.load(given), b = v128.load(given, 128), c = v128.load(given, 256), d = v128.load(given, 384);
    const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
    v128.store(p, rooted(cols, unpackLo64(ab, cd), sigma2));
    v128.store(p, rooted(cols + WIDE_STEP, unpackHi64(ab, cd), sigma2), 16);
    v128.store(p, rooted(cols + 2 * WIDE_STEP, unpackLo64(AB, CD), sigma2), 32);
    v128.store(p, rooted(cols + 3 * WIDE_STEP, unpackHi64(AB, CD), sigma2), 48);
    given += 16;
    cols += 4 * WIDE_STEP;
  }
}

/** The sums of the starting point: 1 / (peak / 127), two divisions as the reference has them. */
function start(cols: usize, peak: v128, out: usize): void {
  const inverse = f32x4.div(f32x4.splat(1), f32x4.div(peak, f32x4.splat(127))), twice = f32x4.add(inverse, inverse);
  let sx = ZERO, s2 = ZERO;
  for (let w = WEIGHTS; w < WEIGHTS + 512; w += 64) {
    const a = floored(f32x4.mul(twice, v128.load(cols)), f32x4.mul(twice, v128.load(cols, 96)));
    const b = floored(f32x4.mul(twice, v128.load(cols, 192)), f32x4.mul(twice, v128.load(cols, 288)));
    const q = levelsAt(indicesOf(a, b, cellsOf(a, b)));
    let v = quarter(q, 0), wv = f32x4.mul(v128.load(w), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    v = quarter(q, 1); wv = f32x4.mul(v128.load(w, 16), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols, 96))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    v = quarter(q, 2); wv = f32x4.mul(v128.load(w, 32), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols, 192))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    v = quarter(q, 3); wv = f32x4.mul(v128.load(w, 48), v);
    sx = f32x4.add(sx, f32x4.mul(wv, v128.load(cols, 288))); s2 = f32x4.add(s2, f32x4.mul(wv, v));
    cols += 4 * WIDE_STEP;
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

/** Prepares one column for the two levels `a` and `b`. */
// @ts-ignore: decorator
@inline function candidates(p: usize, w: usize, a: v128, b: v128): void {
  const high = f32x4.pmax(a, b), low = f32x4.pmin(a, b);
  const x = v128.load(p), weight = v128.load(w);
  const wh = f32x4.mul(weight, high), wl = f32x4.mul(weight, low);
  const px = f32x4.mul(wl, x), p2 = f32x4.mul(wl, low);
  v128.store(p, f32x4.mul(f32x4.add(a, b), f32x4.splat(0.5)), 16);
  v128.store(p, px, 32);
  v128.store(p, v128.xor(px, f32x4.mul(wh, x)), 48);
  v128.store(p, p2, 64);
  v128.store(p, v128.xor(p2, f32x4.mul(wh, high)), 80);
}

/** Prepares all columns: the level at -120/peak and the next one outward. */
function prepare(cols: usize, peak: v128): void {
  const twice = f32x4.mul(f32x4.div(f32x4.splat(-120), peak), f32x4.splat(2));
  for (let w = WEIGHTS; w < WEIGHTS + 512; w += 64) {
    const a = floored(f32x4.mul(twice, v128.load(cols)), f32x4.mul(twice, v128.load(cols, 96)));
    const b = floored(f32x4.mul(twice, v128.load(cols, 192)), f32x4.mul(twice, v128.load(cols, 288)));
    const cell = cellsOf(a, b), inner = indicesOf(a, b, cell);
    const outward = v128.or(i8x16.lt_s(cell, i8x16.splat(0)), i8x16.splat(1));
    const outer = i8x16.min_s(i8x16.max_s(i8x16.add(inner, outward), i8x16.splat(0)), fifteen16());
    const near = levelsAt(inner), far = levelsAt(outer);
    candidates(cols, w, quarter(near, 0), quarter(far, 0));
    candidates(cols + WIDE_STEP, w + 16, quarter(near, 1), quarter(far, 1));
    candidates(cols + 2 * WIDE_STEP, w + 32, quarter(near, 2), quarter(far, 2));
    candidates(cols + 3 * WIDE_STEP, w + 48, quarter(near, 3), quarter(far, 3));
    cols += 4 * WIDE_STEP;
  }
}

/** The sums of two tries. */
function pair(cols: usize, out: usize, s: v128, t: v128): void {
  let sx = ZERO, s2 = ZERO, tx = ZERO, t2 = ZERO;
  const end = cols + GROUP;
  for (; cols < end; cols += 2 * WIDE_STEP) {
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

/** The sums of group `g`: `given` is its weights or 0; sigma2 is each block's own if `perBlock`. */
function group(g: i32, x: usize, given: usize, sigma2: v128, perBlock: bool): void {
  const cols = COLUMNS + <usize>g * GROUP, out = SUMS + (<usize>g << 5);
  const peak = layOut(x, x + 128, x + 256, x + 384, 32, cols);
  v128.store(PEAKS + (<usize>g << 4), peak);
  if (!given) squareWeights(cols);
  else {
    if (perBlock) {
      sigma2 = ZERO;
      for (let p = cols; p < cols + GROUP; p += WIDE_STEP) {
        const v = v128.load(p);
        sigma2 = f32x4.add(sigma2, f32x4.mul(v, v));
      }
      sigma2 = f32x4.mul(sigma2, f32x4.splat(0.0625));
    }
    givenWeights(cols, given, sigma2);
  }
  start(cols, peak, out);
  prepare(cols, peak);
  // The last of the sixteen is computed with its neighbour and not looked at.
  for (let t = 0; t < 16; t += 2) {
    const s = f32x4.div(f32x4.splat(<f32>(t - 134)), peak), u = f32x4.div(f32x4.splat(<f32>(t - 133)), peak);
    pair(cols, out + 128 + (<usize>t << 7), s, u);
  }
}

// @ts-ignore: decorator
@inline function doubled(x: usize, inverse: v128): v128 {
  const v = f32x4.mul(f32x4.splat(2), f32x4.mul(inverse, v128.load(x)));
  return f32x4.pmax(f32x4.splat(-1024), f32x4.pmin(f32x4.splat(1024), v));
}

/** Sixteen final indices of x * inverse; NaN counts as the top one. */
// @ts-ignore: decorator
@inline function sixteen(x: usize, inverse: v128): v128 {
  const a = floored(doubled(x, inverse), doubled(x + 16, inverse));
  const b = floored(doubled(x + 32, inverse), doubled(x + 48, inverse));
  return indicesOf(a, b, cellsOf(a, b));
}

function finalLevels(x: usize, scale: f32, out: usize): void {
  const inverse = f32x4.splat(scale != 0 ? 1 / scale : 0), low = sixteen(x, inverse);
  v128.store(out, nibbles(low, sixteen(x + 64, inverse)));
}

/** Up to sixteen blocks of IQ4_NL, in whole groups of four. */
function nonLinear(x: usize, y: usize, given: usize, blocks: usize): void {
  for (let g = 0; (<usize>g << 2) < blocks; g++) group(g, x + (<usize>g << 9), given ? given + (<usize>g << 9) : 0, ZERO, true);
  chooseOfIq4();
  for (let i: usize = 0; i < blocks; i++) {
    const d = load<f32>(SCALES + (i << 2));
    store<u16>(y, halfOf(d));
    finalLevels(x + (i << 7), d, y + 2);
    y += 18;
  }
}

/** Blocks of 32 values: a half, 16 bytes of levels. Without weights rows do not matter. */
export function quantiseIQ4_NL(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  let blocks = columns >> 5;
  if (!importance) { blocks *= rows; rows = 1; }
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < blocks; i += 16) {
      const n = min(16, blocks - i), given = importance ? importance + (i << 7) : 0;
      if (!(n & 3)) nonLinear(x, y, given, n);
      else {
        memory.fill(PAD_X, 0, 2048);
        memory.copy(PAD_X, x, n << 7);
        if (importance) memory.copy(PAD_WEIGHTS, given, n << 7);
        nonLinear(PAD_X, y, importance ? PAD_WEIGHTS : 0, n);
      }
      x += n << 7;
      y += n * 18;
    }
  }
}

/** A block of IQ4_XS from the scales of its eight sub-blocks: a half, their 6-bit scales, 128 bytes of levels. */
function superBlock(x: usize, y: usize, scales: usize): void {
  let most: f32 = 0, lead: f32 = 0;
  for (let i: usize = 0; i < 32; i += 4) {
    const s = load<f32>(scales + i);
    if (abs(s) > most) { most = abs(s); lead = s; }
  }
  const d: f32 = -lead / 32, inverse: f32 = d != 0 ? 1 / d : 0;
  store<u16>(y, halfOf(d));
  let high: u32 = 0, low: u32 = 0;
  for (let i: usize = 0; i < 8; i++) {
    const l = max(-32, min(31, nearestIntOf(inverse * load<f32>(scales + (i << 2)))));
    finalLevels(x + (i << 7), d * <f32>l, y + 8 + (i << 4));
    low |= ((l + 32) & 15) << (<i32>i << 2);
    high |= ((l + 32) >> 4) << (<i32>i << 1);
  }
  store<u16>(y, high, 2);
  store<u32>(y, low, 4);
}

/** Blocks of 256 values, two at a time. */
export function quantiseIQ4_XS(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  let blocks = columns >> 8;
  if (!importance) { blocks *= rows; rows = 1; }
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < blocks; i += 2) {
      const n = min(2, blocks - i);
      let sigma2 = ZERO;
      for (let g = 0; g < <i32>n << 1; g++) {
        const at = <usize>g << 9;
        if (importance && !(g & 1)) sigma2 = f32x4.splat(sumOfSquares(x + at) * <f32>0.0078125);
        group(g, x + at, importance ? importance + (i << 10) + at : 0, sigma2, false);
      }
      chooseOfIq4();
      for (let k: usize = 0; k < n; k++) {
        superBlock(x, y, SCALES + (k << 5));
        x += 1024;
        y += 136;
      }
    }
  }
}
