import { decodeModelfile } from './decodeModelfile';

/**
 * The bytes of a changed text in the encoding of the file it came from (UTF-8, with or without a byte order mark, or
 * UTF-16). Undefined when `original` holds bytes that are no text: writing it back would lose them.
 */
export function encodeModelfile(text: string, original: Uint8Array): Uint8Array | undefined {
  const encode = encoderFor(original);
  return sameBytes(encode(decodeModelfile(original)), original) ? encode(text) : undefined;
}

function encoderFor(original: Uint8Array): (text: string) => Uint8Array {
  const [first, second, third] = original;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return (text) => encodeUtf16(text, first === 0xff);
  }
  const hasMark = first === 0xef && second === 0xbb && third === 0xbf;
  return (text) => new TextEncoder().encode(hasMark ? `\ufeff${text}` : text);
}

function encodeUtf16(text: string, littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * text.length + 2));
  view.setUint16(0, 0xfeff, littleEndian);
  for (let i = 0; i < text.length; i += 1) {
    view.setUint16(2 * i + 2, text.charCodeAt(i), littleEndian);
  }
  return new Uint8Array(view.buffer);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
