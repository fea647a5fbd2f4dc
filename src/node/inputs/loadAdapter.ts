import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  adapterWeights,
  holdsAdapter,
  missingWeightsError,
  pickledAdapter,
  pickledAdapterError,
  readAdapter,
} from '../../core/artefacts/adapterFolder';
import {
  ADAPTER_CONFIG,
  hasTokenizerFiles,
  isModelWeights,
  MLX_WEIGHTS,
  PEFT_WEIGHTS,
} from '../../core/artefacts/trainingFolders';
import { isTrainingLog, LOG_BYTES, mlxLosses, type BestMlxWeights } from '../../core/artefacts/mlxLog';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import type { Adapter } from '../../core/formats/adapters/adapter';
import { readGgufAdapter } from '../../core/formats/adapters/readGgufAdapter';
import { readGguf } from '../../core/formats/gguf/readGguf';
import { readNpz } from '../../core/formats/readNpz';
import { readSafetensorsHeader } from '../../core/formats/safetensors/readSafetensors';
import type { TensorRef } from '../../core/formats/tensorRef';
import { LIMITS } from '../../core/limits';
import { formatOf } from '../files/fileFormat';
import { openFileSource, readError } from '../files/fileSource';
import { findTrainingResult, resultFolders, type TrainingSearch } from './findTrainingResult';
import { readFolder, type FolderNames } from '../files/readFolder';
import { readModelJson, readModelText } from './readModelFile';

export interface LoadAdapterOptions {
  readonly signal?: AbortSignal | undefined;
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
export async function loadAdapter(path: string, options: LoadAdapterOptions = {}): Promise<Adapter> {
  throwIfAborted(options.signal);
  const taken = await takeWeights(path);
  if (taken.isGguf === true) {
    return await loadGgufAdapter(taken, options.signal);
  }
  const config = await readModelJson(taken.directory, ADAPTER_CONFIG, {
    signal: options.signal,
    limit: LIMITS.json.configBytes,
  });
  const input = {
    path,
    directory: taken.directory,
    weightsFile: taken.weightsFile,
    tensors: await readTensors(taken.weightsFile, options.signal),
    hasTokenizer: hasTokenizerFiles(taken.names.files),
  };
  return { ...readAdapter(input, config), takenBecause: taken.reason };
}

async function loadGgufAdapter({ weightsFile, directory }: Taken, signal: AbortSignal | undefined): Promise<Adapter> {
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
  try {
    if (/\.npz$/i.test(file)) {
      return await readNpz(source, { path: file, signal });
    }
    const header = await readSafetensorsHeader(source, { path: file, signal });
    return new Map([...header.tensors].map(([name, tensor]) => [name, { ...tensor, file }]));
  } finally {
    await source.close();
  }
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
  if (/\.(?:safetensors|npz)$/i.test(path)) {
    return { directory, weightsFile: path, names: await readFolder(directory) };
  }
  if (/\.(?:bin|pt|pth|ckpt|pkl)$/i.test(path)) {
    throw pickledAdapterError(path, path);
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

/** Where tools put an adapter in the folder of a training; `default` is what PEFT calls the one that has no name of its own. */
const SEARCH: TrainingSearch = {
  isResult: ({ files }) => holdsAdapter(files),
  usualFolders: ['adapter_model', 'adapter', 'adapters', 'default', 'lora_model', 'final'],
};

async function fromFolder(directory: string, path: string): Promise<Taken> {
  const found = await findTrainingResult(directory, SEARCH);
  if (found === undefined) {
    throw await noAdapter(directory, path);
  }
  const best = await bestOfLog(found.directory, found.names.files);
  const weights = best?.file ?? adapterWeights(found.names.files);
  if (weights === undefined) {
    throw pickledAdapterError(path, join(found.directory, pickledAdapter(found.names.files)!));
  }
  const reasons = [found.reason, best?.reason].filter((reason) => reason !== undefined);
  return {
    directory: found.directory,
    weightsFile: join(found.directory, weights),
    names: found.names,
    reason: reasons.length === 0 ? undefined : reasons.join(', and of it '),
  };
}

/** Logs of other things may lie there too. */
const MAX_LOGS = 20;

/** Of mlx-lm's weights those with the lowest validation loss, where its log lies beside them. */
async function bestOfLog(directory: string, files: readonly string[]): Promise<BestMlxWeights | undefined> {
  const logs = new Map<string, string>();
  for (const name of files.filter(isTrainingLog).slice(0, MAX_LOGS)) {
    const text = await readModelText(directory, name, { limit: LOG_BYTES }).catch(() => undefined);
    if (text !== undefined) {
      logs.set(name, text);
    }
  }
  return mlxLosses(files, logs).best;
}

async function noAdapter(directory: string, path: string): Promise<StudioError> {
  const { files, folders } = await readFolder(directory);
  if (files.includes(ADAPTER_CONFIG)) {
    return missingWeightsError(directory, folders);
  }
  const named = await resultFolders(directory, SEARCH);
  if (named.length > 0) {
    const shown = named.slice(0, 10).map((name) => join(directory, name));
    return new StudioError(
      'adapter/missing',
      `${directory} holds ${named.length} adapters, and only one of them can be meant: ${shown.join(', ')}${named.length > shown.length ? ', …' : ''}. Pass one of these, or several with --adapter each to add them up.`,
      { path, detail: { adapters: named } },
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
