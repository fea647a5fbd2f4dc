import * as vscode from 'vscode';
import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { Services } from '../services';

const SCHEME = 'modelfile-studio-report';

const texts = new Map<string, string>();
const changed = new vscode.EventEmitter<vscode.Uri>();
let count = 0;

/** Shows a read-only page at once, and fills it when its text is there; closing it stops the work. */
export async function showReport(title: string, write: (signal: AbortSignal) => Promise<string>): Promise<void> {
  const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title}`, query: String(++count) });
  const abort = new AbortController();
  texts.set(uri.toString(), vscode.l10n.t('Looking…'));
  const document = await vscode.languages.setTextDocumentLanguage(
    await vscode.workspace.openTextDocument(uri),
    'modelfile-studio-report',
  );
  await vscode.window.showTextDocument(document, { preview: true });
  const closed = vscode.workspace.onDidCloseTextDocument((other) => {
    if (other.uri.toString() === uri.toString()) {
      abort.abort();
      texts.delete(uri.toString());
    }
  });
  try {
    const text = await write(abort.signal).catch((thrown: unknown) => {
      const { code, message } = toStudioError(thrown);
      return `${code}: ${escapeControls(message)}\n`;
    });
    if (!abort.signal.aborted) {
      texts.set(uri.toString(), text);
      changed.fire(uri);
    }
  } finally {
    closed.dispose();
  }
}

/** Makes the pages known to the editor. */
export function registerReportDocuments({ context }: Services): void {
  const provider: vscode.TextDocumentContentProvider = {
    onDidChange: changed.event,
    provideTextDocumentContent: (uri) =>
      texts.get(uri.toString()) ??
      vscode.l10n.t('This page was made before the window was reloaded. Run the command again.'),
  };
  const forget = vscode.workspace.onDidCloseTextDocument(({ uri }) => {
    // A page that only got its language is closed and opened at once.
    setTimeout(() => {
      if (!vscode.workspace.textDocuments.some((document) => document.uri.toString() === uri.toString())) {
        texts.delete(uri.toString());
      }
    }, 0);
  });
  context.subscriptions.push(changed, forget, vscode.workspace.registerTextDocumentContentProvider(SCHEME, provider));
}
