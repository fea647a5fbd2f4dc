// The level table of IQ4_NL and IQ4_XS, and the search in it for sixteen values at once.
//
// A level's index is the number of midpoints at or below the scaled value (a tie goes up, as in the reference, whose
// two differences are exact near every midpoint). The value, doubled and floored, since midpoints are multiples of
// 0.5, is cut into 32 cells of width 8 (-16..15) with at most one midpoint each: index = BASE[cell] + (rest > CUT[cell]).
import { magic4 } from "./lanes";

const TABLES: usize = memory.data<u32>([
  0xbfad9881, 0xf6eaddcf, 0x26190d01, 0x71594535, // the 16 levels, -127 to 113
  0x01010000, 0x03020201, 0x05040403, 0x07060605, // BASE of cells below 0
  0x0a090908, 0x0c0c0b0b, 0x0e0e0d0d, 0x0f0f0f0e, // BASE of the other cells
  0x63630863, 0x630b6304, 0x630b630d, 0x06ff6306, // CUT of cells below 0; 0x63 is never passed
  0x0e05630d, 0x09630a63, 0x63630d63, 0x63636309, // CUT of the other cells
], 16);
const SIXTEEN16: usize = memory.data<u32>([0x10101010, 0x10101010, 0x10101010, 0x10101010], 16);
const FIFTEEN16: usize = memory.data<u32>([0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f], 16);
const MINUS_SIXTEEN16: usize = memory.data<u32>([0xf0f0f0f0, 0xf0f0f0f0, 0xf0f0f0f0, 0xf0f0f0f0], 16);
const REST8: usize = memory.data<u32>([0x000f000f, 0x000f000f, 0x000f000f, 0x000f000f], 16);

// @ts-ignore: decorator
@inline export function fifteen16(): v128 { return v128.load(FIFTEEN16); }

/** The levels at sixteen indices. */
// @ts-ignore: decorator
@inline export function levelsAt(indices: v128): v128 { return i8x16.swizzle(v128.load(TABLES), indices); }

/** Of a table of 32 bytes, those at the cells: swizzling gives 0 out of range, so the two halves are or-ed. */
// @ts-ignore: decorator
@inline function perCell(cell: v128, at: usize): v128 {
  const below = i8x16.swizzle(v128.load(TABLES + at), i8x16.add(cell, v128.load(SIXTEEN16)));
  return v128.or(below, i8x16.swizzle(v128.load(TABLES + at, 16), cell));
}

/** Eight doubled values, floored, as 16-bit integers; right for magnitudes below 2^15. */
// @ts-ignore: decorator
@inline export function floored(a: v128, b: v128): v128 {
  const magic = magic4();
  return i16x8.narrow_i32x4_s(
    i32x4.sub(f32x4.add(f32x4.floor(a), magic), magic), i32x4.sub(f32x4.add(f32x4.floor(b), magic), magic));
}

/** The cells of sixteen floored values, clamped to the outermost ones. */
// @ts-ignore: decorator
@inline export function cellsOf(a: v128, b: v128): v128 {
  const c = i8x16.narrow_i16x8_s(i16x8.shr_s(a, 4), i16x8.shr_s(b, 4));
  return i8x16.max_s(i8x16.min_s(c, v128.load(FIFTEEN16)), v128.load(MINUS_SIXTEEN16));
}

/** The table's indices for sixteen floored values in their cells. */
// @ts-ignore: decorator
@inline export function indicesOf(a: v128, b: v128, cell: v128): v128 {
  const mask = v128.load(REST8);
  const rest = i8x16.narrow_i16x8_s(v128.and(a, mask), v128.and(b, mask));
  return i8x16.sub(perCell(cell, 16), i8x16.gt_s(rest, perCell(cell, 48)));
}

/** Four of sixteen signed bytes as floats. */
// @ts-ignore: decorator
@inline export function quarter(bytes: v128, k: i32): v128 {
  const h = k < 2 ? i16x8.extend_low_i8x16_s(bytes) : i16x8.extend_high_i8x16_s(bytes);
  return f32x4.convert_i32x4_s(k & 1 ? i32x4.extend_high_i16x8_s(h) : i32x4.extend_low_i16x8_s(h));
}
