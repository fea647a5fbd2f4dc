import { lstat, stat } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
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
import { input, pick, type Step } from './steps';
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
      const parameters = base === undefined ? undefined : services.artefacts.find(base)?.parameters;
      const last = remembered(services, command).type;
      const offered = typeChoices(parameters, types);
      const choices = offered.map(({ type, description, isRecommended }) => ({
        value: type,
        label: type,
        description,
        ...(isRecommended && types === undefined
          ? { detail: vscode.l10n.t('recommended for a model of this size') }
          : type === last
            ? { detail: vscode.l10n.t('chosen last time') }
            : {}),
      }));
      const first = offered.some(({ type }) => type === last)
        ? last
        : offered.find(({ isRecommended }) => isRecommended)?.type;
      const chosen = await pick<string>(at, {
        placeholder: vscode.l10n.t('Type of the result'),
        choices,
        active: (value) => value === first,
      });
      return chosen === undefined || chosen === 'back' ? chosen : { type: chosen[0] };
    },
  };
}

/** The path of the result, below a folder that exists. @param suggest gives it from the choices so far */
export function askOutput(prompt: string, suggest: (choices: Choices) => string): Step<Choices> {
  return {
    isNeeded: ({ out }) => out === undefined,
    ask: async (choices, at) => {
      const value = suggest(choices);
      const from = Math.max(value.lastIndexOf('/'), value.lastIndexOf('\\')) + 1;
      const chosen = await input(at, {
        prompt,
        value,
        selection: [from, value.length],
        problem: (text) => outputProblem(absolute(text)),
      });
      return chosen === undefined || chosen === 'back' ? chosen : { out: absolute(chosen) };
    },
  };
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

/** The folder for results: beside the artefact where that lies in the workspace, else the workspace itself. */
export function resultFolder(sources: readonly string[]): string {
  const roots = workspaceRoots().map(({ path }) => path);
  const [source] = sources;
  if (source !== undefined && !isInCache(source)) {
    const parent = dirname(source);
    const root = roots.find(
      (path) => source === path || source.startsWith(`${path}/`) || source.startsWith(`${path}\\`),
    );
    return root === undefined || source === root ? (root ?? parent) : parent;
  }
  return roots[0] ?? process.cwd();
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

function absolute(path: string): string {
  return isAbsolute(path) ? path : resolve(workspaceRoots()[0]?.path ?? '.', path);
}

async function outputProblem(path: string): Promise<string | undefined> {
  const folder = dirname(path);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    return vscode.l10n.t('There is no folder {0}.', folder);
  }
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && /\.gguf$/i.test(path) ? vscode.l10n.t('{0} is a folder.', path) : undefined;
}

function nameProblem(name: string): string | undefined {
  return name === '' || /^[-.]/.test(name) || parseModelName(name) === undefined
    ? vscode.l10n.t('Ollama does not take this name. Letters, digits, . _ - and one :tag are right.')
    : undefined;
}
