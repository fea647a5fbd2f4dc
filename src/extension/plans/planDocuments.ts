import { lstat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { StudioError, toStudioError } from '../../core/errors';
import { isOver, type Job } from '../jobs/job';
import { nextSteps } from '../jobs/nextSteps';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { saveTask } from '../tasks/saveTask';
import { enginePlan } from '../wizard/proposals';
import { commandText } from './commandText';
import { keptArguments } from './keptArguments';
import { PlanFiles } from './planFiles';
import { planLenses } from './planLenses';
import { PlanStore, type Plan } from './planStore';
import { planText } from './planText';
import type { ChangeField, PlanState, Proposal } from './proposal';

export const PLAN_SCHEME = 'modelfile-studio-plan';

const PLAN_LANGUAGE = 'modelfile-studio-plan';
const PLANS_KEY = 'plans';

/** One change of a running job is shown in so many milliseconds at most. */
const REDRAW_MS = 1000;

/** The plans: a read-only page each, with what can be done about it on its first line, and there again after a reload. */
export class PlanDocuments implements vscode.CodeLensProvider, vscode.DocumentLinkProvider, vscode.Disposable {
  readonly #lensesChanged = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.#lensesChanged.event;
  readonly files = new PlanFiles((uri) => this.#text(uri));
  readonly #plans: PlanStore;
  readonly #planning = new Map<string, AbortController>();
  readonly #stop: () => void;
  /** The page that the next plan takes the place of. */
  #replaced: vscode.Uri | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly services: Services) {
    const { workspaceState } = services.context;
    this.#plans = new PlanStore({
      read: () => workspaceState.get(PLANS_KEY),
      write: (value) => void workspaceState.update(PLANS_KEY, value),
    });
    this.#stop = services.jobs.onChange((job) => {
      if (job !== undefined && this.#plans.ofJob(job.id).length > 0) {
        this.#jobChanged(job);
      }
    });
  }

  /**
   * Shows the page of a proposal at once, and its plan when that is worked out. What was changed on a page stays there.
   * @param ready the plan, where it is known already; `exists`: what is there of that name would be replaced
   */
  async show(proposal: Proposal, ready?: { readonly text: string; readonly exists: boolean }): Promise<void> {
    const name = proposal.job.title.replaceAll(/[\\/]/g, ' ');
    const uri = vscode.Uri.from({
      scheme: PLAN_SCHEME,
      path: `/${Date.now().toString(36)}/${vscode.l10n.t('Plan')}: ${name}`,
    });
    const replaced = this.#replaced;
    this.#replaced = undefined;
    const state: PlanState = ready === undefined ? { kind: 'planning' } : { kind: 'ready', ...ready };
    this.#set(uri, { proposal, state, keeps: false });
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
    if (replaced !== undefined) {
      // The tab is named after its plan: the new one takes the place of the old.
      await vscode.window.tabGroups.close(tabsOf(replaced), true);
    }
    if (ready === undefined) {
      await this.#plan(uri);
    }
  }

  /** Works out the plan of a page anew. */
  async again(uri: vscode.Uri | undefined): Promise<void> {
    const [key, plan] = this.#find(uri);
    this.#set(key, { ...plan, state: { kind: 'planning' } });
    await this.#plan(key);
  }

  async #plan(uri: vscode.Uri): Promise<void> {
    const key = uri.toString();
    const plan = this.#plans.get(key);
    if (plan === undefined) {
      return;
    }
    this.#planning.get(key)?.abort();
    const abort = new AbortController();
    this.#planning.set(key, abort);
    const state = await vscode.window.withProgress({ location: { viewId: 'modelfileStudio.artefacts' } }, () =>
      this.#worked(plan, abort.signal),
    );
    // Another plan may have taken the page by now.
    if (this.#planning.get(key) === abort) {
      this.#planning.delete(key);
      this.#set(uri, { ...plan, state });
    }
  }

  async #worked(plan: Plan, signal: AbortSignal): Promise<PlanState> {
    try {
      const { text, replaces } = await this.#workOrReplace(plan.proposal, signal);
      return { kind: 'ready', text, exists: replaces || (await isThere(plan.proposal.job.output)) };
    } catch (thrown) {
      const { code, message } = toStudioError(thrown);
      return { kind: 'refused', code, message };
    }
  }

  /** As {@link #work}; a model of that name in Ollama is no refusal, but something that *Run* asks about. */
  async #workOrReplace(
    proposal: Proposal,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly replaces: boolean }> {
    try {
      return { text: await this.#work(proposal, signal), replaces: false };
    } catch (thrown) {
      if (!proposal.canReplace || toStudioError(thrown).code !== 'ollama/model-exists') {
        throw thrown;
      }
      const planArgs = [...proposal.planArgs, '--force'];
      return { text: await this.#work({ ...proposal, planArgs }, signal), replaces: true };
    }
  }

  /** The text of a plan, with what a second one tells before it; lines that both have come once. */
  async #work({ planArgs, detail, job: { cwd } }: Proposal, signal: AbortSignal): Promise<string> {
    const answer = await this.services.cli.json(planArgs, { signal, cwd });
    const own = textOf(answer);
    const more = detail === undefined ? undefined : enginePlan(answer, detail);
    if (more === undefined) {
      return own;
    }
    // What the answer says holds without the details.
    const first = await this.services.cli.json(more, { signal }).then(textOf, (thrown: unknown) => {
      if (signal.aborted) {
        throw thrown;
      }
      return '';
    });
    if (first === '') {
      return own;
    }
    const known = new Set(first.split('\n').map(labelOf));
    const lines = own
      .split('\n')
      .map((line) => (labelOf(line) === 'Route' ? line.replace(/^Route {5}/, 'Ollama    ') : line));
    return [first, ...lines.filter((line) => !known.has(labelOf(line)) || labelOf(line) === '!')].join('\n');
  }

  /** Begins the job of a plan, or begins it again; asks before anything is replaced. */
  async run(uri: vscode.Uri | undefined): Promise<void> {
    const [key, plan] = this.#find(uri);
    const { proposal, state, keeps } = plan;
    if (state.kind !== 'ready' && state.kind !== 'started') {
      throw new StudioError('usage/arguments', 'There is no plan to run here yet.');
    }
    const { job, keep } = proposal;
    const before = state.kind === 'started' ? this.services.jobs.find(state.jobId) : undefined;
    if (before !== undefined && !isOver(before)) {
      throw new StudioError('usage/arguments', 'This plan runs already: see the Jobs view.');
    }
    // A model that this plan made is there when it is run again; so is what came since it was planned.
    const exists =
      (await isThere(job.output)) ||
      (state.kind === 'ready' ? state.exists : job.model !== undefined && before?.state !== 'failed');
    const force = exists && proposal.canReplace ? await confirmReplacing(job.output ?? job.model ?? '') : false;
    if (force === undefined) {
      return;
    }
    const kept = keeps && keep !== undefined ? await keptArguments(keep) : [];
    const args = [...job.args, ...kept, ...(force ? ['--force'] : [])];
    const started = this.services.jobs.start({ ...job, args });
    this.#set(key, { ...plan, state: { kind: 'started', text: state.text, jobId: started.id } });
  }

  /** Asks again for one thing, and replaces the page by the new plan's. */
  async change(uri: vscode.Uri | undefined, field: ChangeField): Promise<void> {
    const [key, { proposal }] = this.#find(uri);
    const { change } = proposal;
    if (change === undefined || !(change.fields ?? ['type']).includes(field)) {
      throw new StudioError('usage/arguments', 'This plan has nothing of that kind to change.');
    }
    this.#replaced = key;
    try {
      await vscode.commands.executeCommand(
        change.command,
        change.fields === undefined ? change.request : { ...change.request, ask: field },
      );
    } finally {
      this.#replaced = undefined;
    }
  }

  /** Keeps the files that are made on the way, or does not. */
  toggleKeep(uri: vscode.Uri | undefined): void {
    const [key, plan] = this.#find(uri);
    if (plan.proposal.keep === undefined || plan.state.kind !== 'ready') {
      throw new StudioError('usage/arguments', 'This plan makes no files that could be kept.');
    }
    this.#set(key, { ...plan, keeps: !plan.keeps });
  }

  async copyCommand(uri: vscode.Uri | undefined): Promise<void> {
    const [, { proposal, keeps }] = this.#find(uri);
    const args = [...proposal.job.args, ...(keeps ? (proposal.keep?.args ?? []) : [])];
    await vscode.env.clipboard.writeText(commandText('node', [this.services.cli.script, ...args], process.platform));
    vscode.window.setStatusBarMessage(vscode.l10n.t('Command copied'), 3000);
  }

  /** Puts what the plan does into tasks.json. */
  async saveTask(uri: vscode.Uri | undefined): Promise<void> {
    await saveTask(this.#find(uri)[1].proposal.job);
  }

  /** Ends the planning of a page, or the job that it began. */
  cancel(uri: vscode.Uri | undefined): void {
    const [key, { state }] = this.#find(uri);
    this.#planning.get(key.toString())?.abort();
    if (state.kind === 'started') {
      this.services.jobs.cancel(state.jobId);
    }
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const plan = this.#plans.get(document.uri.toString());
    return plan === undefined ? [] : planLenses(plan, this.#jobOf(plan));
  }

  /** The files that a plan names lead to where they are; what is still to be written leads nowhere. */
  provideDocumentLinks(document: vscode.TextDocument): vscode.DocumentLink[] {
    const plan = this.#plans.get(document.uri.toString());
    const isDone = plan !== undefined && this.#jobOf(plan)?.state === 'done';
    const lines = document.getText().split('\n');
    return (plan?.proposal.files ?? [])
      .filter(([, path]) => isDone || path !== plan?.proposal.job.output)
      .flatMap(([label, path]) => {
        const line = lines.findIndex((text) => text.startsWith(`  ${label}`) && text.trimEnd().endsWith(path));
        if (line < 0) {
          return [];
        }
        const from = lines[line]!.indexOf(path);
        const link = new vscode.DocumentLink(
          new vscode.Range(line, from, line, from + path.length),
          vscode.Uri.parse(`command:modelfileStudio.reveal?${encodeURIComponent(JSON.stringify([{ path }]))}`),
        );
        link.tooltip = vscode.l10n.t('Reveal');
        return [link];
      });
  }

  /** Gives a page its language, also one that VS Code opened again; what was being planned then is planned now. */
  async opened(document: vscode.TextDocument): Promise<void> {
    const { uri } = document;
    if (document.languageId !== PLAN_LANGUAGE) {
      await vscode.languages.setTextDocumentLanguage(document, PLAN_LANGUAGE);
    }
    if (this.#plans.get(uri.toString())?.state.kind === 'planning' && !this.#planning.has(uri.toString())) {
      await this.#plan(uri);
    }
  }

  /** A page that is closed needs no plan; one that only got its language is closed and opened at once. */
  closed(uri: vscode.Uri): void {
    const key = uri.toString();
    setTimeout(() => {
      if (!vscode.workspace.textDocuments.some((document) => document.uri.toString() === key)) {
        this.#planning.get(key)?.abort();
      }
    }, 0);
  }

  dispose(): void {
    this.#stop();
    clearTimeout(this.#timer);
    this.#planning.forEach((abort) => abort.abort());
    this.files.dispose();
    this.#lensesChanged.dispose();
  }

  #text(uri: vscode.Uri): string | undefined {
    const plan = this.#plans.get(uri.toString());
    return plan === undefined
      ? vscode.l10n.t('This plan is no longer kept. Run the command again for a new one.')
      : planText(plan, process.platform, this.#jobOf(plan));
  }

  #jobOf({ state }: Plan): Job | undefined {
    return state.kind === 'started' ? this.services.jobs.find(state.jobId) : undefined;
  }

  #jobChanged(job: Job): void {
    if (isOver(job)) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#plans.ofJob(job.id).forEach((key) => this.files.changed(vscode.Uri.parse(key)));
      this.#lensesChanged.fire();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#lensesChanged.fire();
    }, REDRAW_MS);
  }

  #set(uri: vscode.Uri, plan: Plan): void {
    this.#plans.set(uri.toString(), plan);
    this.files.changed(uri);
    this.#lensesChanged.fire();
  }

  #find(uri: vscode.Uri | undefined): readonly [vscode.Uri, Plan] {
    const key = uri ?? vscode.window.activeTextEditor?.document.uri;
    const plan = key === undefined ? undefined : this.#plans.get(key.toString());
    if (key === undefined || plan === undefined) {
      throw new StudioError(
        'usage/arguments',
        'No plan is open. Run Build Ollama Model…, or another command of Modelfile Studio, for one.',
      );
    }
    return [key, plan];
  }
}

