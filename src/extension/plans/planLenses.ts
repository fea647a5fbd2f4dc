import * as vscode from 'vscode';
import { isOver, type Job } from '../jobs/job';
import { jobFacts } from '../jobs/jobText';
import { nextSteps } from '../jobs/nextSteps';
import type { Plan } from './planStore';
import { CHANGE_FIELDS, type ChangeField } from './proposal';

/** The command of each thing that can be chosen anew, and its words. */
const CHANGE_COMMANDS: Readonly<Record<ChangeField, string>> = {
  base: 'changePlanBase',
  adapters: 'changePlanAdapter',
  type: 'changePlan',
  name: 'changePlanName',
  out: 'changePlanOutput',
};

const CHANGE_WORDS = (): Readonly<Record<ChangeField, string>> => ({
  base: vscode.l10n.t('Change Base…'),
  adapters: vscode.l10n.t('Adapter…'),
  type: vscode.l10n.t('Type…'),
  name: vscode.l10n.t('Name…'),
  out: vscode.l10n.t('Output…'),
});

/** What can be done about a plan, for its first line. @param job what it began, where that is still listed */
export function planLenses({ proposal, state, keeps }: Plan, job: Job | undefined): vscode.CodeLens[] {
  const top = new vscode.Range(0, 0, 0, 0);
  // Without arguments a lens survives the next one: the page that is in front is meant.
  const lens = (title: string, command: string, ...args: readonly unknown[]): vscode.CodeLens =>
    new vscode.CodeLens(top, { title, command: `modelfileStudio.${command}`, arguments: [...args] });
  const { change, keep } = proposal;
  const fields = change === undefined ? [] : (change.fields ?? ['type']);
  const changes = CHANGE_FIELDS.filter((field) => fields.includes(field)).map((field, index) => {
    const words = CHANGE_WORDS()[field];
    const first = index === 0 && field !== 'base' ? vscode.l10n.t('Change {0}', words) : words;
    return lens(first, CHANGE_COMMANDS[field]);
  });
  const copy = lens(vscode.l10n.t('Copy as Command'), 'copyPlanCommand');
  const task = lens(vscode.l10n.t('Save as Task'), 'savePlanTask');
  switch (state.kind) {
    case 'planning':
      return [lens(vscode.l10n.t('$(sync~spin) Planning: Cancel'), 'cancelPlan')];
    case 'refused':
      return [...changes, lens(vscode.l10n.t('Plan Again'), 'planAgain'), copy];
    case 'ready':
      return [
        lens(vscode.l10n.t('$(play) Run'), 'runPlan'),
        ...changes,
        ...(keep === undefined
          ? []
          : [lens(keeps ? vscode.l10n.t('$(check) Keep Files') : vscode.l10n.t('Keep Files'), 'keepPlanFiles')]),
        copy,
        task,
      ];
    case 'started':
      return [...jobLenses(lens, job), ...changes, copy, task];
  }
}

function jobLenses(
  lens: (title: string, command: string, ...args: readonly unknown[]) => vscode.CodeLens,
  job: Job | undefined,
): vscode.CodeLens[] {
  if (job === undefined) {
    return [lens(vscode.l10n.t('$(play) Run Again'), 'runPlan')];
  }
  if (!isOver(job)) {
    const facts = jobFacts(job).join(' · ').replaceAll('$(', '$ (');
    return [lens(`$(sync~spin) ${facts}`, 'jobs.focus'), lens(vscode.l10n.t('Cancel'), 'cancelPlan')];
  }
  switch (job.state) {
    case 'done':
      return [
        ...nextSteps(job).map(({ title }, index) => lens(title, 'planNextStep', job.id, index)),
        lens(vscode.l10n.t('Build Again'), 'runPlan'),
      ];
    case 'interrupted':
      return [lens(vscode.l10n.t('$(debug-continue) Resume'), 'resumeJob', { id: job.id })];
    default:
      return [
        lens(vscode.l10n.t('$(debug-rerun) Try Again'), 'runPlan'),
        lens(vscode.l10n.t('Show Log'), 'showJobLog', { id: job.id }),
      ];
  }
}
