/**
 * The text that Ollama's parser sees in the bytes of a Modelfile (golang.org/x/text `BOMOverride` over its UTF-8
 * decoder): a byte order mark chooses UTF-16 or UTF-8 and is gone, without one the bytes are UTF-8.
 * What is ill-formed becomes U+FFFD: without a mark one for each maximal part of a sequence, after a UTF-8 mark one
 * for each byte, in UTF-16 one for each unit but one for two trailing surrogates in a row. Never throws.
 */
export function decodeModelfile(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) {
    return decodeUtf16(bytes.subarray(2), true);
  }
  if (bytes[0] === 0xfe && bytes[1] === 0xff) {
    return decodeUtf16(bytes.subarray(2), false);
  }
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return decodeUtf8ByByte(bytes.subarray(3));
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

function decodeUtf8ByByte(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return repairUtf8(bytes);
  }
}

/** Go's own view of ill-formed UTF-8: every byte that begins no valid sequence is one U+FFFD. */
function repairUtf8(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const parts: string[] = [];
  let valid = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(decoder.decode(bytes.subarray(valid, at)), '\ufffd');
    at += 1;
    valid = at;
  }
  parts.push(decoder.decode(bytes.subarray(valid)));
  return parts.join('');
}

/** Length of the well-formed sequence at `at` (Unicode 15, table 3-7), 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xc2 || first > 0xf4) {
    return 0;
  }
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i += 1) {
    const next = bytes[at + i];
    if (next === undefined || next < (i === 1 ? low : 0x80) || next > (i === 1 ? high : 0xbf)) {
      return 0;
    }
  }
  return length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
const isTrailing = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

function decodeUtf16(bytes: Uint8Array, littleEndian: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units = new Uint16Array(Math.ceil(bytes.length / 2));
  let count = 0;
  let at = 0;
  while (at + 1 < bytes.length) {
    const unit = view.getUint16(at, littleEndian);
    const next = at + 3 < bytes.length ? view.getUint16(at + 2, littleEndian) : 0;
    at += 2;
    if (!isSurrogate(unit)) {
      units[count++] = unit;
    } else if (isTrailing(next)) {
      at += 2;
      units[count++] = isTrailing(unit) ? 0xfffd : unit;
      if (!isTrailing(unit)) {
        units[count++] = next;
      }
    } else {
      units[count++] = 0xfffd;
    }
  }
  if (at < bytes.length) {
    units[count++] = 0xfffd;
  }
  return unitsToString(units.subarray(0, count));
}

function unitsToString(units: Uint16Array): string {
  const parts: string[] = [];
  for (let at = 0; at < units.length; at += 8192) {
    parts.push(Reflect.apply(String.fromCharCode, undefined, units.subarray(at, at + 8192)) as string);
  }
  return parts.join('');
}
