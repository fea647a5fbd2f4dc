import { alignUp, toSafeNumber, type ByteSource, latin1 } from '../bytes';
import { StudioError, toStudioError } from '../errors';
import { checkGgufMetadata } from '../formats/gguf/checkGgufMetadata';
import { checkModelGguf } from '../formats/gguf/checkModelGguf';
import { foreignFileError } from '../formats/foreignFile';
import { GGML_TYPES, ggmlTypeName } from '../formats/gguf/ggmlTypes';
import { GgufCursor } from '../formats/gguf/ggufCursor';
import type { GgufValue } from '../formats/gguf/ggufTypes';
import { isAlignment } from '../formats/gguf/readGguf';
import { checkHeaderBudget, decodeGgufText } from '../formats/gguf/readGgufArray';
import { readGgufKey, readGgufValue, SMALLEST_PAIR_BYTES } from '../formats/gguf/readGgufMetadata';
import { SMALLEST_TENSOR_BYTES, tensorSize } from '../formats/gguf/readGgufTensors';
import { LIMITS } from '../limits';
import { quoteName } from '../quoteName';
import { TensorTable } from './tensorTable';
import { ProblemList, type ViewedFile } from './viewedFile';

export interface ReadForViewingOptions {
  readonly signal?: AbortSignal | undefined;
  /** Contents of long arrays are skipped unless `keep`. */
  readonly arrays?: 'keep' | 'skip' | undefined;
}

const DEFAULT_ALIGNMENT = 32;
/** What no sane file has, but can still be shown: other programs allow longer names and more dimensions. */
const SHOWN_NAME_BYTES = 4096;
const SHOWN_DIMENSIONS = 8;

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly dimensions: readonly bigint[];
  readonly offset: bigint;
  /** Undefined where type and shape give no size. */
  readonly bytes: number | undefined;
  readonly problem: StudioError | undefined;
}

/**
 * Reads as much of a GGUF header as there is. Where the strict reader refuses, this one notes the problem and goes on, as
 * long as the next byte still has a meaning. Tensor data is never read.
 * @throws StudioError run/cancelled, input/… where the file cannot be read or is another kind of file
 */
export async function readGgufForViewing(source: ByteSource, options: ReadForViewingOptions = {}): Promise<ViewedFile> {
  const foreign = await foreignFileError(source);
  if (foreign !== undefined) {
    throw foreign;
  }
  return await new LenientReader(source, options).read();
}

class LenientReader {
  readonly #cursor: GgufCursor;
  readonly #problems = new ProblemList();
  readonly #metadata: (readonly [string, GgufValue])[] = [];
  readonly #keys = new Set<string>();
  readonly #tensors = new TensorTable();
  #version: number | undefined;
  #alignment = DEFAULT_ALIGNMENT;
  #dataOffset: number | undefined;

  constructor(
    private readonly source: ByteSource,
    private readonly options: ReadForViewingOptions,
  ) {
    this.#cursor = new GgufCursor(source, options.signal);
  }

