import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ADAPTER_CONFIG } from '../core/artefacts/trainingFolders';
import { detectFormat, DETECTION_BYTES } from '../core/formats/detectFormat';
import { isJsonObject, type Json, type JsonObject } from '../core/json';
import { LIMITS } from '../core/limits';
import type { AdapterFolderFacts, ModelFolderFacts, PathFacts } from '../core/modelfile/workspaceFacts';
import { openFileSource } from './fileSource';
import { loadAdapter } from './loadAdapter';
import { readModelJson, readModelText } from './readModelFile';

/** The patterns by which Ollama finds weights in a folder, in its order. */
const WEIGHTS: readonly (readonly [RegExp, ModelFolderFacts['weights']])[] = [
  [/^model.*\.safetensors$/s, 'safetensors'],
  [/^consolidated.*\.safetensors$/s, 'safetensors'],
  [/^pytorch_model.*\.bin$/s, 'pytorch'],
  [/^consolidated.*\.pth$/s, 'pytorch'],
  [/\.gguf$/, 'gguf'],
  [/\.bin$/, 'gguf'],
];
const ADAPTER_WEIGHTS = /^(?:adapter_model|adapters|\d+_adapters)\.(?:safetensors|npz|bin)$/;

/** What a folder of a Modelfile is; never throws but for an aborted signal. */
export async function folderFacts(directory: string, signal: AbortSignal | undefined): Promise<PathFacts> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const isAdapter = names.includes(ADAPTER_CONFIG) && names.some((name) => ADAPTER_WEIGHTS.test(name)) && !names.some((name) => /^model.*\.safetensors$/s.test(name));
  if (isAdapter) {
    const adapter = await adapterFacts(directory, signal);
    if (adapter !== undefined) {
      return { kind: 'adapter-folder', adapter };
    }
  }
  return { kind: 'model-folder', model: await modelFacts(directory, names, signal) };
}

async function adapterFacts(directory: string, signal: AbortSignal | undefined): Promise<AdapterFolderFacts | undefined> {
  try {
    const { format, method, rank, alpha, scale, targets, baseName, weightsFile } = await loadAdapter(directory, { signal });
    return { format, method, rank, alpha, scale, targets, baseName, weightsFile: relative(directory, weightsFile) };
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

async function modelFacts(directory: string, names: readonly string[], signal: AbortSignal | undefined): Promise<ModelFolderFacts> {
  const found = WEIGHTS.map(([pattern, weights]) => ({ weights, files: names.filter((name) => pattern.test(name)) })).find(({ files }) => files.length > 0);
  const small = { signal, limit: LIMITS.json.configBytes };
  const config = await json(directory, 'config.json', small);
  const tokenizer = await json(directory, 'tokenizer_config.json', small);
  const jinja = await readModelText(directory, 'chat_template.jinja', { signal, limit: LIMITS.chatTemplateBytes, cut: true }).catch(() => undefined);
  const architectures = config?.['architectures'];
  const tokens = specialTokens(tokenizer) ?? (await addedTokens(directory, signal));
  return {
    weights: found?.weights ?? 'none',
    architecture: Array.isArray(architectures) && typeof architectures[0] === 'string' ? architectures[0] : undefined,
    hasConfig: names.includes('config.json'),
    contextLength: contextLength(config),
    bytes: await totalBytes(directory, found?.files ?? []),
    chatTemplate: typeof tokenizer?.['chat_template'] === 'string' ? tokenizer['chat_template'] : jinja,
    endTokens: tokenText(tokenizer?.['eos_token']),
    specialTokens: tokens,
    leavesFolder: await leavesFolder(directory, found?.files ?? []),
    pointers: await pointers(directory, found?.files ?? [], signal),
  };
}

async function json(directory: string, name: string, options: { readonly signal: AbortSignal | undefined; readonly limit: number }): Promise<JsonObject | undefined> {
  return readModelJson(directory, name, options).catch(() => undefined);
}

function contextLength(config: JsonObject | undefined): number | undefined {
  const text = config?.['text_config'];
  const value = config?.['max_position_embeddings'] ?? (isJsonObject(text) ? text['max_position_embeddings'] : undefined);
  return typeof value === 'number' ? value : undefined;
}

function tokenText(value: Json | undefined): string[] {
  const text = isJsonObject(value) ? value['content'] : value;
  return typeof text === 'string' && text !== '' ? [text] : [];
}

function specialTokens(tokenizer: JsonObject | undefined): string[] | undefined {
  const added = tokenizer?.['added_tokens_decoder'];
  return isJsonObject(added) ? Object.values(added).flatMap(tokenText) : undefined;
}

const TOKENIZER = 'tokenizer.json';
/** Read once for each state of the file: it can have tens of megabytes. */
const tokenizers = new Map<string, { readonly state: string; readonly tokens: Promise<string[]> }>();

/** Newer tokenizers list their added tokens in tokenizer.json only. */
async function addedTokens(directory: string, signal: AbortSignal | undefined): Promise<string[]> {
  const stats = await stat(join(directory, TOKENIZER)).catch(() => undefined);
  if (stats === undefined) {
    return [];
  }
  const state = `${stats.size} ${stats.mtimeMs}`;
  const known = tokenizers.get(directory);
  if (known?.state === state) {
    return known.tokens;
  }
  const tokens = json(directory, TOKENIZER, { signal, limit: LIMITS.json.tokenizerBytes }).then((tokenizer) => {
    const added = tokenizer?.['added_tokens'];
    return Array.isArray(added) ? (added as readonly Json[]).flatMap(tokenText) : [];
  });
  tokenizers.clear();
  tokenizers.set(directory, { state, tokens });
  return tokens;
}

async function totalBytes(directory: string, files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map((name) => stat(join(directory, name)).then((stats) => stats.size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Ollama follows every link and refuses what then lies outside of the path that FROM names. */
async function leavesFolder(directory: string, files: readonly string[]): Promise<boolean> {
  for (const name of files) {
    const real = await realpath(join(directory, name)).catch(() => undefined);
    const path = real === undefined ? '' : relative(directory, real);
    if (path === '..' || path.startsWith(`..${sep}`)) {
      return true;
    }
  }
  return false;
}

async function pointers(directory: string, files: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
  const found: string[] = [];
  for (const name of files) {
    if ((await formatOf(join(directory, name), signal)) === 'lfs-pointer') {
      found.push(name);
    }
  }
  return found;
}

/** The format of a file by its first bytes; undefined where it cannot be read. */
export async function formatOf(path: string, signal: AbortSignal | undefined): Promise<ReturnType<typeof detectFormat> | undefined> {
  try {
    const source = await openFileSource(path, { signal });
    try {
      const first = new Uint8Array(Math.min(DETECTION_BYTES, source.size));
      const length = await source.read(0, first);
      return detectFormat(first.subarray(0, length), source.size, path);
    } finally {
      await source.close();
    }
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}
