import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  ADAPTER_CONFIG,
  hasTokenizerFiles,
  isModelWeights,
  mlxIteration,
  MLX_WEIGHTS,
  PEFT_PICKLE,
  PEFT_WEIGHTS,
} from '../../core/artefacts/trainingFolders';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import type { Adapter } from '../../core/formats/adapters/adapter';
import { readGgufAdapter } from '../../core/formats/adapters/readGgufAdapter';
import { readMlxAdapter } from '../../core/formats/adapters/readMlxAdapter';
import { readPeftAdapter } from '../../core/formats/adapters/readPeftAdapter';
import { recogniseAdapter } from '../../core/formats/adapters/recogniseAdapter';
import { readGguf } from '../../core/formats/gguf/readGguf';
import { readSafetensorsHeader } from '../../core/formats/safetensors/readSafetensors';
import type { TensorRef } from '../../core/formats/tensorRef';
import { LIMITS } from '../../core/limits';
import { formatOf } from '../files/fileFormat';
import { openFileSource, readError } from '../files/fileSource';
import { findTrainingResult } from './findTrainingResult';
import { readFolder, type FolderNames } from '../files/readFolder';
import { readModelJson } from './readModelFile';

export interface LoadAdapterOptions {
  readonly signal?: AbortSignal | undefined;
}

/** An adapter with the file that was taken for it. */
export interface LoadedAdapter extends Adapter {
  /** Why this file stands for the path that was given (`the best of 3 checkpoints, …`); undefined when it was named itself. */
  readonly takenBecause?: string | undefined;
}

interface Taken {
  readonly directory: string;
  readonly weightsFile: string;
  readonly names: FolderNames;
  readonly reason?: string | undefined;
  readonly isGguf?: boolean;
}

/**
 * Loads an adapter from a folder, or from a file in it: its configuration and the header of its weights. A training
 * output folder stands for its best checkpoint, else its newest; an mlx folder for `adapters.safetensors`, a numbered
 * file for that checkpoint. What cannot be merged stands in `refusals`.
 * @throws StudioError adapter/missing, adapter/config, input/…, safetensors/…
 */
export async function loadAdapter(path: string, options: LoadAdapterOptions = {}): Promise<LoadedAdapter> {
  throwIfAborted(options.signal);
  const taken = await takeWeights(path);
  if (taken.isGguf === true) {
    return await loadGgufAdapter(taken, options.signal);
  }
  const config = await readModelJson(taken.directory, ADAPTER_CONFIG, {
    signal: options.signal,
    limit: LIMITS.json.configBytes,
  });
  if (config === undefined) {
    throw new StudioError(
      'adapter/config',
      `${taken.directory} has no ${ADAPTER_CONFIG}, and without it the scale of ${basename(taken.weightsFile)} is unknown. Copy the file from where the adapter was trained.`,
      { path },
    );
  }
  const format = recogniseAdapter(config);
  if (format === undefined) {
    throw new StudioError(
      'adapter/config',
      `${join(taken.directory, ADAPTER_CONFIG)} is neither PEFT's (it has no peft_type) nor mlx-lm's (no fine_tune_type). Restore it as the training tool wrote it.`,
      { path },
    );
  }
  const tensors = await readTensors(taken.weightsFile, options.signal);
  const input = {
    path,
    directory: taken.directory,
    weightsFile: taken.weightsFile,
    config,
    tensors,
    hasTokenizer: hasTokenizerFiles(taken.names.files),
  };
  const adapter = format === 'peft' ? readPeftAdapter(input) : readMlxAdapter(input);
  return { ...adapter, takenBecause: taken.reason };
}

async function loadGgufAdapter(
  { weightsFile, directory }: Taken,
  signal: AbortSignal | undefined,
): Promise<LoadedAdapter> {
  const source = await openFileSource(weightsFile, { signal });
  try {
    return readGgufAdapter({ path: weightsFile, directory, file: await readGguf(source, { path: weightsFile }) });
  } catch (thrown) {
    throw toStudioError(thrown).at(weightsFile);
  } finally {
    await source.close();
  }
}

async function readTensors(file: string, signal: AbortSignal | undefined): Promise<Map<string, TensorRef>> {
  const source = await openFileSource(file, { signal });
  const header = await readSafetensorsHeader(source, { path: file, signal }).finally(() => source.close());
  return new Map([...header.tensors].map(([name, tensor]) => [name, { ...tensor, file }]));
}

