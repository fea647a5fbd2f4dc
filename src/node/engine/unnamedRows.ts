import { EMBEDDING, HEAD } from '../../core/engine/applyAdapters';
import { isUnnamed } from '../../core/formats/huggingface/tokenizer/nameSpareTokens';
import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import type { GgufPart } from '../../core/engine/planQuantize';
import type { PlanNote } from '../../core/engine/buildPlan';
import { rowRanges } from '../../core/engine/rowRanges';
import { throwIfAborted } from '../../core/errors';
import { storedType } from '../../core/engine/storedMatrix';
import type { Adapter, AdapterPart } from '../../core/formats/adapters/adapter';
import type { HuggingFaceModel } from '../../core/formats/huggingface/huggingFaceModel';
import { findTensor } from '../../core/formats/huggingface/tensorNames';
import { knownTokens } from '../../core/formats/huggingface/tokenizer/knownTokens';
import type { TensorRef } from '../../core/formats/tensorRef';
import { StoredRows } from './storedRows';

/** Of a row: by so much of its size it has to change to have been trained. Weight decay and rounding change less. */
const TRAINED = 0.05;
/** So many rows are looked at; models have a few hundred to spare. */
const MAX_ROWS = 8192;
/** Vocabularies are padded to multiples of these; rows up to the next one of them were not added for tokens. */
const PADDED_TO = [8, 16, 32, 64, 128, 256, 512];

/**
 * Warns of rows of the vocabulary that adapters trained or added and that no tokenizer names: they become `[PAD640]`, and
 * what was trained for their tokens is out of reach.
 * @param model with the tokenizer that counts
 */
export async function unnamedRows(
  model: HuggingFaceModel,
  adapters: readonly Adapter[],
  signal?: AbortSignal,
): Promise<PlanNote[]> {
  const vocabulary = adapters.filter(({ parts }) =>
    parts.some(({ target }) => target === EMBEDDING || target === HEAD),
  );
  if (vocabulary.length === 0) {
    return [];
  }
  const known = knownTokens(model.tokenizer);
  const notes: PlanNote[] = [];
  for (const adapter of vocabulary) {
    const rows = new Set<number>();
    const isHeadToo = findTensor(model, HEAD) === undefined && adapter.parts.some(({ target }) => target === HEAD);
    for (const part of adapter.parts.filter(({ target }) => target === EMBEDDING || target === HEAD)) {
      (await unnamedOf(part, isHeadToo, model, known, signal)).forEach((row) => rows.add(row));
    }
    if (rows.size > 0 && known.size > 0) {
      notes.push(unnamed(adapter, [...rows]));
    }
  }
  return notes;
}

/** The same for a GGUF, of which only trained tokens are looked at: other weights of its vocabulary cannot change their rows. */
export function unnamedInGguf(parts: readonly GgufPart[], adapters: readonly WeightedAdapter[]): PlanNote[] {
  const keys = parts[0]?.file.metadata;
  const [tokens, types] = [keys?.get('tokenizer.ggml.tokens'), keys?.get('tokenizer.ggml.token_type')];
  if (tokens?.type !== 'array' || types?.type !== 'array') {
    return [];
  }
  return adapters.flatMap(({ adapter }) => {
    const rows = adapter.parts.flatMap((part) => (part.kind === 'replaceRows' ? part.rows : []));
    const without = [...new Set(rows)].filter((id) => isUnnamed(String(tokens.value[id]), Number(types.value[id]), id));
    return without.length === 0 ? [] : [unnamed(adapter, without)];
  });
}

function unnamed(adapter: Adapter, rows: readonly number[]): PlanNote {
  return {
    code: 'adapter/unnamed-rows',
    message: `${adapter.path} trained ${rows.length === 1 ? 'a row' : `${rows.length} rows`} of the vocabulary that no tokenizer names (${rowRanges(rows)}): without names their tokens can be neither written nor read. Copy the tokenizer that the training saved (tokenizer.json, tokenizer_config.json) into ${adapter.directory}`,
  };
}

async function unnamedOf(
  part: AdapterPart,
  isHeadToo: boolean,
  model: HuggingFaceModel,
  known: ReadonlyMap<number, string>,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  if (part.kind === 'replaceRows') {
    return part.rows.filter((row) => !known.has(row));
  }
  const before = findTensor(model, part.target) ?? findTensor(model, EMBEDDING);
  const rows = before?.shape[0];
  if ((part.kind !== 'replace' && part.kind !== 'base') || before === undefined || rows === undefined) {
    return [];
  }
  const count = Math.min(part.source.shape[0] ?? 0, rows + MAX_ROWS);
  const first = 1 + [...known.keys()].reduce((most, id) => Math.max(most, id), -1);
  const added = range(Math.max(rows, first), count);
  if (added.length > 0 && !PADDED_TO.some((multiple) => Math.ceil(first / multiple) * multiple === count)) {
    return added;
  }
  // Training moves every row of a head, used or not, and so of an embedding that is one; of any other, those that were read.
  if (part.target === HEAD || isHeadToo) {
    return [];
  }
  return await trainedAmong(range(first, Math.min(rows, count, first + MAX_ROWS)), before, part.source, signal);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}

/** Those of some rows, one after the other, that differ from what they were by more than weight decay makes them. */
async function trainedAmong(
  rows: readonly number[],
  before: TensorRef,
  after: TensorRef,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const isPlain = [before, after].every(({ dtype }) => storedType(dtype) !== undefined);
  if (rows.length === 0 || !isPlain || before.shape[1] !== after.shape[1]) {
    return [];
  }
  const reader = await StoredRows.open();
  try {
    const trained: number[] = [];
    for (const row of rows) {
      throwIfAborted(signal);
      const [was, is] = [await reader.read(before, row, 1), await reader.read(after, row, 1)];
      const size = was.reduce((sum, value) => sum + value * value, 0);
      const change = was.reduce((sum, value, index) => sum + (value - is[index]!) ** 2, 0);
      if (change > TRAINED ** 2 * size) {
        trained.push(row);
      }
    }
    return trained;
  } finally {
    await reader.close();
  }
}
