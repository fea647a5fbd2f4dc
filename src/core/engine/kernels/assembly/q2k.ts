// Q2_K: sixteen sub-blocks of 16 values with 4-bit scales and minima. 84 bytes: 16 of scales (low half) and minima
// (high half), 64 of levels (four a byte), halves d and dmin.
import { floatOf, halfOf } from "./halves";
import { ZERO, nearestIntOf, sumOfSquares } from "./lanes";
import { MINIMUM_LEVELS, decodeLevels, keepLevels, searchAgain, toRecords, weighByImportance } from "./minimumBlock";
import { MINIMA, MINIMUM_SCALES, RECORDS, WEIGHT_SUMS, searchQ2_K, searchWeightedQ2_K } from "./minimumSearch";
import { FITTED, fitNonNegative } from "./nonNegativeFit";

/** Bytes of sixteen records; a block fills two such halves, which are searched one after the other. */
const HALF: usize = 1024;

/** Divides sixteen values by their greatest, to integers up to 15; returns the unit, or zero. */
function fourBits(from: usize, to: usize): f32 {
  let most: f32 = 0;
  for (let j: usize = 0; j < 64; j += 4) {
    const v = load<f32>(from + j);
    if (v > most) most = v;
  }
  if (!(most > 0)) {
    v128.store(to, ZERO);
    return 0;
  }
  const inverse = <f32>15 / most;
  for (let j: usize = 0; j < 16; j++) store<u8>(to + j, nearestIntOf(inverse * load<f32>(from + (j << 2))));
  return most / 15;
}

function block(x: usize, y: usize, importance: usize): void {
  for (let h: usize = 0; h < 2; h++) {
    const records = RECORDS + h * HALF, from = x + (h << 9);
    toRecords(from, 16, records);
    toRecords(from + 256, 16, records + 32);
    if (importance) {
      toRecords(importance + (h << 9), 16, records + 16);
      toRecords(importance + (h << 9) + 256, 16, records + 48);
    }
  }
  let uncertain: i32;
  let d: f32, dmin: f32;
  if (importance) {
    weighByImportance(sumOfSquares(x) / 256);
    uncertain = searchWeightedQ2_K(RECORDS, 0) | (searchWeightedQ2_K(RECORDS + HALF, 32) << 8);
    for (let j: usize = 0, mask = uncertain; mask; j++, mask >>= 1) {
      if (mask & 1) searchAgain(j, 16, 3, -0.9, 0.05, 36, false, true);
    }
    d = fitNonNegative(MINIMUM_SCALES, WEIGHT_SUMS, 16, 15, FITTED);
    dmin = fitNonNegative(MINIMA, WEIGHT_SUMS, 16, 15, FITTED + 16);
  } else {
    for (let p = RECORDS; p < RECORDS + 2 * HALF; p += 32) v128.store(p, f32x4.abs(v128.load(p)), 16);
    uncertain = searchQ2_K(RECORDS, 0) | (searchQ2_K(RECORDS + HALF, 32) << 8);
    for (let j: usize = 0, mask = uncertain; mask; j++, mask >>= 1) {
      if (mask & 1) searchAgain(j, 16, 3, -0.5, 0.1, 15, true, false);
    }
    d = fourBits(MINIMUM_SCALES, FITTED);
    dmin = fourBits(MINIMA, FITTED + 16);
  }
  v128.store(y, v128.or(v128.load(FITTED), v128.and(i16x8.shl(v128.load(FITTED, 16), 4), i8x16.splat(-16))));
  const half = halfOf(d), halfMin = halfOf(dmin);
  store<u32>(y, half | (halfMin << 16), 80);
  d = floatOf(half);
  dmin = floatOf(halfMin);
  for (let j: usize = 0; j < 16; j++) {
    const b = load<u8>(y + j), scale = d * <f32>(b & 15);
    if (scale != 0) decodeLevels(j, x + (j << 6), 16, 3, scale, dmin * <f32>(b >> 4));
    // Levels of a repeated search are in place.
    else if (!(uncertain >> <i32>j & 1)) keepLevels(j, x + (j << 6), 16, 3);
  }
  for (let h: usize = 0; h < 4; h++) {
    const p = MINIMUM_LEVELS + ((h >> 1) << 7) + ((h & 1) << 4);
    const low = v128.or(v128.load(p), i16x8.shl(v128.load(p, 32), 2));
    v128.store(y + (h << 4), v128.or(low, v128.or(i16x8.shl(v128.load(p, 64), 4), i16x8.shl(v128.load(p, 96), 6))), 16);
  }
}

export function quantiseQ2_K(x: usize, y: usize, rows: usize, columns: usize, importance: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < columns; i += 256, x += 1024, y += 84) block(x, y, importance ? importance + (i << 2) : 0);
  }
}
