import { latin1 } from '../bytes';
import { LIMITS } from '../limits';
import { parseLfsPointer } from './lfsPointer';
import { detectPickle } from './pickle/detectPickle';

/** Kinds of files that are told apart by their first bytes. */
export type FileFormat =
  'gguf' | 'safetensors' | 'pickle' | 'lfs-pointer' | 'json' | 'imatrix-legacy' | 'sentencepiece' | 'empty' | 'unknown';

/** So many first bytes are enough for {@link detectFormat}. */
export const DETECTION_BYTES = 1024;

/** An object or array that opens as JSON does; a Jinja template opens with a brace too. */
const JSON_START = /^(?:\u00ef\u00bb\u00bf)?[ \t\r\n]*(?:\{[ \t\r\n]*(?:"|\}|$)|\[[ \t\r\n]*(?:["{[\]0-9tfn-]|$))/;

/**
 * What a file is, by its content: `firstBytes` are its first {@link DETECTION_BYTES} bytes (all of a shorter one),
 * `size` its length. The name decides nothing but whether an archive without telling entries is a pickle.
 * The answer says which reader to ask, not that the file is sound.
 */
export function detectFormat(firstBytes: Uint8Array, size: number, fileName: string): FileFormat {
  if (size === 0 || firstBytes.length === 0) {
    return 'empty';
  }
  if (ascii(firstBytes, 0, 4) === 'GGUF') {
    return 'gguf';
  }
  if (parseLfsPointer(firstBytes, size) !== undefined) {
    return 'lfs-pointer';
  }
  if (isSafetensors(firstBytes)) {
    return 'safetensors';
  }
  if (detectPickle(firstBytes, fileName) !== undefined) {
    return 'pickle';
  }
  if (isLegacyImatrix(firstBytes)) {
    return 'imatrix-legacy';
  }
  if (isSentencePiece(firstBytes)) {
    return 'sentencepiece';
  }
  return JSON_START.test(ascii(firstBytes, 0, firstBytes.length)) ? 'json' : 'unknown';
}

/** A possible header length, then the brace with which every header begins. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) {
    return false;
  }
  const view = viewOf(bytes);
  return (
    view.getUint32(4, true) === 0 &&
    view.getUint32(0, true) >= 2 &&
    view.getUint32(0, true) <= LIMITS.safetensors.headerBytes
  );
}

/** i32 entries, then i32 length and the name of the first weight. */
function isLegacyImatrix(bytes: Uint8Array): boolean {
  if (bytes.length < 16) {
    return false;
  }
  const view = viewOf(bytes);
  const entries = view.getInt32(0, true);
  const length = view.getInt32(4, true);
  if (entries < 1 || entries > LIMITS.gguf.tensors || length < 1 || length > 512 || 8 + length > bytes.length) {
    return false;
  }
  return /^[\w./-]+\.weight$/.test(ascii(bytes, 8, 8 + length));
}

/**
 * A SentencePiece ModelProto begins with its pieces: field 1, its length, and in it field 1 (the text) followed by
 * field 2, a fixed 32-bit score (sentencepiece_model.proto).
 */
function isSentencePiece(bytes: Uint8Array): boolean {
  const outer = bytes[1] ?? 0;
  const inner = bytes[3] ?? 0;
  if (bytes[0] !== 0x0a || bytes[2] !== 0x0a || outer > 0x7f || inner + 2 > outer) {
    return false;
  }
  return inner + 2 === outer || bytes[4 + inner] === 0x15;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return latin1(bytes.subarray(start, Math.min(end, DETECTION_BYTES)));
}
