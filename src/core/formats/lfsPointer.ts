/** What a Git LFS pointer file says about the file that was not downloaded. */
export interface LfsPointer {
  /** SHA-256 of the real file, 64 hexadecimal digits. */
  readonly oid: string;
  /** Bytes of the real file. */
  readonly size: number;
}

/** No pointer is longer (git-lfs specification, `docs/spec.md`). */
const POINTER_LIMIT = 1024;

const VERSION_LINE = /^version https:\/\/(?:git-lfs\.github\.com|hawser\.github\.com)\/spec\/v1\r?\n/;
const OID_LINE = /^oid sha256:([0-9a-f]{64})\r?$/m;
const SIZE_LINE = /^size ([0-9]{1,15})\r?$/m;

/**
 * Reads a Git LFS pointer; undefined when the bytes are something else. `firstBytes` is the beginning of a file of
 * `size` bytes.
 */
export function parseLfsPointer(firstBytes: Uint8Array, size: number): LfsPointer | undefined {
  if (size > POINTER_LIMIT || firstBytes.length < size || firstBytes[0] !== 0x76) {
    return undefined;
  }
  const text = new TextDecoder().decode(firstBytes.subarray(0, size));
  const oid = OID_LINE.exec(text)?.[1];
  const bytes = SIZE_LINE.exec(text)?.[1];
  if (!VERSION_LINE.test(text) || oid === undefined || bytes === undefined) {
    return undefined;
  }
  return { oid, size: Number(bytes) };
}
