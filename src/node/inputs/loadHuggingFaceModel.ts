import { readdir, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { StudioError } from '../../core/errors';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import { refuseQuantisedBase } from '../../core/formats/huggingface/quantisedBase';
import type { JsonObject } from '../../core/json';
import { LIMITS } from '../../core/limits';
import { readError } from '../files/fileSource';
import { loadTokenizerFiles } from './loadTokenizerFiles';
import { loadPooling } from './loadPooling';
import { loadWeights } from './loadWeights';
import { parseModelJson, readModelFile, readModelJson, readModelText } from './readModelFile';

export { loadTokenizerFiles } from './loadTokenizerFiles';

export interface LoadHuggingFaceModelOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Of a model card only its front matter is read. */
export const README_BYTES = 1024 * 1024;

/**
 * Reads everything of a Hugging Face model folder but the weights' values: config.json, generation_config.json, tokenizer
 * files, model card, and the headers of all shards. Throws `model/incomplete` with what is missing, `input/pickle`,
 * `input/lfs-pointer`, `model/quantised` with the base to get, and what the readers of the files throw.
 */
export async function loadHuggingFaceModel(
  path: string,
  options: LoadHuggingFaceModelOptions = {},
): Promise<ModelFolder> {
  const { signal } = options;
  const directoryName = modelName(await resolveDirectory(path));
  const names = await readdir(path).catch((cause: unknown) => {
    throw readError(path, cause);
  });
  const small = { signal, limit: LIMITS.json.configBytes };
  const configBytes = await readModelFile(path, 'config.json', small);
  if (configBytes === undefined) {
    throw noConfig(path, names);
  }
  const config = parseModelJson(path, 'config.json', configBytes, small.limit);
  const { tensors, format, notes } = await loadWeights(path, names, signal);
  refuseQuantisedBase({ path, directoryName, config, tensors });
  return {
    path,
    directory: path,
    directoryName,
    config,
    configText: new TextDecoder().decode(configBytes),
    generationConfig: await readGenerationConfig(path, signal),
    tokenizer: await loadTokenizerFiles(path, options),
    tensors,
    weightsFormat: format,
    notes,
    pooling: await loadPooling(path, signal),
    readme: await readModelText(path, 'README.md', { signal, limit: README_BYTES, cut: true }),
  };
}

async function resolveDirectory(path: string): Promise<string> {
  try {
    const directory = await realpath(path);
    if (!(await stat(directory)).isDirectory()) {
      throw new StudioError(
        'input/unrecognised',
        `${path} is a file, where the folder of a model is needed (with config.json and model*.safetensors).`,
        { path },
      );
    }
    return directory;
  } catch (cause) {
    if (cause instanceof StudioError) {
      throw cause;
    }
    throw cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
      ? new StudioError('input/missing', `There is no folder at ${path}. Check the path.`, { path, cause })
      : readError(path, cause);
  }
}

function noConfig(path: string, names: readonly string[]): StudioError {
  const adapter = names.includes('adapter_config.json');
  const gguf = names.find((name) => name.endsWith('.gguf'));
  const advice = adapter
    ? 'It holds an adapter: give the folder of its base, and this one as the adapter.'
    : gguf !== undefined
      ? `It holds a GGUF: give that file itself (${gguf}).`
      : 'Fetch config.json from the repository of the model.';
  return new StudioError(
    'model/incomplete',
    `The folder has no config.json, so nothing tells which model it is. ${advice}`,
    { path, detail: { missing: ['config.json'] } },
  );
}

/** Some models ship a generation_config.json that does not parse; it holds defaults only, so it is left out then. */
async function readGenerationConfig(
  directory: string,
  signal: AbortSignal | undefined,
): Promise<JsonObject | undefined> {
  return await readModelJson(directory, 'generation_config.json', { signal, limit: LIMITS.json.configBytes }).catch(
    (error: unknown) => {
      if (error instanceof StudioError && error.code.startsWith('json/')) {
        return undefined;
      }
      throw error;
    },
  );
}

/**
 * The name that a model gets from its folder. The folders of the Hugging Face cache are named after commits, so there the repository
 * gives the name, as it does where llama.cpp's converter is given the repository itself.
 */
function modelName(directory: string): string {
  const cached = /[\\/]models--(?:[^\\/]+--)?([^\\/]+)[\\/]snapshots[\\/][^\\/]+[\\/]?$/.exec(directory);
  return cached?.[1] ?? basename(directory);
}
