import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import { EMBEDDING, HEAD } from '../../core/engine/vocabularyTensors';
import { type Adapter, type AdapterPart, tensorsOf } from '../../core/formats/adapters/adapter';
import { towerOf } from '../../core/formats/huggingface/tensorNames';
import { StoredRows } from './storedRows';

/**
 * Adapters without factors whose product is zero where those would have a cost: a tower that the result does not have, an
 * embedding that is the head as well. PEFT begins with such factors, and they stay so where a module took no part in the training.
 */
export async function withoutZeroParts(
  adapters: readonly WeightedAdapter[],
  signal?: AbortSignal,
): Promise<WeightedAdapter[]> {
  const reader = await StoredRows.open();
  try {
    const list: WeightedAdapter[] = [];
    for (const { adapter, weight } of adapters) {
      list.push({ adapter: await withoutZero(adapter, reader, signal), weight });
    }
    return list;
  } finally {
    await reader.close();
  }
}

async function withoutZero(adapter: Adapter, reader: StoredRows, signal: AbortSignal | undefined): Promise<Adapter> {
  const idle = new Set<AdapterPart>();
  // Of an adapter that cannot be merged at all, that is what is said.
  for (const part of adapter.refusals.length > 0 || adapter.format === 'gguf' ? [] : adapter.parts) {
    const counts = part.target === EMBEDDING || part.target === HEAD || towerOf(part.target) !== undefined;
    if (counts && (await isZero(part, reader, signal))) {
      idle.add(part);
    }
  }
  const parts = adapter.parts.filter((part) => !idle.has(part));
  // An adapter that does nothing at all is told of as that.
  return idle.size === 0 || parts.length === 0
    ? adapter
    : { ...adapter, parts, withoutEffect: [...(adapter.withoutEffect ?? []), ...[...idle].flatMap(tensorsOf)] };
}

/** DoRA scales rows by its magnitudes, whatever its factors are. */
async function isZero(part: AdapterPart, reader: StoredRows, signal: AbortSignal | undefined): Promise<boolean> {
  if (part.kind === 'add') {
    return await reader.isZero(part.source, signal);
  }
  return (
    part.kind === 'lowRank' &&
    part.magnitude === undefined &&
    ((await reader.isZero(part.b, signal)) || (await reader.isZero(part.a, signal)))
  );
}
