import { join } from 'node:path';
import * as vscode from 'vscode';
import type { CommandServices } from '../wizard/commandContext';
import { askOutput, REPOSITORY, resultFolder, type Choices } from '../wizard/questions';
import { askSteps, input, type Step } from '../wizard/steps';
import { readTarget, withoutAsked } from '../wizard/target';

/** *Fetch Base…*: the base that adapters name, from the Hugging Face hub; nothing is fetched before the plan is run. */
export async function fetchBase({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const { base, name, out } = withoutAsked(readTarget(args));
  const wanted = name ?? base;
  const start: Choices = wanted !== undefined && REPOSITORY.test(wanted) ? { name: wanted, out } : { out };
  const askRepository: Step<Choices> = {
    isNeeded: (choices) => choices.name === undefined,
    ask: async (_choices, at) => {
      const problem = (text: string): string | undefined =>
        REPOSITORY.test(text)
          ? undefined
          : vscode.l10n.t('Write ORG/NAME as the hub has it, for example Qwen/Qwen3-0.6B.');
      const chosen = await input(at, {
        prompt: vscode.l10n.t('Model on the Hugging Face hub'),
        value: wanted ?? missingBase(services.artefacts.artefacts) ?? '',
        problem,
      });
      return chosen === undefined || chosen === 'back' ? chosen : { name: chosen };
    },
  };
  const chosen = await askSteps<Choices>(vscode.l10n.t('Fetch Base'), start, [
    askRepository,
    askOutput(
      vscode.l10n.t('Folder to fetch it to'),
      (choices) =>
        join(resultFolder(services, []), (choices.name ?? '').replace(/@.*$/, '').split('/').at(-1) ?? 'model'),
      'folder',
    ),
  ]);
  if (chosen?.name === undefined || chosen.out === undefined) {
    return;
  }
  const command = ['fetch-model', chosen.name, '--out', chosen.out];
  await plans.show({
    job: { kind: 'other', title: `Fetch ${chosen.name}`, args: command, output: chosen.out },
    planArgs: [...command, '--dry-run'],
    files: [['folder', chosen.out]],
    then: [vscode.l10n.t('Files that are there already are not fetched again.')],
    change: {
      command: 'modelfileStudio.fetchBase',
      request: { name: chosen.name, out: chosen.out },
      fields: ['out'],
    },
    canReplace: false,
  });
}

/** A base that adapters name by its repository, and that no scanned folder has. */
function missingBase(artefacts: CommandServices['services']['artefacts']['artefacts']): string | undefined {
  return artefacts
    .map(({ base }) => (base?.path === undefined ? base?.name : undefined))
    .find((name) => name !== undefined && REPOSITORY.test(name));
}
