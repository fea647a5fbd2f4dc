import { join } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { plainLabel } from '../ollama/pickModel';
import { OllamaServer } from '../ollama/ollamaServer';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { chooseModelfile } from './modelfileDocuments';

/** What the command line answers to `template MODEL --params`: lines that are ready for a Modelfile. */
const ANSWER = z.object({
  instructions: z.object({ template: z.optional(z.string()), parameters: z.array(z.string()) }),
  source: z.enum(['installed', 'registry', 'remembered', 'bundled']),
  sourceNote: z.string(),
});

/** *Insert Template from Library Model…* and *Insert Parameters…*: one edit of the open Modelfile, which Undo takes back. */
export function registerInsertCommands(services: Services): void {
  registerCommand(services, 'insertTemplate', (argument) => insert(services, argument, 'template'));
  registerCommand(services, 'insertParameters', (argument) => insert(services, argument, 'parameters'));
}

async function insert(services: Services, argument: unknown, what: 'template' | 'parameters'): Promise<void> {
  const title =
    what === 'template' ? vscode.l10n.t('Insert Template from Library Model') : vscode.l10n.t('Insert Parameters');
  const document = await chooseModelfile(argument, title);
  const model = await chooseLibraryModel(services, title);
  const { instructions, source, sourceNote } = await lookUp(services, model);
  const lines =
    what === 'template' ? [instructions.template ?? ''].filter((line) => line !== '') : instructions.parameters;
  if (lines.length === 0) {
    throw new StudioError(
      'template/missing',
      what === 'template'
        ? vscode.l10n.t('{0} has no template of its own.', escapeControls(model))
        : vscode.l10n.t('{0} sets no parameters.', escapeControls(model)),
    );
  }
  const names = new Set(lines.map((line) => line.split(' ').slice(0, 2).join(' ')));
  const isMeant = (keyword: string | undefined, name: string | undefined): boolean =>
    what === 'template'
      ? keyword === 'TEMPLATE'
      : keyword === 'PARAMETER'
        ? names.has(`PARAMETER ${name ?? ''}`)
        : keyword !== 'TEMPLATE' && lines.some((line) => line.startsWith(`${keyword ?? ''} `));
  await replaceInstructions(document, lines, isMeant);
  services.log.info(`${model}: ${sourceNote}`);
  if (source === 'bundled' || source === 'remembered') {
    void vscode.window.showInformationMessage(escapeControls(sourceNote));
  }
}

/** Asks the server first, then the registry, then a bundled table: the command line knows how. */
async function lookUp(services: Services, model: string): Promise<z.infer<typeof ANSWER>> {
  const server = new OllamaServer(services);
  if (server.isEnabled) {
    await server.require();
  }
  // Where the settings switch Ollama off, an address at which nobody answers.
  const nobody = server.isEnabled ? [] : ['--host', '127.0.0.1:1'];
  const title = vscode.l10n.t('Looking {0} up', escapeControls(model));
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (_progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort());
      return ANSWER.parse(
        await services.cli.json(['template', model, '--params', ...nobody], { signal: abort.signal }),
      );
    },
  );
}

/** Models of the server, names of the library, or one that is typed. @throws StudioError run/cancelled */
export async function chooseLibraryModel(services: Services, title: string): Promise<string> {
  const installed = await installedNames(services);
  const { libraryModelNames } = await import('../../node/registry/bundledLibrary');
  const known = (await libraryModelNames(join(services.context.extensionPath, 'dist'))).filter(
    (name) => !installed.some((one) => one === name || one.startsWith(`${name}:`)),
  );
  const items: vscode.QuickPickItem[] = [
    ...installed.map((name) => ({ label: plainLabel(name), description: vscode.l10n.t('installed') })),
    ...known.map((name) => ({ label: name, description: vscode.l10n.t('Ollama library') })),
  ];
  const pick = vscode.window.createQuickPick();
  pick.title = title;
  pick.placeholder = vscode.l10n.t('A model of the library or of your Ollama, with a tag if wanted');
  pick.items = items;
  // What is typed is an answer as well.
  pick.onDidChangeValue((value) => {
    const typed = value.trim();
    const own =
      typed === '' || items.some(({ label }) => label === typed)
        ? []
        : [{ label: typed, description: vscode.l10n.t('look this up') }];
    pick.items = [...items, ...own];
  });
  const chosen = await new Promise<string | undefined>((resolve) => {
    pick.onDidAccept(() => resolve(pick.selectedItems[0]?.label));
    pick.onDidHide(() => resolve(undefined));
    pick.show();
  });
  pick.dispose();
  if (chosen === undefined) {
    throw new StudioError('run/cancelled', 'No model was chosen.');
  }
  return chosen.replaceAll('\u200b', '');
}

/** Empty where no server may be or can be asked. */
async function installedNames(services: Services): Promise<readonly string[]> {
  const server = new OllamaServer(services);
  try {
    return server.isEnabled && server.isAllowed
      ? (await (await server.client()).list({ signal: AbortSignal.timeout(2000) })).map(({ name }) => name)
      : [];
  } catch {
    return [];
  }
}

/**
 * Puts lines in the place of the first instruction that is meant, and takes the others of them out; where there is none,
 * they go to the end. One edit.
 */
async function replaceInstructions(
  document: vscode.TextDocument,
  lines: readonly string[],
  isMeant: (keyword: string | undefined, name: string | undefined) => boolean,
): Promise<void> {
  const { parseModelfile } = await import('../../core/modelfile/parseModelfile');
  const eol = document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n';
  const text = lines.join('\n').replaceAll('\n', eol);
  const meant = parseModelfile(document.getText()).instructions.filter(({ keyword, name }) =>
    isMeant(keyword, name?.text),
  );
  const edit = new vscode.WorkspaceEdit();
  meant.forEach(({ span }, index) => {
    const range = new vscode.Range(document.positionAt(span.start), document.positionAt(span.end));
    edit.replace(
      document.uri,
      index === 0
        ? range
        : range.with(
            undefined,
            range.end.line + 1 < document.lineCount ? new vscode.Position(range.end.line + 1, 0) : range.end,
          ),
      index === 0 ? text : '',
    );
  });
  if (meant.length === 0) {
    const end = document.lineAt(document.lineCount - 1).range.end;
    const before = end.character === 0 ? '' : eol;
    edit.insert(document.uri, end, `${before}${document.getText().trim() === '' ? '' : eol}${text}${eol}`);
  }
  if (!(await vscode.workspace.applyEdit(edit))) {
    throw new StudioError('output/unwritable', vscode.l10n.t('The Modelfile could not be changed.'));
  }
  await vscode.window.showTextDocument(document);
}
