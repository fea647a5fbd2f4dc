import { access } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { formatBytes } from '../../core/formatBytes';
import { StudioError } from '../../core/errors';
import { plainLabel } from '../ollama/pickModel';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { chooseLibraryModel } from './insertFromLibrary';
import { MODELFILE } from './modelfileDocuments';
import { templateFor } from './modelfileTemplate';

/** What the wizard has learned so far. */
interface Draft {
  /** Absolute path of a model or GGUF; undefined where FROM is a name. */
  readonly path?: string;
  readonly name?: string;
  readonly adapter?: string;
  readonly system?: string;
}

const STEPS = 3;

/** *New Modelfile…*: what FROM is, an adapter that fits it, a system message; then an unsaved document, with template and stops where they are known. */
export function registerNewModelfile(services: Services): void {
  registerCommand(
    services,
    'newModelfile',
    async () => {
      // Without trust nothing is scanned or asked: the document begins with a name to be filled in.
      const draft = services.trust.isTrusted ? await askDraft(services) : { name: 'llama3.2' };
      if (draft !== undefined) {
        await openDraft(services, draft);
      }
    },
    { untrusted: true },
  );
}

async function askDraft(services: Services): Promise<Draft | undefined> {
  const from = await askFrom(services);
  if (from === undefined) {
    return undefined;
  }
  const adapter = from.path === undefined ? undefined : await askAdapter(services, from.path);
  const system = await vscode.window.showInputBox({
    title: title(vscode.l10n.t('System message'), STEPS),
    prompt: vscode.l10n.t('What the model is told before every conversation. Leave it empty for none.'),
    ignoreFocusOut: true,
  });
  return system === undefined ? undefined : { ...from, ...(adapter === undefined ? {} : { adapter }), system };
}

const title = (step: string, number: number): string =>
  vscode.l10n.t('New Modelfile: {0} ({1}/{2})', step, number, STEPS);

interface FromItem extends vscode.QuickPickItem {
  readonly path?: string;
  readonly action?: 'library' | 'file' | 'folder';
}

async function askFrom(services: Services): Promise<Draft | undefined> {
  const heading = title(vscode.l10n.t('Made from'), 1);
  const chosen = await vscode.window.showQuickPick(fromItems(services), {
    title: heading,
    placeHolder: vscode.l10n.t('The model that FROM names'),
    matchOnDescription: true,
  });
  switch (chosen?.action) {
    case undefined:
      return chosen?.path === undefined ? undefined : { path: chosen.path };
    case 'library':
      return { name: await chooseLibraryModel(services, heading) };
    default: {
      const [uri] =
        (await vscode.window.showOpenDialog({
          canSelectFiles: chosen?.action === 'file',
          canSelectFolders: chosen?.action === 'folder',
          openLabel: vscode.l10n.t('Choose'),
          filters: chosen?.action === 'file' ? { GGUF: ['gguf'] } : {},
        })) ?? [];
      return uri?.scheme === 'file' ? { path: uri.fsPath } : undefined;
    }
  }
}

async function fromItems(services: Services): Promise<readonly FromItem[]> {
  const models = (await services.artefacts.ready()).filter(isModel);
  const separator = (label: string): FromItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  return [
    ...(models.length === 0 ? [] : [separator(vscode.l10n.t('in this workspace'))]),
    ...models.map((artefact): FromItem => ({
      label: plainLabel(vscode.workspace.asRelativePath(artefact.path)),
      description: describe(artefact),
      path: artefact.path,
    })),
    separator(vscode.l10n.t('elsewhere')),
    { label: `$(library) ${vscode.l10n.t('A model of Ollama or its library…')}`, action: 'library' },
    { label: `$(file-binary) ${vscode.l10n.t('A GGUF file…')}`, action: 'file' },
    { label: `$(folder) ${vscode.l10n.t('A model folder…')}`, action: 'folder' },
  ];
}

function isModel({ kind, problems, complete }: Artefact): boolean {
  return (
    (kind === 'model' || kind === 'mlx-model' || kind === 'gguf-model') && problems.length === 0 && complete !== false
  );
}

