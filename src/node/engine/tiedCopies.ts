import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import { findArchitecture } from '../../core/engine/architectures/architectures';
import { readModelConfig } from '../../core/engine/architectures/readModelConfig';
import type { PlanNote } from '../../core/engine/buildPlan';
import { storedType } from '../../core/engine/storedMatrix';
import { EMBEDDING, HEAD } from '../../core/engine/vocabularyTensors';
import { type Adapter, type AdapterPart, tensorsOf } from '../../core/formats/adapters/adapter';
import type { HuggingFaceModel } from '../../core/formats/huggingface/huggingFaceModel';
import { findTensor } from '../../core/formats/huggingface/tensorNames';
import type { TensorRef } from '../../core/formats/tensorRef';
import { StoredRows } from './storedRows';

/** A base and adapters without second copies of a tied matrix. */
export interface WithoutCopies<Base extends HuggingFaceModel> {
  readonly base: Base;
  readonly adapters: readonly WeightedAdapter[];
  readonly warnings: readonly PlanNote[];
}

/**
 * Takes out what only repeats the embedding: a head that tools stored beside it although the two are tied (FSDP, merges), and
 * an adapter's copies of what it did to the embedding (PEFT saves them with `ensure_weight_tying`). A head that differs stays.
 */
export async function withoutTiedCopies<Base extends HuggingFaceModel>(
  given: Base,
  adapters: readonly WeightedAdapter[],
  signal?: AbortSignal,
): Promise<WithoutCopies<Base>> {
  const reader = await StoredRows.open();
  try {
    const { base, warnings } = await withoutCopiedHead(given, reader, signal);
    const isTied = findTensor(base, HEAD) === undefined;
    return { base, adapters: isTied ? await withoutCopiedParts(adapters, reader, signal) : adapters, warnings };
  } finally {
    await reader.close();
  }
}

/** Adapters for a base without a head of its own (a GGUF without `output.weight`), without copies of what they do to the embedding. */
export async function withoutTiedParts(
  adapters: readonly WeightedAdapter[],
  signal?: AbortSignal,
): Promise<readonly WeightedAdapter[]> {
  const reader = await StoredRows.open();
  return await withoutCopiedParts(adapters, reader, signal).finally(() => reader.close());
}

async function withoutCopiedParts(
  adapters: readonly WeightedAdapter[],
  reader: StoredRows,
  signal: AbortSignal | undefined,
): Promise<WeightedAdapter[]> {
  const own: WeightedAdapter[] = [];
  for (const { adapter, weight } of adapters) {
    const isCopy = await repeatsEmbedding(adapter, reader, signal);
    own.push({ adapter: isCopy ? withoutHead(adapter) : adapter, weight });
  }
  return own;
}

async function withoutCopiedHead<Base extends HuggingFaceModel>(
  base: Base,
  reader: StoredRows,
  signal: AbortSignal | undefined,
): Promise<{ readonly base: Base; readonly warnings: readonly PlanNote[] }> {
  const [head, embedding] = [findTensor(base, HEAD), findTensor(base, EMBEDDING)];
  if (head === undefined || embedding === undefined) {
    return { base, warnings: [] };
  }
  const config = readModelConfig(base.config);
  const canStore = findArchitecture(config.className).noOutputTensor !== true;
  if (canStore && !config.tiedEmbeddings) {
    return { base, warnings: [] };
  }
  const [parts, others] = [partsOf(base, head), partsOf(base, embedding)];
  if (!(await allEqual(parts, others, reader, signal))) {
    const message = `config.json says that embedding and output head are one (tie_word_embeddings), and the files hold a head that differs (${head.name}): the stored one counts, as in llama.cpp's converter`;
    return { base, warnings: canStore ? [{ code: 'model/head-apart', message }] : [] };
  }
  const copies = new Set(parts.map(({ name }) => name));
  return {
    base: { ...base, tensors: new Map([...base.tensors].filter(([, { name }]) => !copies.has(name))) },
    warnings: [],
  };
}

/** A weight with its scales, where it is packed; sorted by what they are. */
function partsOf({ tensors }: HuggingFaceModel, { name }: TensorRef): TensorRef[] {
  const module = name.replace(/weight$/, '');
  return [...tensors.values()]
    .filter((tensor) => tensor.name.startsWith(module))
    .sort((a, b) => (a.name.slice(module.length) < b.name.slice(module.length) ? -1 : 1));
}

async function allEqual(
  a: readonly TensorRef[],
  b: readonly TensorRef[],
  reader: StoredRows,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined || !(await equal(one, other, reader, signal))) {
      return false;
    }
  }
  return a.length === b.length;
}

async function equal(
  a: TensorRef,
  b: TensorRef,
  reader: StoredRows,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const isComparable = a.dtype === b.dtype || [a, b].every(({ dtype }) => storedType(dtype) !== undefined);
  return isComparable && (await reader.equal(a, b, signal));
}

/** True where an adapter did to the head exactly what it did to the embedding. */
async function repeatsEmbedding(
  { parts }: Adapter,
  reader: StoredRows,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const of = (name: string): AdapterPart[] => parts.filter(({ target }) => target === name);
  const [ofHead, ofEmbedding] = [of(HEAD), of(EMBEDDING)];
  if (ofHead.length === 0 || ofHead.length !== ofEmbedding.length) {
    return false;
  }
  for (const part of ofHead) {
    const other = ofEmbedding.find(({ kind }) => kind === part.kind);
    if (other === undefined || !(await equalParts(part, other, reader, signal))) {
      return false;
    }
  }
  return true;
}

async function equalParts(
  head: AdapterPart,
  embedding: AdapterPart,
  reader: StoredRows,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (head.kind === 'lowRank' && embedding.kind === 'lowRank') {
    const isPlain = head.magnitude === undefined && embedding.magnitude === undefined && head.scale === embedding.scale;
    return (
      isPlain &&
      head.layout === 'peftLinear' &&
      embedding.layout === 'peftEmbedding' &&
      (await reader.equalTransposed(head.a, embedding.b)) &&
      (await reader.equalTransposed(head.b, embedding.a))
    );
  }
  if (head.kind === 'replaceRows' && embedding.kind === 'replaceRows' && head.rows.join() !== embedding.rows.join()) {
    return false;
  }
  return 'source' in head && 'source' in embedding && (await equal(head.source, embedding.source, reader, signal));
}

/** What is done to the embedding is done to the head as well. */
function withoutHead(adapter: Adapter): Adapter {
  return {
    ...adapter,
    parts: adapter.parts.filter(({ target }) => target !== HEAD),
    withoutEffect: [
      ...(adapter.withoutEffect ?? []),
      ...adapter.parts.filter(({ target }) => target === HEAD).flatMap(tensorsOf),
    ],
    config: { ...adapter.config, ensure_weight_tying: true },
  };
}
