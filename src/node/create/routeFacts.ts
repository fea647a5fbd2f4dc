// Reads base and adapters for the planner of routes.
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import { noGgufForm } from '../../core/engine/adapterGgufRefusals';
import { targetOfModel, type AdapterTarget } from '../../core/engine/adapterTarget';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { FILE_TYPES, fileTypeName, isQuantised, parseFileType, type FileTypeName } from '../../core/engine/fileTypes';
import { peakMemory, estimatedSeconds } from '../../core/engine/finishPlan';
import { planAdapterGguf } from '../../core/engine/planAdapterGguf';
import type { GgufPart } from '../../core/engine/planQuantize';
import { StudioError, toStudioError, type ErrorJson } from '../../core/errors';
import type { Adapter } from '../../core/formats/adapters/adapter';
import { readGguf } from '../../core/formats/gguf/readGguf';
import { elementCount } from '../../core/formats/tensorRef';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import { attachesAdapters } from '../../core/routes/serverAbilities';
import { isTakenAsItIs, typeOfRoute, type RouteName } from '../../core/routes/planRoutes';
import type { RouteAdapter, RouteBase, RouteBuild, RouteFacts } from '../../core/routes/routeFacts';
import { requireOwnWeights } from '../engine/convertAdapter';
import { planTrained, trainedInputs } from '../engine/prepareBuild';
import { openFileSource } from '../files/fileSource';
import { OLLAMA_PREFIX, readInstalledModel, type InstalledModel } from '../inputs/installedModel';
import {
  buildInputs,
  loadAdapters,
  loadBuildBase,
  type AdapterRequest,
  type BuildBase,
  type BuildInputs,
} from '../inputs/loadBuildInputs';
import type { OllamaClient } from '../ollama/ollamaClient';
import { targetOfParts } from '../inputs/loadAdapterTarget';
import { readGgufFiles } from '../inputs/readGgufParts';
import { withoutZeroParts } from '../engine/zeroParts';

export interface RouteRequest {
  /** A Hugging Face folder or a GGUF; for an installed model give `installed`. */
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  readonly adapters: readonly AdapterRequest[];
  readonly wantedType?: FileTypeName | undefined;
  /** A quantised base without an adapter may be quantised again. */
  readonly allowRequantize?: boolean | undefined;
  readonly ollamaVersion?: string | undefined;
  readonly workers: number;
  readonly signal?: AbortSignal | undefined;
}

/** An installed model as Ollama describes it. */
export interface InstalledBase {
  readonly target: AdapterTarget;
  /** Name of its file in the models folder of its server (`sha256-…`); undefined where the server does not say. */
  readonly blob: string | undefined;
  /** The server's address, for people. */
  readonly host: string;
  readonly client: OllamaClient;
  readonly type: string;
  readonly bytes: number;
  readonly parameters: number;
  /** It is a base with an adapter layer on top. */
  readonly hasAdapter: boolean;
}

/** What reading the inputs told, before the planner judges it. */
interface LoadedBase {
  readonly base: RouteBase;
  readonly target: AdapterTarget;
  /** Undefined where the files of an installed model are out of reach, with the reason. */
  readonly inputs: BuildBase | undefined;
  readonly problem?: ErrorJson | undefined;
  readonly installedModel?: InstalledModel | undefined;
}

/** The facts of the planner, and what was read for them: a build goes on from there. */
export interface GatheredFacts {
  readonly facts: RouteFacts;
  /** What an adapter has to fit. */
  readonly target: AdapterTarget;
  /** Base and adapters; undefined where the files of an installed base are out of reach. */
  readonly inputs?: BuildInputs | undefined;
  /** An installed base as its store has it. */
  readonly installedModel?: InstalledModel | undefined;
}

/**
 * Reads base and adapters (headers and configuration only) and plans every build that a route could take, so that the planner's figures are
 * those of the builds themselves. Nothing is written.
 * @throws StudioError input/…, model/…, gguf/…; what only rules a route out stands in the facts
 */
