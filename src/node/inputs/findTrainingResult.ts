import { join } from 'node:path';
import { choiceReason, chooseCheckpoint } from '../../core/artefacts/chooseCheckpoint';
import { readTrainerState, type TrainerState } from '../../core/artefacts/trainerState';
import { checkpointStep, isSavedState, swiftRun, TRAINER_STATE } from '../../core/artefacts/trainingFolders';
import { LIMITS } from '../../core/limits';
import { readFolder, type FolderNames } from '../files/readFolder';
import { readModelJson } from './readModelFile';

export interface TrainingResult {
  readonly directory: string;
  readonly names: FolderNames;
  /** Why this folder was taken for the one that was asked for; undefined when it is that one. */
  readonly reason?: string | undefined;
}

/** Sub-folders in which tools put what training made, after the checkpoints. */
export interface TrainingSearch {
  /** True for a folder that holds what is wanted, by the names of its files. */
  readonly isResult: (names: FolderNames) => boolean;
  /** Names of sub-folders to look into, in this order. */
  readonly usualFolders: readonly string[];
}

/** Sub-folders beyond this many are not looked into. */
const MAX_FOLDERS = 200;

/** ms-swift nests a run and its checkpoints; nothing nests deeper. */
const DEPTH = 3;

/**
 * What a training output folder stands for: the folder itself when it holds a result, else its best checkpoint, else its
 * newest, else the result in a sub-folder where some tool puts it. Undefined when there is none.
 */
export async function findTrainingResult(
  directory: string,
  search: TrainingSearch,
  depth = DEPTH,
): Promise<TrainingResult | undefined> {
  const names = await readFolder(directory);
  if (search.isResult(names)) {
    return { directory, names };
  }
  if (depth === 0) {
    return undefined;
  }
  return (
    (await bestCheckpoint(directory, names, search)) ??
    (await newestRun(directory, names, search, depth)) ??
    (await subFolder(directory, names, search))
  );
}

async function bestCheckpoint(
  directory: string,
  names: FolderNames,
  search: TrainingSearch,
): Promise<TrainingResult | undefined> {
  const results = new Map<string, FolderNames>();
  for (const name of names.folders.filter(isSavedState)) {
    const inside = await readFolder(join(directory, name)).catch(() => undefined);
    if (inside !== undefined && search.isResult(inside)) {
      results.set(name, inside);
    }
  }
  const choice = chooseCheckpoint([...results.keys()], await readStates(directory, names));
  const taken = choice.best ?? choice.newest;
  if (taken === undefined) {
    return undefined;
  }
  return { directory: join(directory, taken), names: results.get(taken)!, reason: choiceReason(choice, results.size) };
}

/** The state in the folder itself, and those of its checkpoints, newest first: each knows the losses up to its own step. */
async function readStates(directory: string, names: FolderNames): Promise<TrainerState[]> {
  const checkpoints = names.folders
    .filter((name) => checkpointStep(name) !== undefined)
    .sort((a, b) => checkpointStep(b)! - checkpointStep(a)!)
    .slice(0, MAX_FOLDERS);
  const states: TrainerState[] = [];
  for (const folder of [directory, ...checkpoints.map((name) => join(directory, name))]) {
    const state = await readState(folder);
    if (state !== undefined) {
      states.push(state);
    }
  }
  return states;
}

async function readState(directory: string): Promise<TrainerState | undefined> {
  const json = await readModelJson(directory, TRAINER_STATE, { limit: LIMITS.json.tokenizerBytes }).catch(
    () => undefined,
  );
  return json === undefined ? undefined : readTrainerState(json);
}

/** ms-swift's versioned runs: the latest that holds a result. */
async function newestRun(
  directory: string,
  names: FolderNames,
  search: TrainingSearch,
  depth: number,
): Promise<TrainingResult | undefined> {
  const runs = names.folders.filter((name) => swiftRun(name) !== undefined).sort((a, b) => swiftRun(b)! - swiftRun(a)!);
  for (const run of runs) {
    const found = await findTrainingResult(join(directory, run), search, depth - 1);
    if (found !== undefined) {
      return {
        ...found,
        reason: `the newest run, ${run}${found.reason === undefined ? '' : `, and of it ${found.reason}`}`,
      };
    }
  }
  return undefined;
}

/** A folder that tools use for results, else the only sub-folder with one. */
async function subFolder(
  directory: string,
  names: FolderNames,
  search: TrainingSearch,
): Promise<TrainingResult | undefined> {
  const found = await foldersWithResult(directory, names, search);
  const taken =
    search.usualFolders.find((name) => found.has(name)) ?? (found.size === 1 ? [...found.keys()][0] : undefined);
  if (taken === undefined) {
    return undefined;
  }
  const others = [...found.keys()].filter((name) => name !== taken);
  const beside =
    others.length === 0
      ? ''
      : `; ${others.length} more beside it: ${others.slice(0, 5).join(', ')}${others.length > 5 ? ', …' : ''}`;
  return { directory: join(directory, taken), names: found.get(taken)!, reason: `the sub-folder ${taken}${beside}` };
}

/** Sub-folders, checkpoints apart, that hold what is wanted; by name. */
async function foldersWithResult(
  directory: string,
  names: FolderNames,
  search: TrainingSearch,
): Promise<Map<string, FolderNames>> {
  const found = new Map<string, FolderNames>();
  const candidates = names.folders.filter((name) => !isSavedState(name));
  const first = candidates.filter((name) => search.usualFolders.includes(name));
  for (const name of new Set([...first, ...candidates.slice(0, MAX_FOLDERS)])) {
    const inside = await readFolder(join(directory, name)).catch(() => undefined);
    if (inside !== undefined && search.isResult(inside)) {
      found.set(name, inside);
    }
  }
  return found;
}

/** Names of the sub-folders among which {@link findTrainingResult} cannot choose. */
export async function resultFolders(directory: string, search: TrainingSearch): Promise<string[]> {
  return [...(await foldersWithResult(directory, await readFolder(directory), search)).keys()].sort();
}
