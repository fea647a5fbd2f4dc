import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { classNameOf, findArchitecture } from '../core/engine/architectures/architectures';
import type { FileTypeName } from '../core/engine/fileTypes';
import { StudioError, throwIfAborted, toStudioError } from '../core/errors';
import { escapeControls } from '../core/escapeControls';
import type { Instruction, ModelfileCommand, ParsedModelfile } from '../core/modelfile/modelfileTypes';
import { CONVERTIBLE_ARCHITECTURES } from '../core/modelfile/ollamaFeatures';
import type { ModelfileLines } from '../core/ollama/modelfileLines';
import { parseModelReference } from '../core/ollama/modelName';
import type { RouteName } from '../core/ollama/planRoutes';
import type { AdapterRequest } from './prepareBuild';
import { loadHuggingFaceModel } from './loadHuggingFaceModel';
import { resolveBasePath } from './loadBasePath';
import { expandModelfilePath } from './modelfileFiles';
import { readGgufParts } from './readGgufParts';
import { systemCode } from './systemError';
import { isUntouchable } from './workspaceFacts';

/** What becomes of one FROM, ADAPTER or DRAFT. */
export type CreatePart = { readonly line: number; readonly role: 'model' | 'adapter' | 'draft' } & (
  | { readonly kind: 'file'; readonly path: string }
  /** The parts of a split GGUF. */
  | { readonly kind: 'split'; readonly path: string; readonly paths: readonly string[] }
  /** A folder whose files are sent as Ollama's command line sends them; the server converts. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A folder that our engine makes a GGUF of, with adapters merged into it. */
  | { readonly kind: 'build'; readonly path: string; readonly fileType: FileTypeName; readonly adapters: readonly AdapterRequest[] }
  /** A GGUF of another type. */
  | { readonly kind: 'quantise'; readonly path: string; readonly fileType: FileTypeName; readonly splits: readonly string[] }
  /** An adapter folder that becomes a GGUF adapter. */
  | { readonly kind: 'convert-adapter'; readonly path: string }
);

/**
 * How a model comes about: files sent as they are, alone or with an adapter; a folder that the server converts; a GGUF that
 * is built here, of a model alone or merged with adapters (16-bit or quantised); an adapter folder converted to a GGUF.
 */
export type CreateRoute = 'direct' | 'server' | 'build' | RouteName;

export interface CreatePlan {
  /** The Modelfile's commands, without merged adapters; local paths are the keys of `parts`. */
  readonly commands: readonly ModelfileCommand[];
  readonly parts: ReadonlyMap<string, CreatePart>;
  /** A model of the server, or of a registry. */
  readonly from?: { readonly name: string; readonly line: number } | undefined;
  readonly route: CreateRoute;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** An instruction with a path or name, looked at. */
interface Found {
  readonly instruction: Instruction;
  readonly command: ModelfileCommand;
  readonly line: number;
  /** Absolute. */
  readonly path: string;
  readonly kind: 'absent' | 'gguf' | 'file' | 'folder';
}

/**
 * Decides what happens to every file that a Modelfile names; nothing is written and no server asked.
 * @param directory of the Modelfile, which paths are relative to
 * @throws StudioError with the line: input/…, model/…, ollama/…
 */
export async function planCreate(parsed: ParsedModelfile, lines: ModelfileLines, directory: string, options: { readonly fileType?: FileTypeName | undefined; readonly signal?: AbortSignal | undefined }): Promise<CreatePlan> {
  const found = new Map<Instruction, Found>();
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command !== undefined && ['model', 'adapter', 'draft'].includes(command.name)) {
      throwIfAborted(options.signal);
      found.set(instruction, await look(instruction, command, lines, directory));
    }
  }
  const planner = new Planner([...found.values()], options.fileType, lines);
  const parts = await planner.parts();
  const commands: ModelfileCommand[] = [];
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command === undefined) {
      continue;
    }
    const local = found.get(instruction);
    const key = local === undefined ? undefined : keyOf(local);
    if (key !== undefined && parts.has(key)) {
      commands.push({ name: command.name, args: key });
    } else if (local === undefined || local.kind === 'absent') {
      commands.push(command);
    }
  }
  return { commands, parts, from: planner.from(), route: planner.route(parts), warnings: planner.warnings };
}

