import { readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { elementCount } from '../../core/formats/tensorRef';
import { readForViewing } from '../../core/viewer/readForViewing';
import { openFileSource, type FileSource } from '../files/fileSource';
import { resolveBasePath } from '../inputs/loadBasePath';
import { loadWeights } from '../inputs/loadWeights';
import type { BaseMatrix } from './adapterDeltas';
import { storedValues } from './compareValues';
import { CHUNK_VALUES, widenedType } from './tensorValues';

/** The weights of a base, by the names that adapters give them; close it. */
export interface AdapterBase {
  readonly path: string;
  find(target: string): BaseMatrix | undefined;
  close(): Promise<void>;
}

/** Opens the headers of a base: a Hugging Face folder, or a GGUF. */
export async function openBase(path: string, signal?: AbortSignal): Promise<AdapterBase> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && /\.gguf$/i.test(path)
    ? await openGguf(path, signal)
    : await openFolder(path, signal);
}

async function openGguf(path: string, signal: AbortSignal | undefined): Promise<AdapterBase> {
  const source = await openFileSource(path, { signal });
  const file = await readForViewing(source, basename(path), { signal });
  const indices = new Map(Array.from({ length: file.tensors.length }, (_, index) => [file.tensors.name(index), index]));
  return {
    path,
    find: (target) => {
      const index = indices.get(target);
      const values = index === undefined ? 'absent' : storedValues(source, file.tensors, index);
      return typeof values === 'string' ? undefined : matrix(values, file.tensors.shape(index!)[0] ?? 1);
    },
    close: () => source.close(),
  };
}

async function openFolder(path: string, signal: AbortSignal | undefined): Promise<AdapterBase> {
  const { directory } = await resolveBasePath(path);
  const { tensors } = await loadWeights(directory, await readdir(directory), signal);
  const sources = new Map<string, FileSource>();
  for (const file of new Set([...tensors.values()].map((tensor) => tensor.file))) {
    sources.set(file, await openFileSource(file, { signal }));
  }
  const bySuffix = new Map([...tensors].map(([name, tensor]) => [suffixOf(name), tensor]));
  return {
    path: directory,
    find: (target) => {
      const tensor = tensors.get(target) ?? bySuffix.get(suffixOf(target));
      const type = tensor === undefined ? undefined : widenedType(tensor.dtype);
      return tensor === undefined || type === undefined
        ? undefined
        : matrix(
            { source: sources.get(tensor.file)!, offset: tensor.offset, type, count: elementCount(tensor.shape) },
            tensor.shape.at(-1) ?? 1,
          );
    },
    close: async () => {
      await Promise.all([...sources.values()].map((source) => source.close()));
    },
  };
}

/** Families wrap their text model in different names; from the layer on they agree. */
function suffixOf(name: string): string {
  return /(?:^|\.)((?:layers|h|blocks)\.\d+\..*|embed_tokens\.\w+|lm_head\.\w+)$/.exec(name)?.[1] ?? name;
}

function matrix(values: BaseMatrix['values'], columns: number): BaseMatrix | undefined {
  return columns > 0 && columns <= CHUNK_VALUES ? { values, columns } : undefined;
}
