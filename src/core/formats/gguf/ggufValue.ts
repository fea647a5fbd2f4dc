import type { GgufScalarType, GgufValue } from './ggufTypes';

/** One metadata entry: key and typed value. */
export type GgufEntry = readonly [key: string, value: GgufValue];

export function u32(value: number): GgufValue {
  return { type: 'u32', value };
}

export function i32(value: number): GgufValue {
  return { type: 'i32', value };
}

/** Rounded to what a reader of the file will get back. */
export function f32(value: number): GgufValue {
  return { type: 'f32', value: Math.fround(value) };
}

export function bool(value: boolean): GgufValue {
  return { type: 'bool', value };
}

export function string(value: string): GgufValue {
  return { type: 'string', value };
}

export function strings(value: readonly string[]): GgufValue {
  return { type: 'array', elements: 'string' satisfies GgufScalarType, value };
}

export function bools(value: readonly boolean[]): GgufValue {
  return { type: 'array', elements: 'bool' satisfies GgufScalarType, value };
}

export function i32s(value: readonly number[]): GgufValue {
  return { type: 'array', elements: 'i32' satisfies GgufScalarType, value: Int32Array.from(value) };
}

/** Rounded as {@link f32} is. */
export function f32s(value: readonly number[]): GgufValue {
  return { type: 'array', elements: 'f32' satisfies GgufScalarType, value: Float32Array.from(value) };
}
