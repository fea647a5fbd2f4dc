// Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 without an importance matrix: one scale (and minimum) a block of 32 from the
// block's extremes. Four blocks at a time: their extremes are turned into lanes, so that scales, inverses and
// halves of all four are made at once.
import { halves4 } from "./halves";
import { ZERO, bytesOf, magic4, nibbles, unpackHi32, unpackHi64, unpackLo32, unpackLo64 } from "./lanes";

const Q8_0: i32 = 0, Q4_0: i32 = 1, Q4_1: i32 = 2, Q5_0: i32 = 3, Q5_1: i32 = 4;

const TOPS: usize = memory.data(64, 16);
const LOWS: usize = memory.data(64, 16);
const INVERSES: usize = memory.data(16, 16);
/** What is added to a scaled value before it is cut off: half a level, or the middle level and a half. */
const OFFSETS: usize = memory.data(16, 16);
const HALVES: usize = memory.data(32, 16);
const PAD: usize = memory.data(512, 16);
const PADDED: usize = memory.data(4 * 34, 16);

const SIGN4: usize = memory.data<u32>([0x80000000, 0x80000000, 0x80000000, 0x80000000], 16);
/** The float below 0.5: added with the sign of v before cutting off, it rounds halves away from zero, and only those. */
const BELOW_HALF4: usize = memory.data<u32>([0x3effffff, 0x3effffff, 0x3effffff, 0x3effffff], 16);

/** Largest (at TOPS) and smallest values (at LOWS) of block `b`, four partial ones each, starting from `top` and `low`. */
// @ts-ignore: decorator
@inline function extremes(x: usize, b: usize, top: v128, low: v128): void {
  for (const end = x + 128; x < end; x += 32) {
    const v = v128.load(x), w = v128.load(x, 16);
    top = f32x4.pmax(f32x4.pmax(top, v), w);
    low = f32x4.pmin(f32x4.pmin(low, v), w);
  }
  v128.store(TOPS + (b << 4), top);
  v128.store(LOWS + (b << 4), low);
}

/** Four times four partial values to the four values of the blocks. */
// @ts-ignore: decorator
@inline function reduced(p: usize, largest: bool): v128 {
  const a = v128.load(p), b = v128.load(p, 16), c = v128.load(p, 32), d = v128.load(p, 48);
  const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
  const e = unpackLo64(ab, cd), f = unpackHi64(ab, cd), g = unpackLo64(AB, CD), h = unpackHi64(AB, CD);
  return largest ? f32x4.pmax(f32x4.pmax(e, f), f32x4.pmax(g, h)) : f32x4.pmin(f32x4.pmin(e, f), f32x4.pmin(g, h));
}

/** In each lane that `again` marks, the value that the reference's own loop over the block ends on. */
function seenAgain(x: usize, found: v128, again: v128, largestMagnitude: bool): v128 {
  v128.store(TOPS, found);
  for (let b: usize = 0, mask = i32x4.bitmask(again); mask; b++, mask >>= 1) {
    if (!(mask & 1)) continue;
    const p = x + (b << 7);
    let kept: f32 = largestMagnitude ? 0 : f32.MAX_VALUE;
    for (let i: usize = 0; i < 128; i += 4) {
      const v = load<f32>(p + i);
      if (largestMagnitude ? abs(v) > abs(kept) : v < kept) kept = v;
    }
    store<f32>(TOPS + (b << 2), kept);
  }
  return v128.load(TOPS);
}

/**
 * Stores 1/d and the offset of each block. A d of 0 has the inverse 0; one so small that 1/d is infinite gives
 * no usable product, which the reference's conversion to integers turns into level 0 throughout.
 */
// @ts-ignore: decorator
@inline function setInverses(d: v128, offset: f32): void {
  const inverse = v128.and(f32x4.div(f32x4.splat(1), d), f32x4.ne(d, ZERO));
  const usable = f32x4.lt(f32x4.abs(inverse), f32x4.splat(Infinity));
  v128.store(INVERSES, v128.and(inverse, usable));
  v128.store(OFFSETS, v128.and(f32x4.splat(offset), usable));
}

