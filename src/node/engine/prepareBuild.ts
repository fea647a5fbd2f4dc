import { createHash } from 'node:crypto';
import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import type { BuildOptions } from '../../core/engine/buildOptions';
import type { BuildPlan, PlanNote } from '../../core/engine/buildPlan';
import { planBuild } from '../../core/engine/planBuild';
import { planFuse, type FuseType } from '../../core/engine/planFuse';
import { planGgufBuild } from '../../core/engine/planGgufBuild';
import { planQuantize } from '../../core/engine/planQuantize';
import { StudioError } from '../../core/errors';
import { formatBytes } from '../../core/formatBytes';
import { readImatrix } from '../../core/formats/gguf/imatrix';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import { checkOutput, type ReadPaths } from '../output/checkOutput';
import { deltaFacts } from './deltaFacts';
import { withColumnFactors } from './columnFactors';
import { withoutTiedCopies, withoutTiedParts } from './tiedCopies';
import { withoutZeroParts } from './zeroParts';
import { unnamedInGguf, unnamedRows } from './unnamedRows';
import { openFileSource } from '../files/fileSource';
import { freeBytes } from '../files/freeSpace';
import {
  buildInputs,
  loadAdapters,
  loadBuildBase,
  loadFolder,
  statesOf,
  type AdapterRequest,
  type BuildBase,
  type BuildInputs,
  type InputStates,
} from '../inputs/loadBuildInputs';
import { readGgufParts } from '../inputs/readGgufParts';
import { withTrainedTokens, withTrainedTokenizer } from '../inputs/trainedTokenizer';

export type { AdapterRequest } from '../inputs/loadBuildInputs';

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
  const { base, adapters, signal } = request;
  const inputs = await buildInputs(await loadBuildBase(base, signal), await loadAdapters(adapters, signal));
  return await planFromInputs(inputs, request);
}

/** Plans a build of what was read already. */
export async function planFromInputs(
  inputs: BuildInputs,
  request: Omit<BuildRequest, 'base' | 'adapters'>,
): Promise<BuildPlan> {
  const { signal } = request;
  const imatrix = await loadImatrix(request.imatrixPath);
  const options = { ...request, imatrix };
  const read = { files: imatrixFiles(request), folders: inputs.folders, states: inputs.states };
  const planned = planTrained(await trainedInputs(inputs, request), options);
  return await withFacts(planned, read, signal);
}

/** A base and adapters as they are planned: with the tokenizer and the template that the adapters were trained with, and every tied weight once. */
export interface TrainedInputs {
  readonly base: BuildBase;
  readonly adapters: readonly WeightedAdapter[];
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
}

/** @param trainedWith folders of adapters that are not merged, but whose tokenizer and template count */
export async function trainedInputs(
  { base, adapters: given }: Pick<BuildInputs, 'base' | 'adapters'>,
  {
    trainedWith = [],
    signal,
  }: { readonly trainedWith?: readonly string[] | undefined; readonly signal?: AbortSignal | undefined },
): Promise<TrainedInputs> {
  const read = await withoutZeroParts(given, signal);
  const folders = [
    ...read.flatMap(({ adapter }) => (adapter.format === 'gguf' ? [] : [adapter.directory])),
    ...trainedWith,
  ];
  if (base.kind === 'gguf') {
    const isTied = !base.parts.some(({ file }) => file.tensors.some(({ name }) => name === 'output.weight'));
    const adapters = isTied ? await withoutTiedParts(read, signal) : read;
    const { parts, checks, warnings } = await withTrainedTokens(base.parts, folders, signal);
    return {
      base: { kind: 'gguf', parts },
      adapters,
      checks,
      warnings: [...warnings, ...unnamedInGguf(parts, adapters)],
    };
  }
  const single = await withoutTiedCopies(base.model, read, signal);
  const { adapters } = single;
  const trained = await withTrainedTokenizer(single.base, folders, signal);
  const unnamed = await unnamedRows(
    trained.base,
    adapters.map(({ adapter }) => adapter),
    signal,
  );
  return {
    base: { ...base, model: trained.base },
    adapters,
    checks: trained.checks,
    warnings: [...single.warnings, ...trained.warnings, ...unnamed],
  };
}

/** The plan of a build, without what only a look at numbers and at the disk can tell. */
export function planTrained({ base, adapters, checks, warnings }: TrainedInputs, options: BuildOptions): BuildPlan {
  if (base.kind === 'folder') {
    return planBuild({ base: base.model, adapters, options, sha256, checks, warnings });
  }
  const plan = planGgufBuild({ parts: base.parts, adapters, options });
  return { ...plan, checks: [...plan.checks, ...checks], warnings: [...plan.warnings, ...warnings] };
}

/** Reads what a merge needs and plans it. */
export async function prepareFuse(
  request: FuseRequest,
): Promise<{ readonly plan: BuildPlan; readonly base: ModelFolder }> {
  const { adapters: wanted, output, dtype, signal } = request;
  const inputs = await buildInputs(await loadFolder(request.base, signal), await loadAdapters(wanted, signal));
  const { base, adapters, checks, warnings } = await trainedInputs(inputs, { signal });
  if (base.kind !== 'folder') {
    throw new StudioError('internal/unexpected', 'A folder was loaded as a GGUF.');
  }
  const plan = await withFacts(
    planFuse({ base: base.model, adapters, output, dtype, checks, warnings }),
    { files: [], folders: inputs.folders, states: inputs.states },
    signal,
  );
  return { plan, base: base.model };
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

function imatrixFiles(request: { readonly imatrixPath?: string | undefined }): string[] {
  return request.imatrixPath === undefined ? [] : [request.imatrixPath];
}

/** Deltas this much larger than the weights that they change are seldom meant. */
const SUSPICIOUS_DELTA = 1.5;

/** Adds what only a look at the adapters' numbers and at the disk can tell. */
async function withFacts(
  planned: BuildPlan,
  read: ReadPaths & { readonly states: InputStates },
  signal: AbortSignal | undefined,
): Promise<BuildPlan> {
  const first = await withColumnFactors(planned, signal);
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
