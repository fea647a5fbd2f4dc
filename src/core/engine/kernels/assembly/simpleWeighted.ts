// Q4_0, Q4_1, Q5_0 and Q5_1 with an importance matrix: the searches of the K-quants on blocks of 32, with weights
// importance * sqrt(mean square of the row + x*x), and levels as the search itself ends on them.
import { halfOf } from "./halves";
import { ZERO, storeColumns } from "./lanes";
import { scaledLevels } from "./levels";
import { MINIMUM_LEVELS, keepLevels, searchAgain, toRecords, weighByImportance } from "./minimumBlock";
import { MINIMA, MINIMUM_SCALES, RECORDS, searchWeighted15, searchWeighted31 } from "./minimumSearch";
import { packBlock } from "./simple";
import { CHOSEN, NOTHING, PEAKS, SCALES, chooseSlotOf19 } from "./trialChoice";
import { COLUMNS, STEP, columnsRooted, trialScale, tries } from "./trialSearch";

/** Mean squares of four rows. */
const MEANS: usize = memory.data(16, 16);
const TURNED: usize = memory.data(64, 16);
const PAD_X: usize = memory.data(16 * 128, 16);
const PAD_WEIGHTS: usize = memory.data(16 * 128, 16);
const GROUP: usize = 32 * STEP;

/** The mean squares of up to four rows, each a sum in order: four rows in the lanes, as one chain of sums is slow. */
function meanSquares(x: usize, rows: usize, columns: usize): void {
  const pitch = columns << 2, b = x + min(1, rows - 1) * pitch, c = x + min(2, rows - 1) * pitch, d = x + min(3, rows - 1) * pitch;
  let sum = ZERO;
  for (let i: usize = 0; i < pitch; i += 16) {
    storeColumns(v128.load(x + i), v128.load(b + i), v128.load(c + i), v128.load(d + i), TURNED, 16);
    for (let p = TURNED; p < TURNED + 64; p += 16) {
      const v = v128.load(p);
      sum = f32x4.add(sum, f32x4.mul(v, v));
    }
  }
  v128.store(MEANS, f32x4.div(sum, f32x4.splat(<f32>columns)));
}

/** Up to sixteen blocks of Q4_0 (limit 8) or Q5_0 (limit 16); x and weights hold whole groups of four. */
// @ts-ignore: decorator
@inline function symmetric(x: usize, y: usize, weights: usize, blocks: usize, mean: f32, limit: i32): void {
  const sigma2 = f32x4.splat(mean);
  for (let g = 0; (<usize>g << 2) < blocks; g++) {
    const at = <usize>g << 9, to = COLUMNS + <usize>g * GROUP;
    tries(g, to, 32, <f32>limit, columnsRooted(x + at, 128, weights + at, sigma2, 32, to));
  }
  chooseSlotOf19();
  for (let i: usize = 0; i < blocks; i++) {
    const peak = load<f32>(PEAKS + (i << 2)), from = x + (i << 7);
    store<u16>(y, halfOf(load<f32>(SCALES + (i << 2))));
    let low = ZERO, high = ZERO;
    if (!(abs(peak) < NOTHING)) {
      const s = trialScale(load<i32>(CHOSEN + (i << 2)), <f32>limit, peak);
      low = scaledLevels(from, s, <i8>limit);
      high = scaledLevels(from + 64, s, <i8>limit);
    }
    packBlock(low, high, y + 2, limit == 16);
    y += limit == 16 ? 22 : 18;
  }
}

