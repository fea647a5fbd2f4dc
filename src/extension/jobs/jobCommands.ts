import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import type { Job } from './job';
import { jobLog } from './jobText';

const SCHEME = 'modelfile-studio-job';

const WITH_ID = z.object({ id: z.string() });

/** Cancel, retry, resume, log, reveal and remove, for the item of a context menu or all that are selected. */
export function registerJobCommands(services: Services): void {
  const { jobs, context } = services;
  const each = (name: string, run: (job: Job) => unknown): void =>
    registerCommand(services, name, async (item, selected) => {
      for (const job of jobsOf(services, item, selected)) {
        await run(job);
      }
    });
  each('cancelJob', ({ id }) => jobs.cancel(id));
  each('retryJob', ({ id }) => jobs.again(id));
  each('resumeJob', ({ id }) => jobs.again(id));
  each('removeJob', ({ id }) => jobs.remove(id));
  each('revealJobOutput', ({ spec }) =>
    spec.output === undefined
      ? undefined
      : vscode.commands.executeCommand('modelfileStudio.reveal', { path: spec.output }),
  );
  each('showJobLog', async ({ id }) => {
    const document = await vscode.workspace.openTextDocument(vscode.Uri.from({ scheme: SCHEME, path: `/${id}.log` }));
    await vscode.window.showTextDocument(document, { preview: true });
  });
  registerCommand(services, 'clearJobs', () => jobs.remove());
  const logs = new JobLogs(services);
  context.subscriptions.push(logs, vscode.workspace.registerTextDocumentContentProvider(SCHEME, logs));
}

/** The jobs that a command was called for; ids that are unknown by now are left out. */
function jobsOf({ jobs }: Services, item: unknown, selected: unknown): readonly Job[] {
  const given = Array.isArray(selected) && selected.length > 0 ? (selected as readonly unknown[]) : [item];
  return given.flatMap((one): Job[] => {
    const parsed = WITH_ID.safeParse(one);
    const job = parsed.success ? jobs.find(parsed.data.id) : undefined;
    return job === undefined ? [] : [job];
  });
}

/** Logs as read-only documents that grow while their job runs. */
class JobLogs implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #stop: () => void;

  constructor(private readonly services: Services) {
    let lines = new Map<string, number>();
    this.#stop = services.jobs.onChange((job) => {
      if (job !== undefined && lines.get(job.id) !== job.log.length) {
        lines = new Map([[job.id, job.log.length]]);
        this.#changed.fire(vscode.Uri.from({ scheme: SCHEME, path: `/${job.id}.log` }));
      }
    });
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const job = this.services.jobs.find(uri.path.replace(/^\/|\.log$/g, ''));
    return job === undefined ? vscode.l10n.t('This job is no longer listed.') : jobLog(job);
  }

  dispose(): void {
    this.#stop();
    this.#changed.dispose();
  }
}
