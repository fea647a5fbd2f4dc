import { append } from '../../../append';
import { isJsonObject, type Json, type JsonObject } from '../../../json';
import { AddedTokenMatcher } from './addedTokenMatcher';
import { makeNormalizer } from './normalizer';
import { makePreTokenizer } from './preTokenizerSteps';
import type { TokenizerJson } from './tokenizerJson';

/** Encodes texts as Hugging Face's tokenizers library does with this tokenizer.json, special tokens included. */
export type BpeEncoder = (text: string) => number[];

/**
 * Builds an encoder for a BPE tokenizer.json; undefined when it uses a step, or a regular expression, that is not reproduced
 * exactly. Made for short texts (the converter's check text): pieces are merged in quadratic time.
 */
export function makeBpeEncoder(tokenizer: TokenizerJson, merges = tokenizer.merges): BpeEncoder | undefined {
  const normalize = makeNormalizer(tokenizer.normalizer);
  const preTokenize = makePreTokenizer(tokenizer.preTokenizer);
  const special = makePostProcessor(tokenizer.postProcessor);
  if (
    normalize === undefined ||
    preTokenize === undefined ||
    special === undefined ||
    tokenizer.modelType !== 'BPE' ||
    tokenizer.byteFallback
  ) {
    return undefined;
  }
  const raw = new AddedTokenMatcher(tokenizer.addedTokens.filter((token) => !token.normalized));
  const normalized = new AddedTokenMatcher(
    tokenizer.addedTokens
      .filter((token) => token.normalized)
      .map((token) => ({ ...token, content: normalize(token.content) })),
  );
  const model = new BpeModel(tokenizer, merges);
  return (text) => {
    const ids: number[] = [];
    for (const outer of raw.split(text)) {
      for (const part of typeof outer === 'number' ? [outer] : normalized.split(normalize(outer))) {
        if (typeof part === 'number') {
          ids.push(part);
        } else {
          preTokenize(part).forEach((word) => model.encode(word, ids));
        }
      }
    }
    return [...special.before, ...ids, ...special.after];
  };
}

/** The merges of byte pair encoding, by the ids of their parts. */
class BpeModel {
  private readonly ranks = new Map<number, { readonly rank: number; readonly id: number }>();
  private readonly unk: number | undefined;

  constructor(
    private readonly tokenizer: TokenizerJson,
    merges: TokenizerJson['merges'],
  ) {
    const { vocab } = tokenizer;
    merges.forEach(([left, right], rank) => {
      const [a, b, id] = [vocab.get(left), vocab.get(right), vocab.get(left + right)];
      if (a !== undefined && b !== undefined && id !== undefined) {
        this.ranks.set(pairKey(a, b), { rank, id });
      }
    });
    this.unk = tokenizer.unkToken === undefined ? undefined : vocab.get(tokenizer.unkToken);
  }

  encode(word: string, ids: number[]): void {
    const whole = this.tokenizer.ignoreMerges ? this.tokenizer.vocab.get(word) : undefined;
    if (whole !== undefined) {
      ids.push(whole);
      return;
    }
    const symbols = Array.from(word, (char) => this.tokenizer.vocab.get(char) ?? this.unk).filter(
      (id) => id !== undefined,
    );
    for (let best = this.bestPair(symbols); best !== undefined; best = this.bestPair(symbols)) {
      symbols.splice(best.at, 2, best.id);
    }
    symbols.forEach((id) => ids.push(id));
  }

  private bestPair(symbols: readonly number[]): { readonly at: number; readonly id: number } | undefined {
    let best: { at: number; rank: number; id: number } | undefined;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const merge = this.ranks.get(pairKey(symbols[at]!, symbols[at + 1]!));
      if (merge !== undefined && (best === undefined || merge.rank < best.rank)) {
        best = { at, ...merge };
      }
    }
    return best;
  }
}

function pairKey(left: number, right: number): number {
  return left * 16_777_216 + right;
}

interface SpecialIds {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Ids that the post-processor puts around a single text; undefined when it does something else. */
function makePostProcessor(post: JsonObject | undefined): SpecialIds | undefined {
  const type = post?.['type'];
  if (post === undefined || type === 'ByteLevel') {
    return { before: [], after: [] };
  }
  if (type === 'Sequence') {
    const inner = post['processors'];
    const parts = (Array.isArray(inner) ? (inner as readonly Json[]) : []).map((step) =>
      isJsonObject(step) && step['type'] !== 'Sequence' ? makePostProcessor(step) : undefined,
    );
    return parts.includes(undefined)
      ? undefined
      : { before: parts.flatMap((part) => part!.before), after: parts.flatMap((part) => part!.after) };
  }
  return type === 'TemplateProcessing'
    ? templateIds(post)
    : type === 'RobertaProcessing'
      ? robertaIds(post)
      : undefined;
}

function templateIds(post: JsonObject): SpecialIds | undefined {
  const single = post['single'];
  const tokens = post['special_tokens'];
  if (!Array.isArray(single)) {
    return undefined;
  }
  const before: number[] = [];
  const after: number[] = [];
  let target = before;
  for (const item of single as readonly Json[]) {
    const special = isJsonObject(item) ? item['SpecialToken'] : undefined;
    if (!isJsonObject(special)) {
      target = after;
      continue;
    }
    const entry = isJsonObject(tokens) && typeof special['id'] === 'string' ? tokens[special['id']] : undefined;
    const ids = isJsonObject(entry) ? entry['ids'] : undefined;
    if (!Array.isArray(ids) || !ids.every((id: Json) => typeof id === 'number')) {
      return undefined;
    }
    append(target, ids as readonly number[]);
  }
  return { before, after };
}

function robertaIds(post: JsonObject): SpecialIds | undefined {
  const id = (value: Json | undefined): number | undefined =>
    Array.isArray(value) && typeof value[1] === 'number' ? value[1] : undefined;
  const cls = id(post['cls']);
  const sep = id(post['sep']);
  return cls === undefined || sep === undefined ? undefined : { before: [cls], after: [sep] };
}