/** Up to eight blocks of Q4_1 (top 15) or Q5_1 (top 31); x and weights hold eight. */
// @ts-ignore: decorator
@inline function withMinimum(x: usize, y: usize, weights: usize, blocks: usize, mean: f32, top: i32): void {
  toRecords(x, 32, RECORDS);
  toRecords(x + 512, 32, RECORDS + 32);
  toRecords(weights, 32, RECORDS + 16);
  toRecords(weights + 512, 32, RECORDS + 48);
  weighByImportance(mean);
  const uncertain = top == 15 ? searchWeighted15() : searchWeighted31();
  for (let j: usize = 0; j < blocks; j++) {
    if (uncertain >> <i32>j & 1) searchAgain(j, 32, top, -0.9, 0.05, 36, false, true);
    else keepLevels(j, x + (j << 7), 32, <i8>top);
    store<u16>(y, halfOf(load<f32>(MINIMUM_SCALES + (j << 2))));
    store<u16>(y, halfOf(-load<f32>(MINIMA + (j << 2))), 2);
    const levels = MINIMUM_LEVELS + (j << 5);
    packBlock(v128.load(levels), v128.load(levels, 16), y + 4, top == 31);
    y += top == 31 ? 24 : 20;
  }
}

const Q4_0: i32 = 0, Q4_1: i32 = 1, Q5_0: i32 = 2, Q5_1: i32 = 3;

function someQ4_0(x: usize, y: usize, weights: usize, blocks: usize, mean: f32): void { symmetric(x, y, weights, blocks, mean, 8); }
function someQ5_0(x: usize, y: usize, weights: usize, blocks: usize, mean: f32): void { symmetric(x, y, weights, blocks, mean, 16); }
function someQ4_1(x: usize, y: usize, weights: usize, blocks: usize, mean: f32): void { withMinimum(x, y, weights, blocks, mean, 15); }
function someQ5_1(x: usize, y: usize, weights: usize, blocks: usize, mean: f32): void { withMinimum(x, y, weights, blocks, mean, 31); }

// @ts-ignore: decorator
@inline function some(x: usize, y: usize, weights: usize, blocks: usize, mean: f32, type: i32): void {
  if (type == Q4_0) someQ4_0(x, y, weights, blocks, mean);
  else if (type == Q4_1) someQ4_1(x, y, weights, blocks, mean);
  else if (type == Q5_0) someQ5_0(x, y, weights, blocks, mean);
  else someQ5_1(x, y, weights, blocks, mean);
}

/** Rows in batches of `batch` blocks; what is left of a row is filled up with zeros to whole groups. */
// @ts-ignore: decorator
@inline function all(x: usize, y: usize, rows: usize, columns: usize, weights: usize, bytes: usize, batch: usize, whole: usize, type: i32): void {
  const blocks = columns >> 5;
  for (let r: usize = 0; r < rows; r++) {
    if (!(r & 3)) meanSquares(x, rows - r, columns);
    const mean = load<f32>(MEANS + ((r & 3) << 2));
    for (let i: usize = 0; i < blocks; i += batch) {
      const n = min(batch, blocks - i), given = weights + (i << 7);
      if (n % whole == 0) some(x, y, given, n, mean, type);
      else {
        memory.fill(PAD_X, 0, batch << 7);
        memory.fill(PAD_WEIGHTS, 0, batch << 7);
        memory.copy(PAD_X, x, n << 7);
        memory.copy(PAD_WEIGHTS, given, n << 7);
        some(PAD_X, y, PAD_WEIGHTS, n, mean, type);
      }
      x += n << 7;
      y += n * bytes;
    }
  }
}

export function weightedQ4_0(x: usize, y: usize, rows: usize, columns: usize, weights: usize): void { all(x, y, rows, columns, weights, 18, 16, 4, Q4_0); }
export function weightedQ4_1(x: usize, y: usize, rows: usize, columns: usize, weights: usize): void { all(x, y, rows, columns, weights, 20, 8, 8, Q4_1); }
export function weightedQ5_0(x: usize, y: usize, rows: usize, columns: usize, weights: usize): void { all(x, y, rows, columns, weights, 22, 16, 4, Q5_0); }
export function weightedQ5_1(x: usize, y: usize, rows: usize, columns: usize, weights: usize): void { all(x, y, rows, columns, weights, 24, 8, 8, Q5_1); }
