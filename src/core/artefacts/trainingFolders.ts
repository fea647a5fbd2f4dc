/** Files of mlx-lm: the latest weights, and the numbered ones of every `save_every` steps. */
export const MLX_WEIGHTS = 'adapters.safetensors';
/** What mlx wrote until April 2024. */
export const MLX_ARRAYS = 'adapters.npz';
export const PEFT_WEIGHTS = 'adapter_model.safetensors';
export const ADAPTER_CONFIG = 'adapter_config.json';
export const TRAINER_STATE = 'trainer_state.json';

/** Files that make a folder's tokenizer; one is enough. */
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer.model', 'vocab.json'];

/** Step of the Trainer's `checkpoint-180`. */
export function checkpointStep(folder: string): number | undefined {
  return numberIn(/^checkpoint-(\d{1,12})$/, folder);
}

/** Number of torchtune's `epoch_2` and `step_500`. */
export function epochNumber(folder: string): number | undefined {
  return numberIn(/^(?:epoch|step)_(\d{1,12})$/, folder);
}

/** Run number of ms-swift's `v3-20250301-101500`. */
export function swiftRun(folder: string): number | undefined {
  return numberIn(/^v(\d{1,9})-\d{8}-\d{6}$/, folder);
}

/** Iteration of mlx-lm's `0000150_adapters.safetensors`. */
export function mlxIteration(file: string): number | undefined {
  return numberIn(/^(\d{1,12})_adapters\.(?:safetensors|npz)$/, file);
}

export function hasTokenizerFiles(names: Iterable<string>): boolean {
  const set = new Set(names);
  return TOKENIZER_FILES.some((name) => set.has(name));
}

/** True for files that hold a model's weights, whole or in shards: not those of an adapter or an optimizer. */
export function isModelWeights(file: string): boolean {
  return /^(?:model|pytorch_model)[^/]*\.safetensors$/.test(file);
}

/** True for the folders in which a training run keeps what it saved on the way. */
export function isSavedState(folder: string): boolean {
  return checkpointStep(folder) !== undefined || epochNumber(folder) !== undefined;
}

function numberIn(pattern: RegExp, name: string): number | undefined {
  const digits = pattern.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
