import * as vscode from 'vscode';

/** Sets `modelfileStudio.NAME`, which the manifest's `when` clauses ask for. */
export function contextKey(name: string, value: string | boolean | number): void {
  void vscode.commands.executeCommand('setContext', `modelfileStudio.${name}`, value);
}
