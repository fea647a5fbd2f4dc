import * as vscode from 'vscode';
import { escapeControls } from '../../core/escapeControls';
import { formatBytes } from '../../core/formatBytes';
import type { ModelDescription } from '../../core/ollama/ollamaModels';
import type { Services } from '../services';
import type { OllamaServer } from './ollamaServer';

const SCHEME = 'modelfile-studio-ollama';

/** What a server says of a model, as the Modelfile that would make it again with the facts above it. Nothing is written to disk. */
function describeModel(
  name: string,
  { modelfile, family, parameterSize, quantisation, capabilities, renderer, parser, requires, info }: ModelDescription,
): string {
  const architecture = info['general.architecture'];
  const context = typeof architecture === 'string' ? info[`${architecture}.context_length`] : undefined;
  const size = info['general.size'];
  const facts: [string, unknown][] = [
    [vscode.l10n.t('Family'), family],
    [vscode.l10n.t('Parameters'), parameterSize],
    [vscode.l10n.t('Type'), quantisation],
    [vscode.l10n.t('Context'), typeof context === 'number' ? context.toLocaleString('en-US') : undefined],
    [vscode.l10n.t('Size'), typeof size === 'number' ? formatBytes(size) : undefined],
    [vscode.l10n.t('Can'), capabilities.join(', ')],
    ['RENDERER', renderer],
    ['PARSER', parser],
    ['REQUIRES', requires],
  ];
  const head = facts.flatMap(([label, value]) =>
    typeof value === 'string' && value !== '' ? [`# ${label}: ${escapeControls(value)}`] : [],
  );
  // The server's own remarks at the top tell how to use the file.
  const body = modelfile.replace(/^(?:#[^\n]*\n|\s*\n)+/, '');
  return `# ${escapeControls(name)}\n${head.join('\n')}\n\n${body}`;
}

/** Serves `modelfile-studio-ollama:` documents. */
export function registerModelDocuments(services: Services, server: OllamaServer): void {
  const provider: vscode.TextDocumentContentProvider = {
    provideTextDocumentContent: async (uri) => {
      const name = uri.query;
      if (!services.trust.isTrusted || !server.isAllowed) {
        return '';
      }
      return describeModel(name, await (await server.client()).show(name));
    },
  };
  services.context.subscriptions.push(vscode.workspace.registerTextDocumentContentProvider(SCHEME, provider));
}

/** Opens the document of a model. */
export async function showModelDocument(server: OllamaServer, name: string): Promise<void> {
  await server.require();
  const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name.replaceAll(/[/\\:]/g, '_')}.modelfile`, query: name });
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
}
