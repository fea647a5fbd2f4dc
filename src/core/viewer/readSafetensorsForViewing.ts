import { readBytes, toSafeNumber, type ByteSource } from '../bytes';
import { StudioError, throwIfAborted } from '../errors';
import { foreignFileError } from '../formats/foreignFile';
import type { GgufValue } from '../formats/gguf/ggufTypes';
import { SAFETENSORS_DTYPES } from '../formats/tensorRef';
import { JsonScanner } from '../jsonScanner';
import { LIMITS } from '../limits';
import { quoteName } from '../quoteName';
import type { ReadForViewingOptions } from './readGgufForViewing';
import { TensorTable } from './tensorTable';
import { ProblemList, type ViewedFile } from './viewedFile';

const LENGTH_BYTES = 8;
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

interface Entry {
  readonly name: string;
  dtype: string | undefined;
  shape: readonly number[] | undefined;
  span: readonly number[] | undefined;
  problem: string | undefined;
}

/**
 * Reads as much of a safetensors header as there is: entries that are no tensors, data that overlaps, and a header that is
 * cut short are noted as problems. Tensor data is never read.
 * @throws StudioError run/cancelled, input/… where the file cannot be read or is another kind of file
 */
export async function readSafetensorsForViewing(
  source: ByteSource,
  options: ReadForViewingOptions = {},
): Promise<ViewedFile> {
  const problems = new ProblemList();
  const length = await headerLength(source, problems);
  throwIfAborted(options.signal);
  const present = Math.min(length, source.size - LENGTH_BYTES);
  const parsed =
    present <= 0
      ? { entries: [], metadata: [], complete: false }
      : parse(await readBytes(source, LENGTH_BYTES, present), problems);
  throwIfAborted(options.signal);
  const dataOffset = LENGTH_BYTES + length;
  const tensors = new TensorTable();
  place(parsed.entries, parsed.complete ? dataOffset : undefined, source.size, tensors, problems);
  return {
    format: 'safetensors',
    metadata: parsed.metadata,
    tensors,
    dataOffset: parsed.complete ? dataOffset : undefined,
    fileBytes: source.size,
    problems: problems.problems,
    moreProblems: problems.more,
    complete: parsed.complete,
  };
}

/** 0 where there is none that could be read. */
async function headerLength(source: ByteSource, problems: ProblemList): Promise<number> {
  const foreign = await foreignFileError(source);
  if (foreign !== undefined) {
    throw foreign;
  }
  const start = await readBytes(source, 0, Math.min(LENGTH_BYTES + 1, source.size));
  if (start.length < LENGTH_BYTES) {
    problems.add(
      new StudioError(
        'safetensors/truncated',
        `The file has ${source.size} bytes, fewer than the header's length takes. Fetch or save it again.`,
      ),
    );
    return 0;
  }
  const announced = new DataView(start.buffer).getBigUint64(0, true);
  const length = toSafeNumber(announced, LIMITS.safetensors.headerBytes);
  if (length === undefined || length < 2) {
    problems.add(
      new StudioError(
        'safetensors/header-size',
        `The file announces a header of ${announced} bytes, where 2 to ${LIMITS.safetensors.headerBytes} are possible. It is damaged or no safetensors file: fetch or save it again.`,
      ),
    );
    return 0;
  }
  if (start[LENGTH_BYTES] !== OPEN_BRACE) {
    problems.add(
      new StudioError(
        'safetensors/header',
        'The header does not begin with "{". The file is damaged or no safetensors file: fetch or save it again.',
      ),
    );
    return 0;
  }
  if (length > source.size - LENGTH_BYTES) {
    problems.add(
      new StudioError(
        'safetensors/truncated',
        `The file ends inside its header, of which ${source.size - LENGTH_BYTES} of ${length} bytes are there. Fetch or save it again.`,
      ),
    );
  }
  return length;
}

interface Parsed {
  readonly entries: readonly Entry[];
  readonly metadata: (readonly [string, GgufValue])[];
  readonly complete: boolean;
}

function parse(bytes: Uint8Array, problems: ProblemList): Parsed {
  const entries: Entry[] = [];
  const metadata: (readonly [string, GgufValue])[] = [];
  const scanner = new JsonScanner(decode(bytes, problems));
  try {
    scanner.object((name) => {
      if (name === '__metadata__') {
        readMetadata(scanner, metadata, problems);
      } else {
        entries.push(readEntry(scanner, name));
      }
    });
    scanner.end();
    return { entries, metadata, complete: true };
  } catch (thrown) {
    if (!(thrown instanceof StudioError)) {
      throw thrown;
    }
    problems.add(
      new StudioError(
        'safetensors/header',
        `The header of the safetensors file is not what the format demands. ${thrown.message} What stands before is shown.`,
      ),
    );
    return { entries, metadata, complete: false };
  }
}

function decode(bytes: Uint8Array, problems: ProblemList): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    problems.add(
      new StudioError(
        'safetensors/header',
        'The header is not valid UTF-8; what is not is shown as \ufffd. Fetch or save the file again.',
      ),
    );
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  }
}

function readMetadata(scanner: JsonScanner, metadata: (readonly [string, GgufValue])[], problems: ProblemList): void {
  if (scanner.peek() !== OPEN_BRACE) {
    if (scanner.value() !== null) {
      problems.add(new StudioError('safetensors/header', '__metadata__ is no object. Save the file again.'));
    }
    return;
  }
  scanner.object((key) => {
    const value = scanner.value();
    if (typeof value !== 'string') {
      problems.add(
        new StudioError(
          'safetensors/header',
          `The entry ${quoteName(key)} of __metadata__ is no string. Save the file again.`,
        ),
      );
    }
    metadata.push([key, { type: 'string', value: typeof value === 'string' ? value : JSON.stringify(value) }]);
  });
}

