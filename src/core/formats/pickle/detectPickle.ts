import { latin1 } from '../../bytes';
/** How a pickle is wrapped: PyTorch's zip archive, a bare pickle stream, or the tar of PyTorch before 0.1.10. */
export type PickleContainer = 'zip' | 'stream' | 'legacy-tar';

/** File names that Python tools give to pickles; only used where the content leaves it open. */
const PICKLE_NAME = /\.(?:bin|pt|pth|ckpt|pkl|pickle|mar)$/i;

/** Names of the entries of PyTorch's tar files (torch/serialization.py, `legacy_load`). */
const TAR_ENTRIES = new Set(['sys_info', 'pickle', 'storages', 'tensors']);

const HIGHEST_PROTOCOL = 5;
/** How a local header, and so a zip archive, begins. */
const LOCAL_HEADER = [0x50, 0x4b, 0x03, 0x04];

/**
 * Tells by content whether a file is a Python pickle, and how it is wrapped; undefined when it is not.
 * `firstBytes` should be at least 512 bytes, or the whole file. `fileName` decides only about a zip or tar
 * whose first entries say nothing, and about the marker-less protocols 0 and 1.
 * A safetensors file can begin with the same bytes as a pickle: ask for safetensors first.
 */
export function detectPickle(firstBytes: Uint8Array, fileName: string): PickleContainer | undefined {
  const hasPickleName = PICKLE_NAME.test(fileName);
  if (startsWith(firstBytes, LOCAL_HEADER)) {
    return zipEntries(firstBytes).some((entry) => entry.endsWith('.pkl')) || hasPickleName ? 'zip' : undefined;
  }
  if (firstBytes[0] === 0x80 && isProtocol(firstBytes[1])) {
    return 'stream';
  }
  if (latin1(firstBytes.subarray(257, 262)) === 'ustar') {
    const entry = latin1(firstBytes.subarray(0, 100)).split('\0', 1)[0]!;
    return TAR_ENTRIES.has(entry.replace(/^.*\//, '')) || hasPickleName ? 'legacy-tar' : undefined;
  }
  return hasPickleName && looksLikeTextPickle(firstBytes) ? 'stream' : undefined;
}

function isProtocol(byte: number | undefined): boolean {
  return byte !== undefined && byte <= HIGHEST_PROTOCOL;
}

/** Protocols 0 and 1 open with a mark and a container, or with a global. */
function looksLikeTextPickle(bytes: Uint8Array): boolean {
  return /^(?:\((?:dp|lp|i|c)|\]q|\}q|c[A-Za-z_][\w.]*\n)/.test(latin1(bytes.subarray(0, 64)));
}

/** Names in the local headers that lie within `bytes`: length at 26, text at 30 (PKWARE APPNOTE 4.3.7). */
function zipEntries(bytes: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = bytes.indexOf(0x50); at !== -1; at = bytes.indexOf(0x50, at + 1)) {
    if (startsWith(bytes.subarray(at), LOCAL_HEADER)) {
      const length = (bytes[at + 26] ?? 0) + 256 * (bytes[at + 27] ?? 0);
      names.push(latin1(bytes.subarray(at + 30, at + 30 + Math.min(length, 512))));
    }
  }
  return names;
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((value, index) => bytes[index] === value);
}
