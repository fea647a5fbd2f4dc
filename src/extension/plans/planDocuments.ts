import { lstat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { StudioError, toStudioError } from '../../core/errors';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { commandText } from './commandText';
import { planText } from './planText';
import type { PlanState, Proposal } from './proposal';

export const PLAN_SCHEME = 'modelfile-studio-plan';

interface Plan {
  readonly proposal: Proposal;
  readonly abort: AbortController;
  state: PlanState;
}

/** The plans that are open: a read-only page each, with what can be done about it on its first line. */
export class PlanDocuments
  implements vscode.TextDocumentContentProvider, vscode.CodeLensProvider, vscode.DocumentLinkProvider, vscode.Disposable
{
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #lensesChanged = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly onDidChangeCodeLenses = this.#lensesChanged.event;
  readonly #plans = new Map<string, Plan>();
  #count = 0;

  constructor(private readonly services: Services) {}

  /**
   * Shows the page of a proposal at once, and its plan when that is worked out.
   * @param ready the plan, where it is known already; `exists`: what is there of that name would be replaced
   */
  async show(proposal: Proposal, ready?: { readonly text: string; readonly exists: boolean }): Promise<void> {
    const name = proposal.job.title.replaceAll(/[\\/]/g, ' ');
    const uri = vscode.Uri.from({
      scheme: PLAN_SCHEME,
      path: `/${vscode.l10n.t('Plan')}: ${name}`,
      query: String(++this.#count),
    });
    const plan: Plan = {
      proposal,
      abort: new AbortController(),
      state: ready === undefined ? { kind: 'planning' } : { kind: 'ready', ...ready },
    };
    this.#plans.set(uri.toString(), plan);
    const document = await vscode.languages.setTextDocumentLanguage(
      await vscode.workspace.openTextDocument(uri),
      'modelfile-studio-plan',
    );
    await vscode.window.showTextDocument(document, { preview: true });
    if (ready === undefined) {
      await vscode.window.withProgress({ location: { viewId: 'modelfileStudio.artefacts' } }, () =>
        this.#plan(uri, plan),
      );
    }
  }

  async #plan(uri: vscode.Uri, plan: Plan): Promise<void> {
    const { job } = plan.proposal;
    try {
      const { text, replaces } = await this.#workOrReplace(plan);
      const exists =
        replaces ||
        (job.output !== undefined &&
          (await lstat(job.output).then(
            () => true,
            () => false,
          )));
      this.#set(uri, plan, { kind: 'ready', text, exists });
    } catch (thrown) {
      const { code, message } = toStudioError(thrown);
      this.#set(uri, plan, { kind: 'refused', code, message });
    }
  }

  /** As {@link #work}; a model of that name in Ollama is no refusal, but something that *Run* asks about. */
  async #workOrReplace(plan: Plan): Promise<{ readonly text: string; readonly replaces: boolean }> {
    const { proposal } = plan;
    try {
      return { text: await this.#work(plan), replaces: false };
    } catch (thrown) {
      if (!proposal.canReplace || toStudioError(thrown).code !== 'ollama/model-exists') {
        throw thrown;
      }
      return {
        text: await this.#work({ ...plan, proposal: { ...proposal, planArgs: [...proposal.planArgs, '--force'] } }),
        replaces: true,
      };
    }
  }

  /** The text of a plan, with what a second one tells before it; lines that both have come once. */
  async #work({ proposal: { planArgs, detail }, abort: { signal } }: Plan): Promise<string> {
    const answer = await this.services.cli.json(planArgs, { signal });
    const own = textOf(answer);
    const more = detail?.(answer);
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

  /** Begins the job of a plan; asks before anything is replaced. */
  async run(uri: vscode.Uri | undefined): Promise<void> {
    const [key, plan] = this.#find(uri);
    if (plan.state.kind !== 'ready') {
      throw new StudioError(
        'usage/arguments',
        plan.state.kind === 'started'
          ? 'This plan runs already: see the Jobs view.'
          : 'There is no plan to run here yet.',
      );
    }
    const {
      proposal,
      state: { text, exists },
    } = plan;
    const { job } = proposal;
    const force = exists && proposal.canReplace ? await confirmReplacing(job.output ?? job.model ?? '') : false;
    if (force === undefined) {
      return;
    }
    const started = this.services.jobs.start(force ? { ...job, args: [...job.args, '--force'] } : job);
    this.#set(key, plan, { kind: 'started', text, jobId: started.id });
  }

  /** Asks again for the type, and replaces the page by the new plan's. */
  async change(uri: vscode.Uri | undefined): Promise<void> {
    const [, { proposal }] = this.#find(uri);
    if (proposal.change !== undefined) {
      await vscode.commands.executeCommand(proposal.change.command, proposal.change.request);
    }
  }

  async copyCommand(uri: vscode.Uri | undefined): Promise<void> {
    const [, { proposal }] = this.#find(uri);
    await vscode.env.clipboard.writeText(
      commandText('node', [this.services.cli.script, ...proposal.job.args], process.platform),
    );
    vscode.window.setStatusBarMessage(vscode.l10n.t('Command copied'), 3000);
  }

  cancel(uri: vscode.Uri | undefined): void {
    this.#find(uri)[1].abort.abort();
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const plan = this.#plans.get(uri.toString());
    return plan === undefined
      ? vscode.l10n.t('This plan was made before the window was reloaded. Run the command again for a new one.')
      : planText(plan.proposal, plan.state, process.platform);
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const plan = this.#plans.get(document.uri.toString());
    const top = new vscode.Range(0, 0, 0, 0);
    // Without arguments a lens survives the next one: the page that is in front is meant.
    const lens = (title: string, command: string): vscode.CodeLens =>
      new vscode.CodeLens(top, { title, command: `modelfileStudio.${command}` });
    const change = plan?.proposal.change === undefined ? [] : [lens(vscode.l10n.t('Change Type'), 'changePlan')];
    switch (plan?.state.kind) {
      case undefined:
        return [];
      case 'planning':
        return [lens(vscode.l10n.t('$(sync~spin) Planning: Cancel'), 'cancelPlan')];
      case 'ready':
        return [
          lens(vscode.l10n.t('$(play) Run'), 'runPlan'),
          ...change,
          lens(vscode.l10n.t('Copy as Command'), 'copyPlanCommand'),
        ];
      case 'refused':
        return [...change, lens(vscode.l10n.t('Copy as Command'), 'copyPlanCommand')];
      case 'started':
        return [
          lens(vscode.l10n.t('$(check) Started'), 'jobs.focus'),
          ...change,
          lens(vscode.l10n.t('Copy as Command'), 'copyPlanCommand'),
        ];
    }
  }

  /** The files that a plan names lead to where they are; what is still to be written leads nowhere. */
  provideDocumentLinks(document: vscode.TextDocument): vscode.DocumentLink[] {
    const { proposal } = this.#plans.get(document.uri.toString()) ?? {};
    const lines = document.getText().split('\n');
    return (proposal?.files ?? [])
      .filter(([, path]) => path !== proposal?.job.output)
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

  /** A page that is closed needs no plan; one that only got its language is closed and opened at once. */
  closed(uri: vscode.Uri): void {
    const key = uri.toString();
    setTimeout(() => {
      if (!vscode.workspace.textDocuments.some((document) => document.uri.toString() === key)) {
        this.#plans.get(key)?.abort.abort();
        this.#plans.delete(key);
      }
    }, 0);
  }

  dispose(): void {
    this.#plans.forEach(({ abort }) => abort.abort());
    this.#changed.dispose();
    this.#lensesChanged.dispose();
  }

  #set(uri: vscode.Uri, plan: Plan, state: PlanState): void {
    plan.state = state;
    this.#changed.fire(uri);
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
  return (await vscode.window.showWarningMessage(
    vscode.l10n.t('Replace {0}?', path),
    { modal: true, detail },
    replace,
  )) === replace
    ? true
    : undefined;
}

/** Makes the pages of plans known, and what can be done on them. */
export function registerPlanDocuments(services: Services): PlanDocuments {
  const plans = new PlanDocuments(services);
  const selector = { scheme: PLAN_SCHEME };
  const onPlan = (name: string, run: (uri: vscode.Uri | undefined) => unknown): void =>
    registerCommand(services, name, (uri) => run(uri instanceof vscode.Uri ? uri : undefined));
  onPlan('runPlan', (uri) => plans.run(uri));
  onPlan('changePlan', (uri) => plans.change(uri));
  onPlan('copyPlanCommand', (uri) => plans.copyCommand(uri));
  onPlan('cancelPlan', (uri) => plans.cancel(uri));
  services.context.subscriptions.push(
    plans,
    vscode.workspace.registerTextDocumentContentProvider(PLAN_SCHEME, plans),
    vscode.languages.registerCodeLensProvider(selector, plans),
    vscode.languages.registerDocumentLinkProvider(selector, plans),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => plans.closed(uri)),
  );
  return plans;
}
