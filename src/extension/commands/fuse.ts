import * as vscode from 'vscode';
import { isModelFolder } from '../artefacts/artefactTags';
import type { CommandServices } from '../wizard/commandContext';
import { fuseProposal } from '../wizard/proposals';
import { artefactAt, askAdapters, askBase, askOutput, resultFolder, type Choices } from '../wizard/questions';
import { resultPath, stemOf } from '../wizard/resultNames';
import { askSteps } from '../wizard/steps';
import { readTarget, withoutAsked } from '../wizard/target';

/** *Fuse…*: base and adapters as one Hugging Face folder. */
export async function fuse({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const target = withoutAsked(readTarget(args));
  const selected = await Promise.all(target.paths.map((path) => artefactAt(services, path)));
  const models = selected.filter(isModelFolder).map(({ path }) => path);
  const start: Choices = {
    base: target.base ?? models[0],
    adapters: target.adapters ?? target.paths.filter((path) => !models.includes(path)),
    out: target.out,
  };
  const chosen = await askSteps<Choices>(vscode.l10n.t('Fuse'), start, [
    askAdapters(services, true),
    askBase(services, vscode.l10n.t('Base of the adapter')),
    askOutput(
      vscode.l10n.t('Folder to write'),
      ({ adapters }) => resultPath(resultFolder(services, adapters ?? []), `${stemOf(adapters?.[0] ?? '')}-fused`),
      'folder',
    ),
  ]);
  if (chosen?.base === undefined || chosen.adapters === undefined || chosen.out === undefined) {
    return;
  }
  const { base, adapters, out } = chosen;
  await plans.show({
    ...fuseProposal({ base, adapters, out }, services.configuration.get('engine.workers')),
    change: {
      command: 'modelfileStudio.fuse',
      request: { base, adapters, out },
      fields: ['base', 'adapters', 'out'],
    },
  });
}
