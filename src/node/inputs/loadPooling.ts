import { join, normalize, sep } from 'node:path';
import { StudioError } from '../../core/errors';
import { poolingFolder, readPooling, type Pooling } from '../../core/formats/huggingface/pooling';
import { isPlainFileName } from '../../core/formats/safetensors/shardIndex';
import { LIMITS } from '../../core/limits';
import { parseStrictJson } from '../../core/strictJson';
import { readModelFile, readModelJson } from './readModelFile';

const MODULES = 'modules.json';

/**
 * The pooling of a model folder by sentence-transformers' `modules.json`; undefined for a model that is no embedding model.
 * @throws StudioError model/purpose, model/incomplete where the pooling's own folder is missing, json/…
 */
export async function loadPooling(directory: string, signal: AbortSignal | undefined): Promise<Pooling | undefined> {
  const small = { signal, limit: LIMITS.json.configBytes };
  const bytes = await readModelFile(directory, MODULES, small);
  if (bytes === undefined) {
    return undefined;
  }
  const path = join(directory, MODULES);
  const folder = poolingFolder(parseStrictJson(bytes, { path }), path);
  if (folder === undefined) {
    return undefined;
  }
  // An empty name means the model's own folder.
  const isBelow = folder === '' || normalize(folder).split(sep).every(isPlainFileName);
  const config = isBelow ? await readModelJson(join(directory, folder), 'config.json', small) : undefined;
  if (config === undefined) {
    throw new StudioError(
      'model/incomplete',
      `${MODULES} names the pooling of an embedding model in ${JSON.stringify(folder)}, and its config.json is not there. Fetch that folder with the rest of the model: without it the vectors would be others.`,
      { path: directory, detail: { missing: [`${folder}/config.json`] } },
    );
  }
  return readPooling(config, join(directory, folder, 'config.json'));
}
