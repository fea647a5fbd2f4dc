import { decodeRune, encodeRune, isValidRune, isValidUtf8, type ByteString } from './byteString';

const ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 0x5c],
]);
const HEX_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

export interface UnquotedRune {
  readonly value: number;
  /** Whether the value is a code point to be encoded, not a single byte. */
  readonly multibyte: boolean;
  /** Where the rest begins. */
  readonly next: number;
}

function hexValue(digits: string): number | undefined {
  return /^[0-9a-fA-F]+$/.test(digits) ? parseInt(digits, 16) : undefined;
}

function unquoteHex(bytes: ByteString, at: number, kind: string, length: number): UnquotedRune | undefined {
  const value = bytes.length < at + length ? undefined : hexValue(bytes.slice(at, at + length));
  if (value === undefined || (kind !== 'x' && !isValidRune(value))) {
    return undefined;
  }
  return { value, multibyte: kind !== 'x', next: at + length };
}

/** Go's `strconv.UnquoteChar(bytes[at:], quote)`; undefined is its "invalid syntax". */
export function unquoteChar(bytes: ByteString, at: number, quote: string): UnquotedRune | undefined {
  const first = bytes[at];
  if (first === undefined || first === quote) {
    return undefined;
  }
  if (first >= '\x80') {
    const { rune, width } = decodeRune(bytes, at);
    return { value: rune, multibyte: true, next: at + width };
  }
  if (first !== '\\') {
    return { value: first.charCodeAt(0), multibyte: false, next: at + 1 };
  }
  const kind = bytes[at + 1];
  if (kind === undefined) {
    return undefined;
  }
  const plain = ESCAPES.get(kind) ?? (kind === quote ? kind.charCodeAt(0) : undefined);
  if (plain !== undefined) {
    return { value: plain, multibyte: false, next: at + 2 };
  }
  const length = HEX_LENGTHS.get(kind);
  if (length !== undefined) {
    return unquoteHex(bytes, at + 2, kind, length);
  }
  const octal = /^[0-7]{3}$/.test(bytes.slice(at + 1, at + 4)) ? parseInt(bytes.slice(at + 1, at + 4), 8) : 256;
  return octal > 255 ? undefined : { value: octal, multibyte: false, next: at + 4 };
}

/**
 * Go's `strconv.Unquote` of a `"…"` or `` `…` `` constant; undefined is its "invalid syntax". Carriage
 * returns vanish from raw strings.
 */
export function unquote(bytes: ByteString): ByteString | undefined {
  const mark = bytes[0];
  if (bytes.length < 2 || (mark !== '"' && mark !== '`' && mark !== "'")) {
    return undefined;
  }
  if (mark === '`') {
    return bytes.indexOf('`', 1) === bytes.length - 1 ? bytes.slice(1, -1).replaceAll('\r', '') : undefined;
  }
  const inner = bytes.slice(1, -1);
  if (mark === '"' && bytes.endsWith('"') && !/[\\\n"]/.test(inner) && isValidUtf8(inner)) {
    return inner;
  }
  return unquoteEscapes(bytes, mark);
}

function unquoteEscapes(bytes: ByteString, mark: string): ByteString | undefined {
  const pieces: string[] = [];
  let at = 1;
  while (at < bytes.length && bytes[at] !== mark) {
    const char = bytes[at] === '\n' ? undefined : unquoteChar(bytes, at, mark);
    if (char === undefined) {
      return undefined;
    }
    pieces.push(char.multibyte ? encodeRune(char.value) : String.fromCharCode(char.value));
    at = char.next;
    if (mark === "'") {
      break;
    }
  }
  return at === bytes.length - 1 && bytes[at] === mark ? pieces.join('') : undefined;
}
