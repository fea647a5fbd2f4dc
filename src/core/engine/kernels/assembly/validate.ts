// Looking for NaN and infinite values: the first of them, or -1. Plain values 64 bytes at a time, without a branch
// in between: magnitudes order as unsigned integers, and everything that is not finite lies at the top.

/** The first of `count` f32 values that is not finite. */
export function firstNonFinite(source: usize, count: usize): i32 {
  const mask = i32x4.splat(0x7fffffff), limit = i32x4.splat(0x7f7fffff);
  let i: usize = 0;
  for (const whole = count & ~15; i < whole; i += 16) {
    const p = source + (i << 2);
    const a = i32x4.max_u(v128.and(v128.load(p), mask), v128.and(v128.load(p, 16), mask));
    const b = i32x4.max_u(v128.and(v128.load(p, 32), mask), v128.and(v128.load(p, 48), mask));
    if (v128.any_true(i32x4.gt_u(i32x4.max_u(a, b), limit))) break;
  }
  for (; i < count; i++) {
    if ((load<u32>(source + (i << 2)) & 0x7fffffff) > 0x7f7fffff) return <i32>i;
  }
  return -1;
}

/** The first of `count` 16-bit floats whose magnitude is above that of the largest finite one. */
function firstAbove(source: usize, count: usize, largest: i16): i32 {
  const mask = i16x8.splat(0x7fff), limit = i16x8.splat(largest);
  let i: usize = 0;
  for (const whole = count & ~31; i < whole; i += 32) {
    const p = source + (i << 1);
    const a = i16x8.max_s(v128.and(v128.load(p), mask), v128.and(v128.load(p, 16), mask));
    const b = i16x8.max_s(v128.and(v128.load(p, 32), mask), v128.and(v128.load(p, 48), mask));
    if (v128.any_true(i16x8.gt_s(i16x8.max_s(a, b), limit))) break;
  }
  for (; i < count; i++) {
    if (<i32>(load<u16>(source + (i << 1)) & 0x7fff) > <i32>largest) return <i32>i;
  }
  return -1;
}

export function validateF16(source: usize, count: usize): i32 { return firstAbove(source, count, 0x7bff); }
export function validateBF16(source: usize, count: usize): i32 { return firstAbove(source, count, 0x7f7f); }

export function validateF64(source: usize, count: usize): i32 {
  for (let i: usize = 0; i < count; i++) {
    if ((load<u64>(source + (i << 3)) & 0x7fffffffffffffff) >= 0x7ff0000000000000) return <i32>i;
  }
  return -1;
}

// E4M3 has one NaN per sign (S1111111) and no infinity; E5M2 is a truncated binary16.
export function validateF8_E4M3(source: usize, count: usize): i32 {
  for (let i: usize = 0; i < count; i++) if ((load<u8>(source + i) & 0x7f) == 0x7f) return <i32>i;
  return -1;
}
export function validateF8_E5M2(source: usize, count: usize): i32 {
  for (let i: usize = 0; i < count; i++) if ((load<u8>(source + i) & 0x7f) >= 0x7c) return <i32>i;
  return -1;
}

// @ts-ignore: decorator
@inline function bad(half: usize): bool { return (load<u16>(half) & 0x7c00) == 0x7c00; }

/** The first block whose half at byte `at` is not finite. */
// @ts-ignore: decorator
@inline function oneHalf(source: usize, blocks: usize, bytes: usize, at: usize): i32 {
  for (let i: usize = 0; i < blocks; i++, source += bytes) if (bad(source + at)) return <i32>i;
  return -1;
}
/** The first block of which one of the two halves at byte `at` is not finite. */
// @ts-ignore: decorator
@inline function twoHalves(source: usize, blocks: usize, bytes: usize, at: usize): i32 {
  for (let i: usize = 0; i < blocks; i++, source += bytes) if (bad(source + at) || bad(source + at + 2)) return <i32>i;
  return -1;
}

export function validateQ8_0(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 34, 0); }
export function validateQ4_0(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 18, 0); }
export function validateQ4_1(source: usize, blocks: usize): i32 { return twoHalves(source, blocks, 20, 0); }
export function validateQ5_0(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 22, 0); }
export function validateQ5_1(source: usize, blocks: usize): i32 { return twoHalves(source, blocks, 24, 0); }
export function validateQ2_K(source: usize, blocks: usize): i32 { return twoHalves(source, blocks, 84, 80); }
export function validateQ3_K(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 110, 108); }
export function validateQ4_K(source: usize, blocks: usize): i32 { return twoHalves(source, blocks, 144, 0); }
export function validateQ5_K(source: usize, blocks: usize): i32 { return twoHalves(source, blocks, 176, 0); }
export function validateQ6_K(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 210, 208); }
export function validateIQ4_NL(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 18, 0); }
export function validateIQ4_XS(source: usize, blocks: usize): i32 { return oneHalf(source, blocks, 136, 0); }
