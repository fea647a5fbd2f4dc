import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { isAdapterWeights } from '../../core/artefacts/adapterFolder';
import { ADAPTER_CONFIG } from '../../core/artefacts/trainingFolders';
import { ARCHITECTURES } from '../../core/engine/architectures/architectures';
import { StudioError } from '../../core/errors';
import { isJsonObject, type Json, type JsonObject } from '../../core/json';
import { LIMITS } from '../../core/limits';
import type { AdapterFolderFacts, ModelFolderFacts, PathFacts } from '../../core/modelfile/workspaceFacts';
import { formatOf } from '../files/fileFormat';
import { ALWAYS_END, ggufFileFacts } from './ggufFacts';
import { loadAdapter } from '../inputs/loadAdapter';
import { filesOfModelFolder } from './modelfileFiles';
import { readModelJson, readModelText } from '../inputs/readModelFile';

const MODEL_WEIGHTS = /^model.*\.safetensors$/s;
/** Files that say what a folder is. */
const TELLING = /\.(?:json|jinja|safetensors|gguf|bin|pth|npz|model)$/i;

/** Changes whenever one of the folder's telling files does. */
export async function folderState(directory: string): Promise<string> {
  const names = (await readdir(directory).catch(() => [] as string[])).filter((name) => TELLING.test(name)).sort();
  const states = await Promise.all(
    names.map((name) =>
      stat(join(directory, name)).then(
        ({ size, mtimeMs }) => `${name} ${size} ${mtimeMs}`,
        () => name,
      ),
    ),
  );
  return states.join('\n');
}

/** What a folder of a Modelfile is; never throws. */
export async function folderFacts(directory: string): Promise<PathFacts> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const isAdapter = names.includes(ADAPTER_CONFIG) && !names.some((name) => MODEL_WEIGHTS.test(name));
  return isAdapter
    ? adapterFacts(directory, names)
    : { kind: 'model-folder', model: await modelFacts(directory, names) };
}

/** At most this many reasons are told. */
const MAX_REFUSALS = 2;

async function adapterFacts(directory: string, names: readonly string[]): Promise<PathFacts> {
  try {
    const { format, method, rank, alpha, scale, targets, baseName, weightsFile, refusals } =
      await loadAdapter(directory);
    const adapter: AdapterFolderFacts = {
      format,
      method,
      rank,
      alpha,
      scale,
      targets,
      baseName,
      weightsFile: relative(directory, weightsFile),
      refusals: refusals.slice(0, MAX_REFUSALS).map(({ message }) => message),
    };
    return { kind: 'adapter-folder', adapter };
  } catch (thrown) {
    const reason = !names.some(isAdapterWeights)
      ? `it has ${ADAPTER_CONFIG}, but no weights.`
      : thrown instanceof StudioError
        ? thrown.message
        : String(thrown);
    return { kind: 'broken-adapter', reason };
  }
}

async function modelFacts(directory: string, names: readonly string[]): Promise<ModelFolderFacts> {
  const found = await weightsOf(directory);
  const config = await json(directory, 'config.json');
  const tokenizer = await json(directory, 'tokenizer_config.json');
  const architectures = config?.['architectures'];
  const architecture =
    Array.isArray(architectures) && typeof architectures[0] === 'string' ? architectures[0] : undefined;
  const own = ownTemplate(tokenizer?.['chat_template']);
  const jinja = await readModelText(directory, 'chat_template.jinja', {
    limit: LIMITS.chatTemplateBytes,
    cut: true,
  }).catch(() => undefined);
  const special = await specialTokens(directory, tokenizer);
  return {
    ...found,
    architecture,
    ggufArchitecture: ARCHITECTURES.find(({ classes }) => architecture !== undefined && classes.includes(architecture))
      ?.name,
    hasConfig: names.includes('config.json'),
    quantisation: quantisation(config),
    contextLength: contextLength(config),
    bytes: await totalBytes(found.files),
    chatTemplate: own,
    separateChatTemplate: own === undefined ? jinja : undefined,
    endTokens: await endTokens(directory, tokenizer, special),
    specialTokens: [...special.values()],
    pointers: await pointers(found.files),
  };
}

interface FoundWeights extends Pick<ModelFolderFacts, 'weights' | 'gguf' | 'leavesFolder' | 'problem'> {
  readonly files: readonly string[];
}

/** The words with which Ollama says that it found nothing. */
const NOTHING_FOUND = 'no Modelfile or safetensors files found';

