import * as vscode from 'vscode';
import { artefactTags } from '../artefacts/artefactTags';
import { showReport } from '../reports/reportDocuments';
import type { CommandServices } from '../wizard/commandContext';
import { pickArtefact } from '../wizard/pickArtefact';
import { readTarget } from '../wizard/target';

/** *Inspect*: what files and folders are, by their headers, as text beside the editor. */
export async function inspect({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  const { paths } = readTarget(args);
  const at = { title: vscode.l10n.t('Inspect'), step: 1, total: 1 };
  const chosen =
    paths.length > 0
      ? paths
      : await pickArtefact(services, at, {
          placeholder: vscode.l10n.t('What to look into'),
          filter: (artefact) => artefactTags(artefact).includes('inspectable'),
          many: true,
          browse: 'weights',
        });
  if (chosen !== undefined && chosen !== 'back' && chosen.length > 0) {
    await showReport(vscode.l10n.t('Inspect'), (signal) => services.cli.text(['inspect', ...chosen], { signal }));
  }
}
