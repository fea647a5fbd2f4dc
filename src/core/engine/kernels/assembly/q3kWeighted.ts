// Q3_K with an importance matrix: the search over trial scales, for the sub-blocks and then for their scales.
import { halfOf, floatOf } from "./halves";
import { ZERO, EPS, COLS, SCALES, LEVELS, MAXES, nearestInt, pick, leadingScale } from "./lanes";
import { columnsRooted, tries, searchedLevels, spread } from "./trialSearch";
import { levels, packScales, packLevels, finalScale } from "./q3kPacking";

const GROUP: usize = 16 * 48;
const MASS: usize = memory.data(64, 16);
const QUANT: usize = memory.data(16, 16);
const TRIED: usize = memory.data(6 * 32, 16);

// @ts-ignore: decorator
@inline function clamped(v: v128): v128 {
  return i32x4.min_s(i32x4.max_s(nearestInt(v), i32x4.splat(-32)), i32x4.splat(31));
}

/** Sums of four trial scales in the lanes, over the 16 scales. */
function four(s: v128, out: usize): void {
  let sx = ZERO, s2 = ZERO;
  for (let i: usize = 0; i < 64; i += 4) {
    const x = v128.load32_splat(SCALES + i), w = v128.load32_splat(MASS + i);
    const l = f32x4.convert_i32x4_s(clamped(f32x4.mul(s, x)));
    sx = f32x4.add(sx, f32x4.mul(f32x4.mul(w, x), l));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.mul(w, l), l));
  }
  v128.store(out, sx); v128.store(out, s2, 16);
}

// @ts-ignore: decorator
@inline function trial(is: v128, max: f32): v128 {
  const n = f32x4.add(f32x4.splat(32), f32x4.mul(f32x4.splat(0.1), is));
  return f32x4.div(f32x4.neg(n), f32x4.splat(max));
}

/** Quantises the 16 scales to QUANT and returns the block scale. */
function blockScale(): f32 {
  const max = leadingScale(SCALES);
  if (abs(max) < EPS) {
    v128.store(QUANT, ZERO);
    return 0;
  }
  four(trial(f32x4(0, -9, -8, -7), max), TRIED);
  four(trial(f32x4(-6, -5, -4, -3), max), TRIED + 32);
  four(trial(f32x4(-2, -1, 1, 2), max), TRIED + 64);
  four(trial(f32x4(3, 4, 5, 6), max), TRIED + 96);
  four(trial(f32x4(7, 8, 9, 9), max), TRIED + 128);
  let sx = load<f32>(TRIED), s2 = load<f32>(TRIED, 16), kept = 0;
  let scale: f32 = s2 != 0 ? sx / s2 : 0, best: f32 = scale * sx;
  for (let t = 1; t < 19; t++) {
    const p = TRIED + (<usize>(t >> 2) << 5) + (<usize>(t & 3) << 2);
    sx = load<f32>(p); s2 = load<f32>(p, 16);
    if (s2 > 0 && sx * sx > best * s2) {
      scale = sx / s2; best = scale * sx; kept = t;
    }
  }
  const is: f32 = kept == 0 ? 0 : kept < 10 ? <f32>(kept - 10) : <f32>(kept - 9);
  const s = trial(f32x4.splat(is), max);
  const a = i16x8.narrow_i32x4_s(clamped(f32x4.mul(s, v128.load(SCALES))), clamped(f32x4.mul(s, v128.load(SCALES, 16))));
  const b = i16x8.narrow_i32x4_s(clamped(f32x4.mul(s, v128.load(SCALES, 32))), clamped(f32x4.mul(s, v128.load(SCALES, 48))));
  v128.store(QUANT, i8x16.add(i8x16.narrow_i16x8_s(a, b), i8x16.splat(32)));
  return scale;
}

function block(x: usize, y: usize, q: usize): void {
  const sigma2 = f32x4.splat(2 * spread(x) / 256);
  for (let g = 0; g < 4; g++) {
    const cols = COLS + <usize>g * GROUP, at = <usize>g << 8;
    const max = columnsRooted(x + at, 64, q + at, sigma2, 16, cols);
    let mass = ZERO;
    for (let p = cols; p < cols + GROUP; p += 96) {
      mass = f32x4.add(f32x4.add(mass, v128.load(p, 16)), v128.load(p, 64));
    }
    v128.store(MASS + (<usize>g << 4), mass);
    tries(g, cols, 16, 4, max);
  }
  pick(19, false);
  const half = halfOf(blockScale());
  packScales(v128.load(QUANT), y);
  store<u16>(y, half, 108);
  const d = floatOf(half);
  for (let j: usize = 0; j < 16; j++) {
    const dj = finalScale(d, QUANT, j), out = LEVELS + (j << 4);
    if (dj != 0) levels(x + (j << 6), dj, out);
    else searchedLevels(COLS + (j >> 2) * GROUP, <i32>j & 3, 16, 4, load<f32>(MAXES + (j << 2)), out);
  }
  packLevels(y);
}

export function weighted(src: usize, dst: usize, rows: i32, blocks: i32, q: usize): void {
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < blocks; i++) {
      block(src, dst, q + (<usize>i << 10));
      src += 1024;
      dst += 110;
    }
  }
}
