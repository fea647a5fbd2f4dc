import { append } from '../../core/append';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { FileTypeName } from '../../core/engine/fileTypes';
import { StudioError, throwIfAborted } from '../../core/errors';
import { modelfileFor } from '../../core/modelfile/writeModelfile';
import { createNames } from '../../core/ollama/createNames';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import {
  planRoutes,
  typeOfRoute,
  type Route,
  type RouteFacts,
  type RouteName,
  type RoutePlan,
} from '../../core/routes/planRoutes';
import type { LibraryModel } from '../../core/ollama/registryManifest';
import type { EngineEvent } from '../../core/progress';
import type { BaseLibraryModel, TemplateChoice } from '../../core/chatTemplate/chooseTemplate';
import { buildFromPlan } from '../engine/buildFromPlan';
import { chooseTemplateFor, readChatFormat } from '../jinja/chooseTemplate';
import { convertAdapter, prepareConvertAdapter } from '../engine/convertAdapter';
import { createModel, type CreatedModel, type CreateModelOptions } from './createModel';
import { installedModelFile, OLLAMA_PREFIX } from '../inputs/installedModelFile';
import { lookUpModel } from '../registry/libraryLookup';
import { resolveBasePath } from '../inputs/loadBasePath';
import { requireOllama } from '../ollama/ollamaState';
import { existsError } from '../output/partialOutput';
import { prepareBuild, type AdapterRequest } from '../engine/prepareBuild';
import { keptModelfile, relativeTo, stem, temporaryFolder, writeModelfile } from './keptFiles';
import { gatherRouteFacts, type InstalledBase } from './routeFacts';

export interface CreateFromRequest {
  readonly name: string;
  /** A Hugging Face folder, a GGUF, or the name of an installed model (then with `installed`). */
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  readonly adapters: readonly AdapterRequest[];
  /** Undefined for the recommended type. */
  readonly fileType?: FileTypeName | undefined;
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
export interface PreparedCreate {
  readonly request: CreateFromRequest;
  readonly facts: RouteFacts;
  readonly plan: RoutePlan;
  readonly route: Route;
  /** Template and stops; undefined where the installed base has them. */
  readonly choice: TemplateChoice | undefined;
  /** Of the installed base, where the result is a model of its own. */
  readonly system?: string | undefined;
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
  const { client, signal } = options;
  const server = await requireOllama(client, { signal });
  await requireFreeName(request, names.name, names.previous, options);
  const kept = keptModelfile(request);
  if (kept !== undefined && !request.force && existsSync(kept)) {
    throw existsError(kept);
  }
  const { base, installed, adapters, fileType } = request;
  const facts = await gatherRouteFacts({
    base,
    installed,
    adapters,
    wantedType: fileType,
    ollamaVersion: server.version,
    workers: options.workers,
    signal,
  });
  const plan = planRoutes(facts);
  const route = chosenRoute(request, facts, plan);
  return { request, facts, plan, route, ...(await inherit(request, facts, route, options)) };
}

async function requireFreeName(
  request: CreateFromRequest,
  name: string,
  previous: string,
  { client, signal }: CreateFromOptions,
): Promise<void> {
  const wanted = parseModelName(name);
  const exists = (await client.list({ signal })).some((model) => {
    const candidate = parseModelName(model.name);
    return wanted !== undefined && candidate !== undefined && sameModelName(candidate, wanted);
  });
  if (exists && !request.force) {
    throw new StudioError(
      'ollama/model-exists',
      `${name} exists on ${client.address.host} and was not touched. Choose another name, or --force: it is then kept as ${previous}.`,
      { detail: { name } },
    );
  }
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

/** What a Modelfile takes over beside the weights. */
interface Inherited {
  readonly choice: TemplateChoice | undefined;
  readonly system?: string | undefined;
}

/** Template and stops: chosen from a folder or a GGUF; what is made FROM an installed model inherits its own, and what is fused into one keeps them. */
async function inherit(
  request: CreateFromRequest,
  facts: RouteFacts,
  route: Route,
  options: CreateFromOptions,
): Promise<Inherited> {
  const { bundleFolder, signal, client } = options;
  const isInstalled = facts.base.kind === 'installed';
  if (isInstalled && !isFused(route)) {
    return { choice: undefined };
  }
  const library = isInstalled ? request.base : request.library;
  const looked =
    library === undefined
      ? undefined
      : (await lookUpModel(library, { ollama: client, offline: isInstalled, bundleFolder, signal })).model;
  const base = looked === undefined ? undefined : libraryBase(looked);
  const path = await templateSource(request, facts, signal);
  const ownTemplateFolder = facts.base.kind === 'huggingface' ? await ownTemplate(path, facts, signal) : undefined;
  const choice = await chooseTemplateFor(path, { bundleFolder, base, signal, adapter: ownTemplateFolder });
  return { choice, ...(isInstalled && looked?.system !== undefined ? { system: looked.system } : {}) };
}

/** The folder of the last adapter that has another chat template than the base: the one that it was trained with, and so the right one. */
async function ownTemplate(base: string, facts: RouteFacts, signal: AbortSignal): Promise<string | undefined> {
  const own = (await readChatFormat(base, signal)).jinja;
  for (const { directory, format } of [...facts.adapters].reverse()) {
    const trained = format === 'gguf' ? undefined : await trainedTemplate(directory, signal);
    if (trained !== undefined && trained !== own) {
      return directory;
    }
  }
  return undefined;
}

/** Undefined for a folder without a readable tokenizer of its own: most adapters have none. */
async function trainedTemplate(directory: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await readChatFormat(directory, signal)).jinja;
  } catch (thrown) {
    throwIfAborted(signal);
    if (thrown instanceof StudioError && thrown.code !== 'internal/unexpected') {
      return undefined;
    }
    throw thrown;
  }
}

