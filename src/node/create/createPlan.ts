import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { classNameOf, findArchitecture } from '../../core/engine/architectures/architectures';
import { fileTypeName, type FileTypeName } from '../../core/engine/fileTypes';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { Instruction, ModelfileCommand, ParsedModelfile } from '../../core/modelfile/modelfileTypes';
import { CONVERTIBLE_ARCHITECTURES } from '../../core/modelfile/ollamaFeatures';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { parseModelReference } from '../../core/ollama/modelName';
import type { RouteName } from '../../core/routes/planRoutes';
import { prepareConvertAdapter } from '../engine/convertAdapter';
import { lookAtPath, type NamedPath } from './createPath';
import { resolveBasePath } from '../inputs/loadBasePath';
import { loadHuggingFaceModel } from '../inputs/loadHuggingFaceModel';
import type { AdapterRequest } from '../engine/prepareBuild';
import { readGgufParts } from '../inputs/readGgufParts';
import { systemCode } from '../files/systemError';

/** What becomes of one FROM, ADAPTER or DRAFT. */
export type CreatePart = { readonly line: number; readonly role: 'model' | 'adapter' | 'draft' } & (
  | { readonly kind: 'file'; readonly path: string }
  /** The parts of a split GGUF. */
  | { readonly kind: 'split'; readonly path: string; readonly paths: readonly string[] }
  /** A folder whose files are sent as Ollama's command line sends them; the server converts. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A folder or a GGUF that our engine makes a GGUF of, with adapters merged into it. */
  | {
      readonly kind: 'build';
      readonly path: string;
      readonly fileType: FileTypeName;
      readonly adapters: readonly AdapterRequest[];
    }
  /** A GGUF of another type. */
  | {
      readonly kind: 'quantise';
      readonly path: string;
      readonly fileType: FileTypeName;
      readonly splits: readonly string[];
    }
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

/**
 * Decides what happens to every file that a Modelfile names; nothing is written and no server asked.
 * @param directory of the Modelfile, which paths are relative to
 * @throws StudioError with the line: input/…, model/…, ollama/…
 */
export async function planCreate(
  parsed: ParsedModelfile,
  lines: ModelfileLines,
  directory: string,
  options: { readonly fileType?: FileTypeName | undefined; readonly signal?: AbortSignal | undefined },
): Promise<CreatePlan> {
  const found = new Map<Instruction, NamedPath>();
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command !== undefined && ['model', 'adapter', 'draft'].includes(command.name)) {
      throwIfAborted(options.signal);
      found.set(instruction, await lookAtPath(instruction, command, lines, directory));
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
function keyOf({ instruction }: NamedPath): string {
  return `\u0000${instruction.span.start}`;
}

class Planner {
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  /** Types of GGUF models that adapters could be merged into. */
  private readonly ggufTypes = new Map<NamedPath, FileTypeName>();
  private readonly models: readonly NamedPath[];
  private readonly adapters: readonly NamedPath[];
  private readonly drafts: readonly NamedPath[];

  constructor(
    found: readonly NamedPath[],
    private readonly fileType: FileTypeName | undefined,
    private readonly lines: ModelfileLines,
  ) {
    const of = (name: string): NamedPath[] => found.filter(({ command }) => command.name === name);
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
      this.warnings.push({
        code: 'modelfile/from-ignored',
        message: 'FROM names a model as well as files: Ollama takes the model and ignores the files',
      });
    }
    const modelParts = new Map<NamedPath, CreatePart>();
    for (const model of this.models.some(({ kind }) => kind === 'absent') ? [] : locals) {
      const known = [...modelParts.values()].some((part) =>
        part.kind === 'split'
          ? part.paths.includes(model.path)
          : part.kind === 'quantise' && part.splits.includes(model.path),
      );
      if (!known) {
        modelParts.set(model, await this.model(model));
      }
    }
    const built = [...modelParts].filter(([, { kind }]) => kind === 'build' || kind === 'folder');
    if (built.length > 1) {
      throw this.lines.at(
        new StudioError(
          'ollama/file',
          'Two model folders in FROM: a model has one. Several FROM may name GGUF files (shards, a projector).',
        ),
        built[1]![0].line,
      );
    }
    const adapters = await this.adapterParts(modelParts);
    for (const [found, part] of [...modelParts, ...adapters]) {
      parts.set(keyOf(found), part);
    }
    for (const draft of this.drafts) {
      parts.set(keyOf(draft), {
        kind: draft.kind === 'folder' ? 'folder' : 'file',
        role: 'draft',
        line: draft.line,
        path: draft.path,
      });
    }
    return parts;
  }

  /** What is no file must be a name, and only a FROM may be one. */
  private requireNames(): void {
    for (const { command, line, path } of [...this.models, ...this.adapters, ...this.drafts].filter(
      ({ kind }) => kind === 'absent',
    )) {
      const { name, args } = command;
      if (name !== 'model' || parseModelReference(args) === undefined) {
        throw this.lines.at(
          new StudioError(
            'input/missing',
            `Nothing is at ${path}${name === 'model' ? `, and ${escapeControls(args)} is no name of a model either` : ''}. Check the path: it is relative to the Modelfile.`,
            { path },
          ),
          line,
        );
      }
    }
  }

  private async model(found: NamedPath): Promise<CreatePart> {
    const { path, line, kind } = found;
    if (kind === 'gguf') {
      return await this.gguf(found);
    }
    if (kind === 'file') {
      if (!/\.safetensors$/i.test(path)) {
        throw this.lines.at(
          new StudioError(
            'ollama/file',
            `${path} is neither a GGUF nor safetensors. Name a GGUF, or the folder of a Hugging Face model.`,
            { path },
          ),
          line,
        );
      }
      this.warnings.push({
        code: 'modelfile/file-for-folder',
        message: `FROM names ${basename(path)}; its whole folder was taken, which has the configuration and the tokenizer`,
      });
      return await this.folder(dirname(path), line);
    }
    return await this.folder(path, line);
  }

  private async gguf(found: NamedPath): Promise<CreatePart> {
    const { path, line } = found;
    try {
      const ggufs = await readGgufParts(path);
      const fileType = ggufs[0]?.file.metadata.get('general.file_type')?.value;
      const type = typeof fileType === 'number' ? fileTypeName(fileType) : undefined;
      const isProjector = ggufs[0]?.file.metadata.get('general.architecture')?.value === 'clip';
      const paths = ggufs.map((part) => part.path);
      const splits = paths.length > 1 ? paths : [];
      // The engine tells a GGUF by its name.
      if (!isProjector && type !== undefined && /\.gguf$/i.test(path)) {
        this.ggufTypes.set(found, type);
      }
      if (this.fileType !== undefined && !isProjector) {
        return { kind: 'quantise', role: 'model', line, path, fileType: this.fileType, splits };
      }
      return splits.length > 0
        ? { kind: 'split', role: 'model', line, path, paths }
        : { kind: 'file', role: 'model', line, path };
    } catch (thrown) {
      throw this.lines.at(toStudioError(thrown), line);
    }
  }

  private async folder(path: string, line: number): Promise<CreatePart> {
    const names = await readdir(path).catch((thrown: unknown) => {
      throw this.lines.at(
        new StudioError(
          'input/unreadable',
          `${path} cannot be read (${systemCode(thrown) ?? 'unknown'}). Check its permissions.`,
          { path },
        ),
        line,
      );
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
      if (
        !isBuiltIn(className) &&
        this.fileType === undefined &&
        this.adapters.length === 0 &&
        CONVERTIBLE_ARCHITECTURES.has(className)
      ) {
        return { kind: 'folder', role: 'model', line, path: directory };
      }
      return { kind: 'build', role: 'model', line, path, fileType: this.fileType ?? sixteen, adapters: [] };
    } catch (thrown) {
      throw this.lines.at(toStudioError(thrown), line);
    }
  }

  /** The parts of adapters that stay apart; the others are merged into the model's part. */
  private async adapterParts(modelParts: Map<NamedPath, CreatePart>): Promise<ReadonlyMap<NamedPath, CreatePart>> {
    const folders: NamedPath[] = [];
    const apart = new Map<NamedPath, CreatePart>();
    for (const adapter of this.adapters) {
      const gguf =
        adapter.kind === 'gguf' ? adapter.path : adapter.kind === 'folder' ? await onlyGguf(adapter.path) : undefined;
      if (gguf === undefined) {
        folders.push(adapter);
      } else {
        apart.set(adapter, { kind: 'file', role: 'adapter', line: adapter.line, path: gguf });
      }
    }
    if (folders.length > 0) {
      const base = await this.mergingBase(modelParts, folders, apart.size > 0);
      if (base === undefined) {
        folders.forEach((adapter) =>
          apart.set(adapter, { kind: 'convert-adapter', role: 'adapter', line: adapter.line, path: adapter.path }),
        );
      } else {
        modelParts.set(base.found, { ...base.part, adapters: folders.map(({ path }) => ({ path, weight: 1 })) });
        if (folders.length > 1) {
          this.warnings.push({
            code: 'modelfile/adapters-add-up',
            message: `${folders.length} adapters were merged, each with weight 1; Ollama itself takes the last ADAPTER only`,
          });
        }
      }
    }
    if (apart.size > 1) {
      throw this.lines.at(
        new StudioError(
          'ollama/adapter',
          'Ollama takes one ADAPTER. Several are merged where FROM names a folder or a GGUF and each ADAPTER the folder of an adapter; or run create NAME --base … --adapter A --adapter B.',
        ),
        [...apart.keys()][1]!.line,
      );
    }
    return apart;
  }

  /** The model that adapter folders are merged into; undefined where the one adapter becomes a GGUF beside it. */
  private async mergingBase(
    modelParts: ReadonlyMap<NamedPath, CreatePart>,
    folders: readonly NamedPath[],
    hasOther: boolean,
  ): Promise<{ readonly found: NamedPath; readonly part: Extract<CreatePart, { kind: 'build' }> } | undefined> {
    for (const [found, part] of modelParts) {
      if (part.kind === 'build') {
        return { found, part };
      }
      if (part.kind === 'folder') {
        throw this.lines.at(
          new StudioError(
            'ollama/adapter',
            'An adapter folder is merged into its base or made for it, and this model is converted by the server alone. Name its GGUF in FROM, or merge the adapter where it was trained and name the merged folder.',
          ),
          folders[0]!.line,
        );
      }
      const type = this.ggufTypes.get(found);
      const [first] = folders;
      if (type !== undefined && (folders.length > 1 || hasOther || !(await hasGgufForm(first!.path, part.path)))) {
        return {
          found,
          part: {
            kind: 'build',
            role: 'model',
            line: part.line,
            path: part.path,
            fileType: this.fileType ?? type,
            adapters: [],
          },
        };
      }
    }
    return undefined;
  }
}

/** Whether llama.cpp can hold an adapter apart from its base; what else is wrong with it is told when it is made. */
async function hasGgufForm(adapter: string, base: string): Promise<boolean> {
  const output = join(tmpdir(), `modelfile-studio-${randomBytes(8).toString('hex')}.gguf`);
  try {
    await prepareConvertAdapter({ adapter: { path: adapter, weight: 1 }, base, type: 'F16', output });
    return true;
  } catch (thrown) {
    return toStudioError(thrown).code !== 'adapter/no-gguf-form';
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
