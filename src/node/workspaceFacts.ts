import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StudioError } from '../core/errors';
import { matchAdapterToBase } from '../core/formats/adapters/matchBase';
import { canonicalTensorName } from '../core/formats/adapters/tensorNames';
import { describeGguf } from '../core/formats/gguf/readGguf';
import type { GgufDescription } from '../core/formats/gguf/ggufTypes';
import type { InstalledModelFacts, PathFacts, PathSuggestion, WorkspaceFacts } from '../core/modelfile/workspaceFacts';
import { openFileSource } from './fileSource';
import { ggufFacts } from './ggufFacts';
import { loadAdapter } from './loadAdapter';
import { loadHuggingFaceModel } from './loadHuggingFaceModel';
import { folderFacts, formatOf } from './modelFolderFacts';
import { expandModelfilePath } from './modelfileFiles';
import type { OllamaFacts } from './ollamaFacts';
import { systemCode } from './systemError';

export interface NodeWorkspaceFactsOptions {
  /** Folder of the Modelfile: paths are relative to it. */
  readonly directory: string;
  /** False in an untrusted workspace: no file is touched and no server asked. */
  readonly isTrusted: boolean;
  readonly ollama?: OllamaFacts | undefined;
  /** Set by the user, in place of what the server says. */
  readonly ollamaVersion?: string | undefined;
}

/** Beyond these many entries a folder is not offered for completion in full. */
const MAX_SUGGESTIONS = 500;
const DEVICE_NAMES = /^(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:[. ]|$)/i;
const UNKNOWN: PathFacts = { kind: 'unknown', remote: false };
const REMOTE: PathFacts = { kind: 'unknown', remote: true };

/** Paths that are never opened: network shares, device names, URLs, and the devices of Unix. */
export function isUntouchable(path: string): boolean {
  const last = path.split(/[\\/]/).at(-1) ?? '';
  return /^[\\/]{2}/.test(path) || /^[a-z][a-z0-9+.-]*:\/\//i.test(path) || /^\/(?:dev|proc|sys)(?:\/|$)/.test(path) || DEVICE_NAMES.test(last);
}

/** What is remembered of a file, for as long as its size and time stay the same. */
const remembered = new Map<string, { readonly state: string; readonly facts: Promise<PathFacts> }>();
const MAX_REMEMBERED = 200;

/** The facts around one Modelfile, from the file system and an Ollama. */
export class NodeWorkspaceFacts implements WorkspaceFacts {
  constructor(private readonly options: NodeWorkspaceFactsOptions) {}

  async path(path: string, signal?: AbortSignal): Promise<PathFacts> {
    if (!this.options.isTrusted) {
      return UNKNOWN;
    }
    if (isUntouchable(path)) {
      return REMOTE;
    }
    try {
      return await factsAt(await expandModelfilePath(path, this.options.directory), signal);
    } catch {
      signal?.throwIfAborted();
      return UNKNOWN;
    }
  }

  async adapterMisfits(adapter: string, base: string, signal?: AbortSignal): Promise<readonly string[]> {
    if (!this.options.isTrusted || isUntouchable(adapter) || isUntouchable(base)) {
      return [];
    }
    try {
      const [adapterPath, basePath] = await Promise.all([adapter, base].map((path) => expandModelfilePath(path, this.options.directory)));
      return await misfits(adapterPath ?? '', basePath ?? '', signal);
    } catch {
      signal?.throwIfAborted();
      return [];
    }
  }

  async suggestPaths(prefix: string, signal?: AbortSignal): Promise<readonly PathSuggestion[]> {
    if (!this.options.isTrusted || isUntouchable(prefix)) {
      return [];
    }
    const shown = prefix.slice(0, Math.max(prefix.lastIndexOf('/'), prefix.lastIndexOf('\\')) + 1);
    try {
      const folder = await expandModelfilePath(shown, this.options.directory);
      return await suggestions(folder, shown, signal);
    } catch {
      signal?.throwIfAborted();
      return [];
    }
  }

  installedModels(signal?: AbortSignal): Promise<readonly string[] | undefined> {
    return this.ollama?.models(signal) ?? Promise.resolve(undefined);
  }

  installedModel(name: string, signal?: AbortSignal): Promise<InstalledModelFacts | undefined> {
    return this.ollama?.model(name, signal) ?? Promise.resolve(undefined);
  }

  ollamaVersion(signal?: AbortSignal): Promise<string | undefined> {
    const { ollamaVersion } = this.options;
    return ollamaVersion !== undefined ? Promise.resolve(ollamaVersion) : (this.ollama?.version(signal) ?? Promise.resolve(undefined));
  }

  private get ollama(): OllamaFacts | undefined {
    return this.options.isTrusted ? this.options.ollama : undefined;
  }
}

async function factsAt(path: string, signal: AbortSignal | undefined): Promise<PathFacts> {
  const stats = await stat(path).catch((thrown: unknown) => {
    const code = systemCode(thrown);
    if (code === 'ENOENT') {
      return undefined;
    }
    throw thrown;
  });
  if (stats === undefined) {
    return { kind: 'absent' };
  }
  if (stats.isDirectory()) {
    return folderFacts(path, signal);
  }
  if (!stats.isFile()) {
    return { kind: 'other-file', reason: 'it is no regular file.' };
  }
  const state = `${stats.size} ${stats.mtimeMs} ${stats.ino}`;
  const known = remembered.get(path);
  if (known?.state === state) {
    return known.facts;
  }
  const facts = fileFacts(path, signal);
  if (remembered.size >= MAX_REMEMBERED) {
    remembered.clear();
  }
  remembered.set(path, { state, facts });
  facts.catch(() => remembered.delete(path));
  return facts;
}

