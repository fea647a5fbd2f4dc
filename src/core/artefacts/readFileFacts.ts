import { INDEX_FILE } from '../formats/safetensors/weightFiles';
import { type ShardIndex, readShardIndex } from '../formats/safetensors/shardIndex';
import { readBytes, readFully, type ByteSource } from '../bytes';
import { StudioError, throwIfAborted, toStudioError } from '../errors';
import { detectFormat, DETECTION_BYTES } from '../formats/detectFormat';
import { lfsPointerError, pickleError } from '../formats/foreignFile';
import { readNpz } from '../formats/readNpz';
import type { TensorRef } from '../formats/tensorRef';
import { parseLfsPointer } from '../formats/lfsPointer';
import { describeGguf } from '../formats/gguf/readGguf';
import type { GgufDescription } from '../formats/gguf/ggufTypes';
import { describeSafetensors } from '../formats/safetensors/readSafetensors';
import type { SafetensorsDescription } from '../formats/safetensors/safetensorsTypes';
import type { Json } from '../json';
import { LIMITS } from '../limits';
import { parseStrictJson } from '../strictJson';
import { hasValidationLoss, isTrainingLog, LOG_BYTES } from './mlxLog';
import type { ArtefactFiles, ListedEntry } from './artefactFiles';

/** What the first bytes of a file, or its header, tell. */
export type FileFacts =
  | { readonly format: 'safetensors'; readonly description: SafetensorsDescription }
  | { readonly format: 'gguf'; readonly description: GgufDescription }
  /** `text`: the first bytes as Latin-1, for traces of the tools that wrote it. */
  | { readonly format: 'pickle'; readonly text: string; readonly error: StudioError }
  | { readonly format: 'lfs-pointer'; readonly error: StudioError }
  /** Arrays of mlx as NumPy keeps them. */
  | { readonly format: 'npz'; readonly tensors: ReadonlyMap<string, TensorRef> }
  | { readonly format: 'json'; readonly value: Json }
  | { readonly format: 'shard-index'; readonly index: ShardIndex }
  | { readonly format: 'text'; readonly text: string }
  | { readonly format: 'imatrix-legacy' }
  | { readonly format: 'unreadable'; readonly error: StudioError }
  | { readonly format: 'unknown' };

/** How much of a file is looked at: its header, all of a JSON file, or its first bytes as text. */
export type Reading = 'header' | 'json' | 'index' | 'text' | 'log' | 'pointer';

/** Bytes of the first read: what detection needs, and the whole header of most adapters' smaller kin. */
export const FIRST_BYTES = 4096;
const TEXT_BYTES = 64 * 1024;
/** A JSON file of a training run; trainer states grow with the run. */
const JSON_BYTES = LIMITS.json.configBytes;
/** A pointer file is never longer. */
export const POINTER_BYTES = 1024;

const READ_WHOLE = new Set([
  'config.json',
  'adapter_config.json',
  'trainer_state.json',
  'tokenizer_config.json',
  'chat_template.json',
  'modules.json',
]);
const READ_TEXT = new Set(['README.md', 'chat_template.jinja']);
const TOKENIZERS = new Set(['tokenizer.json', 'tokenizer.model', 'vocab.json']);

/** How a scan reads the file of this name; undefined when it is not opened at all. */
export function readingOf(name: string, bytes: number): Reading | undefined {
  if (READ_WHOLE.has(name) || name.endsWith('.build.json')) {
    return 'json';
  }
  if (name === INDEX_FILE) {
    return 'index';
  }
  if (READ_TEXT.has(name)) {
    return 'text';
  }
  if (isTrainingLog(name)) {
    return 'log';
  }
  if (
    /\.(?:gguf|safetensors|npz|bin|pt|pth|ckpt|pkl|pickle|dat)$/i.test(name) ||
    /imatrix/i.test(name) ||
    /^sha256[-:][0-9a-f]{64}$/.test(name)
  ) {
    return 'header';
  }
  return TOKENIZERS.has(name) && bytes < POINTER_BYTES ? 'pointer' : undefined;
}

export interface ReadFactsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest safetensors header that is read, in bytes. */
  readonly headerLimit?: number | undefined;
  /** {@link FIRST_BYTES} of scratch memory, so that a scan of many files does not allocate them for each. */
  readonly buffer?: Uint8Array | undefined;
}

/** Opens a file and reads its facts; that it cannot be opened is one as well. Throws only when cancelled. */
export async function openFileFacts(
  files: ArtefactFiles,
  path: string,
  name: string,
  reading: Reading,
  options: ReadFactsOptions & { readonly listed?: ListedEntry | undefined },
): Promise<FileFacts> {
  throwIfAborted(options.signal);
  try {
    const source = await files.open(path, options.listed);
    return await readFileFacts(source, name, reading, { ...options, path }).finally(() => source.close());
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'run/cancelled') {
      throw error;
    }
    return { format: 'unreadable', error: error.at(path) };
  }
}

