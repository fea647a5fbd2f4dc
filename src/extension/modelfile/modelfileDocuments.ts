import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';

/** Modelfiles of every kind of workspace: those that are not on this machine get what their text alone tells. */
export const MODELFILE = { language: 'modelfile' } as const;

/** The most Modelfiles that a list offers. */
const MAX_FILES = 200;

/**
 * The Modelfile that a command is about: the one it was called with, else that of the active editor, else one that the
 * user chooses. @throws StudioError run/cancelled, input/missing
 */
export async function chooseModelfile(argument: unknown, title: string): Promise<vscode.TextDocument> {
  if (argument instanceof vscode.Uri) {
    return await vscode.workspace.openTextDocument(argument);
  }
  const active = vscode.window.activeTextEditor?.document;
  if (active?.languageId === MODELFILE.language) {
    return active;
  }
  const uris = await vscode.workspace.findFiles(
    '**/{Modelfile,modelfile,Modelfile.*,*.modelfile}',
    '**/node_modules/**',
    MAX_FILES,
  );
  if (uris.length === 0) {
    throw new StudioError(
      'input/missing',
      vscode.l10n.t('There is no Modelfile in this workspace. New Modelfile… makes one.'),
    );
  }
  const items = uris.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  const chosen = uris.length === 1 ? items[0] : await vscode.window.showQuickPick(items, { title });
  if (chosen === undefined) {
    throw new StudioError('run/cancelled', 'No Modelfile was chosen.');
  }
  return await vscode.workspace.openTextDocument(chosen.uri);
}

/** A name for the model of a Modelfile: `rugby` for rugby/Modelfile, rugby.modelfile and Modelfile.rugby. */
export function modelNameFor(path: string): string {
  const file = basename(path);
  const own = /^modelfile$/i.test(file) ? basename(dirname(path)) : file.replace(/^modelfile\.|\.modelfile$/gi, '');
  const name = own
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[^a-z0-9_]+/, '')
    .slice(0, 80);
  return name === '' ? 'my-model' : name;
}
