import { alignUp } from '../../bytes';
import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import { checkGgufMetadata } from './checkGgufMetadata';
import { GgufByteWriter } from './ggufByteWriter';
import { GGML_TYPES, type GgmlTypeName } from './ggmlTypes';
import { GGUF_VALUE_TYPES, type GgufTensor, type GgufValue } from './ggufTypes';
import { isAlignment } from './readGguf';
import { tensorSize } from './readGgufTensors';
import { writeGgufValue } from './writeGgufValue';
import { cutName, quoteName } from '../../quoteName';

export interface GgufHeaderInput {
  /** In the order in which they are to stand in the file. */
  readonly metadata: Iterable<readonly [string, GgufValue]>;
  /** In the order of their data; shapes fastest dimension first. */
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly type: GgmlTypeName;
  }[];
  /** Must be what `general.alignment` says, where that key is given. Default 32, as llama.cpp has it. */
  readonly alignment?: number | undefined;
}

export interface EncodedGgufHeader {
  /** The file up to the first byte of tensor data, padded with zeros. */
  readonly header: Uint8Array;
  readonly tensors: readonly GgufTensor[];
  /** All tensor data, every tensor padded to the alignment, the last one too. */
  readonly dataBytes: number;
}

const DEFAULT_ALIGNMENT = 32;
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const ENCODER = new TextEncoder();

/**
 * Encodes the header of a GGUF file, version 3, little endian, and places its tensors. Whatever the strict reader
 * would refuse is refused here, with the same codes.
 */
export function encodeGgufHeader(input: GgufHeaderInput): EncodedGgufHeader {
  const metadata = uniqueMetadata(input.metadata);
  const alignment = chooseAlignment(metadata, input.alignment);
  requireCount('tensors', input.tensors.length, LIMITS.gguf.tensors);
  requireCount('keys', metadata.size, LIMITS.gguf.keys);
  checkGgufMetadata(metadata, (problem) => {
    throw problem;
  });
  const writer = new GgufByteWriter();
  writer.bytes(ENCODER.encode('GGUF'));
  writer.u32(3);
  writer.u64(BigInt(input.tensors.length));
  writer.u64(BigInt(metadata.size));
  for (const [key, value] of metadata) {
    writer.string(key);
    writer.u32(GGUF_VALUE_TYPES.indexOf(value.type));
    writeGgufValue(writer, key, value);
  }
  const { tensors, dataBytes } = placeTensors(input.tensors, alignment);
  for (const tensor of tensors) {
    writeTensorEntry(writer, tensor);
  }
  if (writer.length > LIMITS.gguf.headerBytes) {
    throw new StudioError(
      'gguf/length',
      `The GGUF header would have ${writer.length} bytes; the limit is ${LIMITS.gguf.headerBytes}. Leave out the metadata that makes it so large.`,
    );
  }
  return { header: writer.padded(alignment), tensors, dataBytes };
}

function uniqueMetadata(pairs: Iterable<readonly [string, GgufValue]>): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (const [key, value] of pairs) {
    const problem = textProblem(key, LIMITS.gguf.keyBytes) ?? (metadata.has(key) ? 'is given twice' : undefined);
    if (problem !== undefined) {
      throw new StudioError(
        'gguf/key',
        `The metadata key ${quoteName(key)} ${problem}. Name every key once, in valid text.`,
        { detail: { key: cutName(key) } },
      );
    }
    metadata.set(key, value);
  }
  return metadata;
}

/** What makes `text` unfit as a key or name; undefined when nothing does. */
function textProblem(text: string, limit: number): string | undefined {
  if (text === '') {
    return 'is empty';
  }
  if (text.includes('\0') || LONE_SURROGATE.test(text)) {
    return 'has a NUL character or half a character';
  }
  return ENCODER.encode(text).length > limit ? `is longer than ${limit} bytes` : undefined;
}

function chooseAlignment(metadata: ReadonlyMap<string, GgufValue>, wanted: number | undefined): number {
  const entry = metadata.get('general.alignment');
  const written = entry === undefined ? DEFAULT_ALIGNMENT : entry.type === 'u32' ? entry.value : undefined;
  if (written === undefined || !isAlignment(written) || (wanted ?? written) !== written) {
    throw new StudioError(
      'gguf/alignment',
      `The alignment ${wanted ?? String(entry?.value)} cannot be written: it must be what general.alignment says (a u32 power of two up to ${LIMITS.gguf.alignment}), or ${DEFAULT_ALIGNMENT} without that key.`,
    );
  }
  return written;
}

function requireCount(what: string, count: number, limit: number): void {
  if (count > limit) {
    throw new StudioError('gguf/count', `A GGUF with ${count} ${what} cannot be written; the limit is ${limit}.`, {
      detail: { count, limit },
    });
  }
}

function placeTensors(
  wanted: GgufHeaderInput['tensors'],
  alignment: number,
): { tensors: GgufTensor[]; dataBytes: number } {
  const names = new Set<string>();
  let end = 0;
  const tensors = wanted.map(({ name, shape, type }) => {
    const problem = textProblem(name, LIMITS.gguf.tensorNameBytes) ?? (names.has(name) ? 'is given twice' : undefined);
    if (problem !== undefined) {
      throw new StudioError(
        'gguf/tensor-name',
        `The tensor name ${quoteName(name)} ${problem}. Name every tensor once, in at most ${LIMITS.gguf.tensorNameBytes} bytes.`,
        { detail: { name: cutName(name) } },
      );
    }
    names.add(name);
    const tensor: GgufTensor = { name, shape, type, offset: end, bytes: checkedBytes(name, type, shape) };
    end = alignUp(end + tensor.bytes, alignment);
    return tensor;
  });
  if (!Number.isSafeInteger(end)) {
    throw new StudioError('gguf/size', 'The tensors are larger together than any file can be.');
  }
  return { tensors, dataBytes: end };
}

function checkedBytes(name: string, type: GgmlTypeName, shape: readonly number[]): number {
  if (
    shape.length > LIMITS.gguf.dimensions ||
    !shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0)
  ) {
    throw new StudioError(
      'gguf/dimensions',
      `Tensor ${quoteName(name)} has the shape [${shape.join(', ')}]; GGUF tensors have at most ${LIMITS.gguf.dimensions} dimensions, none negative.`,
      { detail: { name: cutName(name), shape } },
    );
  }
  return tensorSize(name, type, shape.map(BigInt)).bytes;
}

function writeTensorEntry(writer: GgufByteWriter, tensor: GgufTensor): void {
  writer.string(tensor.name);
  writer.u32(tensor.shape.length);
  for (const dimension of tensor.shape) {
    writer.u64(BigInt(dimension));
  }
  writer.u32(GGML_TYPES[tensor.type].id);
  writer.u64(BigInt(tensor.offset));
}
