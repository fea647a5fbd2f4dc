import { append } from '../../core/append';
import { lstat, rename, unlink, writeFile } from 'node:fs/promises';
import { readBytes } from '../../core/bytes';
import type { BuildPlan, PlanNote } from '../../core/engine/buildPlan';
import type { EngineEvent } from '../../core/progress';
import { toStudioError } from '../../core/errors';
import { readGguf } from '../../core/formats/gguf/readGguf';
import { readSafetensorsHeader } from '../../core/formats/safetensors/readSafetensors';
import { buildRecord, RECORD_HEAD } from './buildRecord';
import { openFileSource } from '../files/fileSource';
import { runPlan } from './runPlan';

export interface BuildFromPlanOptions {
  readonly force: boolean;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly workerScript: string;
  /** Completes a merged folder (config, tokenizer) before it gets its name. */
  readonly finishFolder?: ((folder: string) => Promise<void>) | undefined;
}

export interface BuildReport {
  readonly output: string;
  readonly bytes: number;
  readonly tensors: number;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  readonly resumedUnits: number;
  readonly warnings: readonly PlanNote[];
}

/** Runs a plan, has the result read again by the strict reader, and leaves the record of the build beside it. */
export async function* buildFromPlan(
  plan: BuildPlan,
  options: BuildFromPlanOptions,
): AsyncGenerator<EngineEvent, BuildReport> {
  const run = runPlan(plan, {
    ...options,
    verify: async (paths) => {
      await verifyHeaders(plan, paths);
      if (plan.kind === 'safetensors') {
        await options.finishFolder?.(`${plan.output}.partial`);
      }
    },
  });
  const result = yield* run;
  const unwritten = await writeRecord(`${plan.output}.build.json`, buildRecord(plan, result));
  const warnings: PlanNote[] = result.nonFinite.map((name) => ({
    code: 'gguf/values',
    message: `${name} holds NaN or infinite values, as its input does: the model will misbehave`,
  }));
  append(warnings, unwritten === undefined ? [] : [unwritten]);
  return { ...result, warnings, peakMemoryBytes: process.resourceUsage().maxRSS * 1024 };
}

async function verifyHeaders(plan: BuildPlan, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const source = await openFileSource(path);
    try {
      await (plan.kind === 'gguf'
        ? readGguf(source, { path, arrays: 'skip' })
        : readSafetensorsHeader(source, { path }));
    } catch (thrown) {
      throw toStudioError(thrown).at(path);
    } finally {
      await source.close();
    }
  }
}

/** Puts the record of a build beside its result. Resolves to a warning where somebody else's file stands there. */
async function writeRecord(path: string, text: Iterable<string>): Promise<PlanNote | undefined> {
  const partial = `${path}.partial`;
  for (const there of [path, partial]) {
    if (!(await isOurs(there))) {
      return {
        code: 'build/record',
        message: `${there} is in the way and was not left by this tool, so no record of the build was written`,
      };
    }
  }
  try {
    await writeFile(partial, text);
    await rename(partial, path);
  } catch {
    // The result is whole without its record; a disk that is full by now must not turn success into failure. An older
    // record would tell of another build.
    await unlink(partial).catch(() => undefined);
    await unlink(path).catch(() => undefined);
  }
  return undefined;
}

/** True for a record of ours, the beginning of one that a kill cut short, and where there is nothing. */
async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) {
    return true;
  }
  const source = await openFileSource(path).catch(() => undefined);
  if (source === undefined) {
    return false;
  }
  try {
    const head = await readBytes(source, 0, Math.min(RECORD_HEAD.length, source.size));
    return RECORD_HEAD.startsWith(new TextDecoder('latin1').decode(head));
  } finally {
    await source.close();
  }
}
