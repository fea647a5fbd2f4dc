/**
 * A Go string as a JavaScript string with one code unit (0 to 255) per byte. Length, indexing, slicing and
 * comparison are then Go's own, and strings that are not valid UTF-8 can exist.
 */
export type ByteString = string;

/** What stands for bytes that are not UTF-8: U+FFFD. */
export const RUNE_ERROR = 0xfffd;
const MAX_RUNE = 0x10ffff;

/** Whether a code point can be encoded: in range and no surrogate. */
export function isValidRune(rune: number): boolean {
  return rune >= 0 && rune <= MAX_RUNE && (rune < 0xd800 || rune > 0xdfff);
}

/** The UTF-8 bytes of one rune; those of U+FFFD where there is none (Go's `utf8.AppendRune`). */
export function encodeRune(rune: number): ByteString {
  const r = isValidRune(rune) ? rune : RUNE_ERROR;
  if (r < 0x80) {
    return String.fromCharCode(r);
  }
  const last = 0x80 | (r & 0x3f);
  if (r < 0x800) {
    return String.fromCharCode(0xc0 | (r >> 6), last);
  }
  const second = 0x80 | ((r >> 6) & 0x3f);
  if (r < 0x10000) {
    return String.fromCharCode(0xe0 | (r >> 12), second, last);
  }
  return String.fromCharCode(0xf0 | (r >> 18), 0x80 | ((r >> 12) & 0x3f), second, last);
}

const NOT_ASCII = /[^\x00-\x7f]/;

/** UTF-8 bytes of a text; a lone surrogate becomes U+FFFD, as in every encoder. Linear; ASCII comes back as it is. */
export function toByteString(text: string): ByteString {
  const first = text.search(NOT_ASCII);
  if (first < 0) {
    return text;
  }
  const pieces: string[] = [];
  let plain = 0;
  for (let at = first; at < text.length;) {
    const rune = text.codePointAt(at) ?? 0;
    if (rune < 0x80) {
      at++;
      continue;
    }
    pieces.push(text.slice(plain, at), encodeRune(rune));
    at += rune > 0xffff ? 2 : 1;
    plain = at;
  }
  pieces.push(text.slice(plain));
  return pieces.join('');
}

/** The text of UTF-8 bytes; every byte that is not part of valid UTF-8 becomes one U+FFFD, as in Go. */
export function fromByteString(bytes: ByteString): string {
  const first = bytes.search(NOT_ASCII);
  if (first < 0) {
    return bytes;
  }
  const pieces: string[] = [];
  let plain = 0;
  for (let at = first; at < bytes.length;) {
    if (bytes.charCodeAt(at) < 0x80) {
      at++;
      continue;
    }
    const { rune, width } = decodeRune(bytes, at);
    pieces.push(bytes.slice(plain, at), String.fromCodePoint(rune));
    at += width;
    plain = at;
  }
  pieces.push(bytes.slice(plain));
  return pieces.join('');
}

export interface DecodedRune {
  /** The code point, or {@link RUNE_ERROR} for a byte that is not UTF-8. */
  readonly rune: number;
  /** Bytes used: 1 for an invalid byte, 0 at the end of the string. */
  readonly width: number;
}

/** Go's `utf8.DecodeRuneInString(bytes[at:])`. */
export function decodeRune(bytes: ByteString, at: number): DecodedRune {
  if (at >= bytes.length) {
    return { rune: RUNE_ERROR, width: 0 };
  }
  const b0 = bytes.charCodeAt(at);
  if (b0 < 0x80) {
    return { rune: b0, width: 1 };
  }
  const size = b0 < 0xc2 ? 0 : b0 < 0xe0 ? 2 : b0 < 0xf0 ? 3 : b0 < 0xf5 ? 4 : 0;
  if (size === 0 || at + size > bytes.length) {
    return { rune: RUNE_ERROR, width: 1 };
  }
  let rune = b0 & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) {
    const b = bytes.charCodeAt(at + i);
    if ((b & 0xc0) !== 0x80) {
      return { rune: RUNE_ERROR, width: 1 };
    }
    rune = (rune << 6) | (b & 0x3f);
  }
  const least = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
  return rune < least || !isValidRune(rune) ? { rune: RUNE_ERROR, width: 1 } : { rune, width: size };
}

/** Go's `utf8.RuneCountInString`. */
export function runeCount(bytes: ByteString): number {
  if (!NOT_ASCII.test(bytes)) {
    return bytes.length;
  }
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    at += bytes.charCodeAt(at) < 0x80 ? 1 : decodeRune(bytes, at).width;
  }
  return count;
}

/** The first `count` runes, or the whole string if it has fewer. */
export function firstRunes(bytes: ByteString, count: number): ByteString {
  let at = 0;
  for (let n = 0; n < count && at < bytes.length; n++) {
    at += decodeRune(bytes, at).width;
  }
  return bytes.slice(0, at);
}

/** Whether every byte is part of valid UTF-8. */
export function isValidUtf8(bytes: ByteString): boolean {
  for (let at = Math.max(0, bytes.search(NOT_ASCII)); at < bytes.length;) {
    const { rune, width } = decodeRune(bytes, at);
    if (rune === RUNE_ERROR && width === 1) {
      return false;
    }
    at += width;
  }
  return true;
}

/** The bytes themselves. */
export function bytesOf(bytes: ByteString): Uint8Array {
  return Uint8Array.from(bytes, (c) => c.charCodeAt(0));
}
