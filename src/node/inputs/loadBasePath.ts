import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ADAPTER_CONFIG, isModelWeights } from '../../core/artefacts/trainingFolders';
import { StudioError } from '../../core/errors';
import { isPlainFileName } from '../../core/formats/safetensors/shardIndex';
import { readError } from '../files/fileSource';
import { findTrainingResult } from './findTrainingResult';
import { readFolder, type FolderNames } from '../files/readFolder';
import { readModelText } from './readModelFile';

export interface BasePath {
  /** The model folder that was taken. */
  readonly directory: string;
  /** Why it stands for the path that was given; undefined when it is that path. */
  readonly takenBecause?: string | undefined;
}

/**
 * The model folder that a path stands for: itself, the folder of a file, the best (else newest) checkpoint of a full
 * fine-tune, the merged model in a training output, or the snapshot of a Hugging Face cache entry. A folder in which
 * nothing is found is returned as it is, so that the loader says what it lacks.
 * @throws StudioError input/missing, input/not-regular, input/unrecognised, model/incomplete for an adapter
 */
export async function resolveBasePath(path: string): Promise<BasePath> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw readError(path, cause);
  });
  if (stats.isFile()) {
    return await ofFile(path);
  }
  if (!stats.isDirectory()) {
    throw new StudioError(
      'input/not-regular',
      `${path} is neither a folder nor a file. Give the folder of a model, or a file in it.`,
      { path },
    );
  }
  const snapshot = await cacheSnapshot(path);
  if (snapshot !== undefined) {
    return { directory: snapshot, takenBecause: 'the snapshot of this cache entry' };
  }
  return await ofFolder(path);
}

async function ofFile(path: string): Promise<BasePath> {
  if (/\.gguf$/i.test(path)) {
    throw new StudioError(
      'input/unrecognised',
      `${path} is a GGUF, and what was asked for needs a Hugging Face folder with safetensors. \`build\` takes a GGUF as its base; \`quantize\` changes its type.`,
      { path },
    );
  }
  return await ofFolder(dirname(path));
}

async function ofFolder(directory: string): Promise<BasePath> {
  const found = await findTrainingResult(directory, {
    isResult: isModelFolder,
    usualFolders: ['merged', 'merged_model', 'export', 'model', 'final'],
  });
  if (found !== undefined) {
    return { directory: found.directory, takenBecause: found.reason };
  }
  const { files } = await readFolder(directory);
  if (files.includes(ADAPTER_CONFIG)) {
    throw new StudioError(
      'model/incomplete',
      `${directory} holds an adapter, not a model. Pass it with --adapter, and the folder of its base with --base.`,
      { path: directory },
    );
  }
  return { directory };
}

function isModelFolder({ files }: FolderNames): boolean {
  return (
    files.includes('config.json') && (files.some(isModelWeights) || files.includes('model.safetensors.index.json'))
  );
}

/** `models--ORG--NAME` of the Hugging Face cache: `refs/main` holds the name of the snapshot folder. */
async function cacheSnapshot(path: string): Promise<string | undefined> {
  const names = await readFolder(path);
  if (!names.folders.includes('snapshots') || !names.folders.includes('blobs')) {
    return undefined;
  }
  const { folders } = await readFolder(join(path, 'snapshots'));
  const main =
    (await readModelText(join(path, 'refs'), 'main', { limit: 1024, cut: true }).catch(() => undefined))?.trim() ?? '';
  const taken = isPlainFileName(main) && folders.includes(main) ? main : folders.at(-1);
  return taken === undefined ? undefined : join(path, 'snapshots', taken);
}
