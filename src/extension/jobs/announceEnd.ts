import * as vscode from 'vscode';
import { escapeControls } from '../../core/escapeControls';
import { editorWords } from '../editorWords';
import { noteError } from '../recentErrors';
import type { Services } from '../services';
import type { Job } from './job';
import { duration, outcome } from './jobText';
import { nextSteps } from './nextSteps';

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
    if (job.error !== undefined) {
      noteError(job.error.code, job.error.message);
    }
    void (job.state === 'failed' ? sayFailure(job) : sayDone(job));
  });
  context.subscriptions.push({ dispose: stop });
}

async function sayFailure(job: Job): Promise<void> {
  const log = vscode.l10n.t('Show Log');
  const retry = vscode.l10n.t('Retry');
  const { code, message } = job.error ?? { code: 'internal/unexpected', message: '' };
  const chosen = await vscode.window.showErrorMessage(
    `${job.spec.title}: ${escapeControls(editorWords(message))} (${code})`,
    log,
    retry,
  );
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen === log ? 'modelfileStudio.showJobLog' : 'modelfileStudio.retryJob', {
      id: job.id,
    });
  }
}

async function sayDone(job: Job): Promise<void> {
  const { spec } = job;
  const steps = nextSteps(job);
  if (steps.length === 0 || ((duration(job) ?? 0) < LONG && spec.model === undefined && spec.output === undefined)) {
    return;
  }
  const chosen = await vscode.window.showInformationMessage(
    [vscode.l10n.t('{0}: done', spec.title), ...outcome(job)].join(' · '),
    ...steps.map(({ title }) => title),
  );
  await steps.find(({ title }) => title === chosen)?.run();
}
