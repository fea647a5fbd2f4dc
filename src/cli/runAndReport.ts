import { join } from 'node:path';
import { describePlan } from '../core/engine/describePlan';
import type { BuildPlan } from '../core/engine/buildPlan';
import { planJson } from '../core/engine/planJson';
import { formatBytes, formatSeconds } from '../core/formatBytes';
import { buildFromPlan } from '../node/engine/buildFromPlan';
import { requireRunnable } from '../node/engine/requireRunnable';
import type { CommandContext, CommandResult } from './command';
import { follow } from './follow';

export interface RunChoices {
  readonly force: boolean;
  readonly workers: number;
  /** Shows the plan, and that is all. */
  readonly dryRun: boolean;
  /** Written into a merged folder, or beside a GGUF, before it gets its name. */
  readonly finishFolder?: ((folder: string) => Promise<void>) | undefined;
}

/** Shows a plan, runs it with a progress line, and reports. */
export async function runAndReport(
  plan: BuildPlan,
  choices: RunChoices,
  context: CommandContext,
): Promise<CommandResult> {
  if (choices.dryRun) {
    await requireRunnable(plan);
    return dryRun(plan, choices.workers, context);
  }
  context.say(describePlan(plan, choices.workers, context.palette));
  const report = await follow(
    buildFromPlan(plan, { ...choices, signal: context.signal, workerScript: join(context.bundleFolder, 'worker.js') }),
    context,
  );
  const warnings = [...plan.warnings.map(({ code, message }) => ({ code, message })), ...report.warnings];
  const json = {
    ok: true,
    output: report.output,
    bytes: report.bytes,
    tensors: report.tensors,
    seconds: Number(report.seconds.toFixed(3)),
    peakMemoryBytes: report.peakMemoryBytes,
    warnings,
    type: plan.fileType,
    adapters: plan.summary.adapters.map(({ path, weightsFile, weight }) => ({ path, weightsFile, weight })),
    ...(report.resumedUnits > 0 ? { resumedUnits: report.resumedUnits } : {}),
  };
  const late = report.warnings.map((warning) => `\n${context.palette.warning('!')} ${warning.message}`).join('');
  const text = `${context.palette.good('Done')}      ${report.output} · ${formatBytes(report.bytes)} · ${report.tensors} tensors · ${report.seconds < 10 ? `${report.seconds.toFixed(1)} s` : formatSeconds(report.seconds)} · peak memory ${formatBytes(report.peakMemoryBytes)}${late}`;
  return { exitCode: 0, json, text };
}

/** The plan for people and for programs; what is long in it (tensors, keys) is in the answer of `plan`. */
function dryRun(plan: BuildPlan, workers: number, context: CommandContext): CommandResult {
  const text = describePlan(plan, workers);
  const { tensors, metadata, ...brief } = planJson(plan, workers);
  const counts = {
    tensors: Array.isArray(tensors) ? tensors.length : 0,
    metadata: Array.isArray(metadata) ? metadata.length : 0,
  };
  return { exitCode: 0, json: { ...brief, ...counts, text }, text: describePlan(plan, workers, context.palette) };
}