function readEntry(scanner: JsonScanner, name: string): Entry {
  const entry: Entry = { name, dtype: undefined, shape: undefined, span: undefined, problem: undefined };
  if (scanner.peek() !== OPEN_BRACE) {
    scanner.value();
    entry.problem = 'is no object with dtype, shape and data_offsets';
    return entry;
  }
  scanner.object((key) => {
    if (key === 'dtype' && scanner.peek() === QUOTE) {
      entry.dtype = scanner.string();
    } else if (key === 'shape' && scanner.peek() === OPEN_BRACKET) {
      entry.shape = readIntegers(scanner, entry, 'shape');
    } else if (key === 'data_offsets' && scanner.peek() === OPEN_BRACKET) {
      entry.span = readIntegers(scanner, entry, 'data_offsets');
    } else {
      scanner.value();
    }
  });
  entry.problem ??= problemOf(entry);
  return entry;
}

function readIntegers(scanner: JsonScanner, entry: Entry, field: string): readonly number[] | undefined {
  const integers: number[] = [];
  let faults = 0;
  scanner.array(() => {
    const integer = scanner.unsigned();
    if (integer === undefined) {
      scanner.value();
      faults++;
    } else if (integers.length < LIMITS.safetensors.dimensions) {
      integers.push(integer);
    } else {
      faults++;
    }
  });
  if (faults > 0) {
    entry.problem = `has something in its ${field} that is no integer from 0 to ${Number.MAX_SAFE_INTEGER}, or too much of it`;
    return undefined;
  }
  return integers;
}

function problemOf({ dtype, shape, span }: Entry): string | undefined {
  if (dtype === undefined || shape === undefined || span === undefined) {
    return 'lacks dtype, shape or data_offsets';
  }
  const [begin, end] = span;
  if (span.length !== 2 || begin === undefined || end === undefined || end < begin) {
    return `has the data_offsets [${span.join(', ')}], which are no span`;
  }
  if (!Object.hasOwn(SAFETENSORS_DTYPES, dtype)) {
    return `has the unknown dtype ${quoteName(dtype)}`;
  }
  const bitsEach = SAFETENSORS_DTYPES[dtype as keyof typeof SAFETENSORS_DTYPES];
  const quick = shape.reduce((product, dimension) => product * dimension, bitsEach);
  if (Number.isSafeInteger(quick) && quick === (end - begin) * 8) {
    return undefined;
  }
  const bits = shape.reduce((product, dimension) => product * BigInt(dimension), BigInt(bitsEach));
  return bits === BigInt(end - begin) * 8n
    ? undefined
    : `of dtype ${dtype} and shape [${shape.join(', ')}] does not fit its span of ${end - begin} bytes`;
}

/** Fills the table in the order of the data, and notes holes, overlaps, and what lies beyond the end of the file. */
function place(
  entries: readonly Entry[],
  dataOffset: number | undefined,
  fileBytes: number,
  tensors: TensorTable,
  problems: ProblemList,
): void {
  const begin = (entry: Entry): number => entry.span?.[0] ?? Infinity;
  const sorted = [...entries].sort((a, b) => begin(a) - begin(b) || (a.span?.[1] ?? 0) - (b.span?.[1] ?? 0));
  let expected = 0;
  for (const entry of sorted) {
    const isSpan = entry.span?.length === 2 && entry.span[1]! >= entry.span[0]!;
    const [from, to] = isSpan ? (entry.span as readonly [number, number]) : [undefined, undefined];
    const offset = from === undefined || dataOffset === undefined ? undefined : dataOffset + from;
    const index = tensors.add({
      name: entry.name,
      type: typeText(entry.dtype),
      shape: entry.shape ?? [],
      offset,
      bytes: from === undefined ? undefined : to - from,
    });
    const what = problemText(entry, from, to, expected, dataOffset, fileBytes);
    if (what !== undefined) {
      const problem = new StudioError(
        what.code,
        `Tensor ${quoteName(entry.name)} ${what.text} The file is damaged or hides something: get it from a source that you trust.`,
      );
      tensors.mark(index, problem.message);
      problems.add(problem, index);
    }
    expected = Math.max(expected, to ?? 0);
  }
  if (dataOffset !== undefined && dataOffset + expected < fileBytes) {
    problems.add(
      new StudioError(
        'safetensors/layout',
        `${fileBytes - dataOffset - expected} bytes follow the last tensor, where the file must end. The file is damaged or hides something: get it from a source that you trust.`,
      ),
    );
  }
}

interface Misplaced {
  readonly code: 'safetensors/tensor' | 'safetensors/truncated' | 'safetensors/layout';
  readonly text: string;
}

function problemText(
  entry: Entry,
  from: number | undefined,
  to: number | undefined,
  expected: number,
  dataOffset: number | undefined,
  fileBytes: number,
): Misplaced | undefined {
  if (entry.problem !== undefined) {
    return { code: 'safetensors/tensor', text: `${entry.problem}.` };
  }
  if (dataOffset !== undefined && to !== undefined && dataOffset + to > fileBytes) {
    return { code: 'safetensors/truncated', text: `ends at byte ${dataOffset + to}, and the file at ${fileBytes}.` };
  }
  if (from !== undefined && from !== expected) {
    return {
      code: 'safetensors/layout',
      text: `begins at byte ${from} of the data, where the data before it ends at ${expected}.`,
    };
  }
  return undefined;
}

/** A type that a hostile file makes up must not become a million columns of a chart. */
function typeText(dtype: string | undefined): string {
  return dtype === undefined ? 'none' : Object.hasOwn(SAFETENSORS_DTYPES, dtype) ? dtype : 'unknown';
}
