import * as vscode from 'vscode';
import { registerCommand } from './registerCommand';
import type { Services } from './services';

/** *Try the Sample*: a copy of the bundled model and adapter that may be changed, opened as a folder. */
export function registerOpenSample(services: Services): void {
  registerCommand(services, 'openSample', async () => {
    const { extensionUri, globalStorageUri } = services.context;
    const folder = vscode.Uri.joinPath(globalStorageUri, 'sample');
    if (!(await exists(vscode.Uri.joinPath(folder, 'Modelfile')))) {
      await vscode.workspace.fs.createDirectory(globalStorageUri);
      await vscode.workspace.fs.copy(vscode.Uri.joinPath(extensionUri, 'media', 'sample'), folder, { overwrite: true });
    }
    const hasFolder = (vscode.workspace.workspaceFolders ?? []).length > 0;
    await vscode.commands.executeCommand('vscode.openFolder', folder, { forceNewWindow: hasFolder });
  });
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return await vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}
