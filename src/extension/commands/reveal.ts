import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import type { CommandServices } from '../wizard/commandContext';
import { pickArtefact } from '../wizard/pickArtefact';
import { readTarget } from '../wizard/target';

/** *Reveal*: shows a file or folder in the explorer, or in the system's file manager where it lies outside the workspace. */
export async function reveal({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  const at = { title: vscode.l10n.t('Reveal'), step: 1, total: 1 };
  const { paths } = readTarget(args);
  const chosen =
    paths.length > 0
      ? paths
      : await pickArtefact(services, at, {
          placeholder: vscode.l10n.t('What to reveal'),
          filter: () => true,
          browse: 'weights',
        });
  const path = chosen === 'back' ? undefined : chosen?.[0];
  if (path === undefined) {
    return;
  }
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new StudioError('input/missing', vscode.l10n.t('{0} is no longer there. Scan again.', path), { path });
  }
  const uri = vscode.Uri.file(path);
  const inside = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  if (!inside && vscode.env.remoteName !== undefined && vscode.env.uiKind === vscode.UIKind.Web) {
    await vscode.env.clipboard.writeText(path);
    void vscode.window.showInformationMessage(
      vscode.l10n.t('{0} lies outside the workspace. Its path was copied.', path),
    );
    return;
  }
  await vscode.commands.executeCommand(inside ? 'revealInExplorer' : 'revealFileInOS', uri);
}
