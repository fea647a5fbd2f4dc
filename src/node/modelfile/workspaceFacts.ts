import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type {
  ComparedModel,
  ComparedTemplate,
  InstalledModelFacts,
  PathFacts,
  PathSuggestion,
  PatternPaths,
  PromptTokenizer,
  WorkspaceFacts,
} from '../../core/modelfile/workspaceFacts';
import { toByteString } from '../../core/golang/byteString';
import { BadPatternError, hasMeta, walkOfPattern } from '../../core/golang/pathPattern';
import type { OllamaProfile } from '../../core/ollama/ollamaProfile';
import { goGlob } from '../files/goGlob';
import { findOllamaProfile, installedOllamaVersion } from '../ollama/whichOllama';
import { adapterMisfits } from './adapterMisfits';
import { FactCache } from '../files/factCache';
import { readChatFormat } from '../jinja/chooseTemplate';
import type { OwnTemplate, TemplateComparer } from '../jinja/templateComparer';
import { formatOf } from '../files/fileFormat';
import { ggufFileFacts } from './ggufFacts';
import { folderFacts, folderState } from './modelFolderFacts';
import { expandModelfilePath } from './modelfileFiles';
import type { OllamaFacts } from './ollamaFacts';
import { promptTokenizerOf, readPromptTokenizer } from './promptTokenizer';
import { systemCode } from '../files/systemError';

export interface NodeWorkspaceFactsOptions {
  /** Folder of the Modelfile: paths are relative to it. */
  readonly directory: string;
  /** False in an untrusted workspace: no file is touched and no server asked. */
  readonly isTrusted: boolean;
  readonly ollama?: OllamaFacts | undefined;
  /** Set by the user, in place of what the server says. */
  readonly ollamaVersion?: string | undefined;
  /** Compares TEMPLATEs with models' own; without it none is compared. */
  readonly comparer?: TemplateComparer | undefined;
  /** A comparison is waited for, where it would else be told of later. */
  readonly waits?: boolean | undefined;
}

const SYSTEM = { isWindows: process.platform === 'win32' };
/** No path is longer; what is, nobody looks for. */
const LONGEST_PATTERN = 8192;
/** Beyond these many entries a folder is not offered for completion in full. */
const MAX_SUGGESTIONS = 500;
const DEVICE_NAMES = /^(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:[. ]|$)/i;
const UNKNOWN: PathFacts = { kind: 'unknown', remote: false };
const REMOTE: PathFacts = { kind: 'unknown', remote: true };

/** Paths that are never opened: network shares, device names, URLs, and the devices of Unix. */
export function isUntouchable(path: string): boolean {
  const last = path.split(/[\\/]/).at(-1) ?? '';
  return (
    /^[\\/](?:[\\/]|\?\?)/.test(path) ||
    /^[a-z][a-z0-9+.-]*:\/\//i.test(path) ||
    /^\/(?:dev|proc|sys)(?:\/|$)/.test(path) ||
    DEVICE_NAMES.test(last)
  );
}

