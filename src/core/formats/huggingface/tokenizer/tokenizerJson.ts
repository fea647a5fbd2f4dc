import { StudioError } from '../../../errors';
import { isJsonObject, type Json, type JsonObject } from '../../../json';
import type { TokenizerFiles } from '../huggingFaceModel';
import type { AddedToken } from './vocabulary';

/** A tokenizer.json whose parts have been checked, with the flags that tokenizer_config.json changes. */
export interface TokenizerJson {
  readonly modelType: string;
  /** Token to id; a Map, so that `__proto__` is a token like any other. */
  readonly vocab: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [string, string])[];
  /** By id, ascending. */
  readonly addedTokens: readonly AddedToken[];
  readonly byteFallback: boolean;
  readonly ignoreMerges: boolean;
  readonly unkToken?: string | undefined;
  readonly normalizer: JsonObject | undefined;
  readonly preTokenizer: JsonObject | undefined;
  readonly postProcessor: JsonObject | undefined;
}

/** Beyond this an id is no token's: it would only size arrays. */
const MAX_ID = 16_777_216;

export function invalidTokenizer(what: string, detail?: Readonly<Record<string, unknown>>): StudioError {
  return new StudioError(
    'tokenizer/invalid',
    `The tokenizer cannot be read: ${what}. Fetch the tokenizer files of the model again.`,
    { detail },
  );
}

/** Checks and reads a tokenizer.json; `tokenizer/invalid` when it is not one. */
export function readTokenizerJson(json: JsonObject, tokenizerConfig?: JsonObject): TokenizerJson {
  const model = json['model'];
  if (!isJsonObject(model)) {
    throw invalidTokenizer('tokenizer.json has no `model`');
  }
  // Files from before tokenizers 0.6 do not name the type.
  const modelType = typeof model['type'] === 'string' ? model['type'] : 'merges' in model ? 'BPE' : 'unknown';
  const vocab = isJsonObject(model['vocab']) ? readVocab(model['vocab']) : new Map<string, number>();
  const listed = readAddedTokens(json['added_tokens'], tokenizerConfig, vocab);
  const addedTokens = [...listed, ...impliedTokens(tokenizerConfig, vocab, listed)];
  const unk = model['unk_token'];
  return {
    modelType,
    vocab,
    merges: readMerges(model['merges']),
    addedTokens,
    byteFallback: model['byte_fallback'] === true,
    ignoreMerges: model['ignore_merges'] === true,
    unkToken: typeof unk === 'string' ? unk : undefined,
    normalizer: part(json, 'normalizer'),
    preTokenizer: part(json, 'pre_tokenizer'),
    postProcessor: part(json, 'post_processor'),
  };
}

function part(json: JsonObject, key: string): JsonObject | undefined {
  const value = json[key];
  if (value !== null && value !== undefined && !isJsonObject(value)) {
    throw invalidTokenizer(`\`${key}\` of tokenizer.json is not an object`);
  }
  return value ?? undefined;
}

function readId(value: Json | undefined, token: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= MAX_ID) {
    throw invalidTokenizer(
      `the token ${JSON.stringify(token.slice(0, 60))} has the id ${value === undefined ? 'none' : JSON.stringify(value).slice(0, 60)}`,
      { token: token.slice(0, 200) },
    );
  }
  return value;
}

function readVocab(vocab: JsonObject): Map<string, number> {
  const result = new Map<string, number>();
  const seen = new Map<number, string>();
  for (const token of Object.keys(vocab)) {
    const id = readId(vocab[token], token);
    const other = seen.get(id);
    if (other !== undefined) {
      throw invalidTokenizer(
        `the tokens ${JSON.stringify(other.slice(0, 60))} and ${JSON.stringify(token.slice(0, 60))} have the same id ${id}`,
        { id },
      );
    }
    seen.set(id, token);
    result.set(token, id);
  }
  return result;
}

/** Merges as pairs (since transformers 4.45) or as one string with a space between. */
function readMerges(merges: Json | undefined): (readonly [string, string])[] {
  if (merges === undefined || merges === null) {
    return [];
  }
  if (!Array.isArray(merges)) {
    throw invalidTokenizer('`merges` is not a list');
  }
  return merges.map((merge: Json, index) => {
    const pair: readonly unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      throw invalidTokenizer(`merge ${index + 1} is not a pair of tokens`, { index });
    }
    return [left, right] as const;
  });
}

/**
 * The added tokens of tokenizer.json; those of tokenizer_config.json's `added_tokens_decoder` override their flags and
 * come beside them, as transformers does on loading.
 */
function readAddedTokens(
  list: Json | undefined,
  tokenizerConfig: JsonObject | undefined,
  vocab: ReadonlyMap<string, number>,
): AddedToken[] {
  if (list !== undefined && list !== null && !Array.isArray(list)) {
    throw invalidTokenizer('`added_tokens` is not a list');
  }
  const byContent = new Map<string, AddedToken>();
  const add = (entry: Json | undefined, id: Json | undefined): void => {
    const token = readAddedToken(entry, id);
    // A token that the model has keeps the id that it has there, whatever the entry says.
    byContent.set(token.content, {
      ...token,
      id: vocab.get(token.content) ?? byContent.get(token.content)?.id ?? token.id,
    });
  };
  for (const entry of (list ?? []) as readonly Json[]) {
    add(entry, isJsonObject(entry) ? entry['id'] : undefined);
  }
  const decoder = tokenizerConfig?.['added_tokens_decoder'];
  for (const [id, entry] of isJsonObject(decoder) ? Object.entries(decoder) : []) {
    add(entry, /^\d{1,9}$/.test(id) ? Number(id) : id);
  }
  return checkClashes([...byContent.values()].sort((a, b) => a.id - b.id));
}

