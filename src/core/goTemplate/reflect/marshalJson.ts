import { decodeRune, RUNE_ERROR, type ByteString } from '../../golang/byteString';
import { formatFloat } from '../../golang/formatFloat';
import { type GoType, stringOfBytes, type Value } from './value';

/** What `encoding/json` cannot write: a complex number or a function. */
export class MarshalFailure extends Error {}

/** Go itself stops at this depth of pointers; no JSON that we read is nested as deep. */
const MAX_DEPTH = 2_000;

const SHORT: ReadonlyMap<number, string> = new Map([
  [0x22, '\\"'],
  [0x5c, '\\\\'],
  [8, '\\b'],
  [12, '\\f'],
  [10, '\\n'],
  [13, '\\r'],
  [9, '\\t'],
]);
/** Control characters, quotes, what HTML minds, and everything beyond ASCII: the rest is copied. */
const SPECIAL = /[\x00-\x1f"\\<>&\x80-\xff]/g;

/** A JSON string as `encoding/json` writes it, `<`, `>` and `&` escaped. `shortControls` false writes \b and \f as \u00…. */
export function marshalString(bytes: ByteString, shortControls = true): ByteString {
  const pieces = ['"'];
  let plain = 0;
  SPECIAL.lastIndex = 0;
  for (let match = SPECIAL.exec(bytes); match !== null; match = SPECIAL.exec(bytes)) {
    const at = match.index;
    const { rune, width } = decodeRune(bytes, at);
    SPECIAL.lastIndex = at + width;
    const escaped = escape(rune, width, shortControls);
    if (escaped !== undefined) {
      pieces.push(bytes.slice(plain, at), escaped);
      plain = at + width;
    }
  }
  pieces.push(bytes.slice(plain), '"');
  return pieces.join('');
}

function escape(rune: number, width: number, shortControls: boolean): string | undefined {
  if (rune < 0x80) {
    const short = shortControls || (rune !== 8 && rune !== 12) ? SHORT.get(rune) : undefined;
    return short ?? `\\u00${rune.toString(16).padStart(2, '0')}`;
  }
  if (rune === RUNE_ERROR && width === 1) {
    return '\\ufffd';
  }
  return rune === 0x2028 || rune === 0x2029 ? `\\u${rune.toString(16)}` : undefined;
}

function marshalFloat(value: number): ByteString {
  const magnitude = Math.abs(value);
  const exponential = magnitude !== 0 && (magnitude < 1e-6 || magnitude >= 1e21);
  const text = formatFloat(value, exponential ? 'e' : 'f', -1);
  return exponential ? text.replace(/e-0(\d)$/, 'e-$1') : text;
}

function isEmpty(value: Value): boolean {
  switch (value.kind) {
    case 'slice':
    case 'map':
    case 'string':
      return value.length === 0;
    case 'bool':
      return !value.bool;
    case 'int':
    case 'uint8':
      return value.integer === 0n;
    case 'interface':
    case 'pointer':
      return value.isNil;
    default:
      return false;
  }
}

function marshalStruct(value: Value, depth: number): ByteString {
  const members: ByteString[] = [];
  (value.type.fields ?? []).forEach(({ name, json }, index) => {
    const field = value.field(index);
    const exported = name.charAt(0) !== name.charAt(0).toLowerCase();
    if (exported && !(json?.omitEmpty === true && isEmpty(field))) {
      members.push(`${marshalString(json?.name ?? name)}:${marshalAt(field, depth)}`);
    }
  });
  return `{${members.join(',')}}`;
}

function marshalMap(value: Value, depth: number): ByteString {
  const keys = [...value.map.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${keys.map((key) => `${marshalString(key)}:${marshalAt(value.mapIndex(key), depth)}`).join(',')}}`;
}

function isByteSlice(type: GoType): boolean {
  return type.elem?.kind === 'uint8';
}

function marshalAt(value: Value | undefined, depth: number): ByteString {
  if (value === undefined || (value.isNil && value.kind !== 'func')) {
    return 'null';
  }
  if (depth > MAX_DEPTH) {
    throw new MarshalFailure('nested too deep');
  }
  const own = value.type.marshalJson;
  if (own !== undefined) {
    return own(value, (inner) => marshalAt(inner, depth + 1));
  }
  switch (value.kind) {
    case 'bool':
      return value.bool ? 'true' : 'false';
    case 'int':
    case 'uint8':
      return value.integer.toString();
    case 'float64':
      return marshalFloat(value.float);
    case 'string':
      return marshalString(value.string);
    case 'interface':
    case 'pointer':
      return marshalAt(value.elem(), depth + 1);
    case 'struct':
      return marshalStruct(value, depth + 1);
    case 'map':
      return marshalMap(value, depth + 1);
    case 'slice':
      return isByteSlice(value.type)
        ? `"${btoa(stringOfBytes(value))}"`
        : `[${Array.from({ length: value.length }, (_, at) => marshalAt(value.index(at), depth + 1)).join(',')}]`;
    case 'complex128':
    case 'func':
      throw new MarshalFailure(`json: unsupported type: ${value.type.name}`);
  }
}

/** Go's `json.Marshal`; throws {@link MarshalFailure} where it returns an error. */
export function marshalJson(value: Value | undefined): ByteString {
  return marshalAt(value, 0);
}

/** What the template function `json` and the String methods make of it: nothing in place of an error. */
export function marshalJsonOrNothing(value: Value | undefined): ByteString {
  try {
    return marshalJson(value);
  } catch (thrown) {
    if (thrown instanceof MarshalFailure) {
      return '';
    }
    throw thrown;
  }
}
