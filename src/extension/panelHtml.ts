import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

export interface PanelPage {
  readonly title: string;
  /** Where the script lies in the extension. */
  readonly script: readonly [folder: 'dist' | 'media', name: string];
  /** Files of `media/`. */
  readonly styles: readonly string[];
  /** Our own markup, never text from a file; what a page shows comes by message. */
  readonly body: string;
}

/** What a panel may load: our own style and script, and nothing from anywhere else. */
export function panelOptions(extensionUri: vscode.Uri): vscode.WebviewOptions {
  return {
    enableScripts: true,
    enableCommandUris: false,
    localResourceRoots: ['media', 'dist'].map((folder) => vscode.Uri.joinPath(extensionUri, folder)),
  };
}

/** A page with a strict policy: scripts by nonce, styles from `media/`, no network, no inline anything. */
export function panelHtml(
  webview: vscode.Webview,
  extensionUri: vscode.Uri,
  { title, script, styles, body }: PanelPage,
): string {
  const nonce = randomBytes(18).toString('base64');
  const local = (folder: string, name: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(extensionUri, folder, name)).toString();
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource}; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="${escapeAttribute(vscode.env.language)}">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>${escapeAttribute(title)}</title>
${styles.map((name) => `<link rel="stylesheet" href="${local('media', name)}">`).join('\n')}
</head>
<body>
${body}
<script nonce="${nonce}" src="${local(...script)}"></script>
</body>
</html>`;
}

export function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