/** What Ollama finds in the folder, by its own rules. */
async function weightsOf(directory: string): Promise<FoundWeights> {
  const taken = await filesOfModelFolder(directory);
  if (!taken.ok) {
    const leavesFolder = taken.error.startsWith('insecure path');
    const isNothing = taken.error === NOTHING_FOUND;
    return {
      weights: isNothing ? 'none' : 'safetensors',
      leavesFolder,
      problem: leavesFolder || isNothing ? undefined : taken.error,
      files: [],
    };
  }
  const files = taken.files.filter((file) => /\.(?:safetensors|bin|pth|gguf)$/.test(file));
  const common = { leavesFolder: false, files };
  if (files.some((file) => file.endsWith('.safetensors'))) {
    return { ...common, weights: 'safetensors' };
  }
  const [first] = files;
  if (first === undefined) {
    return { ...common, weights: 'none' };
  }
  const format = await formatOf(first);
  if (/^(?:pytorch_model.*\.bin|consolidated.*\.pth)$/s.test(basename(first)) || format === 'pickle') {
    return { ...common, weights: 'pytorch' };
  }
  if (files.length > 1) {
    return { ...common, weights: 'gguf' };
  }
  return format === 'gguf' || first.endsWith('.gguf')
    ? { ...common, weights: 'gguf', gguf: { name: basename(first), facts: await ggufFileFacts(first) } }
    : { ...common, weights: format === 'lfs-pointer' ? 'gguf' : 'other' };
}

async function json(
  directory: string,
  name: string,
  limit: number = LIMITS.json.configBytes,
): Promise<JsonObject | undefined> {
  return readModelJson(directory, name, { limit }).catch(() => undefined);
}

/** A template, or the one called `default` of several. */
function ownTemplate(value: Json | undefined): string | undefined {
  if (!Array.isArray(value)) {
    return typeof value === 'string' && value !== '' ? value : undefined;
  }
  const entry = (value as readonly Json[]).find((one) => isJsonObject(one) && one['name'] === 'default');
  return isJsonObject(entry) && typeof entry['template'] === 'string' ? entry['template'] : undefined;
}

/** Ollama converts F32, F16, BF16 and FP8; what else packs weights into whole numbers is foreign to it. */
function quantisation(config: JsonObject | undefined): string | undefined {
  if (isJsonObject(config?.['quantization'])) {
    return 'mlx';
  }
  const settings = config?.['quantization_config'];
  const method = isJsonObject(settings) ? settings['quant_method'] : undefined;
  return typeof method === 'string' && !/fp8/i.test(method) ? method : undefined;
}

function contextLength(config: JsonObject | undefined): number | undefined {
  const text = config?.['text_config'];
  const value =
    config?.['max_position_embeddings'] ?? (isJsonObject(text) ? text['max_position_embeddings'] : undefined);
  return typeof value === 'number' ? value : undefined;
}

function tokenText(value: Json | undefined): string[] {
  const text = isJsonObject(value) ? value['content'] : value;
  return typeof text === 'string' && text !== '' ? [text] : [];
}

/** Added tokens by number: newer tokenizers list them in tokenizer.json only. */
async function specialTokens(
  directory: string,
  tokenizer: JsonObject | undefined,
): Promise<ReadonlyMap<number, string>> {
  const added = tokenizer?.['added_tokens_decoder'];
  if (isJsonObject(added)) {
    return new Map(
      Object.entries(added).flatMap(([id, token]) => tokenText(token).map((text) => [Number(id), text] as const)),
    );
  }
  const listed = (await json(directory, 'tokenizer.json', LIMITS.json.tokenizerBytes))?.['added_tokens'];
  const entries = Array.isArray(listed) ? (listed as readonly Json[]) : [];
  return new Map(
    entries.flatMap((token) =>
      isJsonObject(token) && typeof token['id'] === 'number'
        ? tokenText(token).map((text) => [token['id'] as number, text] as const)
        : [],
    ),
  );
}

/** Where generation ends by itself: the end token, those of generation_config.json, and what llama.cpp knows by its text. */
async function endTokens(
  directory: string,
  tokenizer: JsonObject | undefined,
  special: ReadonlyMap<number, string>,
): Promise<string[]> {
  const generation = (await json(directory, 'generation_config.json'))?.['eos_token_id'];
  const ids = (Array.isArray(generation) ? (generation as readonly Json[]) : [generation]).filter(
    (id) => typeof id === 'number',
  );
  const named = ids.flatMap((id) => special.get(id) ?? []);
  return [
    ...new Set([
      ...tokenText(tokenizer?.['eos_token']),
      ...named,
      ...[...special.values()].filter((text) => ALWAYS_END.has(text)),
    ]),
  ];
}

async function totalBytes(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        (stats) => stats.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function pointers(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    if ((await formatOf(file)) === 'lfs-pointer') {
      found.push(basename(file));
    }
  }
  return found;
}
