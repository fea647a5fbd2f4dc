// Q4_K and Q5_K: eight sub-blocks of 32 values with 6-bit scales and minima. 144 or 176 bytes: halves d and dmin, 12
// of scales and minima, for Q5_K 32 of fifth bits, 128 of low bits (two levels a byte).
import { floatOf, halfOf } from "./halves";
import { ZERO, nearestIntOf, nibbles, sumOfSquares } from "./lanes";
import { MINIMUM_LEVELS, decodeLevels, keepLevels, searchAgain, toRecords, weighByImportance, weighByRms } from "./minimumBlock";
import { unpackSixBits } from "./sixBits";
import { MINIMA, MINIMUM_SCALES, RECORDS, WEIGHT_SUMS, searchQ4_K, searchQ5_K, searchWeighted15, searchWeighted31 } from "./minimumSearch";
import { FITTED, fitNonNegative } from "./nonNegativeFit";

function again(j: usize, top: i32, weighted: bool): void {
  if (weighted) searchAgain(j, 32, top, -0.9, 0.05, 36, false, true);
  else if (top == 15) searchAgain(j, 32, 15, -1, 0.1, 20, false, false);
  else searchAgain(j, 32, 31, -0.5, 0.1, 15, false, false);
}

/** Greatest of eight values, at least zero; NaN never wins. */
function greatest(p: usize): f32 {
  let m: f32 = 0;
  for (const end = p + 32; p < end; p += 4) {
    const v = load<f32>(p);
    if (v > m) m = v;
  }
  return m;
}

function sixBits(from: usize, inverse: f32, to: usize): void {
  for (let j: usize = 0; j < 8; j++) {
    // Cut to eight bits before the clamp, as in the reference.
    const l = nearestIntOf(inverse * load<f32>(from + (j << 2))) & 0xff;
    store<u8>(to + j, min(63, l));
  }
}

/**
 * Packs the eight scales and minima (from byte 16 on) at FITTED into twelve bytes, and leaves in FITTED what a reader
 * of those bytes decodes, which differs where a level was above 63.
 */
function packScales(y: usize): void {
  const hs = load<u32>(FITTED, 4), hm = load<u32>(FITTED, 20);
  store<u32>(y, load<u32>(FITTED) | ((hs >> 4 & 0x03030303) << 6));
  store<u32>(y, load<u32>(FITTED, 16) | ((hm >> 4 & 0x03030303) << 6), 4);
  store<u32>(y, (hs & 0x0f0f0f0f) | ((hm & 0x0f0f0f0f) << 4), 8);
  unpackSixBits(y, FITTED);
}

/** Quantises the scales and minima to FITTED; writes d and dmin. */
// @ts-ignore: decorator
@inline function blockScales(y: usize, top: i32, weighted: bool): void {
  let d: f32, dmin: f32;
  if (weighted) {
    d = fitNonNegative(MINIMUM_SCALES, WEIGHT_SUMS, 8, 63, FITTED);
    dmin = fitNonNegative(MINIMA, WEIGHT_SUMS, 8, 63, FITTED + 16);
    // Only Q5_K clamps negative levels, which wrapped.
    if (top == 31) {
      const cap = i8x16.splat(63);
      v128.store(FITTED, i8x16.min_u(v128.load(FITTED), cap));
      v128.store(FITTED, i8x16.min_u(v128.load(FITTED, 16), cap), 16);
    }
  } else {
    const most = greatest(MINIMUM_SCALES), mostMinimum = greatest(MINIMA);
    sixBits(MINIMUM_SCALES, most > 0 ? 63 / most : 0, FITTED);
    sixBits(MINIMA, mostMinimum > 0 ? 63 / mostMinimum : 0, FITTED + 16);
    d = most / 63;
    dmin = mostMinimum / 63;
  }
  store<u32>(y, halfOf(d) | (halfOf(dmin) << 16));
}

/** Everything but the levels to y; the levels to MINIMUM_LEVELS. */
// @ts-ignore: decorator
@inline function block(x: usize, y: usize, importance: usize, top: i32): void {
  toRecords(x, 32, RECORDS);
  toRecords(x + 512, 32, RECORDS + 32);
  let uncertain: i32;
  if (importance) {
    toRecords(importance, 32, RECORDS + 16);
    toRecords(importance + 512, 32, RECORDS + 48);
    weighByImportance(<f32>2 * sumOfSquares(x) / 256);
    uncertain = top == 15 ? searchWeighted15() : searchWeighted31();
  } else {
    weighByRms();
    uncertain = top == 15 ? searchQ4_K() : searchQ5_K();
  }
  for (let j: usize = 0, mask = uncertain; mask; j++, mask >>= 1) if (mask & 1) again(j, top, importance != 0);
  blockScales(y, top, importance != 0);
  packScales(y + 4);
  const d = floatOf(load<u16>(y)), dmin = floatOf(load<u16>(y, 2));
  for (let j: usize = 0; j < 8; j++) {
    const scale = d * <f32>load<u8>(FITTED + j);
    if (scale != 0) decodeLevels(j, x + (j << 7), 32, <i8>top, scale, dmin * <f32>load<u8>(FITTED + j, 16));
    // Levels of a repeated search are in place.
    else if (!(uncertain >> <i32>j & 1)) keepLevels(j, x + (j << 7), 32, <i8>top);
  }
}

/** Low four bits: levels 64 j + l and 64 j + 32 + l share a byte. */
// @ts-ignore: decorator
@inline function packLow(y: usize): void {
  const four = i8x16.splat(15);
  for (let j: usize = 0; j < 4; j++) {
    for (let h: usize = 0; h < 32; h += 16) {
      const p = MINIMUM_LEVELS + (j << 6) + h;
      v128.store(y + (j << 5) + h, nibbles(v128.and(v128.load(p), four), v128.and(v128.load(p, 32), four)));
    }
  }
}

/** Fifth bits: bit j of byte l is that of level 32 j + l. */
// @ts-ignore: decorator
@inline function packFifth(y: usize): void {
  const one = i8x16.splat(1);
  for (let h: usize = 0; h < 32; h += 16) {
    let bits = ZERO;
    for (let j = 0; j < 8; j++) {
      const bit = v128.and(i16x8.shr_u(v128.load(MINIMUM_LEVELS + (<usize>j << 5) + h), 4), one);
      bits = v128.or(bits, i16x8.shl(bit, j));
    }
    v128.store(y + h, bits);
  }
}

function blockQ4_K(x: usize, y: usize, importance: usize): void {
  block(x, y, importance, 15);
  packLow(y + 16);
}

function blockQ5_K(x: usize, y: usize, importance: usize): void {
  block(x, y, importance, 31);
  packFifth(y + 16);
  packLow(y + 48);
}

export function quantiseQ4_K(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < columns; i += 256, x += 1024, y += 144) blockQ4_K(x, y, importance ? importance + (i << 2) : 0);
  }
}

export function quantiseQ5_K(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < columns; i += 256, x += 1024, y += 176) blockQ5_K(x, y, importance ? importance + (i << 2) : 0);
  }
}
