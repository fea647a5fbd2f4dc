import * as vscode from 'vscode';
import type { Services } from '../services';

export function registerArtefactsView(services: Services): void {
  const provider: vscode.TreeDataProvider<string> = { getChildren: () => [], getTreeItem: (item) => new vscode.TreeItem(item) };
  services.context.subscriptions.push(vscode.window.createTreeView('modelfileStudio.artefacts', { treeDataProvider: provider }));
}
