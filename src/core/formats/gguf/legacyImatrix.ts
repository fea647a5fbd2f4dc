import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import type { ByteSource } from '../../bytes';
import { GgufCursor } from './ggufCursor';
import type { Imatrix } from './importanceMatrix';
import { quoteName } from '../../quoteName';

/** Name length, one byte of name, calls, number of values, one value. */
const SMALLEST_ENTRY_BYTES = 17;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The `.dat` format of llama-imatrix before GGUF, little endian: i32 entries; for each i32 length, name, i32 calls, i32 values,
 * f32[values] summed over calls; then, in newer files, i32 chunks, i32 length and name of the dataset.
 */
export async function readLegacyImatrix(source: ByteSource, signal: AbortSignal | undefined): Promise<Imatrix> {
  const cursor = new GgufCursor(source, signal);
  try {
    await cursor.ensure(4);
    const count = bounded(
      cursor,
      cursor.i32('the number of entries'),
      SMALLEST_ENTRY_BYTES,
      LIMITS.gguf.tensors,
      'the number of entries',
    );
    const entries = new Map<string, Float32Array>();
    for (let index = 0; index < count; index++) {
      const [name, values] = await readEntry(cursor, index);
      entries.set(name, values);
    }
    return { entries, ...(await readTrailer(cursor)), format: 'legacy' };
  } catch (error) {
    throw error instanceof StudioError && error.code === 'gguf/truncated'
      ? invalid(`The file ends at byte ${source.size}, inside an entry`, error)
      : error;
  }
}

async function readEntry(cursor: GgufCursor, index: number): Promise<[string, Float32Array]> {
  await cursor.ensure(4);
  const what = `entry ${index}`;
  const nameBytes = bounded(cursor, cursor.i32(what), 1, LIMITS.gguf.keyBytes, `the name length of ${what}`);
  await cursor.ensure(nameBytes + 8);
  const name = text(cursor.bytes(nameBytes, what), `the name of ${what}`);
  const calls = Math.fround(cursor.i32(what));
  const count = bounded(
    cursor,
    cursor.i32(what),
    4,
    LIMITS.gguf.arrayElements,
    `the number of values of ${quoteName(name)}`,
  );
  const raw = new Uint8Array(count * 4);
  await cursor.fill(raw);
  const values = new Float32Array(raw.buffer);
  if (calls > 0) {
    values.forEach((sum, column) => {
      values[column] = sum / calls;
    });
  }
  return [name, values];
}

async function readTrailer(cursor: GgufCursor): Promise<{ datasets: string[]; chunkCount: number }> {
  if (cursor.remaining < 4) {
    return { datasets: [], chunkCount: 0 };
  }
  await cursor.ensure(8);
  const chunkCount = Math.max(0, cursor.i32('the number of chunks'));
  if (cursor.remaining < 4) {
    return { datasets: [], chunkCount };
  }
  const length = cursor.i32('the length of the dataset name');
  if (length < 1 || length > Math.min(cursor.remaining, LIMITS.gguf.keyBytes)) {
    return { datasets: [], chunkCount };
  }
  await cursor.ensure(length);
  return { datasets: [text(cursor.bytes(length, 'the dataset name'), 'the dataset name')], chunkCount };
}

/** `value`, once it is at least 1, at most `limit`, and so many of `bytes` bytes each can follow. */
function bounded(cursor: GgufCursor, value: number, bytes: number, limit: number, what: string): number {
  if (value < 1 || value > limit || value * bytes > cursor.remaining) {
    throw invalid(`${what} is ${value}, and ${cursor.remaining} bytes follow`);
  }
  return value;
}

function text(bytes: Uint8Array, what: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw invalid(`The text of ${what} is not valid UTF-8`, cause);
  }
}

function invalid(what: string, cause?: unknown): StudioError {
  return new StudioError(
    'imatrix/invalid',
    `The importance matrix cannot be read: ${what}. Make it again with llama-imatrix.`,
    { cause },
  );
}
