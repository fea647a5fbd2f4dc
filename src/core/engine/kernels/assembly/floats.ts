// Rows of floats of one width to another: what checkpoints store to f32, and f32 to what a GGUF stores.
import { floatLanes, floatOf, halfLanes, halfOf } from "./halves";

export function widenFromF32(source: usize, target: usize, count: usize): void {
  memory.copy(target, source, count << 2);
}

export function quantiseF32(source: usize, target: usize, rows: usize, columns: usize, importance: usize): void {
  memory.copy(target, source, (rows * columns) << 2);
}

export function widenFromF16(source: usize, target: usize, count: usize): void {
  const whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const h = v128.load(source + (i << 1));
    v128.store(target + (i << 2), floatLanes(i32x4.extend_low_i16x8_u(h)));
    v128.store(target + (i << 2), floatLanes(i32x4.extend_high_i16x8_u(h)), 16);
  }
  for (let i = whole; i < count; i++) store<f32>(target + (i << 2), floatOf(load<u16>(source + (i << 1))));
}

export function quantiseF16(source: usize, target: usize, rows: usize, columns: usize, importance: usize): void {
  const count = rows * columns, whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const p = source + (i << 2);
    v128.store(target + (i << 1), i16x8.narrow_i32x4_u(halfLanes(v128.load(p)), halfLanes(v128.load(p, 16))));
  }
  for (let i = whole; i < count; i++) store<u16>(target + (i << 1), halfOf(load<f32>(source + (i << 2))));
}

export function widenFromBF16(source: usize, target: usize, count: usize): void {
  const whole = count & ~7, zero = i32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 8) {
    const h = v128.load(source + (i << 1));
    v128.store(target + (i << 2), v128.shuffle<i16>(zero, h, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(target + (i << 2), v128.shuffle<i16>(zero, h, 4, 12, 5, 13, 6, 14, 7, 15), 16);
  }
  for (let i = whole; i < count; i++) store<u32>(target + (i << 2), <u32>load<u16>(source + (i << 1)) << 16);
}

/** To nearest, ties to even, denormals kept; a NaN keeps its upper bits and becomes quiet. */
function bfloatOf(f: f32): u32 {
  const bits = reinterpret<u32>(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 64;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

// @ts-ignore: decorator
@inline function bfloatLanes(f: v128): v128 {
  const upper = i32x4.shr_u(f, 16);
  const nearest = i32x4.shr_u(i32x4.add(i32x4.add(f, i32x4.splat(0x7fff)), v128.and(upper, i32x4.splat(1))), 16);
  return v128.bitselect(v128.or(upper, i32x4.splat(64)), nearest, f32x4.ne(f, f));
}

export function quantiseBF16(source: usize, target: usize, rows: usize, columns: usize, importance: usize): void {
  const count = rows * columns, whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const p = source + (i << 2);
    v128.store(target + (i << 1), i16x8.narrow_i32x4_u(bfloatLanes(v128.load(p)), bfloatLanes(v128.load(p, 16))));
  }
  for (let i = whole; i < count; i++) store<u16>(target + (i << 1), bfloatOf(load<f32>(source + (i << 2))));
}

/** Rounded once, to nearest even. */
export function widenFromF64(source: usize, target: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) store<f32>(target + (i << 2), <f32>load<f64>(source + (i << 3)));
}

/** E4M3 (the variant without infinities): four bits of exponent with bias 7; S1111111 is NaN. */
export function widenFromF8_E4M3(source: usize, target: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const b = <u32>load<u8>(source + i), magnitude = b & 0x7f, sign = (b & 0x80) << 24;
    // 2^120 moves the bias from 7 to 127, for denormals too.
    const value = reinterpret<u32>(reinterpret<f32>(magnitude << 20) * reinterpret<f32>(0x7b800000));
    store<u32>(target + (i << 2), sign | (magnitude == 0x7f ? 0x7fc00000 : value));
  }
}

/** E5M2: the upper byte of a half. */
export function widenFromF8_E5M2(source: usize, target: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) store<f32>(target + (i << 2), floatOf(<u32>load<u8>(source + i) << 8));
}
