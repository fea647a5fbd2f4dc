import type { Artefact } from '../../core/artefacts/artefact';
import { describeArtefact } from '../../core/artefacts/describeArtefact';
import { escapeControls } from '../../core/escapeControls';
import { artefactLabel, pathParts, type LabelRoots } from '../artefacts/artefactLabel';
import { isAdapter, isBroken } from '../artefacts/artefactTags';
import { GENERIC_NAME } from './resultNames';

/** A line of a list of artefacts: how it is called, what it is, and where it lies. */
export interface ArtefactRow {
  readonly artefact: Artefact;
  readonly icon: string;
  readonly label: string;
  readonly description: string;
  /** Its place below the scanned folder, or why it cannot be taken. */
  readonly detail: string;
  readonly group: 'adapters' | 'models' | 'unusable';
}

export interface RowOptions extends LabelRoots {
  /** What the list is about; what is broken is listed last with its reason. */
  readonly filter: (artefact: Artefact) => boolean;
  /** `2 days ago`. */
  readonly relativeTime: (time: string) => string;
}

/**
 * The artefacts of a list in the order in which people look for them: the newest run first, in it the folder that stands for
 * its best step, then that step, then the others from the last one back; then models; what cannot be taken at the end.
 */
export function artefactRows(artefacts: readonly Artefact[], options: RowOptions): ArtefactRow[] {
  const shown = artefacts.filter((artefact) => options.filter(artefact) || isListedBroken(artefact));
  const times = runTimes(shown);
  const labels = uniqueLabels(shown);
  return shown
    .map((artefact) => ({
      row: rowOf(artefact, labels.get(artefact) ?? '', options),
      time: times.get(runOf(artefact)) ?? '',
    }))
    .sort(
      (a, b) =>
        GROUPS.indexOf(a.row.group) - GROUPS.indexOf(b.row.group) ||
        descending(a.time, b.time) ||
        descending(runOf(a.row.artefact), runOf(b.row.artefact)) ||
        rank(b.row.artefact) - rank(a.row.artefact),
    )
    .map(({ row }) => row);
}

/** Codes of problems with which nothing can be built: the weights cannot be read. */
const DAMAGED = /^(?:safetensors|gguf|input)\//;

const GROUPS: readonly ArtefactRow['group'][] = ['adapters', 'models', 'unusable'];

const descending = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0);

/** Damaged weights are in the list for their reason; a pickle or a pointer nobody looked for is not. */
function isListedBroken(artefact: Artefact): boolean {
  return isBroken(artefact) && artefact.problems.length > 0 && artefact.partOf === undefined;
}

function runOf({ path, partOf }: Artefact): string {
  return partOf ?? path;
}

/** When anything of a run was last written, by the run's path. */
function runTimes(artefacts: readonly Artefact[]): ReadonlyMap<string, string> {
  const times = new Map<string, string>();
  for (const artefact of artefacts) {
    const run = runOf(artefact);
    const time = artefact.modified ?? '';
    if (time > (times.get(run) ?? '')) {
      times.set(run, time);
    }
  }
  return times;
}

/** Within a run: the folder, the measured best, then the steps from the last one back. */
function rank({ partOf, isBest, step }: Artefact): number {
  return partOf === undefined ? Infinity : isBest === true ? Number.MAX_SAFE_INTEGER : (step ?? -1);
}

function rowOf(artefact: Artefact, label: string, options: RowOptions): ArtefactRow {
  const place = artefactLabel({ ...artefact, partOf: undefined }, options);
  const time = artefact.modified === undefined ? [] : [options.relativeTime(artefact.modified)];
  const [problem] = artefact.problems;
  const isUsable = options.filter(artefact) && !artefact.problems.some(({ code }) => DAMAGED.test(code));
  const reason = problem === undefined ? [] : [`$(warning) ${escapeControls(problem.message)}`];
  return {
    artefact,
    icon: iconOf(artefact),
    label,
    description: [escapeControls(describeArtefact(artefact)), ...time].filter((part) => part !== '').join(' · '),
    detail: [place, ...reason].join('  '),
    group: !isUsable ? 'unusable' : isAdapter(artefact) ? 'adapters' : 'models',
  };
}

function iconOf(artefact: Artefact): string {
  if (isBroken(artefact)) {
    return 'error';
  }
  return isAdapter(artefact) ? (artefact.partOf === undefined ? 'layers' : 'milestone') : 'package';
}

/** Names without the folders that say nothing, each with as much of its path as tells it from all others. */
function uniqueLabels(artefacts: readonly Artefact[]): ReadonlyMap<Artefact, string> {
  const entries = artefacts.map((artefact) => ({ artefact, parts: labelParts(artefact), shown: 0 }));
  entries.forEach((entry) => (entry.shown = leastParts(entry.artefact, entry.parts)));
  const textOf = ({ parts, shown }: (typeof entries)[number]): string => parts.slice(-shown).join('/');
  // Every round lengthens those that are still alike; a path has few parts.
  for (let round = 0; round < MAX_PARTS; round++) {
    const counts = new Map<string, number>();
    entries.forEach((entry) => counts.set(textOf(entry), (counts.get(textOf(entry)) ?? 0) + 1));
    const alike = entries.filter((entry) => counts.get(textOf(entry))! > 1 && entry.shown < entry.parts.length);
    if (alike.length === 0) {
      break;
    }
    alike.forEach((entry) => entry.shown++);
  }
  return new Map(entries.map((entry) => [entry.artefact, escapeControls(textOf(entry))]));
}

const MAX_PARTS = 12;

/** Path parts; of the Hugging Face cache the repository's name, of an mlx checkpoint its number. */
function labelParts({ path, kind }: Artefact): string[] {
  const cached = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/][^\\/]+(.*)$/.exec(path);
  const parts = cached === null ? pathParts(path) : [...cached[1]!.split('--'), ...pathParts(cached[2]!)];
  return kind === 'mlx-checkpoint'
    ? [...parts.slice(0, -1), parts.at(-1)!.replace(/_adapters\.safetensors$/, '')]
    : parts;
}

/** A step is shown below its run, and what every tool calls alike below its folder. */
function leastParts({ partOf }: Artefact, parts: readonly string[]): number {
  const isStep = partOf !== undefined;
  const name = parts.at(isStep ? -2 : -1) ?? '';
  const own = isStep ? 2 : 1;
  return Math.min(parts.length, GENERIC_NAME.test(name) && parts.length > own ? own + 1 : own);
}
