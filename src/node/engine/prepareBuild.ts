import { createHash } from 'node:crypto';
import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import type { BuildOptions } from '../../core/engine/buildOptions';
import type { BuildPlan, PlanNote } from '../../core/engine/buildPlan';
import { planBuild } from '../../core/engine/planBuild';
import { planFuse, type FuseType } from '../../core/engine/planFuse';
import { planGgufBuild } from '../../core/engine/planGgufBuild';
import { planQuantize } from '../../core/engine/planQuantize';
import { formatBytes } from '../../core/formatBytes';
import { readImatrix } from '../../core/formats/gguf/imatrix';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import { checkOutput, type ReadPaths } from '../output/checkOutput';
import { deltaFacts } from './deltaFacts';
import { withoutTiedCopies, withoutTiedParts } from './tiedCopies';
import { unnamedRows } from './unnamedRows';
import { openFileSource } from '../files/fileSource';
import { freeBytes } from '../files/freeSpace';
import { identify, identityText } from '../files/inputIdentity';
import { installedModelFile, OLLAMA_PREFIX } from '../inputs/installedModelFile';
import { loadAdapter } from '../inputs/loadAdapter';
import { resolveBasePath } from '../inputs/loadBasePath';
import { readGgufParts } from '../inputs/readGgufParts';
import { loadHuggingFaceModel } from '../inputs/loadHuggingFaceModel';
import { withTrainedTokenizer } from '../inputs/trainedTokenizer';

/** An adapter as the user names it. */
export interface AdapterRequest {
  readonly path: string;
  readonly weight: number;
}

