import type { Imatrix } from './importanceMatrix';
import { readBytes, type ByteSource, latin1 } from '../../bytes';
import { StudioError, throwIfAborted } from '../../errors';
import { foreignFileError } from '../foreignFile';
import type { GgufFile, GgufTensor } from './ggufTypes';
import { readLegacyImatrix } from './legacyImatrix';
import { readGguf } from './readGguf';
import { quoteName } from '../../quoteName';

export interface ReadImatrixOptions {
  readonly path?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const SUMS = '.in_sum2';
const COUNTS = '.counts';

/**
 * Reads an importance matrix of either format, with the arithmetic of llama-quantize (tools/quantize/quantize.cpp,
 * common/imatrix-loader.cpp) in f32. `imatrix/invalid` when it is none, incomplete or holds NaN or infinite values.
 */
export async function readImatrix(source: ByteSource, options: ReadImatrixOptions = {}): Promise<Imatrix> {
  try {
    const start = await readBytes(source, 0, Math.min(4, source.size));
    const imatrix =
      latin1(start) === 'GGUF' ? await readGgufImatrix(source, options.signal) : await readOther(source, options);
    checkValues(imatrix);
    return imatrix;
  } catch (error) {
    throw error instanceof StudioError && options.path !== undefined ? error.at(options.path) : error;
  }
}

async function readOther(source: ByteSource, options: ReadImatrixOptions): Promise<Imatrix> {
  const foreign = await foreignFileError(source, options.path);
  if (foreign !== undefined) {
    throw foreign;
  }
  return readLegacyImatrix(source, options.signal);
}

/** Tensors `NAME.in_sum2` [columns, experts] and `NAME.counts` [1, experts], both f32: their quotient is the value. */
async function readGgufImatrix(source: ByteSource, signal: AbortSignal | undefined): Promise<Imatrix> {
  const file = await readGguf(source, { signal });
  const tensors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const entries = new Map<string, Float32Array>();
  for (const tensor of file.tensors) {
    throwIfAborted(signal);
    if (tensor.name.endsWith(COUNTS) && !tensors.has(tensor.name.slice(0, -COUNTS.length) + SUMS)) {
      throw imatrixError(`${quoteName(tensor.name)} has no ${SUMS} beside it`);
    }
    if (tensor.name.endsWith(SUMS)) {
      const name = tensor.name.slice(0, -SUMS.length);
      const counts = tensors.get(name + COUNTS);
      if (counts === undefined) {
        throw imatrixError(`${quoteName(tensor.name)} has no ${COUNTS} beside it`);
      }
      const sums = await readFloats(source, file, tensor);
      divideByCounts(name, sums, await readFloats(source, file, counts));
      entries.set(name, sums);
    }
  }
  if (entries.size === 0) {
    throw imatrixError('It has no entries');
  }
  return { entries, ...readMetadata(file), format: 'gguf' };
}

async function readFloats(source: ByteSource, file: GgufFile, tensor: GgufTensor): Promise<Float32Array> {
  if (tensor.type !== 'F32') {
    throw imatrixError(`${quoteName(tensor.name)} is of type ${tensor.type}, where F32 is needed`);
  }
  // The reader has checked that these bytes lie within the file.
  const bytes = await readBytes(source, file.dataOffset + tensor.offset, tensor.bytes);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** An expert that no text reached says nothing: llama-quantize gives all its columns the weight 1. */
function divideByCounts(name: string, sums: Float32Array, counts: Float32Array): void {
  const columns = sums.length / counts.length;
  if (counts.length === 0 || !Number.isInteger(columns)) {
    throw imatrixError(`${quoteName(name)} has ${sums.length} sums for ${counts.length} experts`);
  }
  counts.forEach((announced, expert) => {
    if (!Number.isFinite(announced)) {
      throw imatrixError(`A count of ${quoteName(name)} is not finite`);
    }
    const count = Math.fround(Math.round(announced));
    const values = sums.subarray(expert * columns, (expert + 1) * columns);
    if (count > 0) {
      values.forEach((sum, column) => {
        values[column] = sum / count;
      });
    } else {
      values.fill(1);
    }
  });
}

/** llama-quantize refuses a file that lacks one of the three keys. */
function readMetadata(file: GgufFile): { readonly datasets: readonly string[]; readonly chunkCount: number } {
  const datasets = file.metadata.get('imatrix.datasets');
  const chunkCount = file.metadata.get('imatrix.chunk_count');
  if (datasets?.type !== 'array' || chunkCount?.type !== 'u32' || !file.metadata.has('imatrix.chunk_size')) {
    throw imatrixError('It lacks imatrix.datasets, imatrix.chunk_count or imatrix.chunk_size');
  }
  return { datasets: Array.from(datasets.value, String), chunkCount: chunkCount.value };
}

function checkValues(imatrix: Imatrix): void {
  for (const [name, values] of imatrix.entries) {
    if (!values.every(Number.isFinite)) {
      throw imatrixError(`The values of ${quoteName(name)} include NaN or an infinite one`);
    }
  }
}

/** `imatrix/invalid`. */
function imatrixError(what: string): StudioError {
  return new StudioError(
    'imatrix/invalid',
    `The importance matrix cannot be used. ${what}. Make it again with llama-imatrix.`,
  );
}
