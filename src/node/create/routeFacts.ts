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
import { planBuild } from '../../core/engine/planBuild';
import { planGgufBuild } from '../../core/engine/planGgufBuild';
import { StudioError, toStudioError, type ErrorJson } from '../../core/errors';
import type { Adapter } from '../../core/formats/adapters/adapter';
import { readGguf } from '../../core/formats/gguf/readGguf';
import type { GgufFile } from '../../core/formats/gguf/ggufTypes';
import { elementCount } from '../../core/formats/tensorRef';
import type { HuggingFaceModel } from '../../core/formats/huggingface/huggingFaceModel';
import {
  typeOfRoute,
  type RouteAdapter,
  type RouteBase,
  type RouteBuild,
  type RouteFacts,
  type RouteName,
} from '../../core/routes/planRoutes';
import { requireOwnWeights } from '../engine/convertAdapter';
import { openFileSource } from '../files/fileSource';
import { installedModelFile, OLLAMA_PREFIX } from '../inputs/installedModelFile';
import { loadAdapter } from '../inputs/loadAdapter';
import { loadAdapterTarget } from '../inputs/loadAdapterTarget';
import { resolveBasePath } from '../inputs/loadBasePath';
import { loadHuggingFaceModel } from '../inputs/loadHuggingFaceModel';
import { sha256, type AdapterRequest } from '../engine/prepareBuild';
import { withoutTiedCopies } from '../engine/tiedCopies';
import { withTrainedTokenizer } from '../inputs/trainedTokenizer';
import { readGgufParts } from '../inputs/readGgufParts';

export interface RouteRequest {
  /** A Hugging Face folder or a GGUF; for an installed model give `installed`. */
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  readonly adapters: readonly AdapterRequest[];
  readonly wantedType?: FileTypeName | undefined;
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
  readonly type: string;
  readonly bytes: number;
  readonly parameters: number;
}

/** What reading the inputs told, before the planner judges it. */
interface LoadedBase {
  readonly base: RouteBase;
  readonly target: AdapterTarget;
  readonly model?: HuggingFaceModel | undefined;
}

/**
 * Reads base and adapters (headers and configuration only) and plans every build that a route could take, so that the planner's figures are
 * those of the builds themselves. Nothing is written.
 * @throws StudioError input/…, model/…, gguf/…; what only rules a route out stands in the facts
 */
export async function gatherRouteFacts(request: RouteRequest): Promise<RouteFacts> {
  const loaded = await loadBase(request);
  const adapters: { readonly facts: RouteAdapter; readonly weighted: WeightedAdapter }[] = [];
  for (const adapter of request.adapters) {
    adapters.push(await loadRouteAdapter(adapter, loaded.target, request.signal));
  }
  const weighted = adapters.map((adapter) => adapter.weighted);
  const { model } = loaded;
  const none = { builds: [] };
  const facts: RouteFacts = {
    base: loaded.base,
    adapters: adapters.map((adapter) => adapter.facts),
    ollamaVersion: request.ollamaVersion,
    wantedType: request.wantedType,
    fused: none,
    plain: none,
  };
  const fusedTypes = typesOf(facts, ['fuse', 'fuse-quantise']);
  const plainTypes = typesOf(facts, facts.adapters[0]?.format === 'gguf' ? ['adapter'] : ['gguf-adapter']);
  return {
    ...facts,
    fused:
      model === undefined
        ? await ggufBuilds(request, weighted, fusedTypes)
        : builds(fusedTypes, request.workers, await folderPlanner(model, weighted)),
    plain:
      model === undefined || weighted.length !== 1
        ? none
        : builds(plainTypes, request.workers, await folderPlanner(model, [])),
  };
}

/** The types of these routes, each once: planning a large vocabulary takes a second. */
function typesOf(facts: RouteFacts, routes: readonly RouteName[]): FileTypeName[] {
  return [...new Set(routes.map((route) => typeOfRoute(facts, route)))];
}

async function loadBase(request: RouteRequest): Promise<LoadedBase> {
  const { base, installed } = request;
  if (installed !== undefined) {
    const { target } = installed;
    return {
      target,
      base: {
        path: base,
        kind: 'installed',
        architecture: target.architecture.name,
        label: target.architecture.label,
        parameters: installed.parameters,
        sixteenBit: 'BF16',
        stored: { type: installed.type, bytes: installed.bytes, isQuantised: isQuantisedName(installed.type) },
      },
    };
  }
  const found = await stat(base).catch(() => undefined);
  if (found?.isFile() === true && /\.gguf$/i.test(base)) {
    const { target } = await loadAdapterTarget(base);
    const gguf = await readHeader(base);
    const id = gguf.metadata.get('general.file_type')?.value;
    const type = (typeof id === 'number' ? fileTypeName(id) : undefined) ?? 'GGUF';
    const parameters = gguf.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0);
    return {
      target,
      base: {
        path: base,
        kind: 'gguf',
        architecture: target.architecture.name,
        label: target.architecture.label,
        parameters,
        sixteenBit: type === 'F16' ? 'F16' : 'BF16',
        stored: { type, bytes: found.size, isQuantised: isQuantisedName(type) },
      },
    };
  }
  const { directory } = await resolveBasePath(base);
  const model = { ...(await loadHuggingFaceModel(directory)), path: base };
  const target = targetOfModel(model);
  return { model, target, base: folderBase(model, target) };
}

