import * as vscode from 'vscode';
import type { CommandServices } from '../wizard/commandContext';

/** *Add Folder to Scan…*: puts folders into the user's settings; the view follows. */
export async function addFolder({ services }: CommandServices): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({
    canSelectFolders: true,
    canSelectFiles: false,
    canSelectMany: true,
    openLabel: vscode.l10n.t('Scan'),
  });
  const folders = (chosen ?? []).filter(({ scheme }) => scheme === 'file').map(({ fsPath }) => fsPath);
  if (folders.length > 0) {
    const all = [...new Set([...services.configuration.get('artefacts.folders'), ...folders])];
    await vscode.workspace
      .getConfiguration('modelfileStudio')
      .update('artefacts.folders', all, vscode.ConfigurationTarget.Global);
    await services.artefacts.scan();
  }
}
