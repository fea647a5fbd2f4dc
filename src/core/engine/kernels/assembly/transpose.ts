// Transposing a matrix, in panels of columns so that what is written stays in the cache.
import { unpackHi32, unpackHi64, unpackLo32, unpackLo64 } from "./lanes";

const PANEL: usize = 64;

function tile(source: usize, target: usize, from: usize, to: usize): void {
  const a = v128.load(source), b = v128.load(source + from);
  const c = v128.load(source + 2 * from), d = v128.load(source + 3 * from);
  const ab = unpackLo32(a, b), cd = unpackLo32(c, d), AB = unpackHi32(a, b), CD = unpackHi32(c, d);
  v128.store(target, unpackLo64(ab, cd));
  v128.store(target + to, unpackHi64(ab, cd));
  v128.store(target + 2 * to, unpackLo64(AB, CD));
  v128.store(target + 3 * to, unpackHi64(AB, CD));
}

/** target[j, i] = source[i, j]. */
export function transpose(source: usize, target: usize, rows: usize, columns: usize): void {
  const tall = rows & ~3, wide = columns & ~3, from = columns << 2, to = rows << 2;
  for (let first: usize = 0; first < wide; first += PANEL) {
    const last = min(wide, first + PANEL);
    for (let i: usize = 0; i < tall; i += 4) {
      for (let j = first; j < last; j += 4) tile(source + i * from + (j << 2), target + j * to + (i << 2), from, to);
    }
  }
  for (let i: usize = 0; i < rows; i++) {
    for (let j: usize = i < tall ? wide : 0; j < columns; j++) {
      store<f32>(target + j * to + (i << 2), load<f32>(source + i * from + (j << 2)));
    }
  }
}
