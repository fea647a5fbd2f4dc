// Half floats (IEEE binary16), to and from f32, with the reference's rounding: to nearest, ties to even, denormals
// kept; a NaN becomes the quiet one of its sign.

/** The half nearest to f, as bits. */
export function halfOf(f: f32): u32 {
  const bits = reinterpret<u32>(f), sign = (bits >>> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  // Denormal halves: adding 0.5 leaves multiples of 2^-24 in the low bits, rounded.
  if (magnitude < 0x38800000) return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + 0.5) - 0x3f000000);
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** The value of a half. */
export function floatOf(h: u32): f32 {
  const magnitude = (h & 0x7fff) << 13, sign = (h & 0x8000) << 16;
  if (magnitude >= 0x0f800000) return reinterpret<f32>(sign | magnitude | 0x7f800000);
  return reinterpret<f32>(sign | reinterpret<u32>(reinterpret<f32>(magnitude) * reinterpret<f32>(0x77800000)));
}

/** {@link halfOf} of four values, each in the low bits of its lane. */
// @ts-ignore: decorator
@inline export function halfLanes(f: v128): v128 {
  const sign = v128.and(i32x4.shr_u(f, 16), i32x4.splat(0x8000)), magnitude = v128.and(f, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff - 0x38000000)), odd), 13);
  const denormal = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const beyond = v128.bitselect(i32x4.splat(0x7e00), i32x4.splat(0x7c00), i32x4.gt_s(magnitude, i32x4.splat(0x7f800000)));
  const finite = v128.bitselect(denormal, normal, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  return v128.or(v128.bitselect(beyond, finite, i32x4.ge_s(magnitude, i32x4.splat(0x47800000))), sign);
}

/** {@link halfOf} of four values, as the first eight bytes. */
// @ts-ignore: decorator
@inline export function halves4(f: v128): v128 {
  const h = halfLanes(f);
  return i16x8.narrow_i32x4_u(h, h);
}

/** {@link floatOf} of four halves, each in the low bits of its lane. */
// @ts-ignore: decorator
@inline export function floatLanes(h: v128): v128 {
  const magnitude = i32x4.shl(v128.and(h, i32x4.splat(0x7fff)), 13), sign = i32x4.shl(v128.and(h, i32x4.splat(0x8000)), 16);
  // 2^112 moves the exponent's bias from 15 to 127 and makes denormals normal.
  const finite = f32x4.mul(magnitude, f32x4.splat(reinterpret<f32>(0x77800000)));
  const beyond = v128.or(magnitude, i32x4.splat(0x7f800000));
  return v128.or(v128.bitselect(beyond, finite, i32x4.ge_s(magnitude, i32x4.splat(0x0f800000))), sign);
}
