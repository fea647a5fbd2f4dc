import {
  decodeRune,
  encodeRune,
  isValidRune,
  RUNE_ERROR,
  toByteString,
  fromByteString,
  type ByteString,
} from './byteString';
import { isPrint } from './unicode';

const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [7, '\\a'],
  [8, '\\b'],
  [12, '\\f'],
  [10, '\\n'],
  [13, '\\r'],
  [9, '\\t'],
  [11, '\\v'],
]);
const BACKSLASH = 0x5c;

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** One rune inside quotes, escaped as Go's strconv does it. */
function escapedRune(rune: number, quote: number, asciiOnly: boolean): ByteString {
  if (rune === quote || rune === BACKSLASH) {
    return '\\' + String.fromCharCode(rune);
  }
  if (asciiOnly ? rune < 0x80 && isPrint(rune) : isPrint(rune)) {
    return encodeRune(rune);
  }
  const short = SHORT_ESCAPES.get(rune);
  if (short !== undefined) {
    return short;
  }
  if (rune < 0x20 || rune === 0x7f) {
    return '\\x' + hex(rune, 2);
  }
  const r = isValidRune(rune) ? rune : RUNE_ERROR;
  return r < 0x10000 ? '\\u' + hex(r, 4) : '\\U' + hex(r, 8);
}

/** Go's `strconv.Quote`, or `QuoteToASCII`: a double-quoted Go string constant. */
export function quote(bytes: ByteString, asciiOnly = false): ByteString {
  const pieces = ['"'];
  for (let at = 0; at < bytes.length;) {
    const { rune, width } = decodeRune(bytes, at);
    pieces.push(
      rune === RUNE_ERROR && width === 1 ? '\\x' + hex(bytes.charCodeAt(at), 2) : escapedRune(rune, 0x22, asciiOnly),
    );
    at += width;
  }
  pieces.push('"');
  return pieces.join('');
}

/** Go's `strconv.Quote` of a text, as a text. */
export function quoteText(text: string): string {
  return fromByteString(quote(toByteString(text)));
}

/** Go's `strconv.QuoteRune`, or `QuoteRuneToASCII`; what is no code point becomes U+FFFD. */
export function quoteRune(rune: number, asciiOnly = false): ByteString {
  const r = isValidRune(rune) ? rune : RUNE_ERROR;
  return `'${escapedRune(r, 0x27, asciiOnly)}'`;
}

/** Go's `strconv.CanBackquote`. */
export function canBackquote(bytes: ByteString): boolean {
  for (let at = 0; at < bytes.length;) {
    const { rune, width } = decodeRune(bytes, at);
    at += width;
    if (width > 1) {
      if (rune === 0xfeff) {
        return false;
      }
    } else if (rune === RUNE_ERROR || (rune < 0x20 && rune !== 9) || rune === 0x60 || rune === 0x7f) {
      return false;
    }
  }
  return true;
}
