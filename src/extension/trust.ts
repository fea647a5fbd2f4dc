import * as vscode from 'vscode';

/** Whether anything may be run, scanned or sent. Commands ask again themselves: hiding one does not stop it from being called. */
export interface Trust {
  readonly isTrusted: boolean;
  /** Says why nothing happens, and offers the way out. */
  refuse(): Promise<void>;
}

export const TRUST: Trust = {
  get isTrusted() {
    return vscode.workspace.isTrusted;
  },
  async refuse() {
    const manage = vscode.l10n.t('Manage Workspace Trust');
    const message = vscode.l10n.t('This workspace is not trusted, so nothing is run. Trust it first.');
    if ((await vscode.window.showWarningMessage(message, manage)) === manage) {
      await vscode.commands.executeCommand('workbench.trust.manage');
    }
  },
};
