import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { describeArtefact } from '../../core/artefacts/describeArtefact';
import { escapeControls } from '../../core/escapeControls';
import { artefactLabel } from '../artefacts/artefactLabel';
import { workspaceRoots } from '../artefacts/scannedFolders';
import type { Services } from '../services';
import { pick, type Choice, type StepPosition } from './steps';

export interface ArtefactPickOptions {
  readonly placeholder: string;
  readonly filter: (artefact: Artefact) => boolean;
  /** Put first, under the heading. */
  readonly preferred?: { readonly heading: string; readonly paths: readonly string[] } | undefined;
  readonly many?: boolean;
  /** What *Browse…* lets the user choose. */
  readonly browse: 'folder' | 'gguf' | 'weights';
}

const BROWSE = Symbol('browse');
const HEADING = Symbol('heading');

/** Paths of scanned artefacts, or of what the user finds with *Browse…*; `back`, or undefined when the user leaves. */
export async function pickArtefact(
  services: Services,
  at: StepPosition,
  options: ArtefactPickOptions,
): Promise<readonly string[] | 'back' | undefined> {
  for (;;) {
    const chosen = await pick<string | symbol>(at, {
      placeholder: options.placeholder,
      choices: choicesOf(services, options),
      many: options.many === true,
    });
    if (chosen === undefined || chosen === 'back') {
      return chosen;
    }
    const paths = chosen.filter((one): one is string => typeof one === 'string');
    if (!chosen.includes(BROWSE)) {
      return paths;
    }
    const found = await browse(options);
    if (found.length > 0) {
      return [...paths, ...found];
    }
  }
}

async function choicesOf(
  services: Services,
  { filter, preferred, browse: kind }: ArtefactPickOptions,
): Promise<readonly Choice<string | symbol>[]> {
  const fitting = (await services.artefacts.ready()).filter(filter);
  const roots = workspaceRoots();
  const choice = (artefact: Artefact): Choice<string> => ({
    value: artefact.path,
    label: artefactLabel(artefact, { roots }),
    description: escapeControls(describeArtefact(artefact)),
    ...(artefact.problems.length === 0
      ? {}
      : { detail: `$(warning) ${escapeControls(artefact.problems[0]!.message)}` }),
  });
  const first = (preferred?.paths ?? []).flatMap((path) => fitting.filter((artefact) => artefact.path === path));
  const rest = fitting.filter((artefact) => !first.includes(artefact));
  const heading = (label: string): Choice<symbol> => ({
    label,
    kind: vscode.QuickPickItemKind.Separator,
    value: HEADING,
  });
  return [
    ...(first.length === 0 ? [] : [heading(preferred?.heading ?? ''), ...first.map(choice)]),
    ...(first.length === 0 || rest.length === 0 ? [] : [heading(vscode.l10n.t('others'))]),
    ...rest.map(choice),
    heading(''),
    {
      label: vscode.l10n.t('$(folder-opened) Browse…'),
      value: BROWSE,
      description:
        kind === 'folder'
          ? vscode.l10n.t('a folder that was not scanned')
          : vscode.l10n.t('a file that was not scanned'),
      alwaysShow: true,
    },
  ];
}

async function browse({ browse: kind, many }: ArtefactPickOptions): Promise<readonly string[]> {
  const filters = kind === 'gguf' ? { GGUF: ['gguf'] } : { [vscode.l10n.t('Weights')]: ['gguf', 'safetensors'] };
  const chosen = await vscode.window.showOpenDialog({
    canSelectFolders: kind === 'folder',
    canSelectFiles: kind !== 'folder',
    canSelectMany: many === true,
    ...(kind === 'folder' ? {} : { filters }),
  });
  return (chosen ?? []).filter(({ scheme }) => scheme === 'file').map(({ fsPath }) => fsPath);
}