/** Stands for a path within `commands`; no path of a Modelfile has a NUL. */
function keyOf({ instruction }: Found): string {
  return `\u0000${instruction.span.start}`;
}

async function look(instruction: Instruction, command: ModelfileCommand, lines: ModelfileLines, directory: string): Promise<Found> {
  const { args } = command;
  const line = lines.ofInstruction(instruction);
  const failed = (error: StudioError): StudioError => lines.at(error, line);
  if (isUntouchable(args)) {
    throw failed(new StudioError('input/not-regular', `${escapeControls(args)} is a network share, a device or a URL, which is not opened. Copy or download the files and name them here.`));
  }
  const path = await expandModelfilePath(args, directory).catch((thrown: unknown) => {
    throw failed(new StudioError('input/missing', `${escapeControls(args)}: ${thrown instanceof Error ? thrown.message : String(thrown)}. Check the path.`));
  });
  const stats = await stat(path).catch((thrown: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(thrown) ?? '')) {
      return undefined;
    }
    throw failed(new StudioError('input/unreadable', `${path} cannot be looked at (${systemCode(thrown) ?? 'unknown'}). Check its permissions.`, { path }));
  });
  if (stats === undefined) {
    return { instruction, command, line, path, kind: 'absent' };
  }
  if (stats.isDirectory()) {
    return { instruction, command, line, path, kind: 'folder' };
  }
  if (!stats.isFile()) {
    throw failed(new StudioError('input/not-regular', `${path} is neither a file nor a folder. Name a model file or folder.`, { path }));
  }
  const head = await headOf(path).catch((thrown: unknown) => {
    throw failed(new StudioError('input/unreadable', `${path} cannot be read (${systemCode(thrown) ?? 'unknown'}). Check its permissions.`, { path }));
  });
  const refused = refusedContent(path, head, stats.size);
  if (refused !== undefined) {
    throw failed(refused);
  }
  return { instruction, command, line, path, kind: head.subarray(0, 4).toString('latin1') === 'GGUF' ? 'gguf' : 'file' };
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(128);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Files that no server could read, refused before they are sent. */
function refusedContent(path: string, head: Buffer, size: number): StudioError | undefined {
  if (size === 0) {
    return new StudioError('input/empty', `${path} is empty. Get the file again.`, { path });
  }
  if (head.toString('latin1').startsWith('version https://git-lfs.github.com/spec/')) {
    return new StudioError('input/lfs-pointer', `${path} is a Git LFS pointer: the file itself was never downloaded. Run git lfs pull in its folder.`, { path });
  }
  if (head[0] === 0x80 || (head.subarray(0, 4).toString('latin1') === 'PK\u0003\u0004' && /\.(?:bin|pt|pth|ckpt|pkl)$/i.test(path))) {
    return new StudioError('input/pickle', `${path} is a Python pickle, which can run any code when it is loaded and is not sent. Get the model as safetensors.`, { path });
  }
  return undefined;
}

class Planner {
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  private readonly models: readonly Found[];
  private readonly adapters: readonly Found[];
  private readonly drafts: readonly Found[];

  constructor(
    found: readonly Found[],
    private readonly fileType: FileTypeName | undefined,
    private readonly lines: ModelfileLines,
  ) {
    const of = (name: string): Found[] => found.filter(({ command }) => command.name === name);
    this.models = of('model');
    this.adapters = of('adapter');
    this.drafts = of('draft');
  }

  from(): CreatePlan['from'] {
    const last = this.models.findLast(({ kind }) => kind === 'absent');
    return last === undefined ? undefined : { name: last.command.args, line: last.line };
  }