function folderBase(model: HuggingFaceModel, target: AdapterTarget): RouteBase {
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

async function loadRouteAdapter(
  { path, weight }: AdapterRequest,
  target: AdapterTarget,
  signal: AbortSignal | undefined,
): Promise<{ readonly facts: RouteAdapter; readonly weighted: WeightedAdapter }> {
  const adapter = await loadAdapter(path, { signal });
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
    const architecture = (await readHeader(adapter.weightsFile)).metadata.get('general.architecture')?.value;
    const embedding = target.tied && adapter.parts.some((part) => part.target === 'token_embd.weight');
    const problem = embedding
      ? noGgufForm(
          path,
          'tied-embedding',
          "it changes the embedding, which is this model's output head as well, and llama.cpp stops with a failed assertion on such an adapter",
          'token_embd.weight',
        ).toJSON()
      : undefined;
    return {
      weighted: { adapter, weight },
      facts: {
        ...facts,
        hasPatterns: false,
        ggufProblem: problem,
        architecture: typeof architecture === 'string' ? architecture : undefined,
        ggufBytes: size,
      },
    };
  }
  const gguf = await planned(adapter, weight, target, signal);
  const scales = new Set(adapter.parts.flatMap((part) => (part.kind === 'lowRank' ? [part.scale * part.rank] : [])));
  return {
    weighted: { adapter, weight },
    facts: { ...facts, hasPatterns: scales.size > 1, ggufProblem: gguf.problem, ggufBytes: gguf.bytes },
  };
}

async function planned(
  adapter: Adapter,
  weight: number,
  target: AdapterTarget,
  signal: AbortSignal | undefined,
): Promise<{ readonly problem?: ErrorJson; readonly bytes?: number }> {
  try {
    const plan = planAdapterGguf({ adapter, weight, target, type: 'F16', output: join(tmpdir(), 'adapter.gguf') });
    await requireOwnWeights(plan, signal);
    return { bytes: plan.bytesWritten };
  } catch (thrown) {
    return { problem: refusal(thrown) };
  }
}

async function readHeader(path: string): Promise<GgufFile> {
  const source = await openFileSource(path);
  return await readGguf(source, { path, arrays: 'skip' }).finally(() => source.close());
}

type Planner = (fileType: FileTypeName) => BuildPlan;

async function folderPlanner(model: HuggingFaceModel, given: readonly WeightedAdapter[]): Promise<Planner> {
  const single = await withoutTiedCopies(model, given);
  const { adapters } = single;
  const folders = given.flatMap(({ adapter }) => (adapter.format === 'gguf' ? [] : [adapter.directory]));
  const { base } = await withTrainedTokenizer(single.base, folders);
  return (fileType) =>
    planBuild({
      base,
      adapters,
      options: { fileType, output: join(tmpdir(), 'model.gguf'), layout: 'quantised' },
      sha256,
    });
}

/** Builds on a GGUF, or on the file of an installed model where that is within reach. */
async function ggufBuilds(
  { base, installed, workers, signal }: RouteRequest,
  adapters: readonly WeightedAdapter[],
  types: readonly FileTypeName[],
): Promise<RouteFacts['fused']> {
  try {
    const parts = await readGgufParts(installed === undefined ? base : await fileOfInstalled(base, installed, signal));
    return builds(types, workers, (fileType) =>
      planGgufBuild({
        parts,
        adapters,
        options: { fileType, output: join(tmpdir(), 'model.gguf'), layout: 'quantised' },
      }),
    );
  } catch (thrown) {
    return { builds: [], problem: refusal(thrown) };
  }
}

/** A folder of models may belong to another server, and have another model of that name. */
async function fileOfInstalled(
  name: string,
  { blob, host }: InstalledBase,
  signal: AbortSignal | undefined,
): Promise<string> {
  const path = await installedModelFile(`${OLLAMA_PREFIX}${name}`, signal);
  if (blob !== undefined && basename(path) !== blob) {
    throw new StudioError(
      'ollama/file',
      `${name} on ${host} is another file than the one found here under that name (${path}). Run this where that server runs, or give its models folder in OLLAMA_MODELS.`,
      { path },
    );
  }
  return path;
}

function builds(types: readonly FileTypeName[], workers: number, planner: Planner): RouteFacts['fused'] {
  try {
    return { builds: types.map((type) => costOf(planner(type), workers)) };
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
