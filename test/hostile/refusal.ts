import { expect } from 'vitest';
import { memorySource, type ByteSource } from '../../src/core/bytes';
import { ERROR_CODES, type ErrorCode } from '../../src/core/errorCodes';
import { StudioError } from '../../src/core/errors';

/** A hostile file must be refused within this. */
const DEADLINE_MS = 50;
const MEMORY_BYTES = 20 * 1024 * 1024;
const ATTEMPTS = 6;

/** A source that says it is `size` bytes long and has zeros after `bytes`, as a sparse file would. */
export function sparseSource(bytes: Uint8Array, size: number): ByteSource {
  return {
    size,
    read(offset, target): Promise<number> {
      const length = Math.max(0, Math.min(target.length, size - offset));
      target.fill(0, 0, length);
      target.set(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length)));
      return Promise.resolve(length);
    },
  };
}

function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function caught(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A typed error, as every failure must be: a known code that is not internal, a message with advice, plain JSON. */
export function expectTyped(error: unknown): StudioError {
  expect(error, 'refused').toBeInstanceOf(StudioError);
  const typed = error as StudioError;
  expect(typed.code in ERROR_CODES && !typed.code.startsWith('internal/'), `${typed.code}: ${typed.message}`).toBe(
    true,
  );
  expect(typed.message.length).toBeGreaterThan(40);
  // However long or odd the names in a file are, a message stays readable and harmless to a terminal.
  expect(JSON.stringify(typed).length).toBeLessThan(4000);
  expect(typed.message).not.toMatch(/[\p{Cc}\u200b-\u200f\u202a-\u202e\u2066-\u2069]/u);
  expect(JSON.parse(JSON.stringify(typed))).toMatchObject({ code: typed.code, message: typed.message });
  return typed;
}

/**
 * Expects `work` to fail with exactly this code, in under 50 ms and without memory to speak of. A busy machine
 * gets several attempts at the time, never at the code.
 */
export async function expectRefusal(code: ErrorCode, work: () => Promise<unknown>): Promise<StudioError> {
  let best = Infinity;
  let growth = Infinity;
  let typed: StudioError | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && (best >= DEADLINE_MS || growth >= MEMORY_BYTES); attempt++) {
    const before = memory();
    const start = performance.now();
    const error = await caught(work);
    best = Math.min(best, performance.now() - start);
    growth = Math.min(growth, memory() - before);
    typed = expectTyped(error);
    expect(`${typed.code}: ${typed.message}`).toMatch(new RegExp(`^${code}: `));
  }
  expect(best, 'milliseconds').toBeLessThan(DEADLINE_MS);
  expect(growth, 'bytes of memory').toBeLessThan(MEMORY_BYTES);
  return typed!;
}

export async function expectBytesRefused(
  code: ErrorCode,
  bytes: Uint8Array,
  read: (source: ByteSource) => Promise<unknown>,
): Promise<StudioError> {
  return expectRefusal(code, () => read(memorySource(bytes)));
}
