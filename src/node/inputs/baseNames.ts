import { stat } from 'node:fs/promises';
import { readGguf } from '../../core/formats/gguf/readGguf';
import type { GgufMetadata } from '../../core/formats/gguf/ggufTypes';
import { readModelCard } from '../../core/formats/huggingface/modelCard';
import type { Json, JsonObject } from '../../core/json';
import { LIMITS } from '../../core/limits';
import { openFileSource } from '../files/fileSource';
import { readModelJson, readModelText } from './readModelFile';

const README_BYTES = 1024 * 1024;

/** Names of repositories that a model's (and its adapter's) files give for what it began from, the surest first. What cannot be read names nothing. */
export async function baseNames(
  path: string,
  adapter: string | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const ofAdapter = adapter === undefined ? [] : await adapterBaseNames(adapter, signal);
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  return [...ofAdapter, ...(isFolder ? await ofFolder(path, signal) : await ofGguf(path, signal))];
}

/** The base that an adapter's configuration names. */
export async function adapterBaseNames(adapter: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const config = await json(adapter, 'adapter_config.json', signal);
  return filled([config?.['base_model_name_or_path'], config?.['model']]);
}

/** What config.json and the front matter of a model card name. */
export function folderBaseNames(config: JsonObject | undefined, card: string | undefined): readonly string[] {
  const bases = card === undefined ? undefined : readModelCard(card).get('base_model');
  return filled([config?.['_name_or_path'], typeof bases === 'string' ? bases : bases?.[0]]);
}

function filled(names: readonly (Json | undefined)[]): string[] {
  return names.filter((name): name is string => typeof name === 'string' && name !== '');
}

async function ofFolder(path: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const card = await readModelText(path, 'README.md', { signal, limit: README_BYTES, cut: true }).catch(
    () => undefined,
  );
  return folderBaseNames(await json(path, 'config.json', signal), card);
}

async function ofGguf(path: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  try {
    const source = await openFileSource(path, { signal });
    try {
      return ggufBaseNames((await readGguf(source, { signal, arrays: 'skip' })).metadata);
    } finally {
      await source.close();
    }
  } catch {
    return [];
  }
}

/** What the metadata of a GGUF names. */
export function ggufBaseNames(metadata: GgufMetadata): readonly string[] {
  const text = (key: string): string | undefined => {
    const value = metadata.get(key);
    return value?.type === 'string' ? value.value : undefined;
  };
  const [basename, size, finetune] = ['basename', 'size_label', 'finetune'].map((key) => text(`general.${key}`));
  return filled([
    text('general.base_model.0.repo_url'),
    // As converters take names apart: Qwen3 · 0.6B · Instruct.
    basename === undefined || size === undefined
      ? undefined
      : [basename, size, finetune].filter((part) => part !== undefined && part !== '').join('-'),
  ]);
}

async function json(directory: string, name: string, signal: AbortSignal | undefined): Promise<JsonObject | undefined> {
  return await readModelJson(directory, name, { signal, limit: LIMITS.json.configBytes }).catch(() => undefined);
}