const SPECIAL_KEYS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** Special tokens that tokenizer_config.json names and no vocabulary has: transformers appends them on loading. */
function impliedTokens(
  tokenizerConfig: JsonObject | undefined,
  vocab: ReadonlyMap<string, number>,
  listed: readonly AddedToken[],
): AddedToken[] {
  const names = SPECIAL_KEYS.map((key) => tokenizerConfig?.[key]).map((entry) =>
    isJsonObject(entry) ? entry['content'] : entry,
  );
  const missing = new Set(
    names.filter(
      (name) =>
        typeof name === 'string' && name !== '' && !vocab.has(name) && !listed.some((token) => token.content === name),
    ) as string[],
  );
  let next = Math.max(-1, listed.at(-1)?.id ?? -1, vocab.size - 1) + 1;
  return Array.from(missing, (content) => ({
    id: next++,
    content,
    special: true,
    normalized: false,
    singleWord: false,
    lstrip: false,
    rstrip: false,
    implied: true,
  }));
}

function readAddedToken(entry: Json | undefined, idValue: Json | undefined): AddedToken {
  const content = isJsonObject(entry) ? entry['content'] : undefined;
  if (!isJsonObject(entry) || typeof content !== 'string') {
    throw invalidTokenizer('an added token has no text');
  }
  const special = entry['special'] === true;
  return {
    id: readId(idValue, content),
    content,
    special,
    normalized: typeof entry['normalized'] === 'boolean' ? entry['normalized'] : !special,
    singleWord: entry['single_word'] === true,
    lstrip: entry['lstrip'] === true,
    rstrip: entry['rstrip'] === true,
  };
}

function checkClashes(tokens: AddedToken[]): AddedToken[] {
  const byId = new Map<number, string>();
  for (const { id, content } of tokens) {
    const other = byId.get(id);
    if (other !== undefined) {
      throw invalidTokenizer(
        `the added tokens ${JSON.stringify(other.slice(0, 60))} and ${JSON.stringify(content.slice(0, 60))} have the same id ${id}`,
        { id },
      );
    }
    byId.set(id, content);
  }
  return tokens;
}

/** True where any step of the pre-tokenizer is `ByteLevel`: the vocabulary is spelt in the GPT-2 byte alphabet. */
export function isByteLevel(tokenizer: TokenizerJson): boolean {
  return hasType(tokenizer.preTokenizer, 'ByteLevel', 0);
}

function hasType(step: Json | undefined, type: string, depth: number): boolean {
  if (!isJsonObject(step) || depth > 20) {
    return false;
  }
  const steps = step['pretokenizers'];
  return (
    step['type'] === type || (Array.isArray(steps) && steps.some((inner: Json) => hasType(inner, type, depth + 1)))
  );
}

/** `merges.txt`: one pair a line, `#version` first; lines that are no pair are left out, as the converter does. */
export function readMergesText(text: string): (readonly [string, string])[] {
  const lines = text.split(/\r\n|\n|\r/);
  const pairs = (lines[0]?.trim().startsWith('#') === true ? lines.slice(1) : lines).map((line) =>
    line.trim().split(/\s+/),
  );
  return pairs
    .filter((pair): pair is [string, string] => pair.length === 2 && pair[0] !== '')
    .map(([left, right]) => [left, right] as const);
}

/** The pre-tokenizers that transformers builds for tokenizer classes that come as `vocab.json` and `merges.txt` only. */
const CLASS_PRE_TOKENIZERS: Readonly<Record<string, { readonly split?: string; readonly normalizer?: string }>> = {
  Qwen2Tokenizer: {
    split:
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    normalizer: 'NFC',
  },
  GPT2Tokenizer: {},
};

/**
 * A tokenizer.json for folders that have `vocab.json` and `merges.txt` instead; undefined when they have neither, or a class
 * whose pre-tokenizer is not known.
 */
export function tokenizerJsonFromParts(files: TokenizerFiles): JsonObject | undefined {
  const className = files.tokenizerConfig?.['tokenizer_class'];
  const rule = typeof className === 'string' ? CLASS_PRE_TOKENIZERS[className.replace(/Fast$/, '')] : undefined;
  if (files.vocab === undefined || files.merges === undefined || rule === undefined) {
    return undefined;
  }
  const byteLevel: JsonObject = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: rule.split === undefined,
  };
  const split = rule.split;
  const added = Object.entries(files.addedTokens ?? {}).map(([content, id]): JsonObject => ({
    id,
    content,
    special: true,
    normalized: false,
  }));
  return {
    added_tokens: added,
    normalizer: rule.normalizer === undefined ? null : { type: rule.normalizer },
    pre_tokenizer:
      split === undefined
        ? byteLevel
        : {
            type: 'Sequence',
            pretokenizers: [
              { type: 'Split', pattern: { Regex: split }, behavior: 'Isolated', invert: false },
              byteLevel,
            ],
          },
    post_processor: null,
    model: {
      type: 'BPE',
      vocab: files.vocab,
      merges: readMergesText(files.merges).map(([left, right]) => [left, right]),
    },
  };
}