/** The tabs that show a page; none where a preview gave way already. */
function tabsOf(uri: vscode.Uri): vscode.Tab[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .filter(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === uri.toString());
}

async function isThere(path: string | undefined): Promise<boolean> {
  return (
    path !== undefined &&
    (await lstat(path).then(
      () => true,
      () => false,
    ))
  );
}

function textOf(answer: unknown): string {
  return typeof answer === 'object' && answer !== null && 'text' in answer && typeof answer.text === 'string'
    ? answer.text
    : '';
}

function labelOf(line: string): string {
  return line.split(/\s/, 1)[0] ?? '';
}

/** True to replace, undefined to leave it. */
async function confirmReplacing(path: string): Promise<true | undefined> {
  const replace = vscode.l10n.t('Replace');
  const detail = vscode.l10n.t('The old one stays until the new one is complete.');
  const question = vscode.l10n.t('Replace {0}?', path);
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, replace);
  return answer === replace ? true : undefined;
}

/** Makes the pages of plans known, and what can be done on them. */
export function registerPlanDocuments(services: Services): PlanDocuments {
  const plans = new PlanDocuments(services);
  const selector = { scheme: PLAN_SCHEME };
  const onPlan = (name: string, run: (uri: vscode.Uri | undefined) => unknown): void =>
    registerCommand(services, name, (uri) => run(uri instanceof vscode.Uri ? uri : undefined));
  onPlan('runPlan', (uri) => plans.run(uri));
  onPlan('changePlanBase', (uri) => plans.change(uri, 'base'));
  onPlan('changePlanAdapter', (uri) => plans.change(uri, 'adapters'));
  onPlan('changePlan', (uri) => plans.change(uri, 'type'));
  onPlan('changePlanName', (uri) => plans.change(uri, 'name'));
  onPlan('changePlanOutput', (uri) => plans.change(uri, 'out'));
  onPlan('planAgain', (uri) => plans.again(uri));
  onPlan('keepPlanFiles', (uri) => plans.toggleKeep(uri));
  onPlan('savePlanTask', (uri) => plans.saveTask(uri));
  onPlan('copyPlanCommand', (uri) => plans.copyCommand(uri));
  onPlan('cancelPlan', (uri) => plans.cancel(uri));
  registerCommand(services, 'planNextStep', (id, index) => {
    const job = typeof id === 'string' ? services.jobs.find(id) : undefined;
    return job === undefined || typeof index !== 'number' ? undefined : nextSteps(job)[index]?.run();
  });
  services.context.subscriptions.push(
    plans,
    vscode.workspace.registerFileSystemProvider(PLAN_SCHEME, plans.files, { isReadonly: true, isCaseSensitive: true }),
    vscode.languages.registerCodeLensProvider(selector, plans),
    vscode.languages.registerDocumentLinkProvider(selector, plans),
    vscode.workspace.onDidOpenTextDocument((document) =>
      document.uri.scheme === PLAN_SCHEME ? void plans.opened(document) : undefined,
    ),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => (uri.scheme === PLAN_SCHEME ? plans.closed(uri) : undefined)),
  );
  vscode.workspace.textDocuments
    .filter(({ uri }) => uri.scheme === PLAN_SCHEME)
    .forEach((document) => void plans.opened(document));
  return plans;
}
