import * as z from 'zod/mini';
import { JOB_SPEC, type JobSpec } from '../jobs/job';
import type { Services } from '../services';

const LAST = z.record(z.string(), z.object({ type: z.optional(z.string()) }));

const BUILDS = z.array(JOB_SPEC);

/** Builds that are remembered for *Rebuild with Last Choices*. */
const MAX_BUILDS = 50;

/** What was chosen for a command the last time, in any workspace. */
export function remembered({ context }: Services, command: string): { readonly type?: string | undefined } {
  const parsed = LAST.safeParse(context.globalState.get('lastChoices'));
  return (parsed.success ? parsed.data[command] : undefined) ?? {};
}

export function remember(
  { context }: Services,
  command: string,
  choices: { readonly type?: string | undefined },
): void {
  const parsed = LAST.safeParse(context.globalState.get('lastChoices'));
  void context.globalState.update('lastChoices', {
    ...(parsed.success ? parsed.data : {}),
    [command]: { type: choices.type },
  });
}

/** The jobs that wrote a result in this workspace, newest first; each result once. */
export function rememberedBuilds({ context }: Services): readonly JobSpec[] {
  const parsed = BUILDS.safeParse(context.workspaceState.get('builds'));
  return parsed.success ? parsed.data : [];
}

/** Notes every job that wrote a result. */
export function rememberBuilds(services: Services): void {
  const stop = services.jobs.onChange((job) => {
    const output = job?.spec.output;
    if (job?.state === 'done' && output !== undefined) {
      const args = job.spec.args.filter((argument) => argument !== '--force');
      const others = rememberedBuilds(services).filter((spec) => spec.output !== output);
      void services.context.workspaceState.update('builds', [{ ...job.spec, args }, ...others].slice(0, MAX_BUILDS));
    }
  });
  services.context.subscriptions.push({ dispose: stop });
}
