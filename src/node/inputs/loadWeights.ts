import { join } from 'node:path';
import { StudioError } from '../../core/errors';
import { readSafetensorsHeader } from '../../core/formats/safetensors/readSafetensors';
import type { SafetensorsHeader } from '../../core/formats/safetensors/safetensorsTypes';
import { checkShards, readShardIndex, type ShardIndex } from '../../core/formats/safetensors/shardIndex';
import type { TensorRef } from '../../core/formats/tensorRef';
import { LIMITS } from '../../core/limits';
import { openFileSource } from '../files/fileSource';
import { readModelFile } from './readModelFile';

/** The weights of a folder: where each tensor lies. */
export interface LoadedWeights {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** `format` of the safetensors metadata. */
  readonly format?: string | undefined;
}

const INDEX = 'model.safetensors.index.json';

/**
 * Reads the headers of a folder's safetensors: those that the index names, else every `model*.safetensors`. `model/incomplete`
 * lists what is missing; `input/pickle` tells how to get safetensors where there are pickles only.
 */
export async function loadWeights(
  directory: string,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<LoadedWeights> {
  const indexBytes = await readModelFile(directory, INDEX, { signal, limit: LIMITS.safetensors.headerBytes });
  const index = indexBytes === undefined ? undefined : readShardIndex(indexBytes, join(directory, INDEX));
  const shards =
    index === undefined
      ? names.filter((name) => /^model.*\.safetensors$/.test(name)).sort()
      : [...new Set(index.values())].sort();
  refuseMissing(
    directory,
    index === undefined ? numberedButMissing(shards) : shards.filter((shard) => !names.includes(shard)),
  );
  if (shards.length === 0) {
    throw noWeights(directory, names);
  }
  return await readShards(directory, shards, index, signal);
}

async function readShards(
  directory: string,
  shards: readonly string[],
  index: ShardIndex | undefined,
  signal: AbortSignal | undefined,
): Promise<LoadedWeights> {
  const headers = new Map<string, SafetensorsHeader>();
  const tensors = new Map<string, TensorRef>();
  for (const shard of shards) {
    const file = join(directory, shard);
    const source = await openFileSource(file, { signal });
    const header = await readSafetensorsHeader(source, { path: file, signal }).finally(() => source.close());
    headers.set(shard, header);
    for (const tensor of header.tensors.values()) {
      if (index === undefined && tensors.has(tensor.name)) {
        throw new StudioError(
          'index/mismatch',
          `Tensor ${JSON.stringify(tensor.name)} stands in two files of the folder, and no index says which one counts. Remove the files that do not belong to this model.`,
          { path: file, detail: { tensor: tensor.name } },
        );
      }
      tensors.set(tensor.name, { ...tensor, file });
    }
  }
  if (index !== undefined) {
    checkShards(index, headers, join(directory, INDEX));
  }
  return { tensors, format: headers.get(shards[0]!)?.metadata.get('format') };
}

/** `model-00001-of-00003.safetensors` without an index tells how many there must be. */
function numberedButMissing(shards: readonly string[]): string[] {
  const missing: string[] = [];
  const sets = new Set(
    shards
      .map((name) => /^(model.*-)\d{5}-of-(\d{5})\.safetensors$/.exec(name))
      .filter((match) => match !== null)
      .map((match) => `${match[1]!}|${match[2]!}`),
  );
  for (const set of sets) {
    const [prefix = '', total = '0'] = set.split('|');
    for (let number = 1; number <= Math.min(Number(total), LIMITS.safetensors.shards); number++) {
      const name = `${prefix}${String(number).padStart(5, '0')}-of-${total}.safetensors`;
      if (!shards.includes(name)) {
        missing.push(name);
      }
    }
  }
  return missing;
}

function refuseMissing(directory: string, missing: readonly string[]): void {
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(', ');
    throw new StudioError(
      'model/incomplete',
      `${missing.length === 1 ? 'A part of the weights is' : `${missing.length} parts of the weights are`} missing: ${shown}${missing.length > 5 ? ', …' : ''}. Fetch ${missing.length === 1 ? 'it' : 'them'} from where the rest came from.`,
      {
        path: directory,
        detail: { missing: missing.slice(0, 100), count: missing.length },
      },
    );
  }
}

function noWeights(directory: string, names: readonly string[]): StudioError {
  const pickles = names.filter(
    (name) =>
      /\.(?:bin|pt|pth|ckpt)$/.test(name) && !/^(?:training_args|optimizer|scheduler|rng_state|scaler)/.test(name),
  );
  if (pickles.length > 0) {
    return new StudioError(
      'input/pickle',
      `The folder holds Python pickles only (${pickles.slice(0, 3).join(', ')}), which are never loaded since they can run code. Look for safetensors of the same model in its repository, or, if you trust the file, save it again where it was made: \`model.save_pretrained(DIR, safe_serialization=True)\`.`,
      {
        path: directory,
        detail: { pickles: pickles.slice(0, 100) },
      },
    );
  }
  if (names.some((name) => /^consolidated.*\.(?:safetensors|pth)$/.test(name))) {
    return new StudioError(
      'model/incomplete',
      'The folder holds the weights in the format of their makers (consolidated.…) only. Fetch the model in the format of transformers: config.json with model*.safetensors.',
      { path: directory, detail: { missing: ['model.safetensors'] } },
    );
  }
  if (names.includes('adapter_config.json')) {
    return new StudioError(
      'model/incomplete',
      'The folder holds an adapter, not a model. Give the folder of its base, and this one as the adapter.',
      { path: directory, detail: { missing: ['model.safetensors'] } },
    );
  }
  return new StudioError(
    'model/incomplete',
    'The folder has no weights: model.safetensors, or model.safetensors.index.json with its shards, is missing. Fetch the weights of the model.',
    { path: directory, detail: { missing: ['model.safetensors'] } },
  );
}
