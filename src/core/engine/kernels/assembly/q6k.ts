// Q6_K: 16 sub-blocks of 16 values, an i8 scale each, one f16 for all.
import { halfOf, floatOf } from "./halves";
import { EPS, COLS, SCALES, LEVELS, MAXES, nearestInt, pick, leadingScale } from "./lanes";
import { columnsSquare, columnsGiven, tries, searchedLevels } from "./trialSearch";

const GROUP: usize = 16 * 48;

// @ts-ignore: decorator
@inline function quarter(x: usize, at: usize, d: v128): v128 { return nearestInt(f32x4.div(v128.load(x + at), d)); }

function levels(x: usize, out: usize, d: f32): void {
  const s = f32x4.splat(d);
  const a = i16x8.narrow_i32x4_s(quarter(x, 0, s), quarter(x, 16, s));
  const b = i16x8.narrow_i32x4_s(quarter(x, 32, s), quarter(x, 48, s));
  const l = i8x16.max_s(i8x16.min_s(i8x16.narrow_i16x8_s(a, b), i8x16.splat(31)), i8x16.splat(-32));
  v128.store(out, i8x16.add(l, i8x16.splat(32)));
}

// @ts-ignore: decorator
@inline function packSixteen(l: usize, ql: usize, qh: usize): void {
  const a = v128.load(l), b = v128.load(l, 32), c = v128.load(l, 64), d = v128.load(l, 96);
  const four = i8x16.splat(15), two = i8x16.splat(0x30);
  v128.store(ql, v128.or(v128.and(a, four), i16x8.shl(v128.and(c, four), 4)));
  v128.store(ql, v128.or(v128.and(b, four), i16x8.shl(v128.and(d, four), 4)), 32);
  const ab = v128.or(i16x8.shr_u(v128.and(a, two), 4), i16x8.shr_u(v128.and(b, two), 2));
  const cd = v128.or(v128.and(c, two), i16x8.shl(v128.and(d, two), 2));
  v128.store(qh, v128.or(ab, cd));
}

function block(x: usize, y: usize, q: usize): void {
  for (let g = 0; g < 4; g++) {
    const cols = COLS + <usize>g * GROUP, at = <usize>g << 8;
    const max = q ? columnsGiven(x + at, 64, q + at, 16, cols) : columnsSquare(x + at, 64, 16, cols);
    tries(g, cols, 16, 32, max);
  }
  pick(19, false);
  const lead = leadingScale(SCALES);
  if (abs(lead) < EPS) {
    memory.fill(y, 0, 210);
    return;
  }
  const iscale: f32 = <f32>-128 / lead;
  const half = halfOf(1 / iscale);
  store<u16>(y, half, 208);
  const s = f32x4.splat(iscale), d = f32x4.splat(floatOf(half));
  const a = nearestInt(f32x4.mul(s, v128.load(SCALES))), b = nearestInt(f32x4.mul(s, v128.load(SCALES, 16)));
  const c = nearestInt(f32x4.mul(s, v128.load(SCALES, 32))), e = nearestInt(f32x4.mul(s, v128.load(SCALES, 48)));
  const most = i32x4.splat(127);
  v128.store(y, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, e)), 192);
  v128.store(SCALES, f32x4.mul(d, f32x4.convert_i32x4_s(i32x4.min_s(a, most))));
  v128.store(SCALES, f32x4.mul(d, f32x4.convert_i32x4_s(i32x4.min_s(b, most))), 16);
  v128.store(SCALES, f32x4.mul(d, f32x4.convert_i32x4_s(i32x4.min_s(c, most))), 32);
  v128.store(SCALES, f32x4.mul(d, f32x4.convert_i32x4_s(i32x4.min_s(e, most))), 48);
  for (let j = 0; j < 16; j++) {
    const dj = load<f32>(SCALES + (<usize>j << 2));
    const out = LEVELS + (<usize>j << 4);
    if (dj != 0) levels(x + (<usize>j << 6), out, dj);
    else searchedLevels(COLS + <usize>(j >> 2) * GROUP, j & 3, 16, 32, load<f32>(MAXES + (<usize>j << 2)), out);
  }
  packSixteen(LEVELS, y, y + 128);
  packSixteen(LEVELS + 16, y + 16, y + 144);
  packSixteen(LEVELS + 128, y + 64, y + 160);
  packSixteen(LEVELS + 144, y + 80, y + 176);
}

export function q6k(src: usize, dst: usize, rows: i32, perRow: i32, q: usize): void {
  const n = perRow >> 8;
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < n; i++) {
      block(src, dst, q ? q + (<usize>i << 10) : 0);
      src += 1024;
      dst += 210;
    }
  }
}
