import type { Note } from '../../core/note';
import { append } from '../../core/append';
import { join } from 'node:path';
import { StudioError } from '../../core/errors';
import { readSafetensorsHeader } from '../../core/formats/safetensors/readSafetensors';
import type { SafetensorsHeader } from '../../core/formats/safetensors/safetensorsTypes';
import { unwrapTensors } from '../../core/formats/huggingface/unwrapTensors';
import { checkShards, readShardIndex, type ShardIndex } from '../../core/formats/safetensors/shardIndex';
import {
  INDEX_FILE as INDEX,
  staleNote,
  weightFiles,
  type WeightFiles,
} from '../../core/formats/safetensors/weightFiles';
import type { TensorRef } from '../../core/formats/tensorRef';
import { LIMITS } from '../../core/limits';
import { openFileSource } from '../files/fileSource';
import { readModelFile } from './readModelFile';

/** The weights of a folder: where each tensor lies. */
export interface LoadedWeights {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** `format` of the safetensors metadata. */
  readonly format?: string | undefined;
  /** What was left aside or read otherwise than it stands there. */
  readonly notes: readonly Note[];
}

/**
 * Reads the headers of a folder's safetensors: `model.safetensors`, else those that the index names, else every `model*.safetensors`. `model/incomplete`
 * lists what is missing; `input/pickle` tells how to get safetensors where there are pickles only.
 */
export async function loadWeights(
  directory: string,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<LoadedWeights> {
  const indexBytes = await readModelFile(directory, INDEX, { signal, limit: LIMITS.safetensors.headerBytes });
  const present = names.filter((name) => /^model.*\.safetensors$/.test(name));
  const chosen = weightFiles(
    present,
    indexBytes === undefined ? undefined : readShardIndex(indexBytes, join(directory, INDEX)),
  );
  const { files, index } = chosen;
  const all = new Set(names);
  refuseMissing(directory, index === undefined ? numberedButMissing(files) : files.filter((shard) => !all.has(shard)));
  if (files.length === 0) {
    throw noWeights(directory, names);
  }
  const { tensors, format } = await readShards(directory, files, index, signal);
  const stale = staleNote(chosen, new Set(tensors.keys()), await otherNames(directory, chosen, signal), directory);
  const unwrapped = unwrapTensors(tensors, directory);
  return {
    tensors: unwrapped.tensors,
    format,
    notes: stale === undefined ? unwrapped.notes : [stale, ...unwrapped.notes],
  };
}

/** Names of the weights in numbered files of another save that no index names; undefined where they are not all there. */
async function otherNames(
  directory: string,
  { staleIndex, staleFiles }: WeightFiles,
  signal: AbortSignal | undefined,
): Promise<readonly string[] | undefined> {
  if (staleIndex !== undefined || staleFiles.length === 0 || numberedButMissing(staleFiles).length > 0) {
    return undefined;
  }
  const names: string[] = [];
  for (const name of staleFiles) {
    append(names, (await readHeader(join(directory, name), signal)).tensors.keys());
  }
  return names;
}

async function readHeader(file: string, signal: AbortSignal | undefined): Promise<SafetensorsHeader> {
  const source = await openFileSource(file, { signal });
  return await readSafetensorsHeader(source, { path: file, signal }).finally(() => source.close());
}

async function readShards(
  directory: string,
  shards: readonly string[],
  index: ShardIndex | undefined,
  signal: AbortSignal | undefined,
): Promise<Omit<LoadedWeights, 'notes'>> {
  const headers = new Map<string, SafetensorsHeader>();
  const tensors = new Map<string, TensorRef>();
  for (const shard of shards) {
    const file = join(directory, shard);
    const header = await readHeader(file, signal);
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
  const there = new Set(shards);
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
      if (!there.has(name)) {
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
