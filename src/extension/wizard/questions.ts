import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import type { FileTypeName } from '../../core/engine/fileTypes';
import { parseModelName } from '../../core/ollama/modelName';
import { isAdapter, isModelFolder } from '../artefacts/artefactTags';
import { isInCache } from '../artefacts/artefactTree';
import { workspaceRoots } from '../artefacts/scannedFolders';
import type { Services } from '../services';
import { remembered } from './memory';
import { pickArtefact } from './pickArtefact';
import { outputProblem, shownPath, typedPath } from './resultPlaces';
import { input, pick, type Choice, type Step } from './steps';
import { typeChoices } from './typeChoices';

/** `ORG/NAME`, with a revision behind it where one is wanted. */
export const REPOSITORY = /^[\w.-]+\/[\w.-]+(?:@[\w./-]+)?$/;

/** What the questions of all commands are about; absent until it is answered. */
export interface Choices {
  readonly base?: string | undefined;
  readonly adapters?: readonly string[] | undefined;
  readonly type?: string | undefined;
  readonly out?: string | undefined;
  readonly name?: string | undefined;
}

/** Adapters, at least one; the base follows where it is known. */
export function askAdapters(services: Services, many: boolean): Step<Choices> {
  return {
    isNeeded: ({ adapters }) => adapters === undefined || adapters.length === 0,
    ask: async (_choices, at) => {
      const placeholder = many ? vscode.l10n.t('Adapters to add; several add up') : vscode.l10n.t('Adapter');
      const chosen = await pickArtefact(services, at, { placeholder, filter: isAdapter, many, browse: 'folder' });
      return chosen === undefined || chosen === 'back' ? chosen : { adapters: chosen };
    },
  };
}

/** The model that everything is made from; the ones that the adapters fit come first. */
export function askBase(services: Services, placeholder: string): Step<Choices> {
  return {
    isNeeded: ({ base }) => base === undefined,
    ask: async ({ adapters }, at) => {
      const known = (adapters ?? []).map((adapter) => services.artefacts.find(adapter));
      const paths = known.flatMap((artefact) => artefact?.base?.candidates ?? []);
      const preferred = {
        heading: vscode.l10n.t('fits the adapter'),
        paths: [...new Set(paths)],
        others: vscode.l10n.t('others'),
        // Said only where the scan compared them.
        otherNote: known.every((artefact) => artefact?.base !== undefined)
          ? vscode.l10n.t('$(warning) its shapes do not fit the adapter')
          : undefined,
      };
      const [named] = known.flatMap((artefact) => artefact?.base?.name ?? []);
      const chosen = await pickArtefact(services, at, {
        placeholder,
        filter: isModelFolder,
        preferred,
        fetch: paths.length === 0 && named !== undefined && REPOSITORY.test(named) ? named : undefined,
        browse: 'folder',
      });
      return chosen === undefined || chosen === 'back' ? chosen : { base: chosen[0] };
    },
  };
}

/** The type of the result, with size and loss; the last one chosen comes first where it is offered. */
export function askType(services: Services, command: string, types?: readonly FileTypeName[]): Step<Choices> {
  return {
    isNeeded: ({ type }) => type === undefined,
    ask: async ({ base }, at) => {
      const parameters = base === undefined ? undefined : await parametersOf(services, base);
      const last = remembered(services, command).type;
      const offered = typeChoices(parameters, types);
      const rows = offered.map(({ type, description, isRecommended, isUsual }) => ({
        value: type,
        label: type,
        description,
        isUsual,
        ...(isRecommended && types === undefined
          ? { detail: vscode.l10n.t('recommended for a model of this size') }
          : type === last
            ? { detail: vscode.l10n.t('chosen last time') }
            : {}),
      }));
      const heading = (label: string): Choice<string> => ({
        label,
        kind: vscode.QuickPickItemKind.Separator,
        value: '',
      });
      const [usual, others] = [true, false].map((wanted) => rows.filter(({ isUsual }) => isUsual === wanted));
      const choices =
        usual!.length === 0 || others!.length === 0 || types !== undefined
          ? rows
          : [heading(vscode.l10n.t('usual')), ...usual!, heading(vscode.l10n.t('all')), ...others!];
      const first = offered.some(({ type }) => type === last)
        ? last
        : offered.find(({ isRecommended }) => isRecommended)?.type;
      const chosen = await pick<string>(at, {
        placeholder: vscode.l10n.t('Type of the result; losses as measured on Llama 3 8B, fine-tunes differ'),
        choices,
        active: (value) => value === first,
      });
      return chosen === undefined || chosen === 'back' ? chosen : { type: chosen[0] };
    },
  };
}