  route(parts: ReadonlyMap<string, CreatePart>): CreateRoute {
    const all = [...parts.values()];
    const built = all.find((part) => part.kind === 'build');
    if (built !== undefined && built.adapters.length > 0) {
      return ['F32', 'F16', 'BF16'].includes(built.fileType) ? 'fuse' : 'fuse-quantise';
    }
    const has = (kind: CreatePart['kind']): boolean => all.some((part) => part.kind === kind);
    if (has('convert-adapter')) {
      return 'gguf-adapter';
    }
    if (built !== undefined || has('quantise')) {
      return 'build';
    }
    return has('folder') ? 'server' : all.some(({ role }) => role === 'adapter') ? 'adapter' : 'direct';
  }

  async parts(): Promise<Map<string, CreatePart>> {
    const parts = new Map<string, CreatePart>();
    this.requireNames();
    const locals = this.models.filter(({ kind }) => kind !== 'absent');
    if (locals.length > 0 && locals.length < this.models.length) {
      this.warnings.push({ code: 'modelfile/from-ignored', message: 'FROM names a model as well as files: Ollama takes the model and ignores the files' });
    }
    const modelParts = new Map<Found, CreatePart>();
    for (const model of this.models.some(({ kind }) => kind === 'absent') ? [] : locals) {
      const known = [...modelParts.values()].some((part) => part.kind === 'split' ? part.paths.includes(model.path) : part.kind === 'quantise' && part.splits.includes(model.path));
      if (!known) {
        modelParts.set(model, await this.model(model));
      }
    }
    const built = [...modelParts].filter(([, { kind }]) => kind === 'build' || kind === 'folder');
    if (built.length > 1) {
      throw this.lines.at(new StudioError('ollama/file', 'Two model folders in FROM: a model has one. Several FROM may name GGUF files (shards, a projector).'), built[1]![0].line);
    }
    const merged = await this.adapterParts(parts, built[0]?.[1]);
    for (const [model, part] of modelParts) {
      parts.set(keyOf(model), part.kind === 'build' ? { ...part, adapters: merged } : part);
    }
    for (const draft of this.drafts) {
      parts.set(keyOf(draft), { kind: draft.kind === 'folder' ? 'folder' : 'file', role: 'draft', line: draft.line, path: draft.path });
    }
    return parts;
  }

  /** What is no file must be a name, and only a FROM may be one. */
  private requireNames(): void {
    for (const { command, line, path } of [...this.models, ...this.adapters, ...this.drafts].filter(({ kind }) => kind === 'absent')) {
      const { name, args } = command;
      if (name !== 'model' || parseModelReference(args) === undefined) {
        throw this.lines.at(new StudioError('input/missing', `Nothing is at ${path}${name === 'model' ? `, and ${escapeControls(args)} is no name of a model either` : ''}. Check the path: it is relative to the Modelfile.`, { path }), line);
      }
    }
  }

  private async model(found: Found): Promise<CreatePart> {
    const { path, line, kind } = found;
    if (kind === 'gguf') {
      return await this.gguf(path, line);
    }
    if (kind === 'file') {
      if (!/\.safetensors$/i.test(path)) {
        throw this.lines.at(new StudioError('ollama/file', `${path} is neither a GGUF nor safetensors. Name a GGUF, or the folder of a Hugging Face model.`, { path }), line);
      }
      this.warnings.push({ code: 'modelfile/file-for-folder', message: `FROM names ${basename(path)}; its whole folder was taken, which has the configuration and the tokenizer` });
      return await this.folder(dirname(path), line);
    }
    return await this.folder(path, line);
  }

