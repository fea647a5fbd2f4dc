// Q2_K: sixteen sub-blocks of 16 values, four-bit scales and minima.
import { REC, SCALE, MINV, SUMW, pairSearch } from "./minimumSearch";
import { LEVELS, transpose, weighByImportance, sumSquares, redo, keptLevels, levels16 } from "./minimumBlock";
import { halfOf, floatOf } from "./halves";
import { roundInt } from "./minimumSearchScalar";
import { QS, fitPositive } from "./nonNegativeFit";

function search(rec: usize, out: usize): i32 {
  return pairSearch(16, 3, -0.5, 0.1, 15, true, false, rec, out);
}

function searchWeighted(rec: usize, out: usize): i32 {
  return pairSearch(16, 3, -0.9, 0.05, 36, false, true, rec, out);
}

function again(j: u32, weighted: bool): void {
  if (weighted) redo(j, 16, 3, -0.9, 0.05, 36, false, true);
  else redo(j, 16, 3, -0.5, 0.1, 15, true, false);
}

// Divides sixteen values by their greatest, to integers up to 15; returns the
// unit or zero.
function fourBits(from: usize, to: usize): f32 {
  let m: f32 = 0;
  for (let j: usize = 0; j < 64; j += 4) {
    const v = load<f32>(from + j);
    if (v > m) m = v;
  }
  if (!(m > 0)) {
    v128.store(to, i8x16.splat(0));
    return 0;
  }
  const inv = <f32>15 / m;
  for (let j: usize = 0; j < 16; j++) store<u8>(to + j, roundInt(inv * load<f32>(from + (j << 2))));
  return m / 15;
}

export function blockQ2(x: usize, y: usize, im: usize): void {
  for (let h: usize = 0; h < 2; h++) {
    const rec = REC + (h << 10), from = x + (h << 9);
    transpose(from, 16, rec);
    transpose(from + 256, 16, rec + 32);
    if (im) {
      transpose(im + (h << 9), 16, rec + 16);
      transpose(im + (h << 9) + 256, 16, rec + 48);
    }
  }
  let bad: i32;
  let d: f32, dm: f32;
  if (im) {
    weighByImportance(sumSquares(x) / 256);
    bad = searchWeighted(REC, 0) | (searchWeighted(REC + 1024, 32) << 8);
  } else {
    for (let p = REC; p < REC + 2048; p += 32) v128.store(p, f32x4.abs(v128.load(p)), 16);
    bad = search(REC, 0) | (search(REC + 1024, 32) << 8);
  }
  for (let j = 0, b = bad; b; j++, b >>= 1) if (b & 1) again(j, im != 0);
  if (im) {
    d = fitPositive(SCALE, SUMW, 16, 15, QS);
    dm = fitPositive(MINV, SUMW, 16, 15, QS + 16);
  } else {
    d = fourBits(SCALE, QS);
    dm = fourBits(MINV, QS + 16);
  }
  const sm = v128.or(v128.load(QS), v128.and(i16x8.shl(v128.load(QS, 16), 4), i8x16.splat(-16)));
  v128.store(y, sm);
  const hd = halfOf(d), hm = halfOf(dm);
  store<u32>(y, hd | (hm << 16), 80);
  d = floatOf(hd);
  dm = floatOf(hm);
  for (let j = 0; j < 16; j++) {
    const b = load<u8>(y + j), dj = d * <f32>(b & 15);
    if (dj == 0) {
      if (!(bad >> j & 1)) keptLevels(j, x + (j << 6), 16, 3);
      continue;
    }
    v128.store(LEVELS + (j << 4), levels16(x + (j << 6), f32x4.splat(dj), f32x4.splat(dm * <f32>(b >> 4)), 3));
  }
  for (let h: usize = 0; h < 4; h++) {
    const p = LEVELS + ((h >> 1) << 7) + ((h & 1) << 4);
    v128.store(y + (h << 4),
      v128.or(v128.or(v128.load(p), i16x8.shl(v128.load(p, 32), 2)),
        v128.or(i16x8.shl(v128.load(p, 64), 4), i16x8.shl(v128.load(p, 96), 6))), 16);
  }
}
