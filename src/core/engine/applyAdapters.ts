import { append } from '../append';
import { StudioError } from '../errors';
import type { Adapter } from '../formats/adapters/adapter';
import { matchAdapterToBase } from '../formats/adapters/matchBase';
import type { AppliedPart } from './appliedPart';
import type { PlanNote } from './buildPlan';
import type { LogicalTensor } from './logicalTensor';
import { EMBEDDING, HEAD } from './vocabularyTensors';
import { onSharedHead, separateHead } from './sharedHead';

/** An adapter and how much of it is wanted; weights of several add up. */
export interface WeightedAdapter {
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

export { EMBEDDING, HEAD };

/**
 * Lays every part of every adapter on its base tensor. All of them find their place, or an error names what does not.
 * @throws StudioError adapter/…
 */
export function applyAdapters(
  base: ReadonlyMap<string, LogicalTensor>,
  adapters: readonly WeightedAdapter[],
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
    const { matched, problems } = matchAdapterToBase(adapter, tensors);
    if (problems[0] !== undefined) {
      throw problems[0];
    }
    for (const part of base.has(HEAD) ? matched : onSharedHead(adapter, matched)) {
      const list = parts.get(part.target) ?? [];
      list.push({ part, adapter, weight });
      parts.set(part.target, list);
    }
    append(notes, adapter.warnings);
  }
  if (!base.has(HEAD)) {
    separateHead(tensors, parts, canStoreHead, notes);
  }
  const merged = new Map(
    [...tensors.values()].map((tensor): [string, MergedTensor] => [
      tensor.name,
      mergeOne(tensor, parts.get(tensor.name) ?? []),
    ]),
  );
  checkVocabulary(merged);
  return { tensors: merged, notes };
}

/** Where embedding and head differ in rows, no runtime loads the model. */
function checkVocabulary(merged: ReadonlyMap<string, MergedTensor>): void {
  const [embedding, head] = [merged.get(EMBEDDING), merged.get(HEAD)];
  if (embedding === undefined || head === undefined || embedding.shape[0] === head.shape[0]) {
    return;
  }
  const changed = [embedding, head].find(({ base, shape }) => shape[0] !== base.shape[0]) ?? embedding;
  const adapter = changed.parts.find(({ part }) => part.kind === 'base' || part.kind === 'replace')?.adapter;
  if (adapter === undefined) {
    // The base's own fault, which its reader names.
    return;
  }
  const [saved, other] = changed === head ? ['output head', 'embedding'] : ['embedding', 'output head'];
  throw new StudioError(
    'adapter/shape',
    `${adapter.path} holds the ${saved} resized to ${changed.shape[0] ?? 0} rows, and not the ${other}, which keeps ${(changed === head ? embedding : head).shape[0] ?? 0}: the rows that training gave it were not saved, so the two do not fit. Save the adapter again with both (model.save_pretrained(DIR, save_embedding_layers=True)), or merge it in the training script (merge_and_unload) and pass the merged folder as the base.`,
    { path: adapter.path, detail: { embedding: embedding.shape, head: head.shape } },
  );
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