/** Reads what {@link Reading} says of a file, and never throws but when cancelled: what is wrong is a fact as well. */
export async function readFileFacts(
  source: ByteSource,
  name: string,
  reading: Reading,
  options: ReadFactsOptions & { readonly path: string },
): Promise<FileFacts> {
  try {
    const first =
      options.buffer === undefined
        ? new Uint8Array(Math.min(FIRST_BYTES, source.size))
        : options.buffer.subarray(0, Math.min(FIRST_BYTES, source.size));
    await readFully(source, 0, first);
    const pointer = parseLfsPointer(first, source.size);
    if (pointer !== undefined) {
      return { format: 'lfs-pointer', error: lfsPointerError(pointer.size, options.path) };
    }
    if (reading === 'pointer') {
      return { format: 'unknown' };
    }
    if (reading === 'text') {
      return { format: 'text', text: new TextDecoder().decode(await head(source, first, TEXT_BYTES)) };
    }
    if (reading === 'log') {
      return await readLog(source, first);
    }
    if (reading === 'json') {
      return { format: 'json', value: await readJson(source, first, options.path) };
    }
    if (reading === 'index') {
      refuseLarge(source.size, LIMITS.safetensors.headerBytes, options.path);
      const bytes = await head(source, first, LIMITS.safetensors.headerBytes);
      return { format: 'shard-index', index: readShardIndex(bytes, options.path) };
    }
    return await readHeader(headSource(source, first), name, first, options);
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'run/cancelled') {
      throw error;
    }
    return { format: 'unreadable', error: error.at(options.path) };
  }
}

async function readHeader(
  source: ByteSource,
  name: string,
  first: Uint8Array,
  options: ReadFactsOptions & { readonly path: string },
): Promise<FileFacts> {
  const { path, signal } = options;
  const format = detectFormat(first.subarray(0, DETECTION_BYTES), source.size, name);
  if (format === 'pickle') {
    // Only training arguments name the tool that wrote them.
    return {
      format,
      text: name === 'training_args.bin' ? new TextDecoder('latin1').decode(first) : '',
      error: pickleError(path),
    };
  }
  if (format === 'imatrix-legacy') {
    return { format };
  }
  if (format === 'gguf' || (format !== 'safetensors' && /\.gguf$/i.test(name))) {
    return { format: 'gguf', description: await describeGguf(source, { path, signal, arrays: 'skip' }) };
  }
  if (format === 'safetensors' || /\.safetensors$/i.test(name)) {
    refuseLongHeader(first, options.headerLimit, path);
    return { format: 'safetensors', description: await describeSafetensors(source, { path, signal }) };
  }
  if (/\.npz$/i.test(name)) {
    return { format: 'npz', tensors: await readNpz(source, { path, signal }) };
  }
  return { format: 'unknown' };
}

/** Headers of a hundred megabytes are legal, but take seconds: a scan of many files leaves them to be inspected alone. */
function refuseLongHeader(first: Uint8Array, limit: number | undefined, path: string): void {
  if (limit === undefined || first.length < 8) {
    return;
  }
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > BigInt(limit) && length <= BigInt(LIMITS.safetensors.headerBytes)) {
    throw new StudioError(
      'safetensors/header-size',
      `The header takes ${length} bytes, too many to read while scanning. Inspect the file by itself.`,
      { path, detail: { length: length.toString() } },
    );
  }
}

/** A log in which mlx-lm's validation stands, whole; it begins with one, so that other logs are not read on. */
async function readLog(source: ByteSource, first: Uint8Array): Promise<FileFacts> {
  const start = new TextDecoder().decode(await head(source, first, TEXT_BYTES));
  if (source.size > LOG_BYTES || !hasValidationLoss(start)) {
    return { format: 'unknown' };
  }
  return {
    format: 'text',
    text: source.size <= TEXT_BYTES ? start : new TextDecoder().decode(await head(source, first, LOG_BYTES)),
  };
}

async function readJson(source: ByteSource, first: Uint8Array, path: string): Promise<Json> {
  refuseLarge(source.size, JSON_BYTES, path);
  // Python's json module writes NaN and Infinity, and trainer states have them.
  return parseStrictJson(await head(source, first, JSON_BYTES), { path, pythonLiterals: true });
}

function refuseLarge(bytes: number, limit: number, path: string): void {
  if (bytes > limit) {
    throw new StudioError(
      'json/too-large',
      `The file has ${bytes} bytes, more than the ${limit} that such a file can have. Check that it is the file that its name says.`,
      { path, detail: { bytes } },
    );
  }
}

async function head(source: ByteSource, first: Uint8Array, limit: number): Promise<Uint8Array> {
  return source.size <= first.length ? first : await readBytes(source, 0, Math.min(limit, source.size));
}

/** The source with its first bytes at hand, so that they are not read twice. */
function headSource(source: ByteSource, first: Uint8Array): ByteSource {
  return {
    size: source.size,
    read(offset, target) {
      if (offset >= first.length) {
        return source.read(offset, target);
      }
      const part = first.subarray(offset, Math.min(first.length, offset + target.length));
      target.set(part);
      return Promise.resolve(part.length);
    },
  };
}