  async read(): Promise<ViewedFile> {
    const complete = await this.#header();
    const byKey = new Map(this.#metadata);
    checkGgufMetadata(byKey, (problem) => this.#problems.add(problem));
    if (complete) {
      this.#checkModel(byKey);
    }
    return {
      format: 'gguf',
      version: this.#version,
      alignment: this.#alignment,
      metadata: this.#metadata,
      tensors: this.#tensors,
      dataOffset: this.#dataOffset,
      fileBytes: this.source.size,
      problems: this.#problems.problems,
      moreProblems: this.#problems.more,
      complete,
    };
  }

  /** False, with the reason among the problems, where the header cannot be followed to its end. */
  async #header(): Promise<boolean> {
    try {
      const counts = await this.#start();
      for (let index = 0; index < counts.keys; index++) {
        await this.#pair(index);
      }
      this.#readAlignment();
      const entries: Entry[] = [];
      try {
        for (let index = 0; index < counts.tensors; index++) {
          entries.push(await this.#entry(index));
        }
        this.#dataOffset =
          entries.length === 0 ? this.#cursor.position : alignUp(this.#cursor.position, this.#alignment);
      } finally {
        // The entries before the damage are worth showing.
        this.#place(entries);
      }
      return counts.isWhole;
    } catch (thrown) {
      const error = toStudioError(thrown);
      if (error.code === 'run/cancelled' || error.code.startsWith('input/') || error.code.startsWith('internal/')) {
        throw error;
      }
      this.#problems.add(error);
      return false;
    }
  }

  async #start(): Promise<{ readonly keys: number; readonly tensors: number; readonly isWhole: boolean }> {
    const cursor = this.#cursor;
    await cursor.ensure(24);
    const magic = latin1(cursor.bytes(Math.min(4, cursor.available), 'its first word'));
    if (magic !== 'GGUF') {
      throw new StudioError(
        'gguf/magic',
        `The file begins with ${quoteName(magic)} where a GGUF begins with "GGUF". Check that it is the file that its name says.`,
      );
    }
    this.#version = cursor.u32('the version');
    if (this.#version !== 2 && this.#version !== 3) {
      const swapped = this.#version !== 0 && this.#version % 0x10000 === 0;
      throw swapped
        ? new StudioError(
            'gguf/endianness',
            'The GGUF is big endian, which is not read here. Get the little-endian file of the same model, or convert it with gguf_convert_endian.py of llama.cpp.',
          )
        : new StudioError(
            'gguf/version',
            `The GGUF is of version ${this.#version}; versions 2 and 3 are read. ${this.#version > 3 ? 'Update this program.' : 'Convert the model again with a current converter.'}`,
          );
    }
    const tensors = this.#count('tensors', LIMITS.gguf.tensors, SMALLEST_TENSOR_BYTES, 8);
    const keys = this.#count('keys', LIMITS.gguf.keys, SMALLEST_PAIR_BYTES, 0);
    return { keys: keys.count, tensors: tensors.count, isWhole: keys.isWhole && tensors.isWhole };
  }

  /** A count, cut to what the rest of the file can hold. */
  #count(
    what: string,
    limit: number,
    smallest: number,
    reserved: number,
  ): { readonly count: number; readonly isWhole: boolean } {
    const announced = this.#cursor.u64(`the number of ${what}`);
    const most = Math.min(limit, Math.floor(Math.max(0, this.#cursor.remaining - reserved) / smallest));
    const count = toSafeNumber(announced, most);
    if (count !== undefined) {
      return { count, isWhole: true };
    }
    this.#problems.add(
      new StudioError(
        'gguf/count',
        `The GGUF announces ${announced} ${what}; at most ${most} can follow. The file is damaged or cut short: fetch it again. What can be read is shown.`,
        { detail: { count: announced.toString(), most } },
      ),
    );
    return { count: most, isWhole: false };
  }

  async #pair(index: number): Promise<void> {
    const key = await readGgufKey(this.#cursor, index);
    if (this.#keys.has(key)) {
      this.#problems.add(
        new StudioError(
          'gguf/key',
          `The key ${quoteName(key)} stands in the GGUF twice: programs would disagree on which one counts. Convert the model again.`,
        ),
      );
    }
    const value = await readGgufValue(this.#cursor, key, {
      arrays: this.options.arrays ?? 'skip',
      onProblem: (problem) => this.#problems.add(problem),
    });
    this.#keys.add(key);
    this.#metadata.push([key, value]);
    checkHeaderBudget(this.#cursor, 0);
  }

  #readAlignment(): void {
    const entry = this.#metadata.find(([key]) => key === 'general.alignment')?.[1];
    if (entry === undefined) {
      return;
    }
    if (entry.type === 'u32' && isAlignment(entry.value)) {
      this.#alignment = entry.value;
      return;
    }
    this.#problems.add(
      new StudioError(
        'gguf/alignment',
        `general.alignment is ${entry.type === 'u32' ? entry.value : `of type ${entry.type}`}, where a u32 power of two from 1 to ${LIMITS.gguf.alignment} is needed. Offsets are shown as if it were ${DEFAULT_ALIGNMENT}.`,
      ),
    );
  }

  async #entry(index: number): Promise<Entry> {
    const cursor = this.#cursor;
    await cursor.ensure(8 + SHOWN_NAME_BYTES + 4 + 8 * SHOWN_DIMENSIONS + 12);
    checkHeaderBudget(cursor, 0);
    const { name, problem } = this.#name(index);
    const what = `the entry of tensor ${quoteName(name)}`;
    const rank = cursor.u32(what);
    if (rank > SHOWN_DIMENSIONS) {
      throw new StudioError(
        'gguf/dimensions',
        `Tensor ${quoteName(name)} has ${rank} dimensions; GGUF tensors have at most ${LIMITS.gguf.dimensions}. The file is damaged: fetch it again.`,
      );
    }
    const dimensions = Array.from({ length: rank }, () => cursor.u64(what));
    const typeId = cursor.u32(what);
    const offset = cursor.u64(what);
    const sized = size(name, typeId, dimensions);
    return {
      name,
      type: ggmlTypeName(typeId) ?? `type ${typeId}`,
      dimensions,
      offset,
      bytes: sized.bytes,
      problem: problem ?? sized.problem,
    };
  }

  #name(index: number): { readonly name: string; readonly problem: StudioError | undefined } {
    const what = `the name of tensor ${index}`;
    const length = toSafeNumber(this.#cursor.u64(what), SHOWN_NAME_BYTES);
    if (length === undefined) {
      throw new StudioError(
        'gguf/tensor-name',
        `The name of tensor ${index} is longer than any name is. The file is damaged: fetch it again.`,
      );
    }
    const bytes = this.#cursor.bytes(length, what);
    let problem: StudioError | undefined;
    if (length === 0 || length > LIMITS.gguf.tensorNameBytes || bytes.includes(0)) {
      problem = new StudioError(
        'gguf/tensor-name',
        `The name of tensor ${index} is ${length === 0 ? 'empty' : length > LIMITS.gguf.tensorNameBytes ? `longer than ${LIMITS.gguf.tensorNameBytes} bytes` : 'one with a NUL character'}. Convert the model again.`,
      );
    }
    const name = decodeGgufText(bytes, what, (found) => {
      problem ??= found;
    });
    return { name, problem };
  }

  /** Fills the table, and holds every offset against the one that llama.cpp expects and against the end of the file. */
  #place(entries: readonly Entry[]): void {
    const start = this.#dataOffset;
    const seen = new Set<string>();
    let expected: number | undefined = 0;
    for (const entry of entries) {
      const relative = toSafeNumber(entry.offset);
      const shape = entry.dimensions.map(Number);
      const offset = start === undefined || relative === undefined ? undefined : start + relative;
      const index = this.#tensors.add({ name: entry.name, type: entry.type, shape, offset, bytes: entry.bytes });
      this.#check(index, entry, seen, offset, expected);
      seen.add(entry.name);
      expected =
        expected === undefined || entry.bytes === undefined
          ? undefined
          : alignUp(expected + entry.bytes, this.#alignment);
    }
  }

  #check(
    index: number,
    entry: Entry,
    seen: ReadonlySet<string>,
    offset: number | undefined,
    expected: number | undefined,
  ): void {
    const mark = (problem: StudioError): void => {
      this.#tensors.mark(index, problem.message);
      this.#problems.add(problem, index);
    };
    const name = quoteName(entry.name);
    if (entry.problem !== undefined) {
      mark(entry.problem);
    }
    if (seen.has(entry.name)) {
      mark(
        new StudioError('gguf/tensor-name', `The tensor ${name} stands in the GGUF twice. Convert the model again.`),
      );
    }
    if (offset === undefined && this.#dataOffset !== undefined) {
      mark(
        new StudioError(
          'gguf/offset',
          `Tensor ${name} is said to begin at byte ${entry.offset} of the data, which no file has. The file is damaged: fetch it again.`,
        ),
      );
    } else if (offset !== undefined && offset + (entry.bytes ?? 0) > this.source.size) {
      mark(
        new StudioError(
          'gguf/truncated',
          `Tensor ${name} ends at byte ${offset + (entry.bytes ?? 0)}, and the file at ${this.source.size}. It is cut short or damaged: fetch it again.`,
        ),
      );
    } else if (expected !== undefined && entry.offset !== BigInt(expected)) {
      mark(
        new StudioError(
          'gguf/offset',
          `Tensor ${name} is said to begin at byte ${entry.offset} of the data, where llama.cpp expects ${expected}. It would refuse the file: convert the model again.`,
        ),
      );
    }
  }

  #checkModel(metadata: ReadonlyMap<string, GgufValue>): void {
    const { length } = this.#tensors;
    const tensors = Array.from({ length }, (_, index) => ({
      name: this.#tensors.name(index),
      shape: this.#tensors.shape(index),
      type: 'F32' as const,
      offset: 0,
      bytes: 0,
    }));
    for (const problem of checkModelGguf({
      version: 3,
      metadata,
      tensors,
      alignment: this.#alignment,
      dataOffset: 0,
      fileBytes: this.source.size,
    })) {
      this.#problems.add(problem);
    }
  }
}

