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

// Constants are loaded, not splatted (lanes.ts).
const MAGNITUDE4: usize = memory.data<u32>([0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff], 16);
const HALF_MAGNITUDE4: usize = memory.data<u32>([0x7fff, 0x7fff, 0x7fff, 0x7fff], 16);
const HALF_SIGN4: usize = memory.data<u32>([0x8000, 0x8000, 0x8000, 0x8000], 16);
const LEAST_NORMAL4: usize = memory.data<u32>([0x38800000, 0x38800000, 0x38800000, 0x38800000], 16);
const INFINITE4: usize = memory.data<u32>([0x47800000, 0x47800000, 0x47800000, 0x47800000], 16);
/** Moves the exponent's bias from 127 to 15 and adds one less than half a unit of the last place. */
const REBIAS4: usize = memory.data<u32>([0xc8000fff, 0xc8000fff, 0xc8000fff, 0xc8000fff], 16);
const ONE4: usize = memory.data<u32>([1, 1, 1, 1], 16);
/** 2^112, which moves the bias from 15 to 127 and makes denormals normal. */
const UNBIAS4: usize = memory.data<u32>([0x77800000, 0x77800000, 0x77800000, 0x77800000], 16);
/** The widened bits from which on a half is infinite or NaN, and what f32 has there. */
const WIDE_INFINITE4: usize = memory.data<u32>([0x0f800000, 0x0f800000, 0x0f800000, 0x0f800000], 16);
const EXPONENT4: usize = memory.data<u32>([0x7f800000, 0x7f800000, 0x7f800000, 0x7f800000], 16);

/** {@link halfOf} of four values, each in the low bits of its lane. */
// @ts-ignore: decorator
@inline export function halfLanes(f: v128): v128 {
  const magnitude = v128.and(f, v128.load(MAGNITUDE4)), sign = v128.and(i32x4.shr_u(f, 16), v128.load(HALF_SIGN4));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), v128.load(ONE4));
  let h = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, v128.load(REBIAS4)), odd), 13);
  const small = i32x4.lt_s(magnitude, v128.load(LEAST_NORMAL4)), large = i32x4.ge_s(magnitude, v128.load(INFINITE4));
  if (v128.any_true(v128.or(small, large))) {
    const denormal = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
    const beyond = v128.bitselect(i32x4.splat(0x7e00), i32x4.splat(0x7c00), i32x4.gt_s(magnitude, v128.load(EXPONENT4)));
    h = v128.bitselect(denormal, v128.bitselect(beyond, h, large), small);
  }
  return v128.or(h, sign);
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
  const magnitude = i32x4.shl(v128.and(h, v128.load(HALF_MAGNITUDE4)), 13);
  const sign = i32x4.shl(v128.and(h, v128.load(HALF_SIGN4)), 16);
  const finite = f32x4.mul(magnitude, v128.load(UNBIAS4));
  const exponent = v128.and(i32x4.ge_s(magnitude, v128.load(WIDE_INFINITE4)), v128.load(EXPONENT4));
  // An infinite or NaN half became a number of at least 2^16, whose exponent is overwritten.
  return v128.or(v128.or(finite, exponent), sign);
}