/** The value of largest magnitude of each of the four blocks at x, the first one on a tie. */
// @ts-ignore: decorator
@inline function peaks(x: usize): v128 {
  for (let b: usize = 0; b < 4; b++) extremes(x + (b << 7), b, ZERO, ZERO);
  const top = reduced(TOPS, true), low = reduced(LOWS, false), negated = f32x4.neg(low);
  const tie = v128.and(f32x4.eq(top, negated), f32x4.gt(top, ZERO));
  const peak = v128.bitselect(top, low, f32x4.gt(top, negated));
  return v128.any_true(tie) ? seenAgain(x, peak, tie, true) : peak;
}

// @ts-ignore: decorator
@inline function cut(x: usize, inverse: v128, offset: v128, magic: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.trunc(f32x4.add(f32x4.mul(v128.load(x), inverse), offset)), magic), magic);
}
// @ts-ignore: decorator
@inline function cutFrom(x: usize, low: v128, inverse: v128, offset: v128, magic: v128): v128 {
  const v = f32x4.mul(f32x4.sub(v128.load(x), low), inverse);
  return i32x4.sub(f32x4.add(f32x4.trunc(f32x4.add(v, offset)), magic), magic);
}

/** Sixteen levels, 0 to `most`. */
// @ts-ignore: decorator
@inline function sixteen(x: usize, low: v128, inverse: v128, offset: v128, magic: v128, most: i8, minimum: bool): v128 {
  const levels = minimum
    ? bytesOf(cutFrom(x, low, inverse, offset, magic), cutFrom(x + 16, low, inverse, offset, magic),
      cutFrom(x + 32, low, inverse, offset, magic), cutFrom(x + 48, low, inverse, offset, magic))
    : bytesOf(cut(x, inverse, offset, magic), cut(x + 16, inverse, offset, magic),
      cut(x + 32, inverse, offset, magic), cut(x + 48, inverse, offset, magic));
  return i8x16.min_u(levels, i8x16.splat(most));
}

/** Writes the levels of a block: bits 0 to 3 at `y`, bits 4 (if there are any) before them. */
// @ts-ignore: decorator
@inline export function packBlock(low: v128, high: v128, y: usize, five: bool): void {
  if (five) {
    store<u32>(y, i8x16.bitmask(i16x8.shl(low, 3)) | (i8x16.bitmask(i16x8.shl(high, 3)) << 16));
    const four = i8x16.splat(15);
    v128.store(y, nibbles(v128.and(low, four), v128.and(high, four)), 4);
  } else {
    v128.store(y, nibbles(low, high));
  }
}

// @ts-ignore: decorator
@inline function symmetric(x: usize, y: usize, five: bool): void {
  const d = f32x4.mul(peaks(x), f32x4.splat(five ? -0.0625 : -0.125)), magic = magic4();
  v128.store(HALVES, halves4(d));
  setInverses(d, five ? 16.5 : 8.5);
  for (let b: usize = 0; b < 16; b += 4) {
    const inverse = v128.load32_splat(INVERSES + b), offset = v128.load32_splat(OFFSETS + b);
    store<u16>(y, load<u16>(HALVES + (b >> 1)));
    const low = sixteen(x, ZERO, inverse, offset, magic, five ? 31 : 15, false);
    packBlock(low, sixteen(x + 64, ZERO, inverse, offset, magic, five ? 31 : 15, false), y + 2, five);
    x += 128;
    y += five ? 22 : 18;
  }
}

// @ts-ignore: decorator
@inline function withMinimum(x: usize, y: usize, five: bool): void {
  for (let b: usize = 0; b < 4; b++) extremes(x + (b << 7), b, v128.load(x + (b << 7)), v128.load(x + (b << 7)));
  // + 0, as the largest value counts as +0 whichever zero it is: it only meets a smallest one of the same sign.
  const top = f32x4.add(reduced(TOPS, true), ZERO);
  let low = reduced(LOWS, false);
  const zero = f32x4.eq(low, ZERO);
  if (v128.any_true(zero)) low = seenAgain(x, low, zero, false);
  const d = f32x4.div(f32x4.sub(top, low), f32x4.splat(five ? 31 : 15)), magic = magic4();
  v128.store(HALVES, halves4(d));
  v128.store(HALVES, halves4(low), 16);
  setInverses(d, 0.5);
  // Without an inverse (d is 0, or the range overflowed) all levels are 0: nothing may become infinite on the way.
  v128.store(LOWS, v128.and(low, f32x4.ne(v128.load(INVERSES), ZERO)));
  for (let b: usize = 0; b < 16; b += 4) {
    const inverse = v128.load32_splat(INVERSES + b), offset = v128.load32_splat(OFFSETS + b), from = v128.load32_splat(LOWS + b);
    store<u16>(y, load<u16>(HALVES + (b >> 1)));
    store<u16>(y, load<u16>(HALVES + (b >> 1), 16), 2);
    const lower = sixteen(x, from, inverse, offset, magic, five ? 31 : 15, true);
    packBlock(lower, sixteen(x + 64, from, inverse, offset, magic, five ? 31 : 15, true), y + 4, five);
    x += 128;
    y += five ? 24 : 20;
  }
}

