import * as vscode from 'vscode';
import type { CommandServices } from './commandContext';
import { artefactAt } from './questions';
import { readTarget } from './target';

/** *Open in Viewer*: the weights of an artefact. */
export async function openInViewer({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  for (const path of readTarget(args).paths) {
    const file = /\.(?:gguf|safetensors)$/i.test(path) ? path : (await artefactAt(services, path)).weightsFile;
    if (file !== undefined) {
      await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), 'modelfileStudio.viewer');
    }
  }
}