/** The folder or file whose chat template counts. */
async function templateSource({ base }: CreateFromRequest, facts: RouteFacts, signal: AbortSignal): Promise<string> {
  switch (facts.base.kind) {
    case 'huggingface':
      return (await resolveBasePath(base)).directory;
    case 'gguf':
      return base;
    case 'installed':
      return await installedModelFile(`${OLLAMA_PREFIX}${base}`, signal);
  }
}

function isFused({ route }: Route): boolean {
  return route === 'fuse' || route === 'fuse-quantise';
}

/** A library model as what the Modelfile of a model made from it takes over. */
function libraryBase({ name, template, parameters, renderer, parser, license }: LibraryModel): BaseLibraryModel {
  const { stop, ...rest } = parameters;
  return {
    model: name,
    renderer,
    parser,
    license,
    ...(template === undefined ? {} : { template }),
    stops: stop === undefined ? [] : [stop].flat().map(String),
    parameters: Object.fromEntries(
      Object.entries(rest).flatMap(([key, value]) => (typeof value === 'object' ? [] : [[key, value] as const])),
    ),
  };
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
  const { request, facts, route } = prepared;
  const started = performance.now();
  throwIfAborted(options.signal);
  const folder = request.keepIn ?? (await temporaryFolder(route));
  try {
    const maker = new FileMaker(prepared, options, folder);
    const path = keptModelfile(request) ?? join(folder, 'Modelfile');
    const from = yield* maker.model();
    const adapter = yield* maker.adapter();
    const text = modelfileFor({
      from: [facts.base.kind === 'installed' && !isFused(route) ? from : relativeTo(path, from)],
      adapter: adapter === undefined ? undefined : relativeTo(path, adapter),
      choice: prepared.choice,
      system: request.system ?? prepared.system,
      parameters: request.parameters,
      header: header(prepared),
    });
    await writeModelfile(path, text, request.force || request.keepIn === undefined);
    const made = yield* createModel(
      { name: request.name, modelfile: new TextEncoder().encode(text), path, force: request.force },
      options,
    );
    const { choice } = prepared;
    return {
      ...made,
      route: route.route,
      type: route.type,
      seconds: (performance.now() - started) / 1000,
      kept:
        request.keepIn === undefined && request.modelfilePath === undefined
          ? made.kept
          : [...made.kept, ...maker.made, path],
      warnings: [...maker.warnings, ...made.warnings],
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

/** Makes the GGUF files of a route. */
class FileMaker {
  readonly made: string[] = [];
  readonly warnings: { readonly code: string; readonly message: string }[] = [];

  constructor(
    private readonly prepared: PreparedCreate,
    private readonly options: CreateFromOptions,
    private readonly folder: string,
  ) {}

  /** What FROM names: a GGUF that was built or that is there, or the installed model. */
  async *model(): AsyncGenerator<EngineEvent, string> {
    const { facts, route, request } = this.prepared;
    const fused = isFused(route);
    if (facts.base.kind !== 'huggingface' && !fused) {
      return facts.base.kind === 'installed' ? request.base : resolve(request.base);
    }
    const fileType = typeOfRoute(facts, route.route);
    yield { event: 'phase', phase: 'planning' };
    const plan = await prepareBuild({
      base: facts.base.kind === 'installed' ? `${OLLAMA_PREFIX}${request.base}` : request.base,
      adapters: fused ? request.adapters : [],
      fileType,
      output: this.path(`${fileType}.gguf`),
      layout: 'quantised',
      trainedWith: fused
        ? []
        : facts.adapters.flatMap(({ format, directory }) => (format === 'gguf' ? [] : [directory])),
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
    return report.output;
  }

  /** What ADAPTER names; undefined where it is merged. */
  async *adapter(): AsyncGenerator<EngineEvent, string | undefined> {
    const { facts, route, request } = this.prepared;
    const [adapter] = request.adapters;
    if (adapter === undefined || isFused(route)) {
      return undefined;
    }
    if (facts.adapters[0]?.format === 'gguf') {
      return resolve(adapter.path);
    }
    const base = request.installed?.target ?? request.base;
    const plan = await prepareConvertAdapter({
      adapter,
      base,
      type: 'F16',
      output: this.path('adapter.gguf'),
      signal: this.options.signal,
    });
    this.note(plan.warnings);
    const report = yield* convertAdapter(plan, { force: this.mayReplace, signal: this.options.signal });
    this.note(report.warnings);
    this.made.push(report.output);
    return report.output;
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
