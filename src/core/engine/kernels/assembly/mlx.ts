// mlx's quantised weights to f32: affine groups of any width, and mxfp4.
import { floatOf } from "./halves";

const F32: i32 = 0, F16: i32 = 1;

/** Powers of two that move each of four levels of a word to its top. */
const SHIFTS: usize = memory.data(16, 16);
const LAST: usize = memory.data(8, 16);

// @ts-ignore: decorator
@inline function value(p: usize, index: usize, kind: i32): f32 {
  if (kind == F32) return load<f32>(p + (index << 2));
  const bits = <u32>load<u16>(p + (index << 1));
  return kind == F16 ? floatOf(bits) : reinterpret<f32>(bits << 16);
}

/** scale * level + bias for four levels of `bits` each, from the lowest bit of `word` on. */
// @ts-ignore: decorator
@inline function four(word: u32, shifts: v128, down: i32, scale: v128, bias: v128, y: usize): void {
  const levels = i32x4.shr_u(i32x4.mul(i32x4.splat(word), shifts), down);
  v128.store(y, f32x4.add(f32x4.mul(scale, f32x4.convert_i32x4_s(levels)), bias));
}

/**
 * Levels are one stream of bits, the lowest first, so whatever their width eight of them fill `bits` whole bytes.
 * `kind` is the type of scales and biases: 0 f32, 1 f16, 2 bf16.
 */
export function affine(
  source: usize, scales: usize, biases: usize, kind: i32, target: usize, rows: usize, columns: usize, bits: i32, groupSize: usize,
): void {
  for (let k = 0; k < 4; k++) store<u32>(SHIFTS + (<usize>k << 2), <u32>1 << (32 - bits * (k + 1)));
  const shifts = v128.load(SHIFTS), down = 32 - bits, upper = <u64>(4 * bits), step = <usize>bits;
  const groups = rows * columns / groupSize;
  for (let g: usize = 0; g < groups; g++) {
    const scale = f32x4.splat(value(scales, g, kind)), bias = f32x4.splat(value(biases, g, kind));
    let left = groupSize;
    // The last eight of all are read byte by byte: eight bytes from there may lie outside the memory.
    if (g == groups - 1) left -= 8;
    for (; left; left -= 8, source += step, target += 32) {
      const word = load<u64>(source);
      four(<u32>word, shifts, down, scale, bias, target);
      four(<u32>(word >> upper), shifts, down, scale, bias, target + 16);
    }
    if (g == groups - 1) {
      store<u64>(LAST, 0);
      memory.copy(LAST, source, step);
      const word = load<u64>(LAST);
      four(<u32>word, shifts, down, scale, bias, target);
      four(<u32>(word >> upper), shifts, down, scale, bias, target + 16);
    }
  }
}

/** Twice the magnitudes of E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6. */
const MAGNITUDES: usize = memory.data<u32>([0x03020100, 0x0c080604, 0, 0], 16);

/** Four values of the bytes in `codes` that `lanes` has widened to 32 bits: magnitude times half the scale, then the sign. */
// @ts-ignore: decorator
@inline function signed(magnitude: v128, code: v128, scale: v128): v128 {
  const sign = v128.and(i32x4.shl(code, 28), i32x4.splat(0x80000000));
  return v128.or(f32x4.mul(f32x4.convert_i32x4_s(magnitude), scale), sign);
}

// @ts-ignore: decorator
@inline function putEight(magnitudes: v128, codes: v128, scale: v128, y: usize): void {
  v128.store(y, signed(i32x4.extend_low_i16x8_u(magnitudes), i32x4.extend_low_i16x8_u(codes), scale));
  v128.store(y, signed(i32x4.extend_high_i16x8_u(magnitudes), i32x4.extend_high_i16x8_u(codes), scale), 16);
}

// @ts-ignore: decorator
@inline function putSixteen(codes: v128, scale: v128, y: usize): void {
  const magnitudes = i8x16.swizzle(v128.load(MAGNITUDES), v128.and(codes, i8x16.splat(7)));
  putEight(i16x8.extend_low_i8x16_u(magnitudes), i16x8.extend_low_i8x16_u(codes), scale, y);
  putEight(i16x8.extend_high_i8x16_u(magnitudes), i16x8.extend_high_i8x16_u(codes), scale, y + 32);
}

/** Half of 2^(s - 127): a denormal for s below 2; NaN for 255. */
// @ts-ignore: decorator
@inline function halfScale(s: u32): f32 {
  if (s == 255) return NaN;
  return reinterpret<f32>(s >= 2 ? (s - 1) << 23 : <u32>0x200000 << s);
}

/** `groups` groups of 32 values: 16 bytes of codes, the low half of a byte first, and a byte of scale. */
export function mxfp4(source: usize, scales: usize, target: usize, groups: usize): void {
  for (let g: usize = 0; g < groups; g++, source += 16, target += 128) {
    const scale = f32x4.splat(halfScale(load<u8>(scales + g))), q = v128.load(source), mask = i8x16.splat(15);
    const low = v128.and(q, mask), high = v128.and(i16x8.shr_u(q, 4), mask);
    // Interleaved: codes in the order of the values.
    putSixteen(v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), scale, target);
    putSixteen(v128.shuffle<i8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), scale, target + 64);
  }
}
