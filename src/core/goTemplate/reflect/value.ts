import type { ByteString } from '../../golang/byteString';
import { ANY, BOOL, COMPLEX128, FLOAT64, INT, pointerTo, sliceOf, STRING, UINT8, type GoType } from './goType';
import { grownCapacity } from './sliceGrowth';

export interface Complex {
  readonly real: number;
  readonly imaginary: number;
}

/** A slice: a window on elements that other slices may share. What lies beyond `array` is zero. */
export interface GoSlice {
  readonly array: readonly Data[];
  readonly offset: number;
  readonly length: number;
  readonly capacity: number;
}

export interface GoPointer {
  readonly target: Data;
}

/** A function that ranges over pairs of key and value. */
export interface GoSequence {
  readonly pairs: readonly (readonly [Value, Value])[];
}

/**
 * The content of a value, by kind: bool boolean; int bigint; uint8 number; float64 number; complex128 Complex;
 * string ByteString; slice GoSlice; map Map of ByteString to Data; struct Data[] in the order of its fields;
 * pointer GoPointer; interface Value (never itself an interface); func GoSequence. null is nil.
 */
export type Data =
  | boolean
  | bigint
  | number
  | ByteString
  | Complex
  | GoSlice
  | ReadonlyMap<ByteString, Data>
  | readonly Data[]
  | GoPointer
  | Value
  | GoSequence
  | null;

/** Go's `reflect.Value`, the part of it that templates touch. `undefined` stands for the invalid Value. */
export class Value {
  constructor(
    readonly type: GoType,
    readonly data: Data,
    /** Whether it lies where a pointer could point: an element of a slice, behind a pointer, a field of such. */
    readonly addressable = false,
  ) {}

  get kind(): GoType['kind'] {
    return this.type.kind;
  }

  /** Of kinds that can be nil: whether it is. */
  get isNil(): boolean {
    return this.data === null;
  }

  get bool(): boolean {
    return this.data as boolean;
  }

  /** Of int and uint8. */
  get integer(): bigint {
    return BigInt(this.data as bigint | number);
  }

  get float(): number {
    return this.data as number;
  }

  get complex(): Complex {
    return this.data as Complex;
  }

  get string(): ByteString {
    return this.data as ByteString;
  }

  /** Of a slice; an empty one for nil. */
  get slice(): GoSlice {
    return (this.data as GoSlice | null) ?? EMPTY_SLICE;
  }

  /** Of a map; an empty one for nil. */
  get map(): ReadonlyMap<ByteString, Data> {
    return (this.data as ReadonlyMap<ByteString, Data> | null) ?? EMPTY_MAP;
  }

  /** Go's `Len` of a slice, map or string. */
  get length(): number {
    switch (this.kind) {
      case 'slice':
        return this.slice.length;
      case 'map':
        return this.map.size;
      default:
        return this.string.length;
    }
  }

  /** What an interface holds or a pointer points to; undefined for nil. */
  elem(): Value | undefined {
    if (this.data === null) {
      return undefined;
    }
    return this.kind === 'interface'
      ? (this.data as Value)
      : new Value(elemType(this.type), (this.data as GoPointer).target, true);
  }

  /** An element of a slice, or a byte of a string; the index is within its length. */
  index(at: number): Value {
    if (this.kind === 'string') {
      return new Value(UINT8, this.string.charCodeAt(at));
    }
    const elem = elemType(this.type);
    const { array, offset } = this.slice;
    return new Value(elem, array[offset + at] ?? zeroData(elem), true);
  }

  /** The field at a position of a struct. */
  field(index: number): Value {
    const type = this.type.fields?.[index]?.type ?? ANY;
    return new Value(type, (this.data as readonly Data[])[index] ?? zeroData(type), this.addressable);
  }

  /** The value of a map's key; undefined if it has none. */
  mapIndex(key: ByteString): Value | undefined {
    const data = this.map.get(key);
    return data === undefined ? undefined : new Value(elemType(this.type), data);
  }

  /** A pointer to an addressable value: a new one each time, for nobody compares such. */
  address(): Value {
    return new Value(pointerTo(this.type), { target: this.data });
  }

  /** The same value, not addressable: what a call or an interface passes on. */
  copied(): Value {
    return this.addressable ? new Value(this.type, this.data) : this;
  }
}

const EMPTY_SLICE: GoSlice = { array: [], offset: 0, length: 0, capacity: 0 };
const EMPTY_MAP: ReadonlyMap<ByteString, Data> = new Map();

export function elemType(type: GoType): GoType {
  return type.elem ?? ANY;
}

export function zeroData(type: GoType): Data {
  switch (type.kind) {
    case 'bool':
      return false;
    case 'int':
      return 0n;
    case 'uint8':
    case 'float64':
      return 0;
    case 'complex128':
      return { real: 0, imaginary: 0 };
    case 'string':
      return '';
    case 'struct':
      return (type.fields ?? []).map((field) => zeroData(field.type));
    default:
      return null;
  }
}

export const boolValue = (data: boolean): Value => new Value(BOOL, data);
export const intValue = (data: bigint | number): Value => new Value(INT, BigInt(data));
export const floatValue = (data: number): Value => new Value(FLOAT64, data);
export const complexValue = (data: Complex): Value => new Value(COMPLEX128, data);
export const stringValue = (data: ByteString): Value => new Value(STRING, data);
export const BYTES = sliceOf(UINT8);

/** A slice of elements whose capacity is their number (`make`), or what appending one by one leads to. */
export function sliceData(array: readonly Data[], grownFrom?: GoType): GoSlice {
  const capacity = grownFrom === undefined ? array.length : grownCapacity(array.length, grownFrom.size);
  return { array, offset: 0, length: array.length, capacity };
}

/** Go's `[]byte(bytes)`. */
export function bytesData(bytes: ByteString): GoSlice {
  return sliceData(Array.from({ length: bytes.length }, (_, at) => bytes.charCodeAt(at)));
}

/** Go's `string(value)` of a slice of bytes. */
export function stringOfBytes(value: Value): ByteString {
  const { array, offset, length } = value.slice;
  const pieces: string[] = [];
  for (let at = offset; at < offset + length; at++) {
    pieces.push(String.fromCharCode((array[at] as number | undefined) ?? 0));
  }
  return pieces.join('');
}

/** What an interface holds, for others the value itself; undefined for a nil interface. */
export function withoutInterface(value: Value | undefined): Value | undefined {
  return value?.kind === 'interface' ? value.elem() : value;
}

/** Follows pointers and interfaces to what they lead to; stops at a nil one. */
export function indirect(value: Value | undefined): { readonly value: Value | undefined; readonly isNil: boolean } {
  let at = value;
  while (at !== undefined && (at.kind === 'pointer' || at.kind === 'interface')) {
    if (at.isNil) {
      return { value: at, isNil: true };
    }
    at = at.elem();
  }
  return { value: at, isNil: false };
}
