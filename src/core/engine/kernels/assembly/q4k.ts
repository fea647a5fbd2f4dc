// Q4_K and Q5_K: eight sub-blocks of 32 values, six-bit scales and minima.
import { REC, SCALE, MINV, SUMW, pairSearch } from "./minimumSearch";
import { LEVELS, transpose, weighByRms, weighByImportance, sumSquares, redo, keptLevels, levels16 } from "./minimumBlock";
import { halfOf, floatOf } from "./halves";
import { roundInt } from "./minimumSearchScalar";
import { QS, fitPositive } from "./nonNegativeFit";

function search4(): i32 { return pairSearch(32, 15, -1, 0.1, 20, false, false, REC, 0); }
function search4w(): i32 { return pairSearch(32, 15, -0.9, 0.05, 36, false, true, REC, 0); }
function search5(): i32 { return pairSearch(32, 31, -0.5, 0.1, 15, false, false, REC, 0); }
function search5w(): i32 { return pairSearch(32, 31, -0.9, 0.05, 36, false, true, REC, 0); }

function again(j: u32, top: i32, weighted: bool): void {
  if (weighted) redo(j, 32, top, -0.9, 0.05, 36, false, true);
  else if (top == 15) redo(j, 32, 15, -1, 0.1, 20, false, false);
  else redo(j, 32, 31, -0.5, 0.1, 15, false, false);
}

// Greatest of eight values, at least zero; NaN never wins.
function greatest(p: usize): f32 {
  let m: f32 = 0;
  for (let j = 0; j < 8; j++) {
    const v = load<f32>(p + (j << 2));
    if (v > m) m = v;
  }
  return m;
}

function sixBits(from: usize, inv: f32, to: usize): void {
  for (let j = 0; j < 8; j++) {
    const l = roundInt(inv * load<f32>(from + (j << 2))) & 0xff;
    store<u8>(to + j, min(63, l));
  }
}

// Packs QS (eight scales, at 16 eight minima) into twelve bytes, and leaves in
// QS what a reader of those bytes will decode.
function packScales(y: usize): void {
  const hs = load<u32>(QS, 4), hm = load<u32>(QS, 20);
  const a = load<u32>(QS) | ((hs >> 4 & 0x03030303) << 6);
  const b = load<u32>(QS, 16) | ((hm >> 4 & 0x03030303) << 6);
  const c = (hs & 0x0f0f0f0f) | ((hm & 0x0f0f0f0f) << 4);
  store<u32>(y, a, 4);
  store<u32>(y, b, 8);
  store<u32>(y, c, 12);
  store<u32>(QS, a & 0x3f3f3f3f);
  store<u32>(QS, b & 0x3f3f3f3f, 16);
  store<u32>(QS, (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030), 4);
  store<u32>(QS, (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030), 20);
}

// @ts-ignore: decorator
@inline
function block(x: usize, y: usize, im: usize, top: i32): void {
  transpose(x, 32, REC);
  transpose(x + 512, 32, REC + 32);
  let bad: i32;
  if (im) {
    transpose(im, 32, REC + 16);
    transpose(im + 512, 32, REC + 48);
    weighByImportance(<f32>2 * sumSquares(x) / 256);
    bad = top == 15 ? search4w() : search5w();
  } else {
    weighByRms();
    bad = top == 15 ? search4() : search5();
  }
  for (let j = 0, b = bad; b; j++, b >>= 1) if (b & 1) again(j, top, im != 0);
  let d: f32, dm: f32;
  if (im) {
    d = fitPositive(SCALE, SUMW, 8, 63, QS);
    dm = fitPositive(MINV, SUMW, 8, 63, QS + 16);
    if (top == 31) {
      const cap = i8x16.splat(63);
      v128.store(QS, i8x16.min_u(v128.load(QS), cap));
      v128.store(QS, i8x16.min_u(v128.load(QS, 16), cap), 16);
    }
  } else {
    const ms = greatest(SCALE), mm = greatest(MINV);
    sixBits(SCALE, ms > 0 ? 63 / ms : 0, QS);
    sixBits(MINV, mm > 0 ? 63 / mm : 0, QS + 16);
    d = ms / 63;
    dm = mm / 63;
  }
  packScales(y);
  const hd = halfOf(d), hm = halfOf(dm);
  store<u32>(y, hd | (hm << 16));
  d = floatOf(hd);
  dm = floatOf(hm);
  for (let j = 0; j < 8; j++) {
    const dj = d * <f32>load<u8>(QS + j);
    if (dj == 0) {
      // Levels of a redone sub-block are in place.
      if (!(bad >> j & 1)) keptLevels(j, x + (j << 7), 32, top);
      continue;
    }
    const mj = dm * <f32>load<u8>(QS + j, 16);
    const vd = f32x4.splat(dj), vm = f32x4.splat(mj);
    v128.store(LEVELS + (j << 5), levels16(x + (j << 7), vd, vm, <i8>top));
    v128.store(LEVELS + (j << 5), levels16(x + (j << 7) + 64, vd, vm, <i8>top), 16);
  }
}

// @ts-ignore: decorator
@inline
function pack4(y: usize): void {
  const low = i8x16.splat(15);
  for (let j: usize = 0; j < 4; j++) {
    for (let h: usize = 0; h < 32; h += 16) {
      const a = v128.load(LEVELS + (j << 6) + h), b = v128.load(LEVELS + (j << 6) + h, 32);
      v128.store(y + (j << 5) + h, v128.or(v128.and(a, low), i16x8.shl(v128.and(b, low), 4)));
    }
  }
}

export function blockQ4(x: usize, y: usize, im: usize): void {
  block(x, y, im, 15);
  pack4(y + 16);
}

export function blockQ5(x: usize, y: usize, im: usize): void {
  block(x, y, im, 31);
  pack4(y + 48);
  const one = i8x16.splat(1);
  for (let h: usize = 0; h < 32; h += 16) {
    let acc = i8x16.splat(0);
    for (let j = 0; j < 8; j++) {
      const bit = v128.and(i16x8.shr_u(v128.load(LEVELS + (<usize>j << 5) + h), 4), one);
      acc = v128.or(acc, i16x8.shl(bit, j));
    }
    v128.store(y + h, acc, 16);
  }
}
