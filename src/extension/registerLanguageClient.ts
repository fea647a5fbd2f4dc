import * as vscode from 'vscode';
import type { ModelfileLanguageClient } from './languageClient';
import { MODELFILE } from './modelfile/modelfileDocuments';
import { registerCommand } from './registerCommand';
import type { Services } from './services';

/** Asks the language server; undefined where it does not run or does not know the document. */
export type AskLanguageServer = (
  method: 'modelfile/preview' | 'modelfile/differences' | 'modelfile/summaries',
  params: object,
) => Promise<unknown>;

/** Starts the language client with the first Modelfile that is opened, and loads it no sooner. */
export function registerLanguageClient(services: Services): AskLanguageServer {
  const { subscriptions } = services.context;
  let client: Promise<ModelfileLanguageClient> | undefined;
  const load = async (): Promise<ModelfileLanguageClient> => {
    const { ModelfileLanguageClient: Client } = await import('./languageClient');
    const made = new Client(services);
    subscriptions.push(made);
    return made;
  };
  const startFor = (document: vscode.TextDocument): void => {
    if (document.languageId === MODELFILE.language && client === undefined) {
      client = load();
      void client.then((made) => made.start());
    }
  };
  vscode.workspace.textDocuments.forEach(startFor);
  subscriptions.push(vscode.workspace.onDidOpenTextDocument(startFor));
  // Trust changes nothing of what the command does: the server keeps to the text where there is none.
  registerCommand(
    services,
    'restartLanguageServer',
    async () => {
      client ??= load();
      await (await client).restart();
    },
    { untrusted: true },
  );
  return async (method, params) => {
    try {
      return (await (await client)?.request(method, params)) ?? undefined;
    } catch (error) {
      services.log.debug(`${method}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
}
