import { StudioError } from '../errors';
import type { GgufValue } from '../formats/gguf/ggufTypes';
import type { BuildOptions } from './buildOptions';
import type { PlanNote } from './buildPlan';
import { isQuantised } from './fileTypes';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';

/** What the importance matrix gives to each tensor. */
export interface PlannedImportance {
  readonly data: Float32Array | undefined;
  /** First value by tensor name. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly warnings: readonly PlanNote[];
}

interface Target {
  readonly name: string;
  /** GGUF order. */
  readonly shape: readonly number[];
  readonly type: GgmlTypeName;
}

/**
 * Gathers the importance weights of all tensors that are quantised.
 * @throws StudioError imatrix/mismatch where sizes differ (the token embedding excepted, which never has any)
 */
export function planImportance(targets: readonly Target[], imatrix: BuildOptions['imatrix']): PlannedImportance {
  const offsets = new Map<string, number>();
  if (imatrix === undefined) {
    return { data: undefined, offsets, warnings: [] };
  }
  const found: Float32Array[] = [];
  const missing: string[] = [];
  let length = 0;
  for (const { name, shape, type } of targets) {
    if (!isQuantised(type)) {
      continue;
    }
    const entry = imatrix.data.entries.get(name);
    const wanted = (shape[0] ?? 0) * (shape[2] ?? 1);
    if (entry?.length === wanted) {
      offsets.set(name, length);
      found.push(entry);
      length += wanted;
    } else if (name !== 'token_embd.weight' && name !== 'output.weight') {
      if (entry !== undefined) {
        throw new StudioError(
          'imatrix/mismatch',
          `${imatrix.path} has ${entry.length} values for ${name}, and the tensor has ${wanted}. It was made from another model: make one from this model with llama-imatrix.`,
          { path: imatrix.path, detail: { tensor: name, found: entry.length, wanted } },
        );
      }
      missing.push(name);
    }
  }
  const data = new Float32Array(length);
  let at = 0;
  for (const entry of found) {
    data.set(entry, at);
    at += entry.length;
  }
  const warnings =
    missing.length === 0
      ? []
      : [
          {
            code: 'imatrix/coverage',
            message: `The importance matrix says nothing of ${missing.length} tensors (${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}): they are quantised without.`,
          },
        ];
  return { data: length === 0 ? undefined : data, offsets, warnings };
}

/** llama-quantize keeps at most this many bytes of a text in its own keys. */
const TEXT_BYTES = 127;

/** The keys that llama-quantize adds to a file made with an importance matrix. */
export function imatrixMetadata(imatrix: BuildOptions['imatrix']): readonly (readonly [string, GgufValue])[] {
  if (imatrix === undefined) {
    return [];
  }
  const { data, path } = imatrix;
  const keys: (readonly [string, GgufValue])[] = [['quantize.imatrix.file', { type: 'string', value: cut(path) }]];
  const [dataset] = data.datasets;
  if (dataset !== undefined) {
    keys.push(['quantize.imatrix.dataset', { type: 'string', value: cut(dataset) }]);
  }
  keys.push(['quantize.imatrix.entries_count', { type: 'u32', value: data.entries.size }]);
  if (data.chunkCount > 0) {
    keys.push(['quantize.imatrix.chunks_count', { type: 'u32', value: data.chunkCount }]);
  }
  return keys;
}

function cut(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= TEXT_BYTES) {
    return text;
  }
  return new TextDecoder().decode(bytes.subarray(0, TEXT_BYTES)).replace(/\uFFFD+$/, '');
}
