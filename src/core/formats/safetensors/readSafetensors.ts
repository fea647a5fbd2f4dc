import { readBytes, toSafeNumber, type ByteSource } from '../../bytes';
import { StudioError, throwIfAborted } from '../../errors';
import { LIMITS } from '../../limits';
import { foreignFileError } from '../foreignFile';
import { parseSafetensorsHeader, type SafetensorsEntry } from './parseSafetensorsHeader';
import type { SafetensorsDescription, SafetensorsHeader, SafetensorsTensor } from './safetensorsTypes';
import { cutName, quoteName } from '../../quoteName';

export interface ReadSafetensorsOptions {
  /** Named in errors. */
  readonly path?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of the header's length, at the start of the file. */
const LENGTH_BYTES = 8;
const OPEN_BRACE = 0x7b;
/** Problems of a description beyond this many add nothing. */
const PROBLEM_LIMIT = 100;

/**
 * Reads and validates the header of a safetensors file by all rules of the format (its README, and `Metadata::validate`
 * of the reference implementation). Tensor data is never read. What is wrong is a StudioError: `safetensors/…`,
 * `input/empty`, `input/lfs-pointer` or `input/pickle`.
 */
export async function readSafetensorsHeader(
  source: ByteSource,
  options: ReadSafetensorsOptions = {},
): Promise<SafetensorsHeader> {
  return read(source, options, (problem) => {
    throw problem;
  });
}

/**
 * The same for looking at a file: data that is cut short, misplaced or followed by other bytes is listed as a
 * problem. A header that cannot be read to its end is still an error.
 */
export async function describeSafetensors(
  source: ByteSource,
  options: ReadSafetensorsOptions = {},
): Promise<SafetensorsDescription> {
  const problems: StudioError[] = [];
  const header = await read(source, options, (problem) => {
    if (problems.length < PROBLEM_LIMIT) {
      problems.push(options.path === undefined ? problem : problem.at(options.path));
    }
  });
  return { ...header, problems };
}

async function read(
  source: ByteSource,
  options: ReadSafetensorsOptions,
  report: (problem: StudioError) => void,
): Promise<SafetensorsHeader> {
  try {
    throwIfAborted(options.signal);
    const length = await readHeaderLength(source, options.path);
    const bytes = await readBytes(source, LENGTH_BYTES, length);
    throwIfAborted(options.signal);
    const { metadata, entries } = parseSafetensorsHeader(bytes);
    const dataOffset = LENGTH_BYTES + length;
    return { metadata, tensors: place(entries, dataOffset, source.size, report), dataOffset, fileBytes: source.size };
  } catch (error) {
    throw error instanceof StudioError && options.path !== undefined ? error.at(options.path) : error;
  }
}

/** The length of the header, checked against the limit, the file and the brace with which every header begins. */
async function readHeaderLength(source: ByteSource, path: string | undefined): Promise<number> {
  const start = await readBytes(source, 0, Math.min(LENGTH_BYTES + 1, source.size));
  if (start.length < LENGTH_BYTES) {
    throw (
      (await foreignFileError(source, path)) ??
      new StudioError(
        'safetensors/truncated',
        `The file has ${source.size} bytes, fewer than the header's length takes. Fetch or save it again.`,
        { detail: { fileBytes: source.size } },
      )
    );
  }
  const announced = new DataView(start.buffer).getBigUint64(0, true);
  const length = toSafeNumber(announced, LIMITS.safetensors.headerBytes);
  if (length === undefined || length < 2 || length > source.size - LENGTH_BYTES) {
    throw (
      (await foreignFileError(source, path)) ??
      new StudioError(
        'safetensors/header-size',
        `The file announces a header of ${announced} bytes; ${source.size - LENGTH_BYTES} bytes follow and the limit is ${LIMITS.safetensors.headerBytes}. It is damaged, cut short or no safetensors file: fetch or save it again.`,
        {
          detail: { length: announced.toString(), fileBytes: source.size },
        },
      )
    );
  }
  if (start[LENGTH_BYTES] !== OPEN_BRACE) {
    throw (
      (await foreignFileError(source, path)) ??
      new StudioError(
        'safetensors/header',
        'The header does not begin with "{". The file is damaged or no safetensors file: fetch or save it again.',
      )
    );
  }
  return length;
}

/** Entries in the order of their data, which must fill the file from the header to its end without hole or overlap. */
function place(
  entries: readonly SafetensorsEntry[],
  dataOffset: number,
  fileBytes: number,
  report: (problem: StudioError) => void,
): Map<string, SafetensorsTensor> {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, SafetensorsTensor>();
  let expected = 0;
  for (const { name, dtype, shape, begin, end } of sorted) {
    if (begin !== expected) {
      report(
        new StudioError(
          'safetensors/layout',
          `The data of tensor ${quoteName(name)} begins at byte ${begin}, where the data before it ends at ${expected}: tensors must neither overlap nor leave holes. The file is damaged or hides something: get it from a source that you trust.`,
          {
            detail: { name: cutName(name), begin, expected },
          },
        ),
      );
    }
    expected = Math.max(expected, end);
    tensors.set(name, { name, dtype, shape, offset: dataOffset + begin, bytes: end - begin });
  }
  checkEnd(expected, fileBytes - dataOffset, report);
  return tensors;
}

function checkEnd(expected: number, dataBytes: number, report: (problem: StudioError) => void): void {
  if (expected > dataBytes) {
    report(
      new StudioError(
        'safetensors/truncated',
        `The file is cut short: ${expected - dataBytes} of ${expected} bytes of data are missing. Fetch or save it again.`,
        {
          detail: { missing: expected - dataBytes, expected },
        },
      ),
    );
  } else if (expected < dataBytes) {
    report(
      new StudioError(
        'safetensors/layout',
        `${dataBytes - expected} bytes follow the last tensor, where the file must end. The file is damaged or hides something: get it from a source that you trust.`,
        {
          detail: { surplus: dataBytes - expected },
        },
      ),
    );
  }
}
