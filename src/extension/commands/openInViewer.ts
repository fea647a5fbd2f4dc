import * as vscode from 'vscode';
import type { CommandServices } from '../wizard/commandContext';
import { weightsPath } from '../artefacts/artefactTags';
import { artefactAt } from '../wizard/questions';
import { readTarget } from '../wizard/target';

/** *Open in Viewer*: the weights of an artefact. */
export async function openInViewer({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  for (const path of readTarget(args).paths) {
    const file = /\.(?:gguf|safetensors)$/i.test(path) ? path : weightsPath(await artefactAt(services, path));
    await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), 'modelfileStudio.viewer');
  }
}
