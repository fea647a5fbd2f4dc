import type { TrainerState } from './trainerState';
import { checkpointStep, epochNumber } from './trainingFolders';

export interface CheckpointChoice {
  /** Folder name with the highest number. */
  readonly newest?: string | undefined;
  /** The one that was measured as best, when it is there. */
  readonly best?: string | undefined;
  /** What measured it: the trainer by its own metric, or the losses on the evaluation set. */
  readonly bestBy?: 'trainer-state' | 'eval-loss' | undefined;
  /** The best one that the trainer names, when it is not there any more. */
  readonly lostBest?: string | undefined;
  /** Losses on the evaluation set by folder name, of those that were measured. */
  readonly evalLosses: ReadonlyMap<string, number>;
}

/**
 * Which of a run's checkpoint folders is the newest, and which was measured as best: the one that the trainer names, else the one
 * with the lowest loss on the evaluation set where at least two were measured; none where nothing was. `states` are the
 * trainer states found in the run's folder and its checkpoints; the one of the highest step counts. Training moves, so the
 * best one is known by its base name.
 */
export function chooseCheckpoint(folders: readonly string[], states: readonly TrainerState[]): CheckpointChoice {
  const steps = folders.map((name) => ({ name, step: checkpointStep(name) ?? epochNumber(name) ?? -1 }));
  const newest = steps.filter(({ step }) => step >= 0).sort((a, b) => b.step - a.step)[0]?.name;
  const ordered = [...states].sort((a, b) => b.step - a.step);
  const evalLosses = new Map<string, number>();
  for (const { name } of steps) {
    const step = checkpointStep(name);
    const loss =
      step === undefined ? undefined : ordered.find(({ evalLosses: all }) => all.has(step))?.evalLosses.get(step);
    if (loss !== undefined) {
      evalLosses.set(name, loss);
    }
  }
  const named = ordered[0]?.bestCheckpoint;
  if (named !== undefined && folders.includes(named)) {
    return { newest, best: named, bestBy: 'trainer-state', evalLosses };
  }
  const lowest = lowestOf(evalLosses);
  return {
    newest,
    lostBest: named,
    evalLosses,
    ...(lowest === undefined ? {} : { best: lowest, bestBy: 'eval-loss' }),
  };
}

/** The key with the lowest value, the last of equals, which was trained longest; undefined where there is nothing to compare. */
export function lowestOf<Key>(losses: ReadonlyMap<Key, number>): Key | undefined {
  let best: readonly [Key, number] | undefined;
  for (const entry of losses) {
    best = best === undefined || entry[1] <= best[1] ? entry : best;
  }
  return losses.size < 2 ? undefined : best?.[0];
}

/** Why the chosen checkpoint of `count` stands for its run, for people: `the best of 3 checkpoints, …`. */
export function choiceReason(choice: CheckpointChoice, count: number): string {
  const lost = choice.lostBest === undefined ? '' : ` (the best, ${choice.lostBest}, is not there)`;
  const loss = choice.best === undefined ? undefined : choice.evalLosses.get(choice.best);
  switch (choice.bestBy) {
    case 'trainer-state':
      return `the best of ${count} checkpoints, says trainer_state.json${loss === undefined ? '' : `: evaluation loss ${shortLoss(loss)}`}`;
    case 'eval-loss':
      return `the lowest evaluation loss, ${shortLoss(loss ?? NaN)}, of ${choice.evalLosses.size} measured checkpoints${choice.evalLosses.size === count ? '' : ` (${count} in all)`}${lost}`;
    case undefined:
      return `the newest of ${count} checkpoints${lost === '' ? ', none of which was measured as best' : lost}`;
  }
}

/** A loss in three digits. */
export function shortLoss(loss: number): string {
  return String(Number(loss.toPrecision(3)));
}
