import { append } from '../../core/append';
import { stat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Kernels } from '../../core/engine/kernels/kernels';
import { storedType, storedRowBytes } from '../../core/engine/storedMatrix';
import type { StoredType } from '../../core/engine/buildPlan';
import { StudioError, throwIfAborted, toStudioError, type ErrorJson } from '../../core/errors';
import { readFully } from '../../core/bytes';
import { detectFormat } from '../../core/formats/detectFormat';
import { GGML_TYPES } from '../../core/formats/gguf/ggmlTypes';
import { checkGgufMetadata } from '../../core/formats/gguf/checkGgufMetadata';
import { readGguf } from '../../core/formats/gguf/readGguf';
import { readSafetensorsHeader } from '../../core/formats/safetensors/readSafetensors';
import { checkModelGguf } from '../../core/formats/gguf/checkModelGguf';
import { openFileSource, type FileSource } from '../files/fileSource';

export interface VerifiedFile {
  readonly path: string;
  readonly ok: boolean;
  readonly format?: 'gguf' | 'safetensors';
  readonly tensors?: number;
  readonly bytes?: number;
  /** Types whose values cannot be looked at here, such as IQ2_XS; integers are none of them. */
  readonly unreadTypes?: readonly string[];
  readonly problems: readonly ErrorJson[];
}

interface Span {
  readonly name: string;
  readonly type: StoredType;
  readonly offset: number;
  readonly count: number;
}

const CHUNK = 4 * 1024 * 1024;
/** Types that have no NaN. */
const INTEGERS: ReadonlySet<string> = new Set(['I8', 'I16', 'I32', 'I64', 'U8', 'U16', 'U32', 'U64', 'BOOL']);

/** Files that `verify` looks at: the path itself, or the weights in a folder. */
export async function filesToVerify(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    return [path];
  }
  const names = (await readdir(path)).filter((name) => /\.(gguf|safetensors)$/i.test(name)).sort();
  if (names.length === 0) {
    throw new StudioError(
      'input/unrecognised',
      `${path} holds no .gguf or .safetensors file. Pass the file, or the folder that has it.`,
      { path },
    );
  }
  return names.map((name) => join(path, name));
}

/** Rereads a file strictly and looks at every value for NaN and infinity. */
export async function verifyFile(path: string, signal?: AbortSignal): Promise<VerifiedFile> {
  try {
    const source = await openFileSource(path);
    try {
      return await verifySource(source, path, signal);
    } finally {
      await source.close();
    }
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'run/cancelled') {
      throw error;
    }
    return { path, ok: false, problems: [error.at(path).toJSON()] };
  }
}

async function verifySource(source: FileSource, path: string, signal: AbortSignal | undefined): Promise<VerifiedFile> {
  const head = new Uint8Array(Math.min(512, source.size));
  await readFully(source, 0, head);
  const problems: StudioError[] = [];
  if (detectFormat(head, source.size, path) === 'safetensors') {
    const header = await readSafetensorsHeader(source, { path });
    const spans = [...header.tensors.values()].flatMap((tensor): Span[] => {
      const type = storedType(tensor.dtype);
      return type === undefined
        ? []
        : [{ name: tensor.name, type, offset: tensor.offset, count: tensor.bytes / storedRowBytes(type, 1) }];
    });
    const exotic = [...header.tensors.values()]
      .map(({ dtype }) => dtype)
      .filter((dtype) => storedType(dtype) === undefined);
    const unreadTypes = [
      ...new Set([
        ...exotic.filter((dtype) => !INTEGERS.has(dtype)),
        ...(await scan(source, spans, 'safetensors/values', problems, signal)),
      ]),
    ];
    return {
      path,
      ok: problems.length === 0,
      format: 'safetensors',
      tensors: header.tensors.size,
      bytes: source.size,
      ...(unreadTypes.length === 0 ? {} : { unreadTypes }),
      problems: problems.map((problem) => problem.at(path).toJSON()),
    };
  }
  const file = await readGguf(source, { path });
  checkGgufMetadata(file.metadata, (problem) => {
    problems.push(problem);
  });
  append(problems, checkModelGguf(file));
  const spans = file.tensors.map((tensor): Span => ({
    name: tensor.name,
    type: tensor.type,
    offset: file.dataOffset + tensor.offset,
    count: tensor.shape.reduce((product, dimension) => product * dimension, 1),
  }));
  const unreadTypes = await scan(source, spans, 'gguf/values', problems, signal);
  return {
    path,
    ok: problems.length === 0,
    format: 'gguf',
    tensors: file.tensors.length,
    bytes: source.size,
    ...(unreadTypes.length === 0 ? {} : { unreadTypes }),
    problems: problems.map((problem) => problem.at(path).toJSON()),
  };
}

/** Looks at every value; returns the types that it cannot look at. */
async function scan(
  source: FileSource,
  spans: readonly Span[],
  code: 'gguf/values' | 'safetensors/values',
  problems: StudioError[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const kernels = await Kernels.instantiate(CHUNK + 2 * 1024 * 1024);
  const unread = new Set<string>();
  for (const span of spans) {
    throwIfAborted(signal);
    if (!kernels.canValidate(span.type)) {
      if (!INTEGERS.has(span.type)) {
        unread.add(span.type);
      }
      continue;
    }
    const block = span.type in GGML_TYPES ? GGML_TYPES[span.type as keyof typeof GGML_TYPES].block : 1;
    const blockBytes = storedRowBytes(span.type, block);
    const perChunk = Math.floor(CHUNK / blockBytes);
    const blocks = span.count / block;
    for (let first = 0; first < blocks; first += perChunk) {
      const count = Math.min(perChunk, blocks - first);
      await readFully(
        source,
        span.offset + first * blockBytes,
        new Uint8Array(kernels.memory.buffer, kernels.heapBase, count * blockBytes),
      );
      const bad = kernels.firstInvalidBlock(span.type, kernels.heapBase, count * block);
      if (bad >= 0) {
        problems.push(
          new StudioError(
            code,
            `${span.name} holds NaN or infinite values (from value ${(first + bad) * block} on). The training run diverged or the file is damaged: make it again from an earlier checkpoint.`,
            { detail: { tensor: span.name } },
          ),
        );
        break;
      }
      throwIfAborted(signal);
    }
  }
  return [...unread].sort();
}