/** Parameters of a base that was scanned, else of one whose headers can be read at once. */
async function parametersOf(services: Services, base: string): Promise<number | undefined> {
  return base.startsWith('ollama:')
    ? undefined
    : await artefactAt(services, base).then(
        ({ parameters }) => parameters,
        () => undefined,
      );
}

/** The path of the result, below a folder that exists; *Browse…* opens the system's dialog. @param suggest gives it from the choices so far */
export function askOutput(
  prompt: string,
  suggest: (choices: Choices) => string,
  kind: 'gguf' | 'folder' = 'gguf',
): Step<Choices> {
  return {
    isNeeded: ({ out }) => out === undefined,
    ask: async (choices, at) => {
      const root = workspaceRoots()[0]?.path;
      const value = shownPath(suggest(choices), root);
      const chosen = await input(at, {
        prompt,
        value,
        selection: nameSelection(value),
        problem: (text) => outputProblem(text, { kind, root }),
        browse: async (text) => {
          const found = await browseOutput(typedPath(text === '' ? value : text, root), { title: prompt, kind });
          return found === undefined ? undefined : shownPath(found, root);
        },
      });
      return chosen === undefined || chosen === 'back' ? chosen : { out: typedPath(chosen, root) };
    },
  };
}

/** The name without its folder and ending is what is typed over. */
function nameSelection(value: string): readonly [number, number] {
  const from = Math.max(value.lastIndexOf('/'), value.lastIndexOf('\\')) + 1;
  return [from, value.length];
}

/** A place by the system's dialog: of a folder the one that it is to lie in, as its own name is not there yet. */
async function browseOutput(
  path: string,
  { title, kind }: { readonly title: string; readonly kind: 'gguf' | 'folder' },
): Promise<string | undefined> {
  if (kind === 'gguf') {
    const uri = await vscode.window.showSaveDialog({
      title,
      defaultUri: vscode.Uri.file(path),
      filters: { GGUF: ['gguf'] },
      saveLabel: vscode.l10n.t('Choose'),
    });
    return uri?.scheme === 'file' ? uri.fsPath : undefined;
  }
  const [folder] =
    (await vscode.window.showOpenDialog({
      title,
      defaultUri: vscode.Uri.file(dirname(path)),
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: vscode.l10n.t('Put It Here'),
    })) ?? [];
  return folder?.scheme === 'file' ? join(folder.fsPath, basename(path)) : undefined;
}

/** The name of a model in Ollama. */
export function askName(suggest: (choices: Choices) => string): Step<Choices> {
  return {
    isNeeded: ({ name }) => name === undefined,
    ask: async (choices, at) => {
      const value = suggest(choices);
      const chosen = await input(at, {
        prompt: vscode.l10n.t('Name of the model in Ollama'),
        value,
        selection: [0, value.length],
        problem: nameProblem,
      });
      return chosen === undefined || chosen === 'back' ? chosen : { name: chosen };
    },
  };
}

/** The folder for results: that of the settings, else beside the artefact where that lies in the workspace, else the workspace itself. */
export function resultFolder({ configuration }: Services, sources: readonly string[]): string {
  const roots = workspaceRoots().map(({ path }) => path);
  const wanted = configuration.get('output.folder').trim();
  if (wanted !== '') {
    return typedPath(wanted, roots[0]);
  }
  const [source] = sources;
  if (source !== undefined && !isInCache(source)) {
    const parent = dirname(source);
    const root = roots.find(
      (path) => source === path || source.startsWith(`${path}/`) || source.startsWith(`${path}\\`),
    );
    return root === undefined || source === root ? (root ?? parent) : parent;
  }
  return roots[0] ?? homedir();
}

/** The artefact at a path: from the last scan, else from its header. @throws StudioError where it cannot be told */
export async function artefactAt(services: Services, path: string): Promise<Artefact> {
  const known = services.artefacts.find(path);
  if (known !== undefined) {
    return known;
  }
  const answer = (await services.cli.json(['inspect', path])) as { readonly files: readonly [Artefact] };
  return answer.files[0];
}

function nameProblem(name: string): string | undefined {
  return name === '' || /^[-.]/.test(name) || parseModelName(name) === undefined
    ? vscode.l10n.t('Ollama does not take this name. Letters, digits, . _ - and one :tag are right.')
    : undefined;
}
