import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { InstructionName } from '../../core/modelfile/modelfileTypes';
import { plainLabel } from '../ollama/pickModel';
import { OllamaServer } from '../ollama/ollamaServer';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { chooseModelfile } from './modelfileDocuments';

/** What the command line answers to `template MODEL --params`. */
const ANSWER = z.object({
  template: z.optional(z.nullable(z.string())),
  parameters: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
  source: z.optional(z.string()),
});

/** Names worth offering; any other can be typed. */
const KNOWN = ['llama3.2', 'llama3.1', 'qwen3', 'qwen2.5', 'gemma3', 'gemma2', 'mistral', 'phi3', 'granite3.3', 'smollm2', 'deepseek-r1', 'codellama'] as const;

/** *Insert Template from Library Model…* and *Insert Parameters…*: one edit of the open Modelfile, which Undo takes back. */
export function registerInsertCommands(services: Services): void {
  registerCommand(services, 'insertTemplate', (argument) => insert(services, argument, 'template'));
  registerCommand(services, 'insertParameters', (argument) => insert(services, argument, 'parameters'));
}

async function insert(services: Services, argument: unknown, what: 'template' | 'parameters'): Promise<void> {
  const title = what === 'template' ? vscode.l10n.t('Insert Template from Library Model') : vscode.l10n.t('Insert Parameters');
  const document = await chooseModelfile(argument, title);
  const model = await chooseLibraryModel(services, title);
  const answer = await lookUp(services, model);
  const { instruction } = await import('../../core/modelfile/writeModelfile');
  if (what === 'template') {
    const { template } = answer;
    if (template === undefined || template === null || template === '') {
      throw new StudioError('template/missing', vscode.l10n.t('{0} has no template of its own.', escapeControls(model)));
    }
    await replaceInstructions(document, [instruction('TEMPLATE', template)], (keyword) => keyword === 'TEMPLATE');
  } else {
    const lines = Object.entries(answer.parameters ?? {}).flatMap(([name, value]) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]).map((one) => ({ name, line: instruction('PARAMETER', String(one), name) })));
    if (lines.length === 0) {
      throw new StudioError('template/missing', vscode.l10n.t('{0} sets no parameters.', escapeControls(model)));
    }
    const names = new Set(lines.map(({ name }) => name));
    await replaceInstructions(document, lines.map(({ line }) => line), (keyword, name) => keyword === 'PARAMETER' && name !== undefined && names.has(name));
  }
  if (answer.source !== undefined) {
    services.log.info(`${model}: ${what} from ${answer.source}`);
  }
}

/** Asks the server first, then the registry, then a bundled table: the command line knows how. */
async function lookUp(services: Services, model: string): Promise<z.infer<typeof ANSWER>> {
  const title = vscode.l10n.t('Looking {0} up', escapeControls(model));
  return await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, async (_progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => abort.abort());
    return ANSWER.parse(await services.cli.json(['template', model, '--params'], { signal: abort.signal }));
  });
}

/** Models of the server, names of the library, or one that is typed. @throws StudioError run/cancelled */
export async function chooseLibraryModel(services: Services, title: string): Promise<string> {
  const installed = await installedNames(services);
  const known = KNOWN.filter((name) => !installed.some((one) => one.startsWith(`${name}:`)));
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
    const own = typed === '' || items.some(({ label }) => label === typed) ? [] : [{ label: typed, description: vscode.l10n.t('look this up') }];
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
    return server.isEnabled && server.isAllowed ? (await (await server.client()).list({ signal: AbortSignal.timeout(2000) })).map(({ name }) => name) : [];
  } catch {
    return [];
  }
}

/**
 * Puts lines in the place of the first instruction that is meant, and takes the others of them out; where there is none,
 * they go to the end. One edit.
 */
async function replaceInstructions(document: vscode.TextDocument, lines: readonly string[], isMeant: (keyword: InstructionName | undefined, name: string | undefined) => boolean): Promise<void> {
  const { parseModelfile } = await import('../../core/modelfile/parseModelfile');
  const eol = document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n';
  const text = lines.join('\n').replaceAll('\n', eol);
  const meant = parseModelfile(document.getText()).instructions.filter(({ keyword, name }) => isMeant(keyword, name?.text));
  const edit = new vscode.WorkspaceEdit();
  meant.forEach(({ span }, index) => {
    const range = new vscode.Range(document.positionAt(span.start), document.positionAt(span.end));
    edit.replace(document.uri, index === 0 ? range : range.with(undefined, range.end.line + 1 < document.lineCount ? new vscode.Position(range.end.line + 1, 0) : range.end), index === 0 ? text : '');
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