// @ts-ignore: decorator
@inline function awayFromZero(x: usize, inverse: v128, sign: v128, half: v128, magic: v128): v128 {
  const v = f32x4.mul(v128.load(x), inverse);
  const r = f32x4.trunc(f32x4.add(v, v128.or(v128.and(v, sign), half)));
  return i32x4.sub(f32x4.add(r, magic), magic);
}

function fourQ8_0(x: usize, y: usize): void {
  for (let b: usize = 0; b < 4; b++) {
    const from = x + (b << 7);
    let most = f32x4.abs(v128.load(from));
    for (let p = from + 16; p < from + 128; p += 16) most = f32x4.pmax(most, f32x4.abs(v128.load(p)));
    v128.store(TOPS + (b << 4), most);
  }
  const d = f32x4.div(reduced(TOPS, true), f32x4.splat(127));
  const magic = magic4(), sign = v128.load(SIGN4), half = v128.load(BELOW_HALF4);
  v128.store(HALVES, halves4(d));
  setInverses(d, 0);
  for (let b: usize = 0; b < 16; b += 4) {
    const inverse = v128.load32_splat(INVERSES + b);
    store<u16>(y, load<u16>(HALVES + (b >> 1)));
    for (let h: usize = 0; h < 2; h++) {
      v128.store(y + (h << 4), bytesOf(awayFromZero(x, inverse, sign, half, magic), awayFromZero(x + 16, inverse, sign, half, magic),
        awayFromZero(x + 32, inverse, sign, half, magic), awayFromZero(x + 48, inverse, sign, half, magic)), 2);
      x += 64;
    }
    y += 34;
  }
}

function fourQ4_0(x: usize, y: usize): void { symmetric(x, y, false); }
function fourQ5_0(x: usize, y: usize): void { symmetric(x, y, true); }
function fourQ4_1(x: usize, y: usize): void { withMinimum(x, y, false); }
function fourQ5_1(x: usize, y: usize): void { withMinimum(x, y, true); }

// @ts-ignore: decorator
@inline function four(x: usize, y: usize, type: i32): void {
  if (type == Q8_0) fourQ8_0(x, y);
  else if (type == Q4_0) fourQ4_0(x, y);
  else if (type == Q4_1) fourQ4_1(x, y);
  else if (type == Q5_0) fourQ5_0(x, y);
  else fourQ5_1(x, y);
}

/** Blocks follow each other across rows; the last ones, if fewer than four, are filled up with zeros. */
// @ts-ignore: decorator
@inline function all(x: usize, y: usize, values: usize, bytes: usize, type: i32): void {
  let blocks = values >> 5;
  for (; blocks >= 4; blocks -= 4, x += 512, y += 4 * bytes) four(x, y, type);
  if (!blocks) return;
  memory.fill(PAD, 0, 512);
  memory.copy(PAD, x, blocks << 7);
  four(PAD, PADDED, type);
  memory.copy(y, PADDED, blocks * bytes);
}

export function quantiseQ8_0(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void { all(x, y, rows * columns, 34, Q8_0); }
export function plainQ4_0(x: usize, y: usize, values: usize): void { all(x, y, values, 18, Q4_0); }
export function plainQ4_1(x: usize, y: usize, values: usize): void { all(x, y, values, 20, Q4_1); }
export function plainQ5_0(x: usize, y: usize, values: usize): void { all(x, y, values, 22, Q5_0); }
export function plainQ5_1(x: usize, y: usize, values: usize): void { all(x, y, values, 24, Q5_1); }
