import { dirname, isAbsolute, relative, resolve } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { looksLikePath } from '../../core/modelfile/modelFacts';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import { OllamaServer } from '../ollama/ollamaServer';
import { askModelName, readModels } from '../ollama/pickModel';
import { chooseModelfile, modelNameFor } from '../modelfile/modelfileDocuments';
import type { Services } from '../services';
import type { CommandServices } from '../wizard/commandContext';
import { createFromModelfileProposal } from '../wizard/proposals';
import { askType, type Choices } from '../wizard/questions';
import { askSteps } from '../wizard/steps';

const NAMES_KEY = 'modelfile.names';

/** What a plan's *Change Type* hands on; everything was checked and asked before. */
const CHANGE = z.object({
  path: z.string().check(z.minLength(1), z.maxLength(4096)),
  name: z.string().check(z.minLength(1), z.maxLength(300)),
  type: z.optional(z.string()),
  ask: z.optional(z.enum(['type', 'name'])),
});

/** What `create --dry-run` answers, as far as it is looked at here. */
const ANSWER = z.object({
  text: z.string(),
  pull: z.optional(z.string()),
  previous: z.optional(z.string()),
  parts: z.array(z.object({ does: z.string() })),
});

/**
 * *Create from Modelfile*: asks for the name, says what lies outside the workspace, and starts the job. Where more is done than sending
 * files (something is fused, converted, quantised or pulled), the plan is shown first.
 */
export async function createFromModelfile(studio: CommandServices, args: readonly unknown[]): Promise<void> {
  const chosen = await chooseWhat(studio.services, args[0], vscode.l10n.t('Create from Modelfile'));
  const proposal = createFromModelfileProposal(chosen, studio.services.configuration.get('engine.workers'));
  const { path, name } = chosen;
  const answer = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Planning {0}', name) },
    async () => ANSWER.parse(await studio.services.cli.json([...proposal.planArgs, '--force'], { cwd: dirname(path) })),
  );
  const { parts, pull, previous, text } = answer;
  if (pull !== undefined || parts.some(({ does }) => does === 'build' || does === 'convert-adapter')) {
    await studio.plans.show(proposal, { text, exists: previous !== undefined });
    return;
  }
  const force = previous !== undefined && (await confirmReplace(studio.services, name));
  studio.services.jobs.start(force ? { ...proposal.job, args: [...proposal.job.args, '--force'] } : proposal.job);
}

/** *Show Plan of Modelfile*: what `create` would do with each of its files, and what that costs. */
export async function planFromModelfile({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const change = CHANGE.safeParse(args[0]);
  const chosen = change.success
    ? await askedAgain(services, change.data)
    : await chooseWhat(services, args[0], vscode.l10n.t('Show Plan of Modelfile'));
  if (chosen !== undefined) {
    await plans.show(createFromModelfileProposal(chosen, services.configuration.get('engine.workers')));
  }
}

interface Chosen {
  readonly path: string;
  readonly name: string;
  readonly type?: string | undefined;
}

/** The same Modelfile with another name or another type. */
async function askedAgain(services: Services, change: z.infer<typeof CHANGE>): Promise<Chosen | undefined> {
  const { path, name, type } = change;
  if (change.ask === 'name') {
    const title = vscode.l10n.t('Create from Modelfile');
    const other = await askModelName({ title, prompt: vscode.l10n.t('Name of the model in Ollama'), value: name });
    return { path, name: other, type };
  }
  const chosen = await askSteps<Choices>(vscode.l10n.t('Create {0}', name), {}, [askType(services, 'build')]);
  return chosen?.type === undefined ? undefined : { path, name, type: chosen.type };
}

/** A sound and saved Modelfile, and the name of its model. */
async function chooseWhat(services: Services, argument: unknown, title: string): Promise<Chosen> {
  const document = await savedModelfile(argument, title);
  const path = document.uri.fsPath;
  await refuseErrors(document);
  await confirmOutside(document);
  await new OllamaServer(services).require();
  const names = services.context.workspaceState.get<Record<string, string>>(NAMES_KEY, {});
  const name = await askModelName({
    title,
    prompt: vscode.l10n.t('Name of the model in Ollama'),
    value: names[path] ?? modelNameFor(path),
  });
  await services.context.workspaceState.update(NAMES_KEY, { ...names, [path]: name });
  return { path, name };
}

/** The document as it is on disk: that is what is created. */
async function savedModelfile(argument: unknown, title: string): Promise<vscode.TextDocument> {
  const document = await chooseModelfile(argument, title);
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

/** True to replace the model of that name; its old self is kept under another one. */
async function confirmReplace(services: Services, name: string): Promise<boolean> {
  const wanted = parseModelName(name);
  const existing = (await readModels(new OllamaServer(services))).find((model) => {
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
