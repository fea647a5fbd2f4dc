import * as vscode from 'vscode';
import { artefactTags, weightsPath } from '../artefacts/artefactTags';
import { showComparison } from '../editors/showComparison';
import type { CommandServices } from '../wizard/commandContext';
import { pickArtefact, type ArtefactPickOptions } from '../wizard/pickArtefact';
import { artefactAt } from '../wizard/questions';
import { askSteps, type Step } from '../wizard/steps';
import { readTarget } from '../wizard/target';

interface Pair {
  readonly left?: string | undefined;
  readonly right?: string | undefined;
}

/** *Compare…*: two files of weights side by side: tensors, types, metadata. */
export async function compare({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  const { paths } = readTarget(args);
  const options: Omit<ArtefactPickOptions, 'placeholder'> = {
    filter: (artefact) => artefactTags(artefact).includes('comparable'),
    browse: 'weights',
  };
  const ask = (side: 'left' | 'right', placeholder: string): Step<Pair> => ({
    isNeeded: (pair) => pair[side] === undefined,
    ask: async (pair, at) => {
      const others = (path: string): boolean => path !== pair.left;
      const chosen = await pickArtefact(services, at, {
        ...options,
        placeholder,
        filter: (artefact) => options.filter(artefact) && others(artefact.path),
      });
      return chosen === undefined || chosen === 'back' ? chosen : { [side]: chosen[0] };
    },
  });
  const pair = await askSteps<Pair>(vscode.l10n.t('Compare'), { left: paths[0], right: paths[1] }, [
    ask('left', vscode.l10n.t('File to compare')),
    ask('right', vscode.l10n.t('File to compare it with')),
  ]);
  if (pair?.left === undefined || pair.right === undefined) {
    return;
  }
  const both = await Promise.all(
    [pair.left, pair.right].map(async (path) => weightsPath(await artefactAt(services, path))),
  );
  const [left, right] = both.map((path) => vscode.Uri.file(path));
  await showComparison(left!, right!);
}
