import { createHash } from 'node:crypto';
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
import { openFileSource } from '../files/fileSource';
import { freeBytes } from '../files/freeSpace';
import { resolveBasePath } from '../inputs/loadBasePath';
import {
  buildInputs,
  loadAdapters,
  loadBuildBase,
  statesOf,
  type AdapterRequest,
  type BuildInputs,
  type InputStates,
} from '../inputs/loadBuildInputs';
import { loadHuggingFaceModel } from '../inputs/loadHuggingFaceModel';
import { readGgufParts } from '../inputs/readGgufParts';
import { withTrainedTemplate, withTrainedTokenizer } from '../inputs/trainedTokenizer';

export type { AdapterRequest } from '../inputs/loadBuildInputs';

/** The options of a build as they come from a user; `imatrix` is still a path. */
export interface BuildRequest extends Omit<BuildOptions, 'imatrix'> {
  readonly base: string;
  readonly adapters: readonly AdapterRequest[];
  readonly imatrixPath?: string | undefined;
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
  { base, adapters, folders, states }: BuildInputs,
  request: Omit<BuildRequest, 'base' | 'adapters'>,
): Promise<BuildPlan> {
  const { signal } = request;
  const imatrix = await loadImatrix(request.imatrixPath);
  const options = { ...request, imatrix };
  const read = { files: imatrixFiles(request), folders, states };
  if (base.kind === 'folder') {
    const trained = await withTrainedTokenizer(base.model, adapters, signal);
    return await withFacts(planBuild({ ...trained, adapters, options, sha256 }), read, signal);
  }
  const { parts, checks } = await withTrainedTemplate(base.parts, adapters, signal);
  const plan = planGgufBuild({ parts, adapters, options });
  return await withFacts({ ...plan, checks: [...plan.checks, ...checks] }, read, signal);
}

/** Reads what a merge needs and plans it. */
export async function prepareFuse(
  request: FuseRequest,
): Promise<{ readonly plan: BuildPlan; readonly base: ModelFolder }> {
  const { directory } = await resolveBasePath(request.base);
  const model = { ...(await loadHuggingFaceModel(directory, request)), path: request.base };
  const inputs = await buildInputs(
    { kind: 'folder', model, directory },
    await loadAdapters(request.adapters, request.signal),
  );
  const { adapters, folders, states } = inputs;
  const { base, checks } = await withTrainedTokenizer(model, adapters, request.signal);
  const plan = await withFacts(
    planFuse({ base, adapters, output: request.output, dtype: request.dtype, checks }),
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

function imatrixFiles(request: { readonly imatrixPath?: string | undefined }): string[] {
  return request.imatrixPath === undefined ? [] : [request.imatrixPath];
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
