import { append } from '../../core/append';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { classNameOf } from '../../core/engine/architectures/architectures';
import type { FileTypeName } from '../../core/engine/fileTypes';
import { StudioError, toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { commandsOf, droppedParameters } from '../../core/modelfile/inheritedCommands';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import type { ModelfileCommand } from '../../core/modelfile/modelfileTypes';
import { parseModelReference } from '../../core/ollama/modelName';
import {
  attachesAdapters,
  convertsFolders,
  quantisesSafely,
  SERVER_TYPES,
  serverQuantises,
} from '../../core/routes/serverAbilities';
import { behaviour } from '../../core/ollama/ollamaBehaviours';
import { ollamaProfile } from '../../core/ollama/ollamaProfile';
import { systemCode } from '../files/systemError';
import { OLLAMA_PREFIX, readInstalledModel, type InstalledModel } from '../inputs/installedModel';
import { resolveBasePath } from '../inputs/loadBasePath';
import { loadHuggingFaceModel } from '../inputs/loadHuggingFaceModel';
import { readGgufFiles } from '../inputs/readGgufParts';
import type { NamedPath } from './createPath';
import { draftPart } from './draftPart';
import { readSendableGguf, requireSendableFolder } from './sendableGguf';
import { isBuiltIn, onlyGguf, storedType } from './namedFiles';
import type { CreatePart, CreatePlan, PlanCreateOptions } from './createPlanTypes';

type BuildPart = Extract<CreatePart, { kind: 'build' }>;

/** Stands for a path within `commands`; no path of a Modelfile has a NUL. */
export function partKey({ instruction, index }: NamedPath): string {
  return `\u0000${instruction.span.start}.${index}`;
}

/** Decides over the FROM, ADAPTER and DRAFT of one Modelfile; its fields are the plan when `parts` is done. */
export class CreatePlanner {
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  from: CreatePlan['from'];
  pull: CreatePlan['pull'];
  serverType: FileTypeName | undefined;
  /** What an installed base hands on where its file alone is used. */
  inherited: readonly ModelfileCommand[] = [];
  /** Files of an installed base beside its weights, by their keys. */
  readonly others = new Map<string, CreatePart>();
  /** Types that a GGUF in FROM is stored as, where adapters could be fused into it. */
  private readonly ggufTypes = new Map<NamedPath, FileTypeName>();
  /** The files of a split model that one FROM stands for. */
  private readonly splits = new Map<NamedPath, readonly string[]>();
  private readonly models: readonly NamedPath[];
  private readonly adapters: readonly NamedPath[];
  private readonly drafts: readonly NamedPath[];

  constructor(
    found: readonly NamedPath[],
    private readonly options: PlanCreateOptions,
    private readonly lines: ModelfileLines,
  ) {
    const of = (name: string): NamedPath[] => found.filter(({ command }) => command.name === name);
    this.models = of('model');
    this.adapters = of('adapter');
    this.drafts = of('draft');
  }

  async parts(): Promise<Map<string, CreatePart>> {
    const parts = new Map<string, CreatePart>();
    this.requireNames();
    const locals = this.models.filter(({ kind }) => kind !== 'absent');
    const named = this.models.findLast(({ kind }) => kind === 'absent');
    if (named !== undefined && locals.length > 0) {
      this.warnings.push({
        code: 'modelfile/from-ignored',
        message: 'FROM names a model as well as files: Ollama takes the model and ignores the files',
      });
    }
    const modelParts = named === undefined ? await this.modelParts(locals) : await this.namedParts(named);
    const adapters = this.pull === undefined ? await this.adapterParts(modelParts) : new Map<NamedPath, CreatePart>();
    for (const [found, part] of [...modelParts, ...adapters]) {
      parts.set(partKey(found), part);
    }
    for (const [key, part] of this.others) {
      parts.set(key, part);
    }
    for (const draft of this.drafts) {
      const isSent = [...parts.values()].some(({ kind, role, ...part }) => {
        return kind === 'split' && role === 'draft' && 'paths' in part && part.paths.includes(draft.path);
      });
      if (!isSent) {
        parts.set(partKey(draft), await draftPart(draft, this.lines, this.options.ollamaVersion));
      }
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

  private async modelParts(locals: readonly NamedPath[]): Promise<Map<NamedPath, CreatePart>> {
    const parts = new Map<NamedPath, CreatePart>();
    for (const model of locals) {
      if (![...this.splits.values()].some((paths) => paths.includes(model.path))) {
        parts.set(model, await this.model(model));
      }
    }
    const folders = [...parts].filter(
      ([found, { kind }]) => kind === 'folder' || (kind === 'build' && !this.ggufTypes.has(found)),
    );
    if (folders.length > 1) {
      throw this.lines.at(
        new StudioError(
          'ollama/file',
          'Two model folders in FROM: a model has one. Several FROM may name GGUF files (shards, a projector).',
        ),
        folders[1]![0].line,
      );
    }
    return parts;
  }

  /** A FROM that is a name goes in as it is, unless something is to be fused into it or its type is to change. */
  private async namedParts(found: NamedPath): Promise<Map<NamedPath, CreatePart>> {
    const { line } = found;
    const name = found.command.args;
    const { fileType, ollamaVersion, server, signal } = this.options;
    const listed = server?.find(name);
    if (server !== undefined && listed === undefined) {
      this.pull = { name, line };
    }
    if ((this.adapters.length === 0 && fileType === undefined) || this.pull !== undefined) {
      this.from = { name, line };
      return new Map();
    }
    try {
      const { client } = server ?? {};
      const installed = await readInstalledModel(`${OLLAMA_PREFIX}${name}`, { client, digest: listed?.digest, signal });
      return new Map([[found, await this.onInstalled(found, installed)]]);
    } catch (thrown) {
      const error = this.lines.at(toStudioError(thrown), line);
      const isOutOfReach = error.code === 'ollama/file' || error.code === 'ollama/model-missing';
      if (isOutOfReach && this.adapters.length > 0 && fileType === undefined && attachesAdapters(ollamaVersion)) {
        // On another machine: the server adds the adapter itself.
        this.from = { name, line };
        return new Map();
      }
      if (isOutOfReach && this.adapters.length === 0 && fileType !== undefined && serverQuantises(ollamaVersion)) {
        this.from = { name, line };
        this.serverType = this.requireServerType(fileType, name, line);
        return new Map();
      }
      throw error;
    }
  }

  private async onInstalled(found: NamedPath, installed: InstalledModel): Promise<CreatePart> {
    const type = storedType((await readGgufFiles(installed.models))[0]?.file.metadata.get('general.file_type')?.value);
    if (installed.content === undefined) {
      throw new StudioError(
        'ollama/file',
        `${installed.name} is here as a file, and its template and parameters are out of reach. Give its models folder in OLLAMA_MODELS.`,
      );
    }
    this.ggufTypes.set(found, type);
    const profile = ollamaProfile(this.options.ollamaVersion);
    // What a server asks for split weights does not hold for the one file that they become.
    const stays = (name: string): boolean => name !== 'requires' || installed.models.length === 1;
    this.inherited = commandsOf(installed.content, profile).filter(({ name }) => stays(name));
    append(this.warnings, droppedParameters(installed.content, profile));
    for (const [index, path] of installed.projectors.entries()) {
      this.others.set(`\u0000projector-${index}`, { kind: 'file', role: 'model', line: found.line, path });
    }
    if (installed.drafts.length > 0) {
      this.warnings.push({
        code: 'ollama/draft',
        message: `the DRAFT of ${installed.name} belongs to its weights as they were, and is left out`,
      });
    }
    return {
      kind: 'build',
      role: 'model',
      line: found.line,
      path: `${OLLAMA_PREFIX}${found.command.args}`,
      fileType: this.options.fileType ?? type,
      adapters: [],
      installed,
    };
  }

  /** Where the file is out of reach: what the server itself can quantise. */
  private requireServerType(fileType: FileTypeName, name: string, line: number): FileTypeName {
    if (!SERVER_TYPES.includes(fileType)) {
      throw this.lines.at(
        new StudioError(
          'ollama/quantise',
          `${name} lies on the server, out of reach from here, and the server makes ${SERVER_TYPES.join(', ')} only. For ${fileType} name the model's Hugging Face folder or 16-bit GGUF in FROM.`,
        ),
        line,
      );
    }
    const { ollamaVersion } = this.options;
    if (!quantisesSafely(ollamaVersion)) {
      throw this.lines.at(
        new StudioError(
          'ollama/too-old',
          `Ollama ${ollamaVersion ?? ''} can be harmed by a crafted model while it quantises (CVE-2026-7482). Update it to ${behaviour('quantisesSafely').since ?? ''} or later, or name the model's folder or 16-bit GGUF in FROM: it is then quantised here.`,
        ),
        line,
      );
    }
    return fileType;
  }

  private async model(found: NamedPath): Promise<CreatePart> {
    const { path, line, kind } = found;
    if (kind === 'gguf') {
      return await this.gguf(found, path);
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
      return await this.folder(found, dirname(path));
    }
    return await this.folder(found, path);
  }

  private async gguf(found: NamedPath, path: string): Promise<CreatePart> {
    const { line } = found;
    try {
      const ggufs = await readSendableGguf(path);
      const { metadata } = ggufs[0]!.file;
      const isProjector = metadata.get('general.architecture')?.value === 'clip';
      const type = storedType(metadata.get('general.file_type')?.value);
      const paths = ggufs.map((part) => part.path);
      if (paths.length > 1) {
        this.splits.set(found, paths);
      }
      if (!isProjector) {
        this.ggufTypes.set(found, type);
      }
      const { fileType } = this.options;
      if (fileType !== undefined && !isProjector) {
        return { kind: 'build', role: 'model', line, path, fileType, adapters: [] };
      }
      return paths.length > 1
        ? { kind: 'split', role: 'model', line, path, paths }
        : { kind: 'file', role: 'model', line, path };
    } catch (thrown) {
      throw this.lines.at(toStudioError(thrown), line);
    }
  }

  private async folder(found: NamedPath, path: string): Promise<CreatePart> {
    const { line } = found;
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
      const [first, ...others] = ggufs;
      return others.length === 0 ? await this.gguf(found, join(path, first!)) : await this.ggufFolder(found, path);
    }
    const { fileType, ollamaVersion } = this.options;
    try {
      const { directory } = await resolveBasePath(path);
      const model = await loadHuggingFaceModel(directory);
      const className = classNameOf(model.config);
      if (
        !isBuiltIn(className) &&
        fileType === undefined &&
        this.adapters.length === 0 &&
        convertsFolders(ollamaVersion, className)
      ) {
        return { kind: 'folder', role: 'model', line, path: directory };
      }
      const sixteen = [...model.tensors.values()].some(({ dtype }) => dtype === 'BF16') ? 'BF16' : 'F16';
      return { kind: 'build', role: 'model', line, path, fileType: fileType ?? sixteen, adapters: [] };
    } catch (thrown) {
      throw this.lines.at(toStudioError(thrown), line);
    }
  }

  /** All of them are sent, as Ollama's command line sends them; which one would be quantised or fused nobody can say. */
  private async ggufFolder({ line }: NamedPath, path: string): Promise<CreatePart> {
    if (this.options.fileType !== undefined || this.adapters.length > 0) {
      throw this.lines.at(
        new StudioError(
          'ollama/file',
          `${path} holds several GGUF files. Name the one that ${this.adapters.length > 0 ? 'the adapter belongs to' : 'is to be quantised'} in FROM.`,
          { path },
        ),
        line,
      );
    }
    await requireSendableFolder(path).catch((thrown: unknown) => {
      throw this.lines.at(toStudioError(thrown), line);
    });
    return { kind: 'folder', role: 'model', line, path };
  }

  /** Adapters are fused into the model's part; apart they stay only where the base is out of reach and the server attaches them. */
  private async adapterParts(modelParts: Map<NamedPath, CreatePart>): Promise<ReadonlyMap<NamedPath, CreatePart>> {
    const apart = new Map<NamedPath, CreatePart>();
    const files: { readonly path: string; readonly adapter: NamedPath; readonly isGguf: boolean }[] = [];
    for (const adapter of this.adapters) {
      const gguf =
        adapter.kind === 'gguf' ? adapter.path : adapter.kind === 'folder' ? await onlyGguf(adapter.path) : undefined;
      files.push({ path: gguf ?? adapter.path, adapter, isGguf: gguf !== undefined });
    }
    const base = files.length === 0 ? undefined : this.fusingBase(modelParts);
    if (base !== undefined) {
      modelParts.set(base.found, { ...base.part, adapters: files.map(({ path }) => ({ path, weight: 1 })) });
      if (files.length > 1) {
        this.warnings.push({
          code: 'modelfile/adapters-add-up',
          message: `${files.length} adapters are fused, each with weight 1; where Ollama attaches adapters itself it takes the last ADAPTER only`,
        });
      }
      return apart;
    }
    for (const { path, adapter, isGguf } of files) {
      apart.set(adapter, { kind: isGguf ? 'file' : 'convert-adapter', role: 'adapter', line: adapter.line, path });
    }
    if (apart.size > 1) {
      throw this.lines.at(
        new StudioError(
          'ollama/adapter',
          'Ollama takes one ADAPTER, and these cannot be fused here: the base is out of reach. Name its Hugging Face folder or its GGUF in FROM.',
        ),
        [...apart.keys()][1]!.line,
      );
    }
    return apart;
  }

  /** The model that adapters are fused into; undefined where it is a name that goes in as it is. */
  private fusingBase(
    modelParts: ReadonlyMap<NamedPath, CreatePart>,
  ): { readonly found: NamedPath; readonly part: BuildPart } | undefined {
    for (const [found, part] of modelParts) {
      if (part.kind === 'build') {
        return { found, part };
      }
      const type = this.ggufTypes.get(found);
      if (type !== undefined) {
        const { line, path } = part;
        const fileType = this.options.fileType ?? type;
        return { found, part: { kind: 'build', role: 'model', line, path, fileType, adapters: [] } };
      }
    }
    return undefined;
  }
}
