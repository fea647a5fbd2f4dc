// What a build is planned from, read once: a base of any form and adapters, with the state of their files at that moment.
import { stat } from 'node:fs/promises';
import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import type { GgufPart } from '../../core/engine/planQuantize';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import { formatOf } from '../files/fileFormat';
import { identify, identityText } from '../files/inputIdentity';
import { installedModelFiles, OLLAMA_PREFIX } from './installedModel';
import { loadAdapter } from './loadAdapter';
import { resolveBasePath } from './loadBasePath';
import { loadHuggingFaceModel } from './loadHuggingFaceModel';
import { readGgufFiles, readGgufParts } from './readGgufParts';

/** An adapter as the user names it. */
export interface AdapterRequest {
  readonly path: string;
  readonly weight: number;
}

/** A base that was read: headers and configuration, no weights. */
export type BuildBase =
  | { readonly kind: 'folder'; readonly model: ModelFolder; readonly directory: string }
  /** A GGUF, or the parts of a split one. */
  | { readonly kind: 'gguf'; readonly parts: readonly GgufPart[] };

/** What files were when their headers were read, by path. */
export type InputStates = ReadonlyMap<string, string>;

export interface BuildInputs {
  readonly base: BuildBase;
  readonly adapters: readonly WeightedAdapter[];
  /** The folders that were read from. */
  readonly folders: readonly string[];
  readonly states: InputStates;
}

/**
 * Reads a base: `ollama:NAME`, a GGUF (by its name or its first bytes), else a Hugging Face folder or a file in one.
 * @throws StudioError input/…, model/…, gguf/…, ollama/…
 */
export async function loadBuildBase(base: string, signal?: AbortSignal): Promise<BuildBase> {
  if (base.startsWith(OLLAMA_PREFIX)) {
    return { kind: 'gguf', parts: await readGgufFiles(await installedModelFiles(base, signal)) };
  }
  if (await isGgufPath(base)) {
    return { kind: 'gguf', parts: await readGgufParts(base) };
  }
  return await loadFolder(base, signal);
}

/** A Hugging Face folder, or what a file in it or a training output stands for. */
export async function loadFolder(path: string, signal?: AbortSignal): Promise<Extract<BuildBase, { kind: 'folder' }>> {
  const { directory, takenBecause } = await resolveBasePath(path);
  const model = { ...(await loadHuggingFaceModel(directory, { signal })), path, takenBecause };
  return { kind: 'folder', directory, model };
}

/** By its name; a file of another name by its first bytes, for the files of Ollama's store have no ending. */
export async function isGgufPath(path: string): Promise<boolean> {
  if (/\.gguf$/i.test(path)) {
    return true;
  }
  const isFile = await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
  return isFile && (await formatOf(path)) === 'gguf';
}

export async function loadAdapters(
  adapters: readonly AdapterRequest[],
  signal?: AbortSignal,
): Promise<WeightedAdapter[]> {
  const loaded: WeightedAdapter[] = [];
  for (const { path, weight } of adapters) {
    loaded.push({ adapter: await loadAdapter(path, { signal }), weight });
  }
  return loaded;
}

/** A base and adapters that were just read, as the inputs of one or several builds. */
export async function buildInputs(base: BuildBase, adapters: readonly WeightedAdapter[]): Promise<BuildInputs> {
  const own =
    base.kind === 'folder'
      ? [...base.model.tensors.values()].map(({ file }) => file)
      : base.parts.map(({ path }) => path);
  return {
    base,
    adapters,
    folders: [...(base.kind === 'folder' ? [base.directory] : []), ...adapters.map(({ adapter }) => adapter.directory)],
    states: await statesOf([
      ...own,
      ...adapters.flatMap(({ adapter }) => [...adapter.tensors.values()].map(({ file }) => file)),
    ]),
  };
}

/** The states of files now. */
export async function statesOf(paths: Iterable<string>): Promise<InputStates> {
  const states = new Map<string, string>();
  for (const path of new Set(paths)) {
    states.set(path, identityText(await identify(path)));
  }
  return states;
}