function size(
  name: string,
  typeId: number,
  dimensions: readonly bigint[],
): { readonly bytes: number | undefined; readonly problem: StudioError | undefined } {
  const type = ggmlTypeName(typeId);
  if (type === undefined) {
    return {
      bytes: undefined,
      problem: new StudioError(
        'gguf/type',
        `Tensor ${quoteName(name)} has the unknown type ${typeId}. The file is damaged, or newer than this program.`,
      ),
    };
  }
  if (dimensions.length > LIMITS.gguf.dimensions) {
    return {
      bytes: undefined,
      problem: new StudioError(
        'gguf/dimensions',
        `Tensor ${quoteName(name)} has ${dimensions.length} dimensions; GGUF tensors have at most ${LIMITS.gguf.dimensions}. Convert the model again.`,
      ),
    };
  }
  try {
    return { bytes: tensorSize(name, type, dimensions).bytes, problem: undefined };
  } catch (thrown) {
    return { bytes: undefined, problem: toStudioError(thrown) };
  }
}

/** Bits that a type takes for one value; undefined for a type that is not known. */
export function bitsOfType(type: string): number | undefined {
  if (!Object.hasOwn(GGML_TYPES, type)) {
    return undefined;
  }
  const { bytes, block } = GGML_TYPES[type as keyof typeof GGML_TYPES];
  return (bytes * 8) / block;
}
