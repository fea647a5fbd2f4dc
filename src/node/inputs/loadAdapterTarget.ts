import { targetOfGguf, targetOfModel, type AdapterTarget } from '../../core/engine/adapterTarget';
import type { GgufPart } from '../../core/engine/planQuantize';
import { installedModelFiles, OLLAMA_PREFIX } from './installedModel';
import { isGgufPath } from './loadBuildInputs';
import { readGgufFiles, readGgufParts } from './readGgufParts';
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
    return targetOfParts(path, await readGgufFiles(await installedModelFiles(path)));
  }
  if (await isGgufPath(path)) {
    return targetOfParts(path, await readGgufParts(path));
  }
  const { directory } = await resolveBasePath(path);
  const model = await loadHuggingFaceModel(directory);
  return { target: targetOfModel({ ...model, path }), folders: [directory], files: [] };
}

/** The base of an adapter from a GGUF, all parts of it. @param path as the user gave it */
export function targetOfParts(path: string, parts: readonly GgufPart[]): LoadedTarget {
  const metadata = parts[0]?.file.metadata;
  const target = targetOfGguf({
    path,
    value: (key) => {
      const value = metadata?.get(key)?.value;
      return typeof value === 'string' || typeof value === 'number' ? value : undefined;
    },
    tensors: new Map(parts.flatMap(({ file }) => file.tensors.map(({ name, shape }) => [name, shape] as const))),
  });
  return { target, folders: [], files: parts.map((part) => part.path) };
}
