import type { BuildPlan } from '../../core/engine/buildPlan';
import { planFromInputs } from '../engine/prepareBuild';
import { buildInputs, loadAdapters, loadBuildBase, type BuildInputs } from '../inputs/loadBuildInputs';
import { readGgufFiles } from '../inputs/readGgufParts';
import type { CreatePart } from './createPlanTypes';

/** A part of a creation that is built here: what was read for it, once, and what building it takes. */
export interface PartBuild {
  readonly inputs: BuildInputs;
  readonly plan: BuildPlan;
}

/**
 * Reads what a part is built of and plans it; nothing is written.
 * @param output where it would be written
 * @throws StudioError what reading and planning throw; quantize/requantize for a quantised GGUF without an adapter
 */
export async function preparePartBuild(
  { path, adapters, installed, fileType }: Extract<CreatePart, { kind: 'build' }>,
  options: {
    readonly output: string;
    readonly allowRequantize?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<PartBuild> {
  const { signal } = options;
  const base =
    installed === undefined
      ? await loadBuildBase(path, signal)
      : ({ kind: 'gguf', parts: await readGgufFiles(installed.models) } as const);
  const own = (installed?.adapters ?? []).map((adapter) => ({ path: adapter, weight: 1 }));
  const inputs = await buildInputs(base, await loadAdapters([...own, ...adapters], signal));
  return { inputs, plan: await planFromInputs(inputs, { ...options, fileType, layout: 'quantised' }) };
}