  private async gguf(path: string, line: number): Promise<CreatePart> {
    try {
      const ggufs = await readGgufParts(path);
      const isProjector = ggufs[0]?.file.metadata.get('general.architecture')?.value === 'clip';
      const paths = ggufs.map((part) => part.path);
      const splits = paths.length > 1 ? paths : [];
      if (this.fileType !== undefined && !isProjector) {
        return { kind: 'quantise', role: 'model', line, path, fileType: this.fileType, splits };
      }
      return splits.length > 0 ? { kind: 'split', role: 'model', line, path, paths } : { kind: 'file', role: 'model', line, path };
    } catch (thrown) {
      throw this.lines.at(toStudioError(thrown), line);
    }
  }

  private async folder(path: string, line: number): Promise<CreatePart> {
    const names = await readdir(path).catch((thrown: unknown) => {
      throw this.lines.at(new StudioError('input/unreadable', `${path} cannot be read (${systemCode(thrown) ?? 'unknown'}). Check its permissions.`, { path }), line);
    });
    const ggufs = names.filter((name) => /\.gguf$/i.test(name)).sort();
    if (ggufs.length > 0 && !names.includes('config.json')) {
      return { kind: 'folder', role: 'model', line, path };
    }
    try {
      const { directory } = await resolveBasePath(path);
      const model = await loadHuggingFaceModel(directory);
      const className = classNameOf(model.config);
      const types = new Set([...model.tensors.values()].map(({ dtype }) => dtype));
      const sixteen = types.has('BF16') ? 'BF16' : 'F16';
      if (!isBuiltIn(className) && this.fileType === undefined && this.adapters.length === 0 && CONVERTIBLE_ARCHITECTURES.has(className)) {
        return { kind: 'folder', role: 'model', line, path: directory };
      }
      return { kind: 'build', role: 'model', line, path, fileType: this.fileType ?? sixteen, adapters: [] };
    } catch (thrown) {
      throw this.lines.at(toStudioError(thrown), line);
    }
  }

  /** Sets the parts of adapters that stay apart, and returns those that are merged. */
  private async adapterParts(parts: Map<string, CreatePart>, model: CreatePart | undefined): Promise<readonly AdapterRequest[]> {
    const merged: AdapterRequest[] = [];
    const apart: Found[] = [];
    for (const adapter of this.adapters) {
      const gguf = adapter.kind === 'gguf' ? adapter.path : adapter.kind === 'folder' ? await onlyGguf(adapter.path) : undefined;
      if (gguf === undefined && model?.kind === 'build') {
        merged.push({ path: adapter.path, weight: 1 });
        continue;
      }
      if (gguf === undefined && model?.kind === 'folder') {
        throw this.lines.at(new StudioError('ollama/adapter', 'An adapter folder is merged into its base, and this architecture is converted by the server alone. Merge it where it was trained, and name the merged folder in FROM.'), adapter.line);
      }
      apart.push(adapter);
      parts.set(keyOf(adapter), gguf === undefined ? { kind: 'convert-adapter', role: 'adapter', line: adapter.line, path: adapter.path } : { kind: 'file', role: 'adapter', line: adapter.line, path: gguf });
    }
    if (apart.length > 1) {
      throw this.lines.at(new StudioError('ollama/adapter', 'Ollama takes one ADAPTER. Merge several into the base: name its Hugging Face folder in FROM and the adapters\' folders in ADAPTER, or run build --base … --adapter A --adapter B.'), apart[1]!.line);
    }
    if (merged.length > 1) {
      this.warnings.push({ code: 'modelfile/adapters-add-up', message: `${merged.length} adapters were merged, each with weight 1; Ollama itself takes the last ADAPTER only` });
    }
    return merged;
  }
}

function isBuiltIn(className: string): boolean {
  try {
    findArchitecture(className);
    return true;
  } catch {
    return false;
  }
}

async function onlyGguf(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const ggufs = names.filter((name) => /\.gguf$/i.test(name));
  const others = names.some((name) => /\.safetensors$/i.test(name));
  return ggufs.length === 1 && !others ? join(folder, ggufs[0]!) : undefined;
}
