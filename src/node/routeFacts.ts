import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WeightedAdapter } from '../core/engine/applyAdapters';
import { targetOfModel, type AdapterTarget } from '../core/engine/adapterTarget';
import type { BuildPlan } from '../core/engine/buildPlan';
import { fileTypeName, type FileTypeName } from '../core/engine/fileTypes';
import { peakMemory, estimatedSeconds } from '../core/engine/finishPlan';
import { planAdapterGguf } from '../core/engine/planAdapterGguf';
import { planBuild } from '../core/engine/planBuild';
import { StudioError, toStudioError, type ErrorJson } from '../core/errors';
import type { Adapter } from '../core/formats/adapters/adapter';
import { readGguf } from '../core/formats/gguf/readGguf';
import type { GgufFile } from '../core/formats/gguf/ggufTypes';
import { elementCount } from '../core/formats/tensorRef';
import type { HuggingFaceModel } from '../core/formats/huggingface/huggingFaceModel';
import { recommendedType, type RouteAdapter, type RouteBase, type RouteBuild, type RouteFacts } from '../core/ollama/planRoutes';
import { requireOwnWeights } from './convertAdapter';
import { openFileSource } from './fileSource';
import { loadAdapter } from './loadAdapter';
import { loadAdapterTarget } from './loadAdapterTarget';
import { resolveBasePath } from './loadBasePath';
import { loadHuggingFaceModel } from './loadHuggingFaceModel';
import { sha256, withResizedTokenizer, type AdapterRequest } from './prepareBuild';

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
  const weighted: { readonly routeAdapter: RouteAdapter; readonly adapter?: WeightedAdapter | undefined }[] = [];
  for (const adapter of request.adapters) {
    weighted.push(await loadRouteAdapter(adapter, loaded.target, request.signal));
  }
  const adapters = weighted.flatMap(({ adapter }) => (adapter === undefined ? [] : [adapter]));
  const types = typesToPlan(loaded.base, request.wantedType);
  const none = { builds: [] };
  const isFolder = loaded.model !== undefined;
  return {
    base: loaded.base,
    adapters: weighted.map(({ routeAdapter }) => routeAdapter),
    ollamaVersion: request.ollamaVersion,
    wantedType: request.wantedType,
    fused: isFolder && adapters.length === weighted.length ? builds(await withResizedTokenizer(loaded.model, adapters), adapters, types, request.workers) : none,
    plain: isFolder && weighted.length === 1 ? builds(loaded.model, [], types, request.workers) : none,
  };
}

function typesToPlan(base: RouteBase, wanted: FileTypeName | undefined): FileTypeName[] {
  return [...new Set([base.sixteenBit, 'Q8_0' as const, wanted ?? recommendedType(base)])];
}

async function loadBase(request: RouteRequest): Promise<LoadedBase> {
  const { base, installed } = request;
  if (installed !== undefined) {
    const { target } = installed;
    return {
      target,
      base: { path: base, kind: 'installed', architecture: target.architecture.name, label: target.architecture.label, parameters: installed.parameters, sixteenBit: 'BF16', installed: { name: base, type: installed.type, bytes: installed.bytes } },
    };
  }
  const found = await stat(base).catch(() => undefined);
  if (found?.isFile() === true && /\.gguf$/i.test(base)) {
    const { target } = await loadAdapterTarget(base);
    const gguf = await readHeader(base);
    const type = gguf.metadata.get('general.file_type')?.value;
    const parameters = gguf.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0);
    return {
      target,
      base: { path: base, kind: 'gguf', architecture: target.architecture.name, label: target.architecture.label, parameters, sixteenBit: 'BF16', installed: { name: base, type: (typeof type === 'number' ? fileTypeName(type) : undefined) ?? 'GGUF', bytes: found.size } },
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
    path: model.path, kind: 'huggingface', architecture: target.architecture.name, className: target.config.className, label: target.architecture.label,
    parameters: [...target.shapes([]).values()].reduce((sum, { shape }) => sum + elementCount(shape), 0),
    // F16 weights do not fit BF16 without loss; anything else does, or was never finer.
    sixteenBit: halves * 2 > model.tensors.size ? 'F16' : 'BF16',
  };
}

async function loadRouteAdapter({ path, weight }: AdapterRequest, target: AdapterTarget, signal: AbortSignal | undefined): Promise<{ readonly routeAdapter: RouteAdapter; readonly adapter?: WeightedAdapter | undefined }> {
  if (/\.gguf$/i.test(path)) {
    return { routeAdapter: await ggufAdapter(path, weight) };
  }
  const adapter = await loadAdapter(path, { signal });
  const gguf = await planned(adapter, weight, target, signal);
  const { size } = await stat(adapter.weightsFile);
  const scales = new Set(adapter.parts.flatMap((part) => (part.kind === 'lowRank' ? [part.scale * part.rank] : [])));
  return {
    adapter: { adapter, weight },
    routeAdapter: { path, format: adapter.format, method: adapter.method, weight, bytes: size, hasPatterns: scales.size > 1, targets: adapter.targets, ggufProblem: gguf.problem, ggufBytes: gguf.bytes },
  };
}

async function planned(adapter: Adapter, weight: number, target: AdapterTarget, signal: AbortSignal | undefined): Promise<{ readonly problem?: ErrorJson; readonly bytes?: number }> {
  try {
    const plan = planAdapterGguf({ adapter, weight, target, type: 'F16', output: join(tmpdir(), 'adapter.gguf') });
    await requireOwnWeights(plan, signal);
    return { bytes: plan.bytesWritten };
  } catch (thrown) {
    return { problem: refusal(thrown) };
  }
}

async function ggufAdapter(path: string, weight: number): Promise<RouteAdapter> {
  const gguf = await readHeader(path);
  const text = (key: string): string | undefined => {
    const value = gguf.metadata.get(key)?.value;
    return typeof value === 'string' ? value : undefined;
  };
  if (text('general.type') !== 'adapter') {
    throw new StudioError('adapter/unsupported', `${path} is a GGUF, but no adapter (its general.type is ${text('general.type') ?? 'not set'}). Pass a model with --base.`, { path });
  }
  return { path, format: 'gguf', method: 'lora', weight, bytes: gguf.fileBytes, hasPatterns: false, targets: [], architecture: text('general.architecture'), ggufBytes: gguf.fileBytes };
}

async function readHeader(path: string): Promise<GgufFile> {
  const source = await openFileSource(path);
  return await readGguf(source, { path, arrays: 'skip' }).finally(() => source.close());
}

function builds(base: HuggingFaceModel, adapters: readonly WeightedAdapter[], types: readonly FileTypeName[], workers: number): RouteFacts['fused'] {
  try {
    return { builds: types.map((type) => costOf(planBuild({ base, adapters, options: { fileType: type, output: join(tmpdir(), 'model.gguf'), layout: 'quantised' }, sha256 }), workers)) };
  } catch (thrown) {
    return { builds: [], problem: refusal(thrown) };
  }
}

function costOf(plan: BuildPlan, workers: number): RouteBuild {
  return { type: plan.fileType, bytesRead: plan.bytesRead, bytesWritten: plan.bytesWritten, memoryBytes: peakMemory(plan, workers), seconds: estimatedSeconds(plan, workers) };
}

/** A refusal of ours as a fact; anything else is a bug and stays an error. */
function refusal(thrown: unknown): ErrorJson {
  const error = toStudioError(thrown);
  if (error.code === 'internal/unexpected' || error.code === 'run/cancelled') {
    throw error;
  }
  return error.toJSON();
}
