import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { escapeControls } from '../../core/escapeControls';
import { workspaceRoots } from '../artefacts/scannedFolders';
import { relativeTime } from '../relativeTime';
import type { Services } from '../services';
import { artefactRows, type ArtefactRow } from './artefactRows';
import { pick, type Choice, type StepPosition } from './steps';

export interface ArtefactPickOptions {
  readonly placeholder: string;
  readonly filter: (artefact: Artefact) => boolean;
  /** Put first, under the heading. */
  readonly preferred?:
    | {
        readonly heading: string;
        readonly paths: readonly string[];
        /** Heading of the others, and what is said of each. */
        readonly others?: string;
        readonly otherNote?: string | undefined;
      }
    | undefined;
  /** A model of the hub that is missing here: the first row fetches it. */
  readonly fetch?: string | undefined;
  readonly many?: boolean;
  /** What *Browse…* lets the user choose. */
  readonly browse: 'folder' | 'gguf' | 'weights';
}

const BROWSE = Symbol('browse');
const HEADING = Symbol('heading');
const FETCH = Symbol('fetch');
const UNUSABLE = Symbol('unusable');

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
    if (chosen.includes(FETCH)) {
      await vscode.commands.executeCommand('modelfileStudio.fetchBase', { name: options.fetch });
      return undefined;
    }
    if (paths.length === 0 && chosen.includes(UNUSABLE)) {
      // The list comes again: its row says what is wrong.
      continue;
    }
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
  { filter, preferred, fetch, browse: kind }: ArtefactPickOptions,
): Promise<readonly Choice<string | symbol>[]> {
  const rows = artefactRows(await services.artefacts.ready(), { filter, roots: workspaceRoots(), relativeTime });
  const wanted = new Set(preferred?.paths);
  const isFirst = ({ artefact, group }: ArtefactRow): boolean => group !== 'unusable' && wanted.has(artefact.path);
  const groups: readonly (readonly [heading: string, rows: readonly ArtefactRow[], note?: string | undefined])[] = [
    [preferred?.heading ?? '', rows.filter(isFirst)],
    ...(['adapters', 'models'] as const).map(
      (group) =>
        [
          wanted.size > 0 ? (preferred?.others ?? HEADINGS()[group]) : HEADINGS()[group],
          rows.filter((row) => row.group === group && !isFirst(row)),
          preferred?.otherNote,
        ] as const,
    ),
    [HEADINGS().unusable, rows.filter(({ group }) => group === 'unusable')],
  ];
  const filled = groups.filter(([, some]) => some.length > 0);
  return [
    ...(fetch === undefined
      ? []
      : [
          {
            label: `$(cloud-download) ${vscode.l10n.t('Fetch {0}…', escapeControls(fetch))}`,
            description: vscode.l10n.t('from the Hugging Face hub: it is not among the models here'),
            value: FETCH,
            alwaysShow: true,
          },
        ]),
    ...filled.flatMap(([label, some, note]) => [
      ...(filled.length > 1 && label !== '' ? [heading(label)] : []),
      ...some.map((row) => choice(row, note)),
    ]),
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

const HEADINGS = (): Readonly<Record<ArtefactRow['group'], string>> => ({
  adapters: vscode.l10n.t('adapters'),
  models: vscode.l10n.t('models'),
  unusable: vscode.l10n.t('cannot be used'),
});

function heading(label: string): Choice<symbol> {
  return { label, kind: vscode.QuickPickItemKind.Separator, value: HEADING };
}

/** What cannot be used is shown, and choosing it says why. */
function choice(
  { artefact, icon, label, description, detail, group }: ArtefactRow,
  note?: string,
): Choice<string | symbol> {
  return {
    value: group === 'unusable' ? UNUSABLE : artefact.path,
    label: `$(${icon}) ${label}`,
    description,
    detail: note === undefined ? detail : `${detail}  ${note}`,
  };
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
