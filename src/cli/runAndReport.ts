import { join } from 'node:path';
import { describePlan } from '../core/engine/describePlan';
import type { BuildPlan } from '../core/engine/buildPlan';
import { formatBytes, formatSeconds } from '../core/formatBytes';
import type { EngineEvent } from '../core/progress';
import { buildFromPlan, type BuildReport } from '../node/buildFromPlan';
import type { CommandContext, CommandResult } from './command';

export interface RunChoices {
  readonly force: boolean;
  readonly workers: number;
  /** Written into a merged folder, or beside a GGUF, before it gets its name. */
  readonly finishFolder?: ((folder: string) => Promise<void>) | undefined;
}

/** Shows a plan, runs it with a progress line, and reports. */
export async function runAndReport(plan: BuildPlan, choices: RunChoices, context: CommandContext): Promise<CommandResult> {
  context.say(describePlan(plan, choices.workers, context.palette));
  const report = await follow(buildFromPlan(plan, { ...choices, signal: context.signal, workerScript: join(context.bundleFolder, 'worker.js') }), context);
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

async function follow(run: AsyncGenerator<EngineEvent, BuildReport>, context: CommandContext): Promise<BuildReport> {
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      context.status?.('');
      return step.value;
    }
    context.onEvent(step.value);
  }
}