export async function gatherRouteFacts(request: RouteRequest): Promise<GatheredFacts> {
  const { signal, workers, ollamaVersion, wantedType } = request;
  const loaded =
    request.installed === undefined ? await loadBase(request) : await loadInstalled(request, request.installed);
  const { installedModel } = loaded;
  const own = (installedModel?.adapters ?? []).map((path) => ({ path, weight: 1 }));
  const weighted = await loadAdapters([...own, ...request.adapters], signal);
  const adapters: RouteAdapter[] = [];
  for (const [index, each] of weighted.entries()) {
    const { path } = request.adapters[index - own.length] ?? { path: `the adapter of ${request.base}` };
    const adapter = await routeAdapter({ ...each, path }, loaded.target, request);
    adapters.push(index < own.length ? { ...adapter, isInstalled: true } : adapter);
  }
  const none = { builds: [] };
  const facts: RouteFacts = { base: loaded.base, adapters, ollamaVersion, wantedType, fused: none, plain: none };
  if (loaded.inputs === undefined) {
    return {
      facts: { ...facts, fused: { builds: [], problem: loaded.problem } },
      target: loaded.target,
      installedModel,
    };
  }
  const inputs = await buildInputs(loaded.inputs, weighted);
  if (isTakenAsItIs(facts)) {
    return { facts, target: loaded.target, inputs, installedModel };
  }
  const fusedTypes = typesOf(facts, ['fuse', 'fuse-quantise']);
  const plainTypes = typesOf(facts, adapters[0]?.format === 'gguf' ? ['adapter'] : ['gguf-adapter']);
  const staysApart = weighted.length === 1 && attachesAdapters(ollamaVersion);
  const planned = {
    ...facts,
    fused: await builds(fusedTypes, workers, () => planner(inputs, request)),
    plain:
      inputs.base.kind === 'folder' && staysApart
        ? await builds(plainTypes, workers, () => planner({ ...inputs, adapters: [] }, request))
        : none,
  };
  return { facts: planned, target: loaded.target, inputs, installedModel };
}

/** The types of these routes, each once: planning a large vocabulary takes a second. */
function typesOf(facts: RouteFacts, routes: readonly RouteName[]): FileTypeName[] {
  return [...new Set(routes.map((route) => typeOfRoute(facts, route)))];
}

async function loadBase({ base, signal }: RouteRequest): Promise<LoadedBase> {
  const inputs = await loadBuildBase(base, signal);
  if (inputs.kind === 'folder') {
    const target = targetOfModel(inputs.model);
    return { inputs, target, base: folderBase(inputs.model, target) };
  }
  const { target } = targetOfParts(base, inputs.parts);
  const id = inputs.parts[0]?.file.metadata.get('general.file_type')?.value;
  const type = (typeof id === 'number' ? fileTypeName(id) : undefined) ?? 'GGUF';
  return {
    inputs,
    target,
    base: {
      path: base,
      kind: 'gguf',
      architecture: target.architecture.name,
      label: target.architecture.label,
      parameters: inputs.parts.reduce((sum, { file }) => sum + parametersOf(file.tensors), 0),
      sixteenBit: type === 'F16' ? 'F16' : 'BF16',
      stored: {
        type,
        bytes: inputs.parts.reduce((sum, { file }) => sum + file.fileBytes, 0),
        isQuantised: isQuantisedName(type),
      },
    },
  };
}

