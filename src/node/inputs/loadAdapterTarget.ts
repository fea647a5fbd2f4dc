import { stat } from 'node:fs/promises';
import { targetOfGguf, targetOfModel, type AdapterTarget } from '../../core/engine/adapterTarget';
import { readGguf } from '../../core/formats/gguf/readGguf';
import type { GgufFile } from '../../core/formats/gguf/ggufTypes';
import { openFileSource } from '../files/fileSource';
import { installedModelFile, OLLAMA_PREFIX } from './installedModelFile';
import { resolveBasePath } from './loadBasePath';
import { loadHuggingFaceModel } from './loadHuggingFaceModel';

export interface LoadedTarget {
  readonly target: AdapterTarget;
  /** The folder or file that was read; an output must not be one of these. */
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/**
 * The base of an adapter from a path: a Hugging Face folder, the GGUF that was made from it, or `ollama:NAME`.
 * @throws StudioError input/…, model/…, gguf/…
 */
export async function loadAdapterTarget(path: string): Promise<LoadedTarget> {
  if (path.startsWith(OLLAMA_PREFIX)) {
    return await ofGguf(path, await installedModelFile(path));
  }
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true && /\.gguf$/i.test(path)) {
    return await ofGguf(path, path);
  }
  const { directory } = await resolveBasePath(path);
  const model = await loadHuggingFaceModel(directory);
  return { target: targetOfModel({ ...model, path }), folders: [directory], files: [] };
}

async function ofGguf(path: string, file: string): Promise<LoadedTarget> {
  const source = await openFileSource(file);
  const gguf = await readGguf(source, { path: file, arrays: 'skip' }).finally(() => source.close());
  return { target: targetOfGguf({ path, ...ggufFacts(gguf) }), folders: [], files: [file] };
}

function ggufFacts(gguf: GgufFile): Pick<Parameters<typeof targetOfGguf>[0], 'value' | 'tensors'> {
  return {
    value: (key) => {
      const value = gguf.metadata.get(key)?.value;
      return typeof value === 'string' || typeof value === 'number' ? value : undefined;
    },
    tensors: new Map(gguf.tensors.map(({ name, shape }) => [name, shape])),
  };
}
