import type { TrainerState } from './trainerState';
import { checkpointStep, epochNumber } from './trainingFolders';

export interface CheckpointChoice {
  /** Folder name with the highest number. */
  readonly newest?: string | undefined;
  /** The one that the newest state names as best, when it is there. */
  readonly best?: string | undefined;
  /** The named best one, when it is not there any more. */
  readonly lostBest?: string | undefined;
}

/**
 * Which of a run's checkpoint folders is the newest, and which the best. `states` are the trainer states found in the
 * run's folder and its checkpoints; the one of the highest step counts. Training moves, so the best one is known by its
 * base name.
 */
export function chooseCheckpoint(folders: readonly string[], states: readonly TrainerState[]): CheckpointChoice {
  const steps = folders.map((name) => ({ name, step: checkpointStep(name) ?? epochNumber(name) ?? -1 }));
  const newest = steps.filter(({ step }) => step >= 0).sort((a, b) => b.step - a.step)[0]?.name;
  const [state] = [...states].sort((a, b) => b.step - a.step);
  const named = state?.bestCheckpoint;
  if (named === undefined) {
    return { newest };
  }
  return folders.includes(named) ? { newest, best: named } : { newest, lostBest: named };
}