async function fileFacts(path: string, signal: AbortSignal | undefined): Promise<PathFacts> {
  switch (await formatOf(path, signal)) {
    case 'gguf':
      return ggufFileFacts(path, signal);
    case 'lfs-pointer':
      return { kind: 'lfs-pointer' };
    case 'safetensors':
      return { kind: 'safetensors-file' };
    case 'pickle':
      return { kind: 'pickle' };
    case 'empty':
      return { kind: 'bad-gguf', truncated: true, reason: 'it is empty.' };
    default:
      return /\.safetensors$/i.test(path) ? { kind: 'safetensors-file' } : { kind: 'other-file' };
  }
}

async function ggufFileFacts(path: string, signal: AbortSignal | undefined): Promise<PathFacts> {
  const source = await openFileSource(path, { signal });
  try {
    const file = await describeGguf(source, { signal });
    const truncated = file.problems.find(({ code }) => code === 'gguf/truncated');
    return truncated === undefined ? { kind: 'gguf', gguf: ggufFacts(file) } : { kind: 'bad-gguf', truncated: true, reason: truncated.message };
  } catch (thrown) {
    signal?.throwIfAborted();
    const reason = thrown instanceof StudioError ? thrown.message : String(thrown);
    return { kind: 'bad-gguf', truncated: thrown instanceof StudioError && thrown.code === 'gguf/truncated', reason };
  } finally {
    await source.close();
  }
}

/** At most this many differences are told. */
const MAX_MISFITS = 3;

async function misfits(adapterPath: string, basePath: string, signal: AbortSignal | undefined): Promise<string[]> {
  const [adapterIsFolder, baseIsFolder] = await Promise.all([adapterPath, basePath].map(async (path) => (await stat(path)).isDirectory()));
  if (adapterIsFolder === true && baseIsFolder === true) {
    const adapter = await loadAdapter(adapterPath, { signal });
    const base = await loadHuggingFaceModel(basePath, { signal });
    const shapes = new Map([...base.tensors].map(([name, tensor]) => [canonicalTensorName(name), { shape: tensor.shape }]));
    return matchAdapterToBase(adapter, shapes).problems.slice(0, MAX_MISFITS).map((problem) => problem.message);
  }
  if (adapterIsFolder === true) {
    return folderAgainstGguf(await loadAdapter(adapterPath, { signal }), await header(basePath, signal));
  }
  return baseIsFolder === true ? [] : ggufAgainstGguf(await header(adapterPath, signal), await header(basePath, signal));
}

async function header(path: string, signal: AbortSignal | undefined): Promise<GgufDescription> {
  const source = await openFileSource(path, { signal });
  return describeGguf(source, { signal, arrays: 'skip' }).finally(() => source.close());
}

/** The width of the model is the one number that both sides surely name. */
function folderAgainstGguf(adapter: Awaited<ReturnType<typeof loadAdapter>>, base: GgufDescription): string[] {
  const architecture = base.metadata.get('general.architecture');
  const width = base.metadata.get(`${architecture?.type === 'string' ? architecture.value : ''}.embedding_length`)?.value;
  for (const part of adapter.parts) {
    if (part.kind === 'lowRank' && /\.(?:q_proj|k_proj|v_proj|gate_proj|up_proj)\.weight$/.test(part.target)) {
      const columns = part.layout === 'mlxLinear' ? part.a.shape[0] : part.a.shape[1];
      if (columns !== undefined && typeof width === 'number' && columns !== width) {
        return [`it was trained on a model of hidden size ${columns}; this one has ${width} (${part.target}).`];
      }
      return [];
    }
  }
  return [];
}

function ggufAgainstGguf(adapter: GgufDescription, base: GgufDescription): string[] {
  const shapes = new Map(base.tensors.map((tensor) => [tensor.name, tensor.shape]));
  for (const tensor of adapter.tensors) {
    const match = /^(.*)\.lora_([ab])$/.exec(tensor.name);
    const shape = match === null ? undefined : shapes.get(match[1] ?? '');
    if (match !== null && shape === undefined) {
      return [`the base has no tensor ${match[1] ?? ''}.`];
    }
    const [ours, theirs] = match?.[2] === 'a' ? [tensor.shape[0], shape?.[0]] : [tensor.shape[1], shape?.[1]];
    if (ours !== theirs) {
      return [`${tensor.name} is made for ${ours ?? 0}, where ${match?.[1] ?? ''} of the base has ${theirs ?? 0}.`];
    }
  }
  return [];
}

async function suggestions(folder: string, shown: string, signal: AbortSignal | undefined): Promise<PathSuggestion[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: PathSuggestion[] = [];
  for (const entry of entries.slice(0, MAX_SUGGESTIONS)) {
    signal?.throwIfAborted();
    const path = `${shown === '' ? './' : shown}${entry.name}`;
    if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules') {
      found.push({ path: `${path}/`, kind: await folderKind(join(folder, entry.name)) });
    } else if (/\.gguf$/i.test(entry.name)) {
      found.push({ path, kind: 'gguf' });
    }
  }
  return found;
}

async function folderKind(path: string): Promise<PathSuggestion['kind']> {
  const names = await readdir(path).catch(() => [] as string[]);
  if (names.includes('adapter_config.json')) {
    return 'adapter';
  }
  return names.includes('config.json') && names.some((name) => name.endsWith('.safetensors')) ? 'model-folder' : 'folder';
}

/** The facts for a Modelfile at this path. */
export function factsForFile(path: string, options: Omit<NodeWorkspaceFactsOptions, 'directory'>): NodeWorkspaceFacts {
  return new NodeWorkspaceFacts({ ...options, directory: basename(path) === path ? '.' : dirname(path) });
}
