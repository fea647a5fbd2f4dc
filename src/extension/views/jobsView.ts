import * as vscode from 'vscode';
import { isOver, type Job } from '../jobs/job';
import { jobFacts, percent } from '../jobs/jobText';
import { relativeTime } from '../relativeTime';
import type { Services } from '../services';
import { announceEnd } from '../jobs/announceEnd';
import { askAboutInterrupted } from '../jobs/askAboutInterrupted';
import { registerJobCommands } from '../jobs/jobCommands';
import { registerJobStatus } from '../jobs/jobStatus';

export const JOBS_VIEW = 'modelfileStudio.jobs';

/** Progress is redrawn so often at most, in milliseconds: a row must stay in place while its buttons are pressed. */
const REDRAW_MS = 1000;

/**
 * The view of jobs, what can be done with one, the item in the status bar, and what is said when one ends.
 * @param artefacts the view above it: while that is in sight, a new job unfolds this one
 */
export function registerJobsView(services: Services, artefacts: vscode.TreeView<unknown>): void {
  const { context, jobs } = services;
  const provider = new JobsProvider(services);
  const view = vscode.window.createTreeView(JOBS_VIEW, { treeDataProvider: provider, canSelectMany: true });
  const shown = new Set<string>();
  let seen = new Set(jobs.jobs.map(({ id }) => id));
  const stop = jobs.onChange((job) => {
    provider.changed(job);
    const active = jobs.jobs.filter((one) => !isOver(one)).length;
    view.badge = active === 0 ? undefined : { value: active, tooltip: vscode.l10n.t('{0} jobs run or wait', active) };
    if (job?.state === 'running' && !shown.has(job.id)) {
      shown.add(job.id);
      void vscode.window.withProgress({ location: { viewId: JOBS_VIEW } }, () => jobs.finished(job.id));
    }
    const fresh = jobs.jobs.find(({ id, state }) => !seen.has(id) && state === 'queued');
    seen = new Set(jobs.jobs.map(({ id }) => id));
    if (fresh !== undefined && (artefacts.visible || view.visible)) {
      // Unfolds the view, which is folded while it is empty; the focus stays where it is.
      void vscode.commands.executeCommand(`${JOBS_VIEW}.focus`, { preserveFocus: true });
    }
  });
  context.subscriptions.push(view, provider, { dispose: stop });
  registerJobCommands(services);
  registerJobStatus(services);
  announceEnd(services);
  void askAboutInterrupted(services);
}

class JobsProvider implements vscode.TreeDataProvider<Job>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Job | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  /** VS Code knows items by identity; a changed job keeps the object that it was first shown by. */
  readonly #handles = new Map<string, Job>();
  /** Jobs whose progress waits to be drawn. */
  readonly #pending = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly services: Services) {}

  getChildren(job?: Job): Job[] {
    if (job !== undefined) {
      return [];
    }
    const { jobs } = this.services.jobs;
    const ids = new Set(jobs.map(({ id }) => id));
    [...this.#handles.keys()].filter((id) => !ids.has(id)).forEach((id) => this.#handles.delete(id));
    return jobs.map((one) => this.#handle(one));
  }

  getParent(): undefined {
    return undefined;
  }

  getTreeItem(handle: Job): vscode.TreeItem {
    return jobItem(this.services.jobs.find(handle.id) ?? handle);
  }

  /** Draws the row of a job anew, and no other: what is selected or hovered there stays. Without a job: the list. */
  changed(job: Job | undefined): void {
    if (job === undefined) {
      this.#changed.fire(undefined);
      return;
    }
    if (isOver(job)) {
      this.#pending.delete(job.id);
      this.#changed.fire(this.#handle(job));
      return;
    }
    this.#pending.add(job.id);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const ids = [...this.#pending];
      this.#pending.clear();
      ids.flatMap((id) => this.#handles.get(id) ?? []).forEach((handle) => this.#changed.fire(handle));
    }, REDRAW_MS);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#changed.dispose();
  }

  #handle(job: Job): Job {
    const known = this.#handles.get(job.id) ?? job;
    this.#handles.set(job.id, known);
    return known;
  }
}

const ICONS: Readonly<Record<Job['state'], readonly [icon: string, colour?: string]>> = {
  queued: ['clock'],
  running: ['sync~spin'],
  done: ['pass', 'testing.iconPassed'],
  failed: ['error', 'testing.iconFailed'],
  cancelled: ['circle-slash'],
  interrupted: ['debug-pause', 'problemsWarningIcon.foreground'],
};

function jobItem(job: Job): vscode.TreeItem {
  const item = new vscode.TreeItem(job.spec.title);
  const facts = jobFacts(job);
  item.id = job.id;
  item.description = facts.join(' · ');
  const [icon, colour] = ICONS[job.state];
  item.iconPath = new vscode.ThemeIcon(icon, colour === undefined ? undefined : new vscode.ThemeColor(colour));
  item.contextValue = [
    job.state,
    ...(job.state === 'done' && job.spec.output !== undefined ? ['revealable'] : []),
  ].join(' ');
  item.tooltip = tooltip(job, facts);
  const share = percent(job);
  item.accessibilityInformation = {
    label: `${job.spec.title}, ${job.state}${share === undefined || job.state !== 'running' ? '' : `, ${share} %`}, ${facts.join(', ')}`,
  };
  return item;
}

function tooltip(job: Job, facts: readonly string[]): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString('', false);
  markdown.isTrusted = false;
  markdown.appendMarkdown('**').appendText(job.spec.title).appendMarkdown('**\n\n').appendText(facts.join(' · '));
  if (job.state === 'failed' && job.error !== undefined) {
    markdown.appendMarkdown('\n\n').appendText(job.error.message);
  }
  if (job.state === 'interrupted') {
    markdown
      .appendMarkdown('\n\n')
      .appendText(vscode.l10n.t('The window was closed or reloaded while it ran. Resume goes on where it stopped.'));
  }
  if (job.progress?.at !== undefined && job.state === 'running') {
    markdown.appendMarkdown('\n\n').appendText(job.progress.at);
  }
  markdown.appendMarkdown('\n\n').appendText(relativeTime(job.ended ?? job.started ?? job.created));
  return markdown;
}
