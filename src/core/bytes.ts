import { StudioError } from './errors';

/** Random-access bytes: a file, a part of one, or memory. The only way in which core reads. */
export interface ByteSource {
  /** Total length in bytes, fixed for the life of the source. */
  readonly size: number;
  /**
   * Reads at `offset` into `target` and resolves to the number of bytes read: fewer than asked at the end
   * of the source or after a short read, 0 only at or past its end.
   */
  read(offset: number, target: Uint8Array): Promise<number>;
}

/** A source over bytes in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, target): Promise<number> {
      const part = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + target.length, bytes.length));
      target.set(part);
      return Promise.resolve(part.length);
    },
  };
}

/** Fills `target` from `offset`, looping over short reads; `input/changed` when the source ends before. */
export async function readFully(source: ByteSource, offset: number, target: Uint8Array): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const got = await source.read(offset + done, target.subarray(done));
    if (got <= 0) {
      throw new StudioError(
        'input/changed',
        `The file ended at byte ${offset + done}, where ${target.length - done} more were expected. It changed while it was read: try again when nothing writes to it.`,
        {
          detail: { offset: offset + done, missing: target.length - done },
        },
      );
    }
    done += got;
  }
}

/** `length` bytes at `offset` as a new array. The caller has checked `length` against what remains. */
export async function readBytes(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  await readFully(source, offset, target);
  return target;
}

/**
 * A u64 as a number, once it is known to be at most `limit` (itself a safe integer); undefined otherwise,
 * so that the caller can refuse it with the code and words of its own format.
 */
export function toSafeNumber(value: bigint, limit: number = Number.MAX_SAFE_INTEGER): number | undefined {
  return value >= 0n && value <= BigInt(limit) ? Number(value) : undefined;
}

/** `value` rounded up to a multiple of `unit`, without bitwise operators (which cut offsets to 32 bits). */
export function alignUp(value: number, unit: number): number {
  const rest = value % unit;
  return rest === 0 ? value : value + unit - rest;
}

/** Few bytes as the characters of the same numbers: the first word of a file, the names in an archive. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    text += String.fromCharCode(byte);
  }
  return text;
}