const remembered = new FactCache<PathFacts>(200);
const compared = new FactCache<readonly string[]>(20);
/** Vocabularies are large: those of the last models that were looked at. */
const tokenizers = new FactCache<PromptTokenizer | undefined>(2);

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
      const adapterPath = await expandModelfilePath(adapter, this.options.directory);
      const basePath = await expandModelfilePath(base, this.options.directory);
      const state = `${await stateOf(adapterPath)}\n\n${await stateOf(basePath)}`;
      return await compared.get(
        `${adapterPath}\n${basePath}`,
        state,
        () => adapterMisfits(adapterPath, basePath),
        signal,
      );
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
    return this.server?.models(signal) ?? Promise.resolve(undefined);
  }

  installedModel(name: string, signal?: AbortSignal): Promise<InstalledModelFacts | undefined> {
    return this.server?.model(name, signal) ?? Promise.resolve(undefined);
  }

  ollama(signal?: AbortSignal): Promise<OllamaProfile> {
    const { ollamaVersion, isTrusted, ollama } = this.options;
    return findOllamaProfile({
      given: ollamaVersion,
      server: isTrusted && ollama !== undefined ? () => ollama.version(signal) : undefined,
      program: isTrusted ? () => installedOllamaVersion(signal) : undefined,
    });
  }

  async compareTemplate(
    { kind, value }: ComparedModel,
    template: string,
    signal?: AbortSignal,
  ): Promise<ComparedTemplate | undefined> {
    const { comparer, isTrusted, directory, waits } = this.options;
    if (comparer === undefined || !isTrusted) {
      return undefined;
    }
    if (kind === 'name') {
      const installed = await this.installedModel(value, signal);
      const state =
        installed === undefined ? 'library' : `${installed.template ?? ''}\n${installed.chatTemplate ?? ''}`;
      return comparer.compare(
        value,
        state,
        () => templateOfName(value, installed, this.server, comparer),
        template,
        signal,
        waits,
      );
    }
    if (isUntouchable(value)) {
      return undefined;
    }
    try {
      const path = await expandModelfilePath(value, directory);
      return await comparer.compare(path, await stateOf(path), () => templateOfPath(path), template, signal, waits);
    } catch {
      signal?.throwIfAborted();
      return undefined;
    }
  }

  async tokenizer({ kind, value }: ComparedModel, signal?: AbortSignal): Promise<PromptTokenizer | undefined> {
    const { isTrusted, directory } = this.options;
    if (!isTrusted || (kind === 'path' && isUntouchable(value))) {
      return undefined;
    }
    try {
      if (kind === 'path') {
        const path = await expandModelfilePath(value, directory);
        return await tokenizers.get(path, await stateOf(path), () => readPromptTokenizer(path), signal);
      }
      const installed = await this.installedModel(value, signal);
      const state = `${installed?.architecture ?? ''} ${installed?.bytes ?? ''} ${installed?.chatTemplate ?? ''}`;
      return installed === undefined
        ? undefined
        : await tokenizers.get(`name ${value}`, state, () => this.tokenizerOfName(value), signal);
    } catch {
      signal?.throwIfAborted();
      return undefined;
    }
  }

  private async tokenizerOfName(name: string): Promise<PromptTokenizer | undefined> {
    const metadata = await this.server?.metadata(name);
    return metadata === undefined ? undefined : promptTokenizerOf(metadata);
  }

  async patternPaths(path: string, signal?: AbortSignal): Promise<PatternPaths> {
    const plain: PatternPaths = { kind: 'paths', paths: [path] };
    if (path.length > LONGEST_PATTERN || isUntouchable(path)) {
      return plain;
    }
    try {
      if (!this.options.isTrusted) {
        walkOfPattern(toByteString(path), SYSTEM);
        return plain;
      }
      const absolute = await expandModelfilePath(path, this.options.directory);
      if (!hasMeta(toByteString(absolute), SYSTEM)) {
        return plain;
      }
      const matches = await goGlob(absolute);
      signal?.throwIfAborted();
      return matches.length === 0 || (matches.length === 1 && matches[0] === absolute)
        ? plain
        : { kind: 'paths', paths: matches };
    } catch (thrown) {
      signal?.throwIfAborted();
      return thrown instanceof BadPatternError ? { kind: 'malformed', inFolder: isWellFormed(path) } : plain;
    }
  }

  private get server(): OllamaFacts | undefined {
    return this.options.isTrusted ? this.options.ollama : undefined;
  }
}

function isWellFormed(pattern: string): boolean {
  try {
    walkOfPattern(toByteString(pattern), SYSTEM);
    return true;
  } catch {
    return false;
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
    return remembered.get(path, await folderState(path), () => folderFacts(path), signal);
  }
  if (!stats.isFile()) {
    return { kind: 'other-file', reason: 'it is no regular file.' };
  }
  return remembered.get(path, fileState(stats), () => fileFacts(path), signal);
}

function fileState({
  size,
  mtimeMs,
  ino,
}: {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}): string {
  return `${size} ${mtimeMs} ${ino}`;
}

async function fileFacts(path: string): Promise<PathFacts> {
  switch (await formatOf(path)) {
    case 'gguf':
      return ggufFileFacts(path);
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

async function templateOfPath(path: string): Promise<OwnTemplate | undefined> {
  const format = await readChatFormat(path);
  return format.jinja === undefined ? undefined : { kind: 'jinja', format: { ...format, jinja: format.jinja } };
}

/** Of an installed model its own; else what is known of the library without a network. */
async function templateOfName(
  name: string,
  installed: InstalledModelFacts | undefined,
  ollama: OllamaFacts | undefined,
  comparer: TemplateComparer,
): Promise<OwnTemplate | undefined> {
  const format = installed?.chatTemplate === undefined ? undefined : await ollama?.chatFormat(name);
  if (format?.jinja !== undefined) {
    return { kind: 'jinja', format: { ...format, jinja: format.jinja } };
  }
  const own = `the template of ${name}`;
  if (installed !== undefined) {
    return installed.template === undefined ? undefined : { kind: 'go', template: installed.template, own };
  }
  const template = await comparer.libraryTemplate(name);
  return template === undefined ? undefined : { kind: 'go', template, own };
}

async function stateOf(path: string): Promise<string> {
  const stats = await stat(path);
  return stats.isDirectory() ? folderState(path) : fileState(stats);
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
  return names.includes('config.json') && names.some((name) => name.endsWith('.safetensors'))
    ? 'model-folder'
    : 'folder';
}

/** The facts for a Modelfile at this path. */
export function factsForFile(path: string, options: Omit<NodeWorkspaceFactsOptions, 'directory'>): NodeWorkspaceFacts {
  return new NodeWorkspaceFacts({ ...options, directory: basename(path) === path ? '.' : dirname(path) });
}
