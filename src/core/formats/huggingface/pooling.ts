import { StudioError } from '../../errors';
import { isJsonObject, type Json, type JsonObject } from '../../json';

/** How an embedding model makes one vector of those of its tokens; the numbers are llama.cpp's `LLAMA_POOLING_TYPE_…`. */
export const POOLING_TYPES = { mean: 1, cls: 2, last: 3 } as const;

export type Pooling = keyof typeof POOLING_TYPES;

/** `pooling_mode` of newer sentence-transformers. */
const MODES: Readonly<Record<string, Pooling>> = { mean: 'mean', cls: 'cls', lasttoken: 'last' };

/** Modules of sentence-transformers that change nothing that is not in a GGUF: the runtime normalises by itself. */
const HARMLESS = /(?:^|\.)(?:Transformer|Pooling|Normalize)$/;

/**
 * The folder of the pooling that `modules.json` of sentence-transformers names, the first as in llama.cpp's converter; undefined
 * where it names none.
 * @throws StudioError model/purpose for modules that a GGUF would lose (`Dense`)
 */
export function poolingFolder(modules: Json, path: string): string | undefined {
  const list = Array.isArray(modules) ? (modules as readonly Json[]).filter(isJsonObject) : [];
  const types = list.map((module) => (typeof module['type'] === 'string' ? module['type'] : ''));
  const pooling = types.findIndex((type) => type.endsWith('Pooling'));
  const folder = pooling < 0 ? undefined : list[pooling]!['path'];
  if (typeof folder !== 'string') {
    return undefined;
  }
  const lost = types.find((type) => !HARMLESS.test(type));
  if (lost !== undefined) {
    throw new StudioError(
      'model/purpose',
      `modules.json lists ${lost.split('.').at(-1) ?? lost} among the parts of this embedding model, which a GGUF of its architecture has no place for: without it the vectors are others. Use it with sentence-transformers.`,
      { path, detail: { purpose: 'embedding', module: lost } },
    );
  }
  return folder;
}

/**
 * The pooling by its `config.json`, in the order of llama.cpp's converter.
 * @throws StudioError model/purpose for one that llama.cpp does not have
 */
export function readPooling(config: JsonObject, path: string): Pooling {
  if (config['pooling_mode_mean_tokens'] === true) {
    return 'mean';
  }
  if (config['pooling_mode_cls_token'] === true) {
    return 'cls';
  }
  if (config['pooling_mode_lasttoken'] === true) {
    return 'last';
  }
  const mode = config['pooling_mode'];
  if (typeof mode === 'string' && Object.hasOwn(MODES, mode)) {
    return MODES[mode]!;
  }
  throw new StudioError(
    'model/purpose',
    'This embedding model pools its tokens in a way that llama.cpp does not have (it has mean, cls and last token). Use it with sentence-transformers.',
    { path, detail: { purpose: 'embedding' } },
  );
}
