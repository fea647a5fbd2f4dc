import * as vscode from 'vscode';
import * as z from 'zod/mini';
import type { AskLanguageServer } from '../registerLanguageClient';
import type { Services } from '../services';
import { MODELFILE, modelNameFor } from './modelfileDocuments';

const POSITION = z.object({ line: z.number(), character: z.number() });
const SUMMARIES = z.array(z.object({ range: z.object({ start: POSITION, end: POSITION }), text: z.string() }));

/** Above the first line: Create, Plan and Preview; above FROM and ADAPTER: what they lead to. */
export function registerCodeLenses(services: Services, ask: AskLanguageServer): void {
  const changed = new vscode.EventEmitter<void>();
  const provider: vscode.CodeLensProvider = {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses: async (document) => {
      const summaries = SUMMARIES.safeParse(await ask('modelfile/summaries', { uri: document.uri.toString() }));
      return [...actions(document), ...(summaries.data ?? []).map(({ range, text }) => fact(range.start.line, text))];
    },
  };
  const { subscriptions } = services.context;
  subscriptions.push(
    changed,
    vscode.languages.registerCodeLensProvider(MODELFILE, provider),
    vscode.workspace.onDidGrantWorkspaceTrust(() => changed.fire()),
  );
}

function actions(document: vscode.TextDocument): vscode.CodeLens[] {
  const top = new vscode.Range(0, 0, 0, 0);
  const preview = new vscode.CodeLens(top, {
    title: vscode.l10n.t('Preview prompt'),
    command: 'modelfileStudio.previewPrompt',
    arguments: [document.uri],
  });
  if (document.uri.scheme !== 'file' || !vscode.workspace.isTrusted) {
    return [preview];
  }
  const title = vscode.l10n.t('Create {0}', modelNameFor(document.uri.fsPath));
  const plan = { title: vscode.l10n.t('Plan'), command: 'modelfileStudio.planFromModelfile' };
  return [
    new vscode.CodeLens(top, { title, command: 'modelfileStudio.createFromModelfile', arguments: [document.uri] }),
    new vscode.CodeLens(top, { ...plan, arguments: [document.uri] }),
    preview,
  ];
}

/** A lens that tells and does nothing. */
function fact(line: number, text: string): vscode.CodeLens {
  return new vscode.CodeLens(new vscode.Range(line, 0, line, 0), {
    title: text.replaceAll('$(', '$\u200b('),
    command: '',
  });
}
