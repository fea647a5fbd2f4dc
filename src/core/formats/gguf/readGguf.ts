import { alignUp, toSafeNumber, type ByteSource, latin1 } from '../../bytes';
import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import { foreignFileError } from '../foreignFile';
import { checkGgufMetadata } from './checkGgufMetadata';
import { GgufCursor } from './ggufCursor';
import type { GgufDescription, GgufFile, GgufMetadata } from './ggufTypes';
import { readGgufMetadata, SMALLEST_PAIR_BYTES } from './readGgufMetadata';
import { placeGgufTensors, readGgufTensors, SMALLEST_TENSOR_BYTES } from './readGgufTensors';
import { quoteName } from '../../quoteName';

export interface ReadGgufOptions {
  readonly signal?: AbortSignal | undefined;
  /** Skips the contents of arrays of more than 64 elements, whose number is kept in `skipped`. Default `keep`. */
  readonly arrays?: 'keep' | 'skip' | undefined;
  /** Named in errors. */
  readonly path?: string | undefined;
}

const MAGIC = 'GGUF';
const DEFAULT_ALIGNMENT = 32;
/** Problems of a description beyond this many add nothing. */
const PROBLEM_LIMIT = 100;

/**
 * Reads and validates the header of a GGUF file, version 2 or 3, little endian, by the rules of llama.cpp's loader
 * (ggml/src/gguf.cpp) and the limits of this product. Tensor data is never read. What is wrong is a StudioError:
 * `gguf/…`, `input/empty`, `input/lfs-pointer` or `input/pickle`.
 */
export async function readGguf(source: ByteSource, options: ReadGgufOptions = {}): Promise<GgufFile> {
  return named(options.path, async () => {
    const file = await readHeader(source, options, undefined);
    checkGgufMetadata(file.metadata, (problem) => {
      throw problem;
    });
    return file;
  });
}

/**
 * The same for looking at a file: data that is cut short or misplaced, text that is not UTF-8 and metadata of the
 * wrong type are listed as problems. A header that cannot be read to its end is still an error.
 */
export async function describeGguf(source: ByteSource, options: ReadGgufOptions = {}): Promise<GgufDescription> {
  return named(options.path, async () => {
    const problems: StudioError[] = [];
    const report = (problem: StudioError): void => {
      if (problems.length < PROBLEM_LIMIT) {
        problems.push(options.path === undefined ? problem : problem.at(options.path));
      }
    };
    const file = await readHeader(source, options, report);
    checkGgufMetadata(file.metadata, report);
    return { ...file, problems };
  });
}

async function named<T>(path: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StudioError && path !== undefined ? error.at(path) : error;
  }
}

async function readHeader(
  source: ByteSource,
  options: ReadGgufOptions,
  report: ((problem: StudioError) => void) | undefined,
): Promise<GgufFile> {
  const cursor = new GgufCursor(source, options.signal);
  await cursor.ensure(24);
  await checkMagic(cursor, source, options.path);
  const version = readVersion(cursor);
  const tensorCount = readCount(cursor, 'tensors', LIMITS.gguf.tensors, SMALLEST_TENSOR_BYTES, 8);
  const pairCount = readCount(cursor, 'keys', LIMITS.gguf.keys, SMALLEST_PAIR_BYTES, 0);
  const metadata = await readGgufMetadata(cursor, pairCount, { arrays: options.arrays, onProblem: report });
  const alignment = alignmentOf(metadata);
  const entries = await readGgufTensors(cursor, tensorCount);
  const dataOffset = tensorCount === 0 ? cursor.position : alignUp(cursor.position, alignment);
  const tensors = placeGgufTensors(
    entries,
    alignment,
    source.size - dataOffset,
    report ??
      ((problem): void => {
        throw problem;
      }),
  );
  return { version, metadata, tensors, alignment, dataOffset, fileBytes: source.size };
}

async function checkMagic(cursor: GgufCursor, source: ByteSource, path: string | undefined): Promise<void> {
  const start = latin1(cursor.readable().bytes.subarray(0, 4));
  if (start === MAGIC) {
    cursor.skip(4);
    return;
  }
  const foreign = await foreignFileError(source, path);
  if (foreign !== undefined) {
    throw foreign;
  }
  if (MAGIC.startsWith(start)) {
    throw new StudioError(
      'gguf/truncated',
      `The GGUF ends at byte ${source.size}, inside its first word. Fetch or write the file again.`,
      { detail: { fileBytes: source.size } },
    );
  }
  throw new StudioError(
    'gguf/magic',
    `The file begins with ${quoteName(start)} where a GGUF begins with "GGUF". Check that it is the file that its name says.`,
  );
}

/** Versions count up from 1, and 3 has stood since 2023: a number beyond this is no version. */
const NEWEST = 100;

function readVersion(cursor: GgufCursor): 2 | 3 {
  const version = cursor.u32('the version');
  if (version === 2 || version === 3) {
    return version;
  }
  if (version % 0x1000000 === 0 && version >= 0x1000000 && version <= NEWEST * 0x1000000) {
    throw new StudioError(
      'gguf/endianness',
      'The GGUF is big endian, which is not read here. Get the little-endian file of the same model, or convert it with gguf_convert_endian.py of llama.cpp.',
      { detail: { version } },
    );
  }
  if (version > NEWEST) {
    throw new StudioError(
      'gguf/magic',
      'The file begins with "GGUF", but what follows is no version and no header: it is damaged. Fetch or write the file again.',
      { detail: { version } },
    );
  }
  const next = version > 3 ? 'Update this program.' : 'Convert the model again with a current converter.';
  throw new StudioError('gguf/version', `The GGUF is of version ${version}; versions 2 and 3 are read. ${next}`, {
    detail: { version },
  });
}

/** A count of `smallest` bytes or more each; `reserved` header bytes follow before the first of them. */
function readCount(cursor: GgufCursor, what: string, limit: number, smallest: number, reserved: number): number {
  const announced = cursor.u64(`the number of ${what}`);
  const remaining = Math.max(0, cursor.remaining - reserved);
  const count = toSafeNumber(announced, limit);
  if (count === undefined || count * smallest > remaining) {
    throw new StudioError(
      'gguf/count',
      `The GGUF announces ${announced} ${what}; the limit is ${limit} and ${remaining} bytes follow, where each takes at least ${smallest}. The file is damaged or cut short: fetch it again.`,
      {
        detail: { count: announced.toString(), limit, remaining },
      },
    );
  }
  return count;
}

function alignmentOf(metadata: GgufMetadata): number {
  const entry = metadata.get('general.alignment');
  if (entry === undefined) {
    return DEFAULT_ALIGNMENT;
  }
  if (entry.type !== 'u32' || !isAlignment(entry.value)) {
    const shown = entry.type === 'u32' ? entry.value : `of type ${entry.type}`;
    throw new StudioError(
      'gguf/alignment',
      `general.alignment is ${shown}, where a u32 power of two from 1 to ${LIMITS.gguf.alignment} is needed. Convert the model again.`,
      { detail: { type: entry.type } },
    );
  }
  return entry.value;
}

/** A power of two within the limit. */
export function isAlignment(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= LIMITS.gguf.alignment && Number.isInteger(Math.log2(value));
}