/** The options of a build as they come from a user; `imatrix` is still a path. */
export interface BuildRequest extends Omit<BuildOptions, 'imatrix'> {
  readonly base: string;
  readonly adapters: readonly AdapterRequest[];
  readonly imatrixPath?: string | undefined;
  /** Folders of adapters that are not merged here, but whose tokenizer and chat template count: they were trained with them. */
  readonly trainedWith?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FuseRequest {
  readonly base: string;
  readonly adapters: readonly AdapterRequest[];
  readonly output: string;
  readonly dtype?: FuseType | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface QuantizeRequest extends Omit<BuildOptions, 'imatrix'> {
  readonly input: string;
  readonly imatrixPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads what a build needs and plans it; nothing is written. */
export async function prepareBuild(request: BuildRequest): Promise<BuildPlan> {
  if (isGgufBase(request.base)) {
    return await prepareGgufBuild(request);
  }
  const { base, adapters, folders, states, checks, warnings } = await loadInputs(request);
  const imatrix = await loadImatrix(request.imatrixPath);
  const plan = planBuild({ base, adapters, options: { ...request, imatrix }, sha256, checks, warnings });
  return await withFacts(plan, { files: imatrixFiles(request), folders, states }, request.signal);
}

/** A base that is a GGUF, or a model that Ollama has. */
export function isGgufBase(base: string): boolean {
  return base.startsWith(OLLAMA_PREFIX) || /\.gguf$/i.test(base);
}

async function prepareGgufBuild(request: BuildRequest): Promise<BuildPlan> {
  const parts = await readGgufParts(
    request.base.startsWith(OLLAMA_PREFIX) ? await installedModelFile(request.base, request.signal) : request.base,
  );
  const read = await loadAdapters(request);
  const isTied = !parts.some(({ file }) => file.tensors.some(({ name }) => name === 'output.weight'));
  const adapters = isTied ? await withoutTiedParts(read, request.signal) : read;
  const states = await statesOf([...parts.map(({ path }) => path), ...filesOf(adapters)]);
  const imatrix = await loadImatrix(request.imatrixPath);
  const plan = planGgufBuild({ parts, adapters, options: { ...request, imatrix } });
  const folders = adapters.map(({ adapter }) => adapter.directory);
  return await withFacts(plan, { files: imatrixFiles(request), folders, states }, request.signal);
}

/** Reads what a merge needs and plans it. */
export async function prepareFuse(
  request: FuseRequest,
): Promise<{ readonly plan: BuildPlan; readonly base: ModelFolder }> {
  const { base, adapters, folders, states, checks, warnings } = await loadInputs(request);
  const plan = await withFacts(
    planFuse({ base, adapters, output: request.output, dtype: request.dtype, checks, warnings }),
    { files: [], folders, states },
    request.signal,
  );
  return { plan, base };
}

/** Plans a GGUF from a GGUF. */
export async function prepareQuantize(request: QuantizeRequest): Promise<BuildPlan> {
  const parts = await readGgufParts(request.input);
  const states = await statesOf(parts.map(({ path }) => path));
  const imatrix = await loadImatrix(request.imatrixPath);
  return await withFacts(
    planQuantize(parts, { ...request, imatrix }),
    { files: imatrixFiles(request), folders: [], states },
    request.signal,
  );
}

interface LoadedInputs {
  readonly base: ModelFolder;
  readonly adapters: readonly WeightedAdapter[];
  /** The folders that they were read from. */
  readonly folders: readonly string[];
  readonly states: InputStates;
  /** What was taken from the adapters beside their weights, and what is amiss with that. */
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
}

/** What files were when their headers were read, by path. */
type InputStates = ReadonlyMap<string, string>;

async function statesOf(paths: Iterable<string>): Promise<InputStates> {
  const states = new Map<string, string>();
  for (const path of new Set(paths)) {
    states.set(path, identityText(await identify(path)));
  }
  return states;
}

function imatrixFiles(request: { readonly imatrixPath?: string | undefined }): string[] {
  return request.imatrixPath === undefined ? [] : [request.imatrixPath];
}

async function loadInputs(request: {
  readonly base: string;
  readonly adapters: readonly AdapterRequest[];
  readonly trainedWith?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<LoadedInputs> {
  const resolved = await resolveBasePath(request.base);
  const loaded = await loadHuggingFaceModel(resolved.directory);
  const read = await loadAdapters(request);
  const folders = [resolved.directory, ...read.map(({ adapter }) => adapter.directory)];
  const states = await statesOf([...[...loaded.tensors.values()].map(({ file }) => file), ...filesOf(read)]);
  const own = read.flatMap(({ adapter }) => (adapter.format === 'gguf' ? [] : [adapter.directory]));
  const single = await withoutTiedCopies(
    { ...loaded, path: request.base, takenBecause: resolved.takenBecause },
    read,
    request.signal,
  );
  const { adapters } = single;
  const { base, checks, warnings } = await withTrainedTokenizer(
    single.base,
    [...own, ...(request.trainedWith ?? [])],
    request.signal,
  );
  const unnamed = await unnamedRows(
    base,
    adapters.map(({ adapter }) => adapter),
    request.signal,
  );
  return { base, adapters, folders, states, checks, warnings: [...single.warnings, ...warnings, ...unnamed] };
}

async function loadAdapters(request: {
  readonly adapters: readonly AdapterRequest[];
  readonly signal?: AbortSignal | undefined;
}): Promise<WeightedAdapter[]> {
  const adapters: WeightedAdapter[] = [];
  for (const { path, weight } of request.adapters) {
    adapters.push({
      adapter: await loadAdapter(path, request.signal === undefined ? {} : { signal: request.signal }),
      weight,
    });
  }
  return adapters;
}

function filesOf(adapters: readonly WeightedAdapter[]): string[] {
  return adapters.flatMap(({ adapter }) => [...adapter.tensors.values()].map(({ file }) => file));
}

/** Deltas this much larger than the weights that they change are seldom meant. */
const SUSPICIOUS_DELTA = 1.5;

/** Adds what only a look at the adapters' numbers and at the disk can tell. */
async function withFacts(
  first: BuildPlan,
  read: ReadPaths & { readonly states: InputStates },
  signal: AbortSignal | undefined,
): Promise<BuildPlan> {
  await checkOutput(first.output, first.kind, { files: [...first.inputs, ...read.files], folders: read.folders });
  const facts = await deltaFacts(first, signal);
  const checks: PlanNote[] = [...first.checks];
  const warnings: PlanNote[] = [...first.warnings];
  if (facts.noEffect) {
    warnings.push({
      code: 'adapter/no-effect',
      message: 'the adapter changes nothing: all its deltas are zero (untrained, or the wrong checkpoint)',
    });
  } else if (facts.smallest !== undefined && facts.largest !== undefined) {
    checks.push({
      code: 'check/delta',
      message: `|ΔW|/|W| ${facts.smallest.toPrecision(2)} to ${facts.largest.toPrecision(2)}`,
    });
    if (facts.largest > SUSPICIOUS_DELTA) {
      warnings.push({
        code: 'adapter/large-delta',
        message: `the adapter changes some weights by more than they are (|ΔW|/|W| up to ${facts.largest.toPrecision(2)}): its scale or its base may be wrong`,
      });
    }
  }
  const free = await freeBytes(first.output);
  if (free !== undefined) {
    if (free > first.bytesWritten * 1.05) {
      checks.push({ code: 'check/space', message: `${formatBytes(free)} free` });
    } else {
      warnings.push({
        code: 'disk/full',
        message: `the disk has ${formatBytes(free)} free and the result needs ${formatBytes(first.bytesWritten)}`,
      });
    }
  }
  return { ...first, checks, warnings, inputStates: first.inputs.map((path) => read.states.get(path) ?? '') };
}

async function loadImatrix(path: string | undefined): Promise<BuildOptions['imatrix']> {
  if (path === undefined) {
    return undefined;
  }
  const source = await openFileSource(path);
  try {
    return { path, data: await readImatrix(source) };
  } finally {
    await source.close();
  }
}

/** SHA-256, hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