async function takeWeights(path: string): Promise<Taken> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw readError(path, cause);
  });
  if (stats.isDirectory()) {
    return await fromFolder(path, path);
  }
  if (!stats.isFile()) {
    throw new StudioError(
      'input/not-regular',
      `${path} is neither a folder nor a file. Give the folder of an adapter, or a file in it.`,
      { path },
    );
  }
  return await fromFile(path);
}

async function fromFile(path: string): Promise<Taken> {
  const directory = dirname(path);
  if (/\.safetensors$/i.test(path)) {
    return { directory, weightsFile: path, names: await readFolder(directory) };
  }
  if (/\.(?:bin|pt|pth|ckpt|pkl)$/i.test(path)) {
    throw pickledAdapter(path, basename(path));
  }
  if (/\.gguf$/i.test(path)) {
    return { directory, weightsFile: path, names: await readFolder(directory), isGguf: true };
  }
  if (!/\.[a-z]+$/i.test(path) && (await formatOf(path)) === 'gguf') {
    // A file of Ollama's store has no ending, and its folder may have thousands of others.
    return { directory, weightsFile: path, names: { files: [], folders: [] }, isGguf: true };
  }
  return await fromFolder(directory, path);
}

async function fromFolder(directory: string, path: string): Promise<Taken> {
  const found = await findTrainingResult(directory, {
    isResult: isAdapterFolder,
    usualFolders: ['adapter_model', 'adapter', 'adapters', 'default', 'lora_model', 'final'],
  });
  if (found === undefined) {
    throw await noAdapter(directory, path);
  }
  const weights = adapterWeights(found.names.files);
  if (weights === undefined) {
    throw pickledAdapter(path, join(found.directory, PEFT_PICKLE));
  }
  return {
    directory: found.directory,
    weightsFile: join(found.directory, weights),
    names: found.names,
    reason: found.reason,
  };
}

/** A configuration or weights are enough: what is missing then is said plainly. */
function isAdapterFolder({ files }: FolderNames): boolean {
  return adapterWeights(files) !== undefined || (files.includes(PEFT_PICKLE) && files.includes(ADAPTER_CONFIG));
}

/** PEFT's file, mlx-lm's latest, or its newest numbered one. */
function adapterWeights(files: readonly string[]): string | undefined {
  const numbered = files
    .filter((name) => mlxIteration(name) !== undefined)
    .sort((a, b) => mlxIteration(b)! - mlxIteration(a)!);
  return [PEFT_WEIGHTS, MLX_WEIGHTS].find((name) => files.includes(name)) ?? numbered[0];
}

function pickledAdapter(path: string, file: string): StudioError {
  return new StudioError(
    'input/pickle',
    `${file} is a Python pickle, which can run code when it is loaded, and so is never loaded. Save the adapter as safetensors where it was trained: model.save_pretrained(DIR, safe_serialization=True), or for torchtune set the checkpointer's safe_serialization to true.`,
    { path },
  );
}

async function noAdapter(directory: string, path: string): Promise<StudioError> {
  const { files, folders } = await readFolder(directory);
  if (files.includes(ADAPTER_CONFIG)) {
    const gathered = folders.some((name) => /^global_step\d+$|^pytorch_model_fsdp/.test(name));
    return new StudioError(
      'adapter/missing',
      `${directory} has ${ADAPTER_CONFIG} but no weights (${PEFT_WEIGHTS} or ${MLX_WEIGHTS}). ${gathered ? 'DeepSpeed or FSDP kept them in shards of their own: run zero_to_fp32.py of the folder, or save with gathered weights' : 'Copy them from where the adapter was trained'}.`,
      { path },
    );
  }
  if (files.some(isModelWeights)) {
    return new StudioError(
      'adapter/missing',
      `${directory} holds a whole model, not an adapter. Pass it as the base (--base).`,
      { path },
    );
  }
  return new StudioError(
    'adapter/missing',
    `${directory} holds no adapter: neither ${PEFT_WEIGHTS} (PEFT), ${MLX_WEIGHTS} (mlx-lm) nor checkpoints with one. Pass the folder that training wrote.`,
    { path },
  );
}
