import { alignUp, toSafeNumber } from '../../bytes';
import type { ErrorCode } from '../../errorCodes';
import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import { GGML_TYPES, ggmlTypeName, type GgmlTypeName } from './ggmlTypes';
import type { GgufCursor } from './ggufCursor';
import type { GgufTensor } from './ggufTypes';
import { checkHeaderBudget, decodeGgufText } from './readGgufArray';
import { quoteName } from '../../quoteName';

/** Name length, one byte of name, number of dimensions, one dimension, type, offset. */
export const SMALLEST_TENSOR_BYTES = 33;

/** The same with the longest name and all dimensions. */
const LARGEST_TENSOR_BYTES = 8 + LIMITS.gguf.tensorNameBytes + 4 + 8 * LIMITS.gguf.dimensions + 4 + 8;

/** A tensor entry as it stands in the file; its offset is not yet checked. */
export interface GgufTensorEntry extends Omit<GgufTensor, 'offset'> {
  readonly offset: bigint;
}

/** `count` tensor entries in file order; the caller has bounded `count` by what remains. */
export async function readGgufTensors(cursor: GgufCursor, count: number): Promise<GgufTensorEntry[]> {
  const entries: GgufTensorEntry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    await cursor.ensure(LARGEST_TENSOR_BYTES);
    checkHeaderBudget(cursor, LARGEST_TENSOR_BYTES);
    const name = readName(cursor, index);
    if (names.has(name)) {
      throw nameError(`The tensor ${quoteName(name)} stands in the GGUF twice`, { name });
    }
    names.add(name);
    entries.push(readEntry(cursor, name));
  }
  return entries;
}

function readName(cursor: GgufCursor, index: number): string {
  const what = `the name of tensor ${index}`;
  const length = toSafeNumber(cursor.u64(what), LIMITS.gguf.tensorNameBytes);
  if (length === undefined || length === 0) {
    throw nameError(
      `The name of tensor ${index} is ${length === 0 ? 'empty' : `longer than ${LIMITS.gguf.tensorNameBytes} bytes`}`,
      { index },
    );
  }
  const bytes = cursor.bytes(length, what);
  if (bytes.includes(0)) {
    throw nameError(`The name of tensor ${index} has a NUL character`, { index });
  }
  return decodeGgufText(bytes, what);
}

function nameError(what: string, detail: Readonly<Record<string, unknown>>): StudioError {
  return new StudioError(
    'gguf/tensor-name',
    `${what}. No sound converter writes such a file: convert the model again.`,
    { detail },
  );
}

function readEntry(cursor: GgufCursor, name: string): GgufTensorEntry {
  const what = `the entry of tensor ${quoteName(name)}`;
  const rank = cursor.u32(what);
  if (rank > LIMITS.gguf.dimensions) {
    throw new StudioError(
      'gguf/dimensions',
      `Tensor ${quoteName(name)} has ${rank} dimensions; GGUF tensors have at most ${LIMITS.gguf.dimensions}. The file is damaged: fetch it again.`,
      {
        detail: { name, dimensions: rank },
      },
    );
  }
  const dimensions = Array.from({ length: rank }, () => cursor.u64(what));
  const typeId = cursor.u32(what);
  const type = ggmlTypeName(typeId);
  if (type === undefined) {
    throw new StudioError(
      'gguf/type',
      `Tensor ${quoteName(name)} has the unknown type ${typeId}. The file is damaged, or newer than this program.`,
      {
        detail: { name, type: typeId },
      },
    );
  }
  return { name, type, ...tensorSize(name, type, dimensions), offset: cursor.u64(what) };
}

/**
 * Shape and bytes of a tensor, or the reason why it has none: `gguf/dimensions` for a dimension that is negative in
 * llama.cpp's int64, `gguf/size` for one or a product beyond the limits, or rows that do not divide into blocks.
 */
