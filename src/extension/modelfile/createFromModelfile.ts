import { dirname, isAbsolute, relative, resolve } from 'node:path';
import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { looksLikePath } from '../../core/modelfile/modelFacts';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import { OllamaServer } from '../ollama/ollamaServer';
import { askModelName, readModels } from '../ollama/pickModel';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { chooseModelfile, modelNameFor } from './modelfileDocuments';

const NAMES_KEY = 'modelfile.names';

/** *Create from Modelfile*: asks for the name, says what is replaced and what lies outside the workspace, and starts the job. */
export function registerCreateFromModelfile(services: Services): void {
  const server = new OllamaServer(services);
  registerCommand(services, 'createFromModelfile', async (argument) => {
    const document = await savedModelfile(argument);
    const path = document.uri.fsPath;
    await refuseErrors(document);
    await confirmOutside(document);
    await server.require();
    const names = services.context.workspaceState.get<Record<string, string>>(NAMES_KEY, {});
    const name = await askModelName({
      title: vscode.l10n.t('Create from Modelfile'),
      prompt: vscode.l10n.t('Name of the model in Ollama'),
      value: names[path] ?? modelNameFor(path),
    });
    const force = await confirmReplace(server, name);
    await services.context.workspaceState.update(NAMES_KEY, { ...names, [path]: name });
    services.jobs.start({
      kind: 'create',
      title: vscode.l10n.t('Create {0}', name),
      args: ['create', name, '-f', path, ...(force ? ['--force'] : [])],
      cwd: dirname(path),
      model: name,
    });
  });
}

/** The document as it is on disk: that is what is created. */
async function savedModelfile(argument: unknown): Promise<vscode.TextDocument> {
  const document = await chooseModelfile(argument, vscode.l10n.t('Create from Modelfile'));
  if (document.uri.scheme === 'untitled' || document.isDirty) {
    if (!(await document.save())) {
      throw new StudioError('run/cancelled', 'The Modelfile was not saved.');
    }
  }
  const saved = vscode.window.activeTextEditor?.document;
  const now = document.uri.scheme === 'file' ? document : saved;
  if (now?.uri.scheme !== 'file') {
    throw new StudioError(
      'input/unrecognised',
      vscode.l10n.t('Only a Modelfile on this machine can be created: save it into a folder first.'),
    );
  }
  return now;
}

/** Ollama would refuse it: the first error is shown where it is. */
async function refuseErrors(document: vscode.TextDocument): Promise<void> {
  const errors = vscode.languages
    .getDiagnostics(document.uri)
    .filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error);
  const [first] = errors;
  if (first !== undefined) {
    await vscode.window.showTextDocument(document, { selection: first.range });
    throw new StudioError(
      'modelfile/findings',
      vscode.l10n.t('Ollama would refuse this Modelfile, line {0}: {1}', first.range.start.line + 1, first.message),
    );
  }
}

/** Files that a Modelfile of somebody else names outside the workspace are read only when the user agrees. */
async function confirmOutside(document: vscode.TextDocument): Promise<void> {
  const { parseModelfile } = await import('../../core/modelfile/parseModelfile');
  const folder = dirname(document.uri.fsPath);
  const roots = [
    folder,
    ...(vscode.workspace.workspaceFolders ?? [])
      .filter(({ uri }) => uri.scheme === 'file')
      .map(({ uri }) => uri.fsPath),
  ];
  const outside = parseModelfile(document.getText()).instructions.flatMap(({ keyword, value }) => {
    const text = value?.text ?? '';
    const named =
      (keyword === 'FROM' || keyword === 'ADAPTER' || keyword === 'DRAFT') && looksLikePath(text) && text !== '';
    const path = text.startsWith('~') ? text : resolve(folder, text);
    return named && !roots.some((root) => isWithin(root, path)) ? [path] : [];
  });
  if (outside.length === 0) {
    return;
  }
  const go = vscode.l10n.t('Create');
  const detail = outside.map((path) => escapeControls(path)).join('\n');
  if (
    (await vscode.window.showWarningMessage(
      vscode.l10n.t('This Modelfile reads files outside the workspace. Create the model from them?'),
      { modal: true, detail },
      go,
    )) !== go
  ) {
    throw new StudioError('run/cancelled', 'Nothing was created.');
  }
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return !isAbsolute(way) && way !== '..' && !/^\.\.[\\/]/.test(way);
}

/** True to replace a model of the same name; its old self is kept under another name. */
async function confirmReplace(server: OllamaServer, name: string): Promise<boolean> {
  const wanted = parseModelName(name);
  const existing = (await readModels(server)).find((model) => {
    const other = parseModelName(model.name);
    return wanted !== undefined && other !== undefined && sameModelName(wanted, other);
  });
  if (existing === undefined) {
    return false;
  }
  const replace = vscode.l10n.t('Replace');
  const detail = vscode.l10n.t('The old model is kept under the tag “previous”.');
  if (
    (await vscode.window.showWarningMessage(
      vscode.l10n.t('There is a model {0}. Replace it?', escapeControls(existing.name)),
      { modal: true, detail },
      replace,
    )) !== replace
  ) {
    throw new StudioError('run/cancelled', 'The model is kept.');
  }
  return true;
}
