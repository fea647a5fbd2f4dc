import { StudioError } from '../errors';
import type { Adapter } from '../formats/adapters/adapter';
import type { AdapterInput } from '../formats/adapters/adapterInput';
import { readMlxAdapter } from '../formats/adapters/readMlxAdapter';
import { readPeftAdapter } from '../formats/adapters/readPeftAdapter';
import { recogniseAdapter } from '../formats/adapters/recogniseAdapter';
import type { JsonObject } from '../json';
import { ADAPTER_CONFIG, mlxIteration, MLX_ARRAYS, MLX_WEIGHTS, PEFT_WEIGHTS } from './trainingFolders';

/** Weights of adapters as Python pickles: PEFT's and torchtune's. */
const PICKLED = /^adapter(?:_model)?(?:_\d+)?\.(?:bin|pt|pth)$/;

/**
 * The file of a folder that a merge takes: PEFT's, mlx-lm's latest, its newest numbered one, or what mlx wrote before it wrote
 * safetensors. Undefined when there is none.
 */
export function adapterWeights(files: Iterable<string>): string | undefined {
  const names = [...files];
  const newest = numberedWeights(names).at(-1);
  return (
    [PEFT_WEIGHTS, MLX_WEIGHTS].find((name) => names.includes(name)) ??
    (newest?.endsWith('.npz') === true && names.includes(MLX_ARRAYS) ? MLX_ARRAYS : newest) ??
    (names.includes(MLX_ARRAYS) ? MLX_ARRAYS : undefined)
  );
}

/** mlx-lm's numbered weights, oldest first; those of safetensors where there are both. */
export function numberedWeights(files: Iterable<string>): string[] {
  const numbered = [...files]
    .filter((name) => mlxIteration(name) !== undefined)
    .sort((a, b) => mlxIteration(a)! - mlxIteration(b)!);
  const current = numbered.filter((name) => name.endsWith('.safetensors'));
  return current.length > 0 ? current : numbered;
}

/** The pickle in which a folder keeps its adapter; undefined when there is none. */
export function pickledAdapter(files: Iterable<string>): string | undefined {
  return [...files].find((name) => PICKLED.test(name));
}

/** True for any file that holds the weights of an adapter, pickles among them. */
export function isAdapterWeights(name: string): boolean {
  return adapterWeights([name]) !== undefined || PICKLED.test(name);
}

/** True when these files are an adapter that can be told: weights, or a configuration with a pickle. */
export function holdsAdapter(files: Iterable<string>): boolean {
  const names = [...files];
  return adapterWeights(names) !== undefined || (names.includes(ADAPTER_CONFIG) && pickledAdapter(names) !== undefined);
}

/**
 * Reads an adapter from what its folder holds; what cannot be merged stands in its `refusals`.
 * @throws StudioError adapter/config when nothing tells its scale
 */
export function readAdapter(input: Omit<AdapterInput, 'config'>, config: JsonObject | undefined): Adapter {
  const format = config === undefined ? undefined : recogniseAdapter(config);
  if (config === undefined || format === undefined) {
    throw unknownConfig(input.path, input.weightsFile, config);
  }
  return format === 'peft' ? readPeftAdapter({ ...input, config }) : readMlxAdapter({ ...input, config });
}

/** Says that no configuration tells what the weights are for. */
export function unknownConfig(path: string, weightsFile: string, config: JsonObject | undefined): StudioError {
  const missing = weightsFile.endsWith('.npz')
    ? `mlx wrote none in early 2024: if you know how it was trained, write one beside it: {"fine_tune_type": "lora", "lora_parameters": {"rank": 8, "scale": 20.0}}, with the rank and scale of the training script (lora.py of mlx-examples had 8 and 20.0)`
    : 'Copy the file from where the adapter was trained';
  return new StudioError(
    'adapter/config',
    config === undefined
      ? `There is no ${ADAPTER_CONFIG} beside ${weightsFile}, and without it the scale of the adapter is unknown. ${missing}.`
      : `The ${ADAPTER_CONFIG} beside ${weightsFile} is neither PEFT's (it has no peft_type) nor mlx-lm's (no fine_tune_type). Restore it as the training tool wrote it.`,
    { path },
  );
}

/** Says that the weights are a pickle, and how they become safetensors. */
export function pickledAdapterError(path: string, file: string): StudioError {
  const name = file.split(/[\\/]/).at(-1) ?? file;
  return new StudioError(
    'input/pickle',
    `${file} is a Python pickle, which can run code when it is loaded, and so is never loaded. Save the adapter as safetensors where it was trained (model.save_pretrained(DIR, safe_serialization=True); torchtune: safe_serialization: True of the checkpointer), or, if you trust the file, beside it: python -c "import torch; from safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in torch.load('${name}', weights_only=True, map_location='cpu').items()}, '${PEFT_WEIGHTS}')".`,
    { path },
  );
}

/** Says that a folder has a configuration and no weights; `folders` are those in it. */
export function missingWeightsError(path: string, folders: readonly string[]): StudioError {
  const gathered = folders.some((name) => /^global_step\d+$|^pytorch_model_fsdp/.test(name));
  return new StudioError(
    'adapter/missing',
    `${path} has ${ADAPTER_CONFIG} but no weights (${PEFT_WEIGHTS} or ${MLX_WEIGHTS}). ${gathered ? 'DeepSpeed or FSDP kept them in shards of their own: run zero_to_fp32.py of the folder, or save with gathered weights' : 'Copy them from where the adapter was trained'}.`,
    { path },
  );
}
