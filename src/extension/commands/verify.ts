import { basename } from 'node:path';
import * as vscode from 'vscode';
import { artefactTags } from '../artefacts/artefactTags';
import type { CommandServices } from '../wizard/commandContext';
import { pickArtefact } from '../wizard/pickArtefact';
import { readTarget } from '../wizard/target';

/** *Verify*: reads files strictly again, all of them, and looks for NaN and infinite values; a job, because it reads every byte. */
export async function verify({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  const { paths } = readTarget(args);
  const at = { title: vscode.l10n.t('Verify'), step: 1, total: 1 };
  const chosen =
    paths.length > 0
      ? paths
      : await pickArtefact(services, at, {
          placeholder: vscode.l10n.t('What to verify'),
          filter: (artefact) => artefactTags(artefact).includes('verifiable'),
          many: true,
          browse: 'weights',
        });
  if (chosen === undefined || chosen === 'back' || chosen.length === 0) {
    return;
  }
  const title = chosen.length === 1 ? `Verify ${basename(chosen[0]!)}` : `Verify ${chosen.length} artefacts`;
  const { id } = services.jobs.start({ kind: 'verify', title, args: ['verify', ...chosen] });
  const job = await services.jobs.finished(id);
  if (job?.state === 'done') {
    const details = vscode.l10n.t('Show Details');
    const message = vscode.l10n.t('{0}: sound. Every header fits its data, and no value is NaN or infinite.', title);
    if ((await vscode.window.showInformationMessage(message, details)) === details) {
      await vscode.commands.executeCommand('modelfileStudio.showJobLog', { id });
    }
  }
}
