// Go's reflect, the part of it that templates touch: types and the values that have them.
import type { ByteString } from '../../golang/byteString';
import { grownCapacity } from './sliceGrowth';

/** The kinds of Go types that template values can have. */
export type Kind =
  | 'bool'
  | 'int'
  | 'uint8'
  | 'float64'
  | 'complex128'
  | 'string'
  | 'slice'
  | 'map'
  | 'struct'
  | 'pointer'
  | 'interface'
  | 'func';

export interface StructField {
  readonly name: string;
  readonly type: GoType;
  /** Its `json` tag, if it has one. */
  readonly json?: { readonly name: string; readonly omitEmpty: boolean };
}

/** A method as templates can call it. The receiver is bound by the caller. */
export interface Method {
  /** Types of the parameters; none of ours is variadic. */
  readonly params: readonly GoType[];
  /** Types of the results as Go names them; templates want one, or two with an error as the second. */
  readonly results: readonly string[];
  /** Runs it; gives the first result. Only called where the results are right. */
  readonly call: (receiver: Value, args: readonly (Value | undefined)[]) => Value;
}

/** A Go type; two types are the same if they are the same object. */
export interface GoType {
  readonly kind: Kind;
  /** What `%T` prints. */
  readonly name: string;
  /** Of a slice, map or pointer. */
  readonly elem?: GoType;
  /** Of a struct. */
  readonly fields?: readonly StructField[];
  /** Methods of the type itself. */
  readonly methods?: ReadonlyMap<string, Method>;
  /** Methods that only a pointer to the type has besides. */
  readonly pointerMethods?: ReadonlyMap<string, Method>;
  /** Of an interface: whether it asks for methods (`error` does, `interface {}` does not). */
  readonly hasMethods?: boolean;
  /** Bytes of one value in memory: decides how Go's slices grow. */
  readonly size: number;
  /** Whether `==` is defined. */
  readonly comparable: boolean;
  /** The type's own MarshalJSON; `marshal` writes the values inside. Not called for a nil pointer. */
  readonly marshalJson?: (value: Value, marshal: (value: Value | undefined) => ByteString) => ByteString;
}

function basic(kind: Kind, name: string, size: number): GoType {
  return { kind, name, size, comparable: true };
}

export const BOOL = basic('bool', 'bool', 1);
export const INT = basic('int', 'int', 8);
export const UINT8 = basic('uint8', 'uint8', 1);
export const FLOAT64 = basic('float64', 'float64', 8);
export const COMPLEX128 = basic('complex128', 'complex128', 16);
export const STRING = basic('string', 'string', 16);
/** `interface {}`. */
export const ANY: GoType = { kind: 'interface', name: 'interface {}', hasMethods: false, size: 16, comparable: true };

/** What a named type has beyond its structure. */
export type TypeExtras = Partial<Pick<GoType, 'methods' | 'pointerMethods' | 'marshalJson'>>;

export function sliceOf(elem: GoType, name = `[]${elem.name}`, extras: TypeExtras = {}): GoType {
  return { kind: 'slice', name, elem, size: 24, comparable: false, ...extras };
}

/** Every map of ours has strings as keys. */
export function mapOf(elem: GoType, name = `map[string]${elem.name}`, extras: TypeExtras = {}): GoType {
  return { kind: 'map', name, elem, size: 8, comparable: false, ...extras };
}

const pointers = new Map<GoType, GoType>();

/** `*T`, with all methods of T and of `*T`. */
export function pointerTo(elem: GoType): GoType {
  let type = pointers.get(elem);
  if (type === undefined) {
    const methods = new Map([...(elem.methods ?? []), ...(elem.pointerMethods ?? [])]);
    type = { kind: 'pointer', name: `*${elem.name}`, elem, size: 8, comparable: true, methods };
    pointers.set(elem, type);
  }
  return type;
}

export function structOf(name: string, fields: readonly StructField[], extras: TypeExtras = {}): GoType {
  return {
    kind: 'struct',
    name,
    fields,
    size: fields.reduce((sum, field) => sum + field.type.size, 0),
    comparable: fields.every((field) => field.type.comparable),
    ...extras,
  };
}

/** Whether values of the type have `String() string`; none of ours is an error. */
export function isStringer(type: GoType): boolean {
  return type.methods?.has('String') === true;
}

/** Whether nil is a value of the type. */
export function canBeNil(type: GoType): boolean {
  return ['func', 'interface', 'map', 'pointer', 'slice'].includes(type.kind);
}

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
