import * as vscode from 'vscode';
import { escapeControls } from '../../core/escapeControls';
import type { Services } from '../services';
import type { Job, JobSpec } from './job';
import { duration } from './jobText';

/** A job that took longer, in seconds, says that it is done; the user may be elsewhere by then. */
const LONG = 30;

/** Says how a job ended, with the next step: a failure always, a success where somebody waited for it or a model can be tried. */
export function announceEnd(services: Services): void {
  const { jobs, context } = services;
  const announced = new Set(jobs.jobs.map(({ id }) => id));
  const stop = jobs.onChange((job) => {
    if (job === undefined || announced.has(job.id) || (job.state !== 'done' && job.state !== 'failed')) {
      return;
    }
    announced.add(job.id);
    void (job.state === 'failed' ? sayFailure(job) : sayDone(services, job));
  });
  context.subscriptions.push({ dispose: stop });
}

async function sayFailure(job: Job): Promise<void> {
  const log = vscode.l10n.t('Show Log');
  const retry = vscode.l10n.t('Retry');
  const { code, message } = job.error ?? { code: 'internal/unexpected', message: '' };
  const chosen = await vscode.window.showErrorMessage(
    `${job.spec.title}: ${escapeControls(message)} (${code})`,
    log,
    retry,
  );
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen === log ? 'modelfileStudio.showJobLog' : 'modelfileStudio.retryJob', {
      id: job.id,
    });
  }
}

async function sayDone(services: Services, job: Job): Promise<void> {
  const { spec } = job;
  const steps = nextSteps(job);
  if (steps.length === 0 || ((duration(job) ?? 0) < LONG && spec.model === undefined && spec.output === undefined)) {
    return;
  }
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('{0}: done', spec.title),
    ...steps.map(({ title }) => title),
  );
  await steps.find(({ title }) => title === chosen)?.run(services);
}

/** The Modelfile that the job wrote after its result. */
function writtenModelfile({ next }: JobSpec): string | undefined {
  const args = next?.find(([command]) => command === 'modelfile');
  return args?.[args.indexOf('--out') + 1];
}

interface NextStep {
  readonly title: string;
  run(services: Services): Thenable<unknown>;
}

function nextSteps({ spec }: Job): readonly NextStep[] {
  const { model, output } = spec;
  const modelfile = writtenModelfile(spec);
  if (model !== undefined) {
    return [{ title: vscode.l10n.t('Try'), run: () => vscode.commands.executeCommand('modelfileStudio.try', model) }];
  }
  if (output === undefined) {
    return [];
  }
  if (spec.modelfile !== undefined) {
    const uri = vscode.Uri.file(spec.modelfile.path);
    return [
      {
        title: vscode.l10n.t('Create from Modelfile'),
        run: () => vscode.commands.executeCommand('modelfileStudio.createFromModelfile', uri),
      },
    ];
  }
  const isGguf = output.toLowerCase().endsWith('.gguf');
  const step = (title: string, command: string, request: object): NextStep => ({
    title,
    run: () => vscode.commands.executeCommand(`modelfileStudio.${command}`, request),
  });
  const first = isGguf
    ? step(vscode.l10n.t('New Modelfile'), 'newModelfileFromArtefact', { path: output })
    : step(vscode.l10n.t('Convert to GGUF…'), 'convert', { base: output });
  return [
    modelfile === undefined
      ? first
      : {
          title: vscode.l10n.t('Open Modelfile'),
          run: () => vscode.window.showTextDocument(vscode.Uri.file(modelfile)),
        },
    ...(isGguf ? [step(vscode.l10n.t('Open'), 'openInViewer', { path: output })] : []),
    step(vscode.l10n.t('Reveal'), 'reveal', { path: output }),
  ];
}
