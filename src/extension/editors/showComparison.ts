import * as vscode from 'vscode';

/** The command that the viewer registers for {@link showComparison}; it is no part of the palette. */
export const COMPARE_IN_VIEWER = 'modelfileStudio.compareInViewer';

/** Opens the viewer of `left` and shows there how `right` differs from it. */
export async function showComparison(left: vscode.Uri, right: vscode.Uri): Promise<void> {
  await vscode.commands.executeCommand(COMPARE_IN_VIEWER, left, right);
}
