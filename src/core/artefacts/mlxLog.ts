import { numberedWeights } from './adapterFolder';
import { lowestOf, shortLoss } from './chooseCheckpoint';
import { mlxIteration, MLX_ARRAYS, MLX_WEIGHTS } from './trainingFolders';

/** A line of mlx-lm's training (mlx_lm/tuner/trainer.py): `Iter 200: Val loss 1.234, Val took 5.678s`. */
const VALIDATION = /(?:^|[\r\n])[^\r\n]{0,200}?\bIter (\d{1,9}): Val loss (\d{1,9}(?:\.\d{1,9})?)/g;

/** Names under which people keep what a training printed. */
const LOG_NAME = /\.(?:log|out)$|^(?:log|logs|train|training|output|stdout|nohup)[\w.-]*\.txt$/i;

export function isTrainingLog(name: string): boolean {
  return LOG_NAME.test(name);
}

/** Validation losses by iteration, as mlx-lm printed them; the later of two for one iteration, since a run was repeated. */
export function validationLosses(text: string): Map<number, number> {
  const losses = new Map<number, number>();
  for (const [, iteration, loss] of text.matchAll(VALIDATION)) {
    losses.set(Number(iteration), Number(loss));
  }
  return losses;
}

/** Bytes of a log beyond which it is not read: a day's training prints a megabyte. */
export const LOG_BYTES = 4 * 1024 * 1024;

/** True for a text with at least one validation loss of mlx-lm. */
export function hasValidationLoss(text: string): boolean {
  return validationLosses(text).size > 0;
}

/** The weights of an mlx folder that were measured as best. */
export interface BestMlxWeights {
  readonly file: string;
  readonly iteration: number;
  readonly loss: number;
  /** Why this file is taken, for people. */
  readonly reason: string;
}

/** What mlx-lm's log says of the weights in its folder. */
export interface MlxLosses {
  /** Validation losses of the files that were measured, by name. */
  readonly byFile: ReadonlyMap<string, number>;
  /** Undefined where fewer than two were measured. */
  readonly best: BestMlxWeights | undefined;
}

/**
 * Holds the validation losses of a run against its weights: a numbered file is of its iteration, `adapters.safetensors` of the last.
 * Logs of several runs cannot be told apart, so that nothing counts as measured then.
 * @param logs texts by file name
 */
export function mlxLosses(files: Iterable<string>, logs: ReadonlyMap<string, string>): MlxLosses {
  const measured = [...logs]
    .map(([name, text]) => ({ name, losses: validationLosses(text) }))
    .filter(({ losses }) => losses.size > 0);
  const [log] = measured;
  if (log === undefined || measured.length > 1) {
    return { byFile: new Map(), best: undefined };
  }
  const { losses } = log;
  const names = [...files];
  const byFile = new Map<string, number>();
  const iterations = new Map<string, number>();
  const add = (name: string, iteration: number): void => {
    const loss = losses.get(iteration);
    if (loss !== undefined) {
      byFile.set(name, loss);
      iterations.set(name, iteration);
    }
  };
  const numbered = numberedWeights(names);
  numbered.forEach((name) => add(name, mlxIteration(name)!));
  const last = [...losses.keys()].reduce((most, iteration) => Math.max(most, iteration), 0);
  const whole = [MLX_WEIGHTS, MLX_ARRAYS].find((name) => names.includes(name));
  if (whole !== undefined && last >= (mlxIteration(numbered.at(-1) ?? '') ?? 0)) {
    add(whole, last);
  }
  const file = lowestOf(byFile);
  return {
    byFile,
    best:
      file === undefined
        ? undefined
        : {
            file,
            iteration: iterations.get(file)!,
            loss: byFile.get(file)!,
            reason: `the lowest validation loss, ${shortLoss(byFile.get(file)!)} at iteration ${iterations.get(file)!}, of ${byFile.size} measured, says ${log.name}`,
          },
  };
}
