import { decodeRune, encodeRune, type ByteString } from '../../golang/byteString';
import { isPrint } from '../../golang/unicode';

const HTML: Readonly<Record<string, string>> = {
  '\0': encodeRune(0xfffd),
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

/** Go's `template.HTMLEscapeString`. */
export function escapeHtml(bytes: ByteString): ByteString {
  return bytes.replaceAll('\0', HTML['\0'] ?? '').replace(/["'&<>]/g, (char) => HTML[char] ?? char);
}

const JAVASCRIPT: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

/** Go's `template.JSEscapeString`. */
export function escapeJavaScript(bytes: ByteString): ByteString {
  const special = /[\\'"<>&=]|[^ -\x7f]/g;
  const pieces: string[] = [];
  let plain = 0;
  for (let match = special.exec(bytes); match !== null; match = special.exec(bytes)) {
    const { rune, width } = decodeRune(bytes, match.index);
    pieces.push(bytes.slice(plain, match.index), escapedRune(bytes, match.index, rune, width));
    plain = match.index + width;
    special.lastIndex = plain;
  }
  pieces.push(bytes.slice(plain));
  return pieces.join('');
}

function escapedRune(bytes: ByteString, at: number, rune: number, width: number): string {
  if (rune < 0x80) {
    return JAVASCRIPT[bytes.charAt(at)] ?? `\\u00${rune.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return isPrint(rune) ? bytes.slice(at, at + width) : `\\u${rune.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Go's `url.QueryEscape`. */
export function escapeQuery(bytes: ByteString): ByteString {
  return bytes.replace(/[^A-Za-z0-9\-_.~]/g, (byte) =>
    byte === ' ' ? '+' : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
