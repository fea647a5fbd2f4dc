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
