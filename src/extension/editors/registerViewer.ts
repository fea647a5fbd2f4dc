import * as vscode from 'vscode';
import type { Services } from '../services';
import type { ModelFileEditor } from './modelFileEditor';
import { COMPARE_IN_VIEWER } from './showComparison';

export const VIEW_TYPE = 'modelfileStudio.viewer';

/**
 * Registers the viewer of `.gguf` and `.safetensors` files. Looking at a file needs no trust: nothing is run, and it is read in a thread
 * of its own.
 */
export function registerViewer(services: Services): void {
  const editors = new Set<ModelFileEditor>();
  /** Files that are to be compared as soon as their viewer is there. */
  const waiting = new Map<string, vscode.Uri>();
  const provider: vscode.CustomReadonlyEditorProvider = {
    openCustomDocument: (uri) => ({ uri, dispose: () => undefined }),
    async resolveCustomEditor(document, panel) {
      if (document.uri.scheme !== 'file') {
        panel.webview.html = remoteOnly();
        return;
      }
      const { ModelFileEditor } = await import('./modelFileEditor');
      const editor = new ModelFileEditor(services, document.uri, panel);
      editors.add(editor);
      panel.onDidDispose(() => editors.delete(editor));
      const other = waiting.get(document.uri.toString());
      if (other !== undefined) {
        waiting.delete(document.uri.toString());
        void editor.compareWith(other);
      }
    },
  };
  const compare = async (left: unknown, right: unknown): Promise<void> => {
    if (!(left instanceof vscode.Uri) || !(right instanceof vscode.Uri)) {
      return;
    }
    const open = [...editors].find(({ uri }) => uri.toString() === left.toString());
    if (open === undefined) {
      waiting.set(left.toString(), right);
    }
    await vscode.commands.executeCommand('vscode.openWith', left, VIEW_TYPE);
    await open?.compareWith(right);
  };
  services.context.subscriptions.push(
    vscode.window.registerCustomEditorProvider(VIEW_TYPE, provider, {
      supportsMultipleEditorsPerDocument: true,
      webviewOptions: { enableFindWidget: false },
    }),
    vscode.commands.registerCommand(COMPARE_IN_VIEWER, compare),
  );
}

/** Files of virtual workspaces cannot be read by range. */
function remoteOnly(): string {
  const text = vscode.l10n
    .t('Only files on a disk can be shown: open the folder itself, or download the file.')
    .replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'"><title>Modelfile Studio</title></head><body><p>${text}</p></body></html>`;
}
