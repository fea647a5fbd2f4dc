import type { ByteString } from '../../golang/byteString';
import type { Value } from './value';

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
