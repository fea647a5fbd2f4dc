// Q3_K: what both searches share - scale bytes, final levels, packing.
// A block is 32 bytes of high bits, 64 of low bits, 12 of scales and an f16.
import { LEVELS, nearestInt } from "./lanes";

// @ts-ignore: decorator
@inline function quarter(x: usize, at: usize, d: v128): v128 { return nearestInt(f32x4.div(v128.load(x + at), d)); }

/** Sixteen levels 0..7 of x/d. */
export function levels(x: usize, d: f32, out: usize): void {
  const s = f32x4.splat(d);
  const a = i16x8.narrow_i32x4_s(quarter(x, 0, s), quarter(x, 16, s));
  const b = i16x8.narrow_i32x4_s(quarter(x, 32, s), quarter(x, 48, s));
  const l = i8x16.max_s(i8x16.min_s(i8x16.narrow_i16x8_s(a, b), i8x16.splat(3)), i8x16.splat(-4));
  v128.store(out, i8x16.add(l, i8x16.splat(4)));
}

/** Writes the 12 scale bytes from sixteen quantised scales 0..63 (as bytes). */
export function packScales(ls: v128, y: usize): void {
  const low = v128.and(ls, i8x16.splat(15));
  const high = i16x8.shr_u(v128.and(ls, i8x16.splat(0x30)), 4);
  const nibbles = v128.or(low, i16x8.shl(v128.shuffle<i64>(low, low, 1, 1), 4));
  store<u64>(y, i64x2.extract_lane(nibbles, 0), 96);
  const a = i32x4.extract_lane(high, 0), b = i32x4.extract_lane(high, 1);
  const c = i32x4.extract_lane(high, 2), d = i32x4.extract_lane(high, 3);
  store<u32>(y, a | (b << 2) | (c << 4) | (d << 6), 104);
}

// @ts-ignore: decorator
@inline function bit(l: usize, at: usize, k: i32): v128 {
  return i16x8.shl(i16x8.shr_u(v128.and(v128.load(l + at), i8x16.splat(4)), 2), k);
}

// @ts-ignore: decorator
@inline function two(l: usize, at: usize, k: i32): v128 {
  return i16x8.shl(v128.and(v128.load(l + at), i8x16.splat(3)), k);
}

// @ts-ignore: decorator
@inline function highBits(l: usize): v128 {
  const a = v128.or(v128.or(bit(l, 0, 0), bit(l, 32, 1)), v128.or(bit(l, 64, 2), bit(l, 96, 3)));
  return v128.or(a, v128.or(v128.or(bit(l, 128, 4), bit(l, 160, 5)), v128.or(bit(l, 192, 6), bit(l, 224, 7))));
}

// @ts-ignore: decorator
@inline function lowBits(l: usize): v128 {
  return v128.or(v128.or(two(l, 0, 0), two(l, 32, 2)), v128.or(two(l, 64, 4), two(l, 96, 6)));
}

/** Packs LEVELS. */
export function packLevels(y: usize): void {
  v128.store(y, highBits(LEVELS));
  v128.store(y, highBits(LEVELS + 16), 16);
  v128.store(y, lowBits(LEVELS), 32);
  v128.store(y, lowBits(LEVELS + 16), 48);
  v128.store(y, lowBits(LEVELS + 128), 64);
  v128.store(y, lowBits(LEVELS + 144), 80);
}

/** The final scale of sub-block `j`, from the stored half and its quantised scale 0..63. */
// @ts-ignore: decorator
@inline export function finalScale(half: f32, ls: usize, j: usize): f32 {
  return half * <f32>(<i32>load<u8>(ls + j) - 32);
}
