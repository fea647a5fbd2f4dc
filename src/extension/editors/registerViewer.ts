import type * as vscode from 'vscode';

/** Registers the viewer of `.gguf` and `.safetensors` files, `modelfileStudio.viewer`. */
export function registerViewer(context: vscode.ExtensionContext): void {
  context.subscriptions.push();
}
