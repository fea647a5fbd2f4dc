import { isJsonObject, type Json, type JsonObject } from '../json';

/** What `trainer_state.json` of the transformers Trainer tells. */
export interface TrainerState {
  readonly step: number;
  readonly epoch?: number | undefined;
  /** The last training loss that was logged. */
  readonly loss?: number | undefined;
  /** The last loss on the evaluation set. */
  readonly evalLoss?: number | undefined;
  /** Losses on the evaluation set by step. */
  readonly evalLosses: ReadonlyMap<number, number>;
  readonly bestMetric?: number | undefined;
  /** Base name of `best_model_checkpoint`, which holds a path of the machine that trained. */
  readonly bestCheckpoint?: string | undefined;
  readonly maxSteps?: number | undefined;
}

/** Undefined when the object has no `global_step`, so that it is no trainer state. */
export function readTrainerState(json: Json): TrainerState | undefined {
  if (!isJsonObject(json) || finite(json['global_step']) === undefined) {
    return undefined;
  }
  const history = Array.isArray(json['log_history'])
    ? (json['log_history'] as readonly Json[]).filter(isJsonObject)
    : [];
  const best = json['best_model_checkpoint'];
  const name =
    typeof best === 'string'
      ? best
          .split(/[/\\]/)
          .filter((part) => part !== '')
          .at(-1)
      : undefined;
  return {
    step: finite(json['global_step'])!,
    epoch: finite(json['epoch']),
    loss: last(history, 'loss'),
    evalLoss: last(history, 'eval_loss'),
    evalLosses: new Map(
      history.flatMap((entry) => {
        const [step, loss] = [finite(entry['step']), finite(entry['eval_loss'])];
        return step === undefined || loss === undefined ? [] : [[step, loss] as const];
      }),
    ),
    bestMetric: finite(json['best_metric']),
    bestCheckpoint: name,
    maxSteps: finite(json['max_steps']),
  };
}

function last(history: readonly JsonObject[], key: string): number | undefined {
  return finite(history.findLast((entry) => finite(entry[key]) !== undefined)?.[key]);
}

function finite(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