export function tensorSize(
  name: string,
  type: GgmlTypeName,
  dimensions: readonly bigint[],
): { readonly shape: readonly number[]; readonly bytes: number } {
  // Only made where it is needed: a file may have a million tensors.
  const refuse = (code: ErrorCode, problem: string): StudioError =>
    new StudioError(code, `Tensor ${quoteName(name)} of type ${type} and shape [${dimensions.join(', ')}] ${problem}`, {
      detail: { name, type, shape: dimensions.map(String) },
    });
  if (dimensions.some((dimension) => dimension < 0n || dimension >= 2n ** 63n)) {
    throw refuse('gguf/dimensions', 'has a dimension that no tensor can have. The file is damaged: fetch it again.');
  }
  const { block, bytes: blockBytes } = GGML_TYPES[type];
  const elements = dimensions.reduce((product, dimension) => product * dimension, 1n);
  const bytes = toSafeNumber((elements / BigInt(block)) * BigInt(blockBytes));
  if (
    dimensions.some((dimension) => dimension > BigInt(LIMITS.gguf.dimension)) ||
    toSafeNumber(elements) === undefined ||
    bytes === undefined
  ) {
    throw refuse('gguf/size', 'is larger than any tensor can be. The file is damaged: fetch it again.');
  }
  if ((dimensions[0] ?? 1n) % BigInt(block) !== 0n) {
    throw refuse(
      'gguf/size',
      `has rows that do not divide into blocks of ${block}. Choose another type for it, or fetch the file again.`,
    );
  }
  return { shape: dimensions.map(Number), bytes };
}

/**
 * Checks that every tensor lies where llama.cpp expects it: in file order, each at the padded end of the one
 * before (`gguf/offset`), all within the file's `dataBytes` of data (`gguf/truncated`, once, naming the first that does
 * not). Problems go to `report`, which may throw; after it returns, a tensor keeps the offset that its entry gives, or
 * the expected one when that is no exact number.
 */
export function placeGgufTensors(
  entries: readonly GgufTensorEntry[],
  alignment: number,
  dataBytes: number,
  report: (problem: StudioError) => void,
): GgufTensor[] {
  let expected = 0;
  const tensors = entries.map((entry): GgufTensor => {
    if (entry.offset !== BigInt(expected)) {
      report(
        new StudioError(
          'gguf/offset',
          `Tensor ${quoteName(entry.name)} is said to begin at byte ${entry.offset} of the data, where it must begin at ${expected}. The file is damaged, or was written by a tool that llama.cpp does not understand: convert the model again.`,
          {
            detail: { name: entry.name, offset: entry.offset.toString(), expected },
          },
        ),
      );
    }
    const offset = toSafeNumber(entry.offset) ?? expected;
    expected = alignUp(expected + entry.bytes, alignment);
    if (!Number.isSafeInteger(expected)) {
      throw new StudioError(
        'gguf/size',
        `The tensors up to ${quoteName(entry.name)} are larger than any file can be. The file is damaged: fetch it again.`,
        { detail: { name: entry.name } },
      );
    }
    return { ...entry, offset };
  });
  checkDataEnd(tensors, dataBytes, report);
  return tensors;
}

function checkDataEnd(tensors: readonly GgufTensor[], dataBytes: number, report: (problem: StudioError) => void): void {
  const cut = tensors.filter((tensor) => tensor.offset + tensor.bytes > dataBytes);
  const [first] = cut;
  if (first === undefined) {
    return;
  }
  const missing = cut.reduce((most, tensor) => Math.max(most, tensor.offset + tensor.bytes), 0) - dataBytes;
  const others = cut.length === 1 ? '' : ` and ${cut.length - 1} more`;
  report(
    new StudioError(
      'gguf/truncated',
      `The file is cut short: ${missing} bytes are missing, from within or before tensor ${quoteName(first.name)}${others}. Fetch or write the file again.`,
      {
        detail: { name: first.name, tensors: cut.length, missing },
      },
    ),
  );
}
