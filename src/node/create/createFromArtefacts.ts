import { append } from '../../core/append';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { FileTypeName } from '../../core/engine/fileTypes';
import { StudioError, throwIfAborted } from '../../core/errors';
import { lintText } from '../../core/modelfile/lintModelfile';
import type { ModelfileCommand, ParsedModelfile } from '../../core/modelfile/modelfileTypes';
import { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { modelfileFor } from '../../core/modelfile/writeModelfile';
import { createNames, type CreateNames } from '../../core/ollama/createNames';
import {
  isTakenAsItIs,
  planRoutes,
  typeOfRoute,
  type Route,
  type RouteName,
  type RoutePlan,
} from '../../core/routes/planRoutes';
import type { RouteFacts } from '../../core/routes/routeFacts';
import type { EngineEvent } from '../../core/progress';
import { buildFromPlan } from '../engine/buildFromPlan';
import { convertAdapter, prepareConvertAdapter } from '../engine/convertAdapter';
import { planFromInputs } from '../engine/prepareBuild';
import { buildInputs, type AdapterRequest } from '../inputs/loadBuildInputs';
import { existsError } from '../output/partialOutput';
import { createPrepared, refuseFindings, type CreatedModel, type CreateModelOptions } from './createModel';
import type { CreatePart, CreatePlan } from './createPlanTypes';
import { readServer, requireFreeName, type CreateServer } from './createServer';
import { inherit, type Inherited } from './inheritFromBase';
import { keptModelfile, relativeTo, stem, temporaryFolder, writeModelfile } from './keptFiles';
import { gatherRouteFacts, type GatheredFacts, type InstalledBase } from './routeFacts';

export interface CreateFromRequest {
  readonly name: string;
  /** A Hugging Face folder, a GGUF, or the name of an installed model (then with `installed`). */
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  /** Where it was asked already, while the base was looked for. */
  readonly server?: CreateServer | undefined;
  readonly adapters: readonly AdapterRequest[];
  /** Undefined for the recommended type. */
  readonly fileType?: FileTypeName | undefined;
  /** A base that is quantised already may be quantised again, though no adapter changes it. */
  readonly allowRequantize?: boolean | undefined;
  /** Undefined for the recommended route. */
  readonly route?: RouteName | undefined;
  /** The model of Ollama's library that the base is: its template, parameters, RENDERER, PARSER and licence are taken over. */
  readonly library?: string | undefined;
  readonly system?: string | undefined;
  /** PARAMETER lines; they win over those that come with the template. */
  readonly parameters?: Readonly<Record<string, number | boolean | string>> | undefined;
  readonly force: boolean;
  /** Folder in which the GGUF files and the Modelfile stay; undefined removes them. */
  readonly keepIn?: string | undefined;
  /** Where the Modelfile stays; in `keepIn` unless given. */
  readonly modelfilePath?: string | undefined;
}

export interface CreateFromOptions extends CreateModelOptions {
  /** Folder of the running bundle, where `jinja.js` lies. */
  readonly bundleFolder: string;
}

/** What was decided before anything is written. */
export interface PreparedCreate extends Inherited {
  readonly request: CreateFromRequest;
  readonly names: CreateNames;
  readonly server: CreateServer;
  /** A model of that name is replaced. */
  readonly exists: boolean;
  readonly gathered: GatheredFacts;
  readonly facts: RouteFacts;
  readonly plan: RoutePlan;
  readonly route: Route;
}

export interface CreatedFromArtefacts extends Omit<CreatedModel, 'route'> {
  readonly route: RouteName;
  readonly type: string | undefined;
  readonly template:
    | {
        readonly origin: string;
        readonly model?: string | undefined;
        readonly exact: boolean;
        readonly notes: readonly string[];
      }
    | undefined;
}

/**
 * Chooses the route and the template; nothing is written and the server is only asked.
 * @throws StudioError ollama/route where no route works, or not the one that was asked for; ollama/model-exists; what reading the inputs throws
 */
export async function prepareCreateFrom(
  request: CreateFromRequest,
  options: CreateFromOptions,
): Promise<PreparedCreate> {
  const names = createNames(request.name);
  const { client, signal, workers, bundleFolder } = options;
  const server = request.server ?? (await readServer(client, signal));
  const exists = await requireFreeName(server, names, { force: request.force, host: client.address.host, signal });
  const kept = keptModelfile(request);
  if (kept !== undefined && !request.force && existsSync(kept)) {
    throw existsError(kept);
  }
  const { base, installed, adapters, fileType, allowRequantize } = request;
  const gathered = await gatherRouteFacts({
    base,
    installed,
    adapters,
    wantedType: fileType,
    allowRequantize,
    ollamaVersion: server.version,
    workers,
    signal,
  });
  const { facts } = gathered;
  const plan = planRoutes(facts);
  const route = chosenRoute(request, facts, plan);
  const inherited = await inherit({
    gathered,
    base,
    library: request.library,
    isBuilt: isFused(route) && !isTakenAsItIs(facts),
    profile: server.profile,
    client,
    bundleFolder,
    signal,
  });
  return { request, names, server, exists, gathered, facts, plan, route, ...inherited };
}

/** The route that was asked for, or the recommended one; the reason of the refusal where there is none. */
function chosenRoute(request: CreateFromRequest, facts: RouteFacts, plan: RoutePlan): Route {
  const name = request.route ?? plan.recommended;
  const route = plan.routes.find((candidate) => candidate.route === name);
  if (route?.works === true) {
    return route;
  }
  const problem =
    request.route === undefined || request.route === 'fuse' || request.route === 'fuse-quantise'
      ? facts.fused.problem
      : facts.adapters[0]?.ggufProblem;
  if (problem !== undefined && problem.code !== 'adapter/no-gguf-form') {
    const folder =
      facts.base.kind === 'installed' && problem.code === 'ollama/file'
        ? ' Or give the Hugging Face folder of the base with --base DIR.'
        : '';
    throw StudioError.fromJSON({ ...problem, message: `${problem.message}${folder}` });
  }
  const works = plan.routes.filter((candidate) => candidate.works).map((candidate) => candidate.route);
  const instead =
    works.length > 0
      ? ` What works here: ${works.join(', ')}${plan.recommended === undefined ? '' : ` (recommended: ${plan.recommended})`}; leave --route out to take it.`
      : '';
  throw new StudioError(
    'ollama/route',
    `${route === undefined ? plan.because : `The route ${route.route} does not work: ${route.why}`}${/[.!?]$/.test(route?.why ?? plan.because) ? '' : '.'}${instead}`,
    { detail: { route: name, works } },
  );
}

function isFused({ route }: Route): boolean {
  return route === 'fuse' || route === 'fuse-quantise';
}

/**
 * Makes a model in Ollama from a base and adapters by the prepared route: the GGUF files, the Modelfile with template and stops, the model, and
 * one answer of it. What was made on the way is removed unless it is to be kept.
 * @throws StudioError what the build, the conversion and the server throw
 */
export async function* createFromArtefacts(
  prepared: PreparedCreate,
  options: CreateFromOptions,
): AsyncGenerator<EngineEvent, CreatedFromArtefacts> {
  const { request, names, server, exists, route, choice } = prepared;
  const started = performance.now();
  throwIfAborted(options.signal);
  const folder = request.keepIn ?? (await temporaryFolder(route));
  try {
    const maker = new FileMaker(prepared, options, folder);
    const path = keptModelfile(request) ?? join(folder, 'Modelfile');
    const text = modelfileText(prepared, maker, path);
    const parsed = parseModelfile(text);
    const lines = new ModelfileLines(parsed, path);
    // The text is judged before an hour is spent on the files that it names.
    refuseFindings(lintText(parsed, { profile: server.profile }), lines);
    yield* maker.model();
    yield* maker.adapter();
    await writeModelfile(path, text, request.force || request.keepIn === undefined);
    const made = yield* createPrepared(
      {
        request: { name: request.name, modelfile: new TextEncoder().encode(text), path, force: request.force },
        names,
        parsed,
        lines,
        server,
        exists,
        plan: partsOf(parsed, lines, maker, prepared),
        builds: new Map(),
      },
      options,
    );
    return {
      ...made,
      route: route.route,
      type: route.type,
      seconds: (performance.now() - started) / 1000,
      kept:
        request.keepIn === undefined && request.modelfilePath === undefined
          ? made.kept
          : [...made.kept, ...maker.made, path],
      warnings: [...prepared.warnings, ...maker.warnings, ...made.warnings],
      template:
        choice === undefined
          ? undefined
          : { origin: choice.origin, model: choice.model, exact: choice.exact, notes: choice.notes },
    };
  } finally {
    if (request.keepIn === undefined) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** The Modelfile, before the files that it names are there. */
function modelfileText(prepared: PreparedCreate, maker: FileMaker, path: string): string {
  const { request, choice, content } = prepared;
  const { modelFile, adapterFile } = maker;
  const others = maker.otherFiles.map((file) => relativeTo(path, file));
  return modelfileFor({
    from: [...(modelFile === undefined ? [request.base] : [relativeTo(path, modelFile)]), ...others],
    adapter: adapterFile === undefined ? undefined : relativeTo(path, adapterFile),
    choice,
    system: request.system ?? content?.system,
    requires: content?.requires,
    messages: content?.messages,
    licences: prepared.licences,
    parameters: { ...content?.parameters, ...request.parameters },
    header: header(prepared),
  });
}

/** What goes to the server for the Modelfile that was just written: its files are known, nothing of them is read again. */
function partsOf(
  parsed: ParsedModelfile,
  lines: ModelfileLines,
  maker: FileMaker,
  { request, route }: PreparedCreate,
): CreatePlan {
  const parts = new Map<string, CreatePart>();
  const commands: ModelfileCommand[] = [];
  const files = [
    ...(maker.modelFile === undefined ? [] : [maker.modelFiles]),
    ...maker.otherFiles.map((file) => [file]),
  ];
  let from: CreatePlan['from'];
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    const line = lines.ofInstruction(instruction);
    const key = `\u0000${instruction.span.start}`;
    const paths =
      command?.name === 'model' && (maker.modelFile !== undefined || from !== undefined) ? files.shift() : undefined;
    if (paths !== undefined) {
      const [path = ''] = paths;
      parts.set(
        key,
        paths.length > 1
          ? { kind: 'split', role: 'model', line, path, paths }
          : { kind: 'file', role: 'model', line, path },
      );
      commands.push({ name: 'model', args: key });
    } else if (command?.name === 'adapter' && maker.adapterFile !== undefined) {
      parts.set(key, { kind: 'file', role: 'adapter', line, path: maker.adapterFile });
      commands.push({ name: 'adapter', args: key });
    } else if (command !== undefined) {
      from = command.name === 'model' ? { name: request.base, line } : from;
      commands.push(command);
    }
  }
  return { commands, parts, from, route: route.route, warnings: [] };
}

/** The comment at the top of the Modelfile. */
function header({ request: { name, adapters, base }, facts, route }: PreparedCreate): string[] {
  const names = adapters.map(
    ({ path, weight }) => `${basename(resolve(path))}${weight === 1 ? '' : ` (weight ${weight})`}`,
  );
  const of = facts.base.kind === 'installed' ? base : basename(resolve(base));
  return [
    `${name}: ${of}${names.length === 0 ? '' : ` with ${names.join(' and ')}`}, ${route.type ?? ''} (${route.route})`,
  ];
}

/** Makes the GGUF files of a route; their names are known before. */
class FileMaker {
  readonly made: string[] = [];
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  /** What FROM names first; undefined where that is the installed model. */
  readonly modelFile: string | undefined;
  /** All files of it: a split GGUF that is taken as it is has several. */
  readonly modelFiles: readonly string[];
  /** What ADAPTER names; undefined where the adapter is fused. */
  readonly adapterFile: string | undefined;
  /** What more FROM lines name: the projectors of an installed base whose file alone is used. */
  readonly otherFiles: readonly string[];
  private readonly fileType: FileTypeName | undefined;

  constructor(
    private readonly prepared: PreparedCreate,
    private readonly options: CreateFromOptions,
    private readonly folder: string,
  ) {
    const { facts, route, request, gathered } = prepared;
    const fused = isFused(route);
    const isBuilt = facts.base.kind === 'huggingface' || (fused && !isTakenAsItIs(facts));
    this.fileType = isBuilt ? typeOfRoute(facts, route.route) : undefined;
    const given = facts.base.kind === 'installed' ? undefined : resolve(request.base);
    this.modelFile = this.fileType === undefined ? given : this.path(`${this.fileType}.gguf`);
    const { base } = gathered.inputs ?? {};
    this.modelFiles =
      this.modelFile === undefined
        ? []
        : this.fileType === undefined && base?.kind === 'gguf'
          ? base.parts.map(({ path }) => resolve(path))
          : [this.modelFile];
    const [adapter] = request.adapters;
    this.adapterFile =
      adapter === undefined || fused
        ? undefined
        : facts.adapters[0]?.format === 'gguf'
          ? resolve(adapter.path)
          : this.path('adapter.gguf');
    this.otherFiles = facts.base.kind === 'installed' && isBuilt ? (gathered.installedModel?.projectors ?? []) : [];
  }

  async *model(): AsyncGenerator<EngineEvent, void> {
    const { route, gathered, facts } = this.prepared;
    const { inputs } = gathered;
    if (this.fileType === undefined || this.modelFile === undefined || inputs === undefined) {
      return;
    }
    yield { event: 'phase', phase: 'planning' };
    const plan = await planFromInputs(isFused(route) ? inputs : await buildInputs(inputs.base, []), {
      fileType: this.fileType,
      output: this.modelFile,
      layout: 'quantised',
      trainedWith: isFused(route)
        ? []
        : facts.adapters.flatMap(({ format, directory }) => (format === 'gguf' ? [] : [directory])),
      allowRequantize: this.prepared.request.allowRequantize,
      signal: this.options.signal,
    });
    this.note(plan.warnings);
    const report = yield* buildFromPlan(plan, {
      force: this.mayReplace,
      workers: this.options.workers,
      signal: this.options.signal,
      workerScript: this.options.workerScript,
    });
    this.note(report.warnings);
    this.made.push(report.output);
  }

  async *adapter(): AsyncGenerator<EngineEvent, void> {
    const { facts, request, gathered } = this.prepared;
    const [adapter] = request.adapters;
    if (adapter === undefined || this.adapterFile === undefined || facts.adapters[0]?.format === 'gguf') {
      return;
    }
    const plan = await prepareConvertAdapter({
      adapter,
      base: gathered.target,
      type: 'F16',
      output: this.adapterFile,
      signal: this.options.signal,
    });
    this.note(plan.warnings);
    const report = yield* convertAdapter(plan, { force: this.mayReplace, signal: this.options.signal });
    this.note(report.warnings);
    this.made.push(report.output);
  }

  private get mayReplace(): boolean {
    return this.prepared.request.force && this.prepared.request.keepIn !== undefined;
  }

  private path(ending: string): string {
    return join(this.folder, `${stem(this.prepared.request.name)}-${ending}`);
  }

  private note(notes: readonly { readonly code: string; readonly message: string }[]): void {
    append(
      this.warnings,
      notes.map(({ code, message }) => ({ code, message })),
    );
  }
}
