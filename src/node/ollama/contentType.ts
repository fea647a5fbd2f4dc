/**
 * The media type that Go's `http.DetectContentType` gives for the first 512 bytes of a file, without parameters
 * (the patterns of mimesniff.spec.whatwg.org). Ollama accepts or refuses the files of a folder by it.
 */
export function detectContentType(bytes: Uint8Array): string {
  const data = bytes.subarray(0, 512);
  let first = 0;
  while (first < data.length && WHITE_SPACE.has(data[first] ?? 0)) {
    first += 1;
  }
  const text = data.subarray(first);
  if (HTML.some((tag) => startsWithTag(text, tag))) {
    return 'text/html';
  }
  const found = SIGNATURES.find(([pattern, , skip]) => matches(skip === true ? text : data, pattern));
  if (found !== undefined) {
    return found[1];
  }
  if (isMp4(data)) {
    return 'video/mp4';
  }
  const late = LATE_SIGNATURES.find(([pattern]) => matches(data, pattern));
  return late?.[1] ?? (text.some(isBinary) ? 'application/octet-stream' : 'text/plain');
}

const WHITE_SPACE = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x20]);
const HTML = [
  '<!DOCTYPE HTML',
  '<HTML',
  '<HEAD',
  '<SCRIPT',
  '<IFRAME',
  '<H1',
  '<DIV',
  '<FONT',
  '<TABLE',
  '<A',
  '<STYLE',
  '<TITLE',
  '<B',
  '<BODY',
  '<BR',
  '<P',
  '<!--',
];
const ANY = '?'.repeat(4);
/** `?` in a pattern stands for any byte; the others are Latin-1. */
const SIGNATURES: readonly (readonly [pattern: string, type: string, skipWhiteSpace?: boolean])[] = [
  ['<?xml', 'text/xml', true],
  ['%PDF-', 'application/pdf'],
  ['%!PS-Adobe-', 'application/postscript'],
  ['\xfe\xff??', 'text/plain'],
  ['\xff\xfe??', 'text/plain'],
  ['\xef\xbb\xbf?', 'text/plain'],
  ['\0\0\x01\0', 'image/x-icon'],
  ['\0\0\x02\0', 'image/x-icon'],
  ['BM', 'image/bmp'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  [`RIFF${ANY}WEBPVP`, 'image/webp'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  [`FORM${ANY}AIFF`, 'audio/aiff'],
  ['ID3', 'audio/mpeg'],
  ['OggS\0', 'application/ogg'],
  ['MThd\0\0\0\x06', 'audio/midi'],
  [`RIFF${ANY}AVI `, 'video/avi'],
  [`RIFF${ANY}WAVE`, 'audio/wave'],
];
const LATE_SIGNATURES: readonly (readonly [pattern: string, type: string])[] = [
  ['\x1a\x45\xdf\xa3', 'video/webm'],
  ['\0\x01\0\0', 'font/ttf'],
  ['OTTO', 'font/otf'],
  ['ttcf', 'font/collection'],
  ['wOFF', 'font/woff'],
  ['wOF2', 'font/woff2'],
  ['\x1f\x8b\x08', 'application/x-gzip'],
  ['PK\x03\x04', 'application/zip'],
  ['Rar!\x1a\x07\0', 'application/x-rar-compressed'],
  ['Rar!\x1a\x07\x01\0', 'application/x-rar-compressed'],
  ['\0\x61\x73\x6d', 'application/wasm'],
];

function matches(data: Uint8Array, pattern: string): boolean {
  if (data.length < pattern.length) {
    return false;
  }
  // The one literal question mark is that of `<?xml`.
  const wild = pattern !== '<?xml';
  for (let i = 0; i < pattern.length; i += 1) {
    if (!(wild && pattern[i] === '?') && data[i] !== pattern.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}

function startsWithTag(data: Uint8Array, tag: string): boolean {
  const next = data[tag.length];
  if (next !== 0x20 && next !== 0x3e) {
    return false;
  }
  for (let i = 0; i < tag.length; i += 1) {
    const wanted = tag.charCodeAt(i);
    const letter = wanted >= 0x41 && wanted <= 0x5a;
    if ((letter ? (data[i] ?? 0) & 0xdf : data[i]) !== wanted) {
      return false;
    }
  }
  return true;
}

function isMp4(data: Uint8Array): boolean {
  if (data.length < 12 || !matches(data.subarray(4), 'ftyp')) {
    return false;
  }
  const box = new DataView(data.buffer, data.byteOffset).getUint32(0);
  if (data.length < box || box % 4 !== 0) {
    return false;
  }
  for (let at = 8; at < box; at += 4) {
    if (at !== 12 && matches(data.subarray(at), 'mp4')) {
      return true;
    }
  }
  return false;
}

function isBinary(byte: number): boolean {
  return byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f);
}
