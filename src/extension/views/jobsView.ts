import * as vscode from 'vscode';
import type { Services } from '../services';

export function registerJobsView(services: Services): void {
  const provider: vscode.TreeDataProvider<string> = { getChildren: () => [], getTreeItem: (item) => new vscode.TreeItem(item) };
  services.context.subscriptions.push(vscode.window.createTreeView('modelfileStudio.jobs', { treeDataProvider: provider }));
}
