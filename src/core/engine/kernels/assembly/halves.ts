// Half floats (IEEE binary16) and bfloat16, to and from f32, with the reference's rounding:
// to nearest, ties to even; a NaN becomes the quiet one of its sign (binary16) or keeps its upper bits (bfloat16).

export function halfOf(f: f32): u32 {
  const bits = reinterpret<u32>(f), sign = (bits >>> 16) & 0x8000, mag = bits & 0x7fffffff;
  if (mag >= 0x47800000) return sign | (mag > 0x7f800000 ? 0x7e00 : 0x7c00);
  // Subnormal halves: adding 0.5 leaves multiples of 2^-24 in the low bits, rounded.
  if (mag < 0x38800000) return sign | (reinterpret<u32>(reinterpret<f32>(mag) + 0.5) - 0x3f000000);
  return sign | ((mag - 0x38000000 + 0xfff + ((mag >>> 13) & 1)) >>> 13);
}

export function floatOf(h: u32): f32 {
  const mag = (h & 0x7fff) << 13, sign = (h & 0x8000) << 16;
  if (mag >= 0x0f800000) return reinterpret<f32>(sign | mag | 0x7f800000);
  return reinterpret<f32>(sign | reinterpret<u32>(reinterpret<f32>(mag) * reinterpret<f32>(0x77800000)));
}

function bfloatOf(f: f32): u32 {
  const bits = reinterpret<u32>(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 64;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

// @ts-ignore: decorator
@inline function widen4(h: v128): v128 {
  // h: the half in the low 16 bits of each lane.
  const mag = i32x4.shl(v128.and(h, i32x4.splat(0x7fff)), 13), sign = i32x4.shl(v128.and(h, i32x4.splat(0x8000)), 16);
  const value = f32x4.mul(mag, f32x4.splat(reinterpret<f32>(0x77800000)));
  const special = v128.and(i32x4.ge_u(mag, i32x4.splat(0x0f800000)), i32x4.splat(0x7f800000));
  return v128.or(v128.or(v128.bitselect(mag, value, i32x4.ne(special, i32x4.splat(0))), special), sign);
}

export function widenF16(source: usize, target: usize, count: usize): void {
  const whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const h = v128.load(source + (i << 1));
    v128.store(target + (i << 2), widen4(i32x4.extend_low_i16x8_u(h)));
    v128.store(target + (i << 2), widen4(i32x4.extend_high_i16x8_u(h)), 16);
  }
  for (let i = whole; i < count; i++) store<f32>(target + (i << 2), floatOf(load<u16>(source + (i << 1))));
}

export function widenBf16(source: usize, target: usize, count: usize): void {
  const whole = count & ~7, zero = i32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 8) {
    const h = v128.load(source + (i << 1));
    v128.store(target + (i << 2), v128.shuffle<i16>(zero, h, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(target + (i << 2), v128.shuffle<i16>(zero, h, 4, 12, 5, 13, 6, 14, 7, 15), 16);
  }
  for (let i = whole; i < count; i++) store<u32>(target + (i << 2), <u32>load<u16>(source + (i << 1)) << 16);
}

// @ts-ignore: decorator
@inline function narrowHalf4(f: v128): v128 {
  const sign = v128.and(i32x4.shr_u(f, 16), i32x4.splat(0x8000)), mag = v128.and(f, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(mag, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(mag, i32x4.splat(0xfff - 0x38000000)), odd), 13);
  const small = i32x4.sub(f32x4.add(mag, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const large = v128.bitselect(i32x4.splat(0x7e00), i32x4.splat(0x7c00), i32x4.gt_u(mag, i32x4.splat(0x7f800000)));
  let h = v128.bitselect(small, normal, i32x4.lt_s(mag, i32x4.splat(0x38800000)));
  h = v128.bitselect(large, h, i32x4.ge_s(mag, i32x4.splat(0x47800000)));
  return v128.or(h, sign);
}

export function narrowF16(source: usize, target: usize, count: usize): void {
  const whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const p = source + (i << 2);
    v128.store(target + (i << 1), i16x8.narrow_i32x4_u(narrowHalf4(v128.load(p)), narrowHalf4(v128.load(p, 16))));
  }
  for (let i = whole; i < count; i++) store<u16>(target + (i << 1), halfOf(load<f32>(source + (i << 2))));
}

// @ts-ignore: decorator
@inline function narrowBrain4(f: v128): v128 {
  const nan = i32x4.gt_u(v128.and(f, i32x4.splat(0x7fffffff)), i32x4.splat(0x7f800000));
  const odd = v128.and(i32x4.shr_u(f, 16), i32x4.splat(1));
  const even = i32x4.shr_u(i32x4.add(i32x4.add(f, i32x4.splat(0x7fff)), odd), 16);
  return v128.bitselect(v128.or(i32x4.shr_u(f, 16), i32x4.splat(64)), even, nan);
}

export function narrowBf16(source: usize, target: usize, count: usize): void {
  const whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const p = source + (i << 2);
    v128.store(target + (i << 1), i16x8.narrow_i32x4_u(narrowBrain4(v128.load(p)), narrowBrain4(v128.load(p, 16))));
  }
  for (let i = whole; i < count; i++) store<u16>(target + (i << 1), bfloatOf(load<f32>(source + (i << 2))));
}
