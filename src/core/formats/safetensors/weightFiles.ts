import type { Note } from '../../note';
import { StudioError } from '../../errors';
import type { ShardIndex } from './shardIndex';

export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** The files that hold a model's weights, and the index that counts. */
export interface WeightFiles {
  /** In the order in which they are read; some may be missing. */
  readonly files: readonly string[];
  /** Undefined where there is none, or it is of another save. */
  readonly index: ShardIndex | undefined;
  /** An index of another save. */
  readonly staleIndex: ShardIndex | undefined;
  /** Numbered files of another save. */
  readonly staleFiles: readonly string[];
}

/**
 * Which of a folder's files make up its weights. As transformers does, `model.safetensors` comes before any index that does not
 * name it and before numbered files: they are of a save that was written over.
 * @param present names of the weight files of the folder
 */
export function weightFiles(present: readonly string[], index: ShardIndex | undefined): WeightFiles {
  const named = index === undefined ? undefined : new Set(index.values());
  if (present.includes(SINGLE_FILE) && named?.has(SINGLE_FILE) !== true) {
    const staleFiles = present.filter((name) => isNumbered(name) || named?.has(name) === true);
    if (index !== undefined || staleFiles.length > 0) {
      const stale = new Set(staleFiles);
      const files = index === undefined ? present.filter((name) => !stale.has(name)).sort() : [SINGLE_FILE];
      return { files, index: undefined, staleIndex: index, staleFiles };
    }
  }
  return { files: [...(named ?? present)].sort(), index, staleIndex: undefined, staleFiles: [] };
}

/** `model-00001-of-00003.safetensors` */
function isNumbered(name: string): boolean {
  return /^model.*-\d{5}-of-\d{5}\.safetensors$/.test(name);
}

/**
 * Says that another save was left aside; undefined when there is none.
 * @param tensors names in the file that was read
 * @param others names of the weights in {@link WeightFiles.staleFiles} where no index names them; undefined where they are not all there
 * @throws StudioError index/mismatch where the other save is whole and has weights that `model.safetensors` lacks: only their owner can
 * tell which of them is meant
 */
export function staleNote(
  files: WeightFiles,
  tensors: ReadonlySet<string>,
  others: Iterable<string> | undefined,
  path: string,
): Note | undefined {
  const { staleIndex, staleFiles } = files;
  if (staleIndex === undefined && staleFiles.length === 0) {
    return undefined;
  }
  const there = new Set(staleFiles);
  const isThere = [...new Set(staleIndex?.values())].every((name) => there.has(name));
  const names = staleIndex === undefined ? others : isThere ? staleIndex.keys() : undefined;
  const lacking = names === undefined ? undefined : [...names].find((name) => !tensors.has(name));
  const other = staleIndex === undefined ? staleFiles.slice(0, 2).join(', ') : `${INDEX_FILE} with its files`;
  if (lacking !== undefined) {
    throw new StudioError(
      'index/mismatch',
      `The folder holds two saves: ${SINGLE_FILE}, and ${other}, which has weights that ${SINGLE_FILE} lacks (${lacking}). Delete the one that is not meant.`,
      { path, detail: { tensor: lacking } },
    );
  }
  return {
    code: 'model/stale-index',
    message: `${SINGLE_FILE} is read, as transformers does: ${other} beside it is of another save. Delete it if that save is not wanted.`,
  };
}
