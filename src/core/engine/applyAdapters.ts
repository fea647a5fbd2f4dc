import { append } from '../append';
import { StudioError } from '../errors';
import type { Adapter, AdapterPart } from '../formats/adapters/adapter';
import { matchAdapterToBase } from '../formats/adapters/matchBase';
import type { PlanNote } from './buildPlan';
import type { LogicalTensor } from './logicalTensor';

/** An adapter and how much of it is wanted; weights of several add up. */
export interface WeightedAdapter {
  readonly adapter: Adapter;
  readonly weight: number;
}

/** One part of an adapter on its way to a tensor. */
export interface AppliedPart {
  readonly part: AdapterPart;
  readonly adapter: Adapter;
  readonly weight: number;
}

/** A base tensor with all that adapters do to it. */
export interface MergedTensor {
  readonly base: LogicalTensor;
  /** Shape after the merge: an adapter may bring more vocabulary rows. */
  readonly shape: readonly number[];
  readonly parts: readonly AppliedPart[];
}

export interface MergedModel {
  readonly tensors: ReadonlyMap<string, MergedTensor>;
  readonly notes: readonly PlanNote[];
}

export const EMBEDDING = 'model.embed_tokens.weight';
export const HEAD = 'lm_head.weight';

/**
 * Lays every part of every adapter on its base tensor. All of them find their place, or an error names what does not.
 * @param tied config.json's tie_word_embeddings
 * @throws StudioError adapter/…
 */
export function applyAdapters(
  base: ReadonlyMap<string, LogicalTensor>,
  adapters: readonly WeightedAdapter[],
  tied: boolean,
  canStoreHead: boolean,
): MergedModel {
  const notes: PlanNote[] = [];
  const parts = new Map<string, AppliedPart[]>();
  const tensors = new Map(base);
  for (const { adapter, weight } of adapters) {
    const [refusal] = adapter.refusals;
    if (refusal !== undefined) {
      throw refusal;
    }
    addHead(tensors, adapter, canStoreHead, notes);
    const { matched, problems } = matchAdapterToBase(adapter, tensors);
    if (problems[0] !== undefined) {
      throw problems[0];
    }
    for (const part of matched) {
      const list = parts.get(part.target) ?? [];
      list.push({ part, adapter, weight });
      parts.set(part.target, list);
    }
    append(notes, adapter.warnings);
  }
  followTiedEmbedding(tensors, base, parts, tied, notes);
  const merged = [...tensors.values()].map((tensor): [string, MergedTensor] => [
    tensor.name,
    mergeOne(tensor, parts.get(tensor.name) ?? []),
  ]);
  return { tensors: new Map(merged), notes };
}

/** An adapter that trained the head of a model without one of its own gives it one, starting from the embedding. */
function addHead(
  tensors: Map<string, LogicalTensor>,
  adapter: Adapter,
  canStoreHead: boolean,
  notes: PlanNote[],
): void {
  const embedding = tensors.get(EMBEDDING);
  if (tensors.has(HEAD) || embedding === undefined || !adapter.parts.some((part) => part.target === HEAD)) {
    return;
  }
  if (!canStoreHead) {
    throw new StudioError(
      'adapter/unsupported',
      `${adapter.path} changes the output head apart from the embedding, and models of this architecture have no place for a head of their own. Train without lm_head in modules_to_save and target_modules.`,
      { path: adapter.path },
    );
  }
  tensors.set(HEAD, { ...embedding, name: HEAD });
  notes.push({
    code: 'adapter/head-untied',
    message:
      'The adapter trained the output head apart from the embedding: the result has a head of its own (output.weight) and is larger by that much.',
  });
}

/** Where embedding and head are one, a change of the embedding changes the head too, as it did in training. */
function followTiedEmbedding(
  tensors: ReadonlyMap<string, LogicalTensor>,
  base: ReadonlyMap<string, LogicalTensor>,
  parts: Map<string, AppliedPart[]>,
  tied: boolean,
  notes: PlanNote[],
): void {
  const shared = tied || !base.has(HEAD);
  const ofHead = parts.get(HEAD) ?? [];
  const followed = (parts.get(EMBEDDING) ?? []).filter(
    ({ adapter }) => !ofHead.some((applied) => applied.adapter === adapter),
  );
  if (!shared || followed.length === 0) {
    return;
  }
  if (tensors.has(HEAD)) {
    parts.set(HEAD, [
      ...ofHead,
      ...followed.map((applied) => ({ ...applied, part: { ...applied.part, target: HEAD } })),
    ]);
  }
  notes.push({
    code: 'adapter/tied-embedding',
    message: 'The adapter changes the embedding, which is the output head as well: both change, as in training.',
  });
}

function mergeOne(base: LogicalTensor, parts: readonly AppliedPart[]): MergedTensor {
  const resized = parts.filter(
    ({ part }) => (part.kind === 'base' || part.kind === 'replace') && part.source.shape.join() !== base.shape.join(),
  );
  const [first] = resized;
  if (first === undefined || !('source' in first.part)) {
    return { base, shape: base.shape, parts };
  }
  const { shape } = first.part.source;
  const other = parts.find(({ adapter }) => adapter !== first.adapter);
  if (other !== undefined) {
    throw new StudioError(
      'adapter/shape',
      `${first.adapter.path} resizes the vocabulary (${base.name} to ${shape.join(' x ')}), and ${other.adapter.path} changes it too: their rows cannot be added up. Merge one of them with fuse, and train or apply the other on the result.`,
      { path: first.adapter.path, detail: { tensor: base.name } },
    );
  }
  if (first.part.kind === 'replace' && first.weight !== 1) {
    throw new StudioError(
      'adapter/shape',
      `${first.adapter.path} resizes the vocabulary (${base.name} to ${shape.join(' x ')}): rows that the base does not have cannot be weighted by ${first.weight}. Leave its weight at 1.`,
      { path: first.adapter.path, detail: { tensor: base.name, weight: first.weight } },
    );
  }
  return { base, shape, parts };
}