function describe({ label, quantisation, dtype, bytes }: Artefact): string {
  return [label, quantisation?.name ?? dtype, formatBytes(bytes)]
    .filter((part) => part !== undefined && part !== '')
    .join(' · ');
}

/** Only adapters that belong to the model or fit it are offered; the step is left out where there are none. */
async function askAdapter(services: Services, path: string): Promise<string | undefined> {
  const fitting = (await services.artefacts.ready()).filter(
    ({ base, method, problems }) =>
      method !== undefined &&
      problems.length === 0 &&
      (base?.path === path || base?.candidates.includes(path) === true),
  );
  if (fitting.length === 0) {
    return undefined;
  }
  const none: FromItem = { label: vscode.l10n.t('No adapter') };
  const items = [
    none,
    ...fitting.map((artefact): FromItem => ({
      label: plainLabel(vscode.workspace.asRelativePath(artefact.path)),
      description: [artefact.method, artefact.rank === undefined ? undefined : vscode.l10n.t('rank {0}', artefact.rank)]
        .filter(Boolean)
        .join(' · '),
      path: artefact.path,
    })),
  ];
  const chosen = await vscode.window.showQuickPick(items, {
    title: title(vscode.l10n.t('Adapter'), 2),
    placeHolder: vscode.l10n.t('Create fuses it, or gives it to Ollama where that is exact'),
  });
  if (chosen === undefined) {
    throw new StudioError('run/cancelled', 'The wizard was left.');
  }
  return chosen.path;
}

/** An unsaved document in the folder that its paths are relative to. */
async function openDraft(services: Services, draft: Draft): Promise<void> {
  const folder = homeOf(draft);
  const local = (path: string): string => (folder === undefined ? path : portable(folder, path));
  const { modelfileFor } = await import('../../core/modelfile/writeModelfile');
  const choice = services.trust.isTrusted ? await templateFor(services, draft) : undefined;
  const content = modelfileFor({
    from: [draft.path === undefined ? (draft.name ?? '') : local(draft.path)],
    ...(draft.adapter === undefined ? {} : { adapter: local(draft.adapter) }),
    ...(choice === undefined ? {} : { choice }),
    ...(draft.system === undefined || draft.system === '' ? {} : { system: draft.system }),
  });
  const document =
    folder === undefined
      ? await vscode.workspace.openTextDocument({ language: MODELFILE.language, content })
      : await untitledIn(folder, draft, content);
  await vscode.window.showTextDocument(document);
}

/** The workspace folder of the model, else its own; undefined for a name without a workspace. */
function homeOf({ path }: Draft): string | undefined {
  const folders = (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === 'file')
    .map(({ uri }) => uri.fsPath);
  if (path === undefined) {
    return folders[0];
  }
  return folders.find((folder) => path.startsWith(folder + sep)) ?? dirname(path);
}

function portable(folder: string, path: string): string {
  const way = relative(folder, path).split(sep).join('/');
  return way.startsWith('..') || way === '' || /^[A-Za-z]:/.test(way) ? path : `./${way}`;
}

async function untitledIn(folder: string, draft: Draft, content: string): Promise<vscode.TextDocument> {
  const own = basename(draft.adapter ?? draft.path ?? draft.name ?? 'model')
    .replace(/\.gguf$/i, '')
    .replaceAll(/[^\w.-]+/g, '-');
  const names = [
    'Modelfile',
    `${own}.modelfile`,
    ...Array.from({ length: 50 }, (_one, index) => `${own}-${index + 2}.modelfile`),
  ];
  for (const name of names) {
    const uri = vscode.Uri.file(join(folder, name)).with({ scheme: 'untitled' });
    const taken = vscode.workspace.textDocuments.some((document) => document.uri.toString() === uri.toString());
    if (taken || (await exists(join(folder, name)))) {
      continue;
    }
    const document = await vscode.languages.setTextDocumentLanguage(
      await vscode.workspace.openTextDocument(uri),
      MODELFILE.language,
    );
    const edit = new vscode.WorkspaceEdit();
    edit.insert(uri, new vscode.Position(0, 0), content);
    await vscode.workspace.applyEdit(edit);
    return document;
  }
  return await vscode.workspace.openTextDocument({ language: MODELFILE.language, content });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
