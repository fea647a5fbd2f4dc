import * as vscode from 'vscode';
import type { TemplateChoice } from '../../core/chatTemplate/chooseTemplate';
import { toStudioError } from '../../core/errors';
import type { Services } from '../services';

/** What a new Modelfile is made from. */
export interface ModelSource {
  readonly path?: string;
  readonly adapter?: string;
}

/**
 * Template, stops and parameters for a model, as `create` would choose them; undefined where FROM is a model of Ollama,
 * which brings its own, and where the model does not tell: then that is said.
 */
export async function templateFor(
  services: Services,
  { path, adapter }: ModelSource,
): Promise<TemplateChoice | undefined> {
  if (path === undefined) {
    return undefined;
  }
  const args = ['modelfile', '--base', path, ...(adapter === undefined ? [] : ['--adapter', adapter])];
  try {
    const answer = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Choosing the template') },
      () => services.cli.json(args),
    );
    return (answer as { readonly choice: TemplateChoice }).choice;
  } catch (thrown) {
    const error = toStudioError(thrown);
    services.log.warn(`${error.code}: ${error.message}`);
    void vscode.window.showWarningMessage(vscode.l10n.t('No template was chosen: {0}', error.message));
    return undefined;
  }
}
