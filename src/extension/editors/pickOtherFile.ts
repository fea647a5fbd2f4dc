import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { describeArtefact } from '../../core/artefacts/describeArtefact';
import { escapeControls } from '../../core/escapeControls';
import type { Services } from '../services';

interface FileItem extends vscode.QuickPickItem {
  readonly file?: vscode.Uri;
}

/** Asks for the file that another is compared with: one of the artefacts that are known, or any. Undefined when the user gives up. */
export async function pickOtherFile(services: Services, than: vscode.Uri): Promise<vscode.Uri | undefined> {
  const extension = /\.\w+$/.exec(than.fsPath)?.[0].toLowerCase() ?? '';
  const known = services.artefacts.artefacts
    .filter(({ path }) => path !== than.fsPath && path.toLowerCase().endsWith(extension))
    .map((artefact): FileItem => ({
      label: escapeControls(basename(artefact.path)),
      description: escapeControls(describeArtefact(artefact)),
      detail: escapeControls(dirname(artefact.path)),
      file: vscode.Uri.file(artefact.path),
    }));
  if (known.length > 0) {
    const browse: FileItem = { label: vscode.l10n.t('Other File…'), alwaysShow: true };
    const chosen = await vscode.window.showQuickPick([...known, browse], {
      title: vscode.l10n.t('Compare {0} with', escapeControls(basename(than.fsPath))),
      placeHolder: vscode.l10n.t('The file to compare with'),
      matchOnDescription: true,
      matchOnDetail: true,
    });
    if (chosen === undefined || chosen.file !== undefined) {
      return chosen?.file;
    }
  }
  const files = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Compare {0} with', escapeControls(basename(than.fsPath))),
    openLabel: vscode.l10n.t('Compare'),
    defaultUri: vscode.Uri.joinPath(than, '..'),
    canSelectMany: false,
    filters: { [vscode.l10n.t('Models')]: ['gguf', 'safetensors'] },
  });
  return files?.[0];
}