function parametersOf(tensors: readonly { readonly shape: readonly number[] }[]): number {
  return tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

async function loadInstalled(request: RouteRequest, installed: InstalledBase): Promise<LoadedBase> {
  const { target } = installed;
  const base: RouteBase = {
    path: request.base,
    kind: 'installed',
    architecture: target.architecture.name,
    label: target.architecture.label,
    parameters: installed.parameters,
    sixteenBit: installed.type === 'F16' ? 'F16' : 'BF16',
    stored: { type: installed.type, bytes: installed.bytes, isQuantised: isQuantisedName(installed.type) },
  };
  try {
    const { installedModel, parts } = await filesOfInstalled(request.base, installed, request.signal);
    return { base, target, inputs: { kind: 'gguf', parts }, installedModel };
  } catch (thrown) {
    const problem = refusal(thrown);
    if (installed.hasAdapter) {
      // Taken for a plain base it would be copied with its adapter still on top.
      throw StudioError.fromJSON(problem);
    }
    return { base, target, inputs: undefined, problem };
  }
}

function folderBase(model: ModelFolder, target: AdapterTarget): RouteBase {
  const halves = [...model.tensors.values()].filter(({ dtype }) => dtype === 'F16').length;
  return {
    path: model.path,
    kind: 'huggingface',
    architecture: target.architecture.name,
    className: target.config.className,
    label: target.architecture.label,
    parameters: [...target.shapes([]).values()].reduce((sum, { shape }) => sum + elementCount(shape), 0),
    // F16 weights do not fit BF16 without loss; anything else does, or was never finer.
    sixteenBit: halves * 2 > model.tensors.size ? 'F16' : 'BF16',
  };
}

async function routeAdapter(
  { adapter, weight, path }: WeightedAdapter & { readonly path: string },
  target: AdapterTarget,
  { ollamaVersion, signal }: RouteRequest,
): Promise<RouteAdapter> {
  const { size } = await stat(adapter.weightsFile);
  const facts = {
    path,
    directory: adapter.directory,
    format: adapter.format,
    method: adapter.method,
    weight,
    bytes: size,
    targets: adapter.targets,
  };
  if (adapter.format === 'gguf') {
    const architecture = await architectureOf(adapter.weightsFile);
    const embedding = target.tied && adapter.parts.some((part) => part.target === 'token_embd.weight');
    const problem = embedding
      ? noGgufForm(
          path,
          'tied-embedding',
          "it changes the embedding, which is this model's output head as well, and llama.cpp stops with a failed assertion on such an adapter",
          'token_embd.weight',
        ).toJSON()
      : undefined;
    return { ...facts, hasPatterns: false, ggufProblem: problem, architecture, ggufBytes: size };
  }
  const scales = new Set(adapter.parts.flatMap((part) => (part.kind === 'lowRank' ? [part.scale * part.rank] : [])));
  // Where nothing takes a GGUF adapter, what it would be is not asked.
  const gguf = attachesAdapters(ollamaVersion) ? await planned(adapter, weight, target, signal) : {};
  return { ...facts, hasPatterns: scales.size > 1, ggufProblem: gguf.problem, ggufBytes: gguf.bytes };
}

async function architectureOf(path: string): Promise<string | undefined> {
  const source = await openFileSource(path);
  const file = await readGguf(source, { path, arrays: 'skip' }).finally(() => source.close());
  const value = file.metadata.get('general.architecture')?.value;
  return typeof value === 'string' ? value : undefined;
}

async function planned(
  adapter: Adapter,
  weight: number,
  target: AdapterTarget,
  signal: AbortSignal | undefined,
): Promise<{ readonly problem?: ErrorJson | undefined; readonly bytes?: number | undefined }> {
  try {
    const [trained] = await withoutZeroParts([{ adapter, weight }], signal);
    const plan = planAdapterGguf({ ...trained!, target, type: 'F16', output: join(tmpdir(), 'adapter.gguf') });
    await requireOwnWeights(plan, signal);
    return { bytes: plan.bytesWritten };
  } catch (thrown) {
    return { problem: refusal(thrown) };
  }
}

type Planner = (fileType: FileTypeName) => BuildPlan;

/** Plans builds of these inputs, one for each type. */
async function planner(inputs: BuildInputs, { signal, allowRequantize }: RouteRequest): Promise<Planner> {
  const options = { output: join(tmpdir(), 'model.gguf'), layout: 'quantised', allowRequantize } as const;
  const trained = await trainedInputs(inputs, { signal });
  return (fileType) => planTrained(trained, { ...options, fileType });
}

/** The files of an installed model. A folder of models may belong to another server, and have another model of that name. */
async function filesOfInstalled(
  name: string,
  { blob, host, client }: InstalledBase,
  signal: AbortSignal | undefined,
): Promise<{ readonly installedModel: InstalledModel; readonly parts: readonly GgufPart[] }> {
  const installedModel = await readInstalledModel(`${OLLAMA_PREFIX}${name}`, { client, signal });
  if (blob !== undefined && !installedModel.models.some((path) => basename(path) === blob)) {
    throw new StudioError(
      'ollama/file',
      `${name} on ${host} is another file than the one found here under that name (${installedModel.models.join(', ')}). Run this where that server runs, or give its models folder in OLLAMA_MODELS.`,
      { path: installedModel.models[0] },
    );
  }
  return { installedModel, parts: await readGgufFiles(installedModel.models) };
}

async function builds(
  types: readonly FileTypeName[],
  workers: number,
  makePlanner: () => Promise<Planner>,
): Promise<RouteFacts['fused']> {
  try {
    const plan = await makePlanner();
    return { builds: types.map((type) => costOf(plan(type), workers)) };
  } catch (thrown) {
    return { builds: [], problem: refusal(thrown) };
  }
}

function isQuantisedName(type: string): boolean {
  const known = parseFileType(type);
  return known === undefined || isQuantised(FILE_TYPES[known].base);
}

function costOf(plan: BuildPlan, workers: number): RouteBuild {
  return {
    type: plan.fileType,
    bytesRead: plan.bytesRead,
    bytesWritten: plan.bytesWritten,
    memoryBytes: peakMemory(plan, workers),
    seconds: estimatedSeconds(plan, workers),
  };
}

/** A refusal of ours as a fact; anything else is a bug and stays an error. */
function refusal(thrown: unknown): ErrorJson {
  const error = toStudioError(thrown);
  if (error.code === 'internal/unexpected' || error.code === 'run/cancelled') {
    throw error;
  }
  return error.toJSON();
}
