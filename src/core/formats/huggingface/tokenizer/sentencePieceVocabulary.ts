import { StudioError } from '../../../errors';
import { isJsonObject, type Json } from '../../../json';
import type { VocabularyRules } from './vocabularyRules';
import type { TokenizerFiles } from '../huggingFaceModel';
import { readSentencePieceModel } from './sentencePieceModel';
import { invalidTokenizer, readTokenizerJson, type TokenizerJson } from './tokenizerJson';
import { TOKEN_TYPE } from '../../gguf/tokenType';
import { addedTokenEntry, checkTokenFits, type Vocabulary } from './vocabulary';

const PAD_SCORE = -10_000;
const ADDED_SCORE = -1000;
const BPE = 2;

interface Rows {
  readonly tokens: string[];
  readonly scores: Float32Array;
  readonly types: Int32Array;
}

function paddedRows(count: number): Rows {
  return {
    tokens: Array.from({ length: count }, (_, id) => `[PAD${id}]`),
    scores: new Float32Array(count).fill(PAD_SCORE),
    types: new Int32Array(count).fill(TOKEN_TYPE.unused),
  };
}

function set(rows: Rows, id: number, text: string, score: number, type: number): void {
  rows.tokens[id] = text;
  rows.scores[id] = score;
  rows.types[id] = type;
}

/**
 * The `llama` vocabulary of a `tokenizer.model`, overlaid by `added_tokens.json` and tokenizer_config's `added_tokens_decoder`
 * (Phi-3: and tokenizer.json's added tokens), padded to the rows of the embedding. Added tokens without a row are left out, as
 * the converter does; a piece without one is `tokenizer/vocabulary`. transformers 5 writes added tokens in tokenizer.json
 * alone: unlike the converter's, they count where the other files leave a row without a name, or a special token an ordinary
 * piece; `fromJson` lists them.
 */
export function sentencePieceVocabulary(
  model: Uint8Array,
  files: TokenizerFiles,
  rules: VocabularyRules,
  count: number,
): Vocabulary & { readonly fromJson: readonly string[] } {
  const { pieces, modelType } = readSentencePieceModel(model);
  if (modelType !== undefined && modelType !== BPE) {
    throw new StudioError(
      'tokenizer/unknown-pre',
      "tokenizer.model is a SentencePiece model that is not BPE (unigram, word or character), which llama.cpp would split differently for this architecture. Convert the model with llama.cpp's own converter if its authors publish GGUF files made that way.",
      { detail: { modelType } },
    );
  }
  const rows = paddedRows(count);
  pieces.forEach(({ text, score, type }, id) => {
    checkTokenFits(id, text, count);
    // The converter takes user-defined pieces for normal ones.
    set(rows, id, text, score, type === TOKEN_TYPE.userDefined ? TOKEN_TYPE.normal : type);
  });
  for (const [text, id] of Object.entries(files.addedTokens ?? {})) {
    overlay(rows, readRowId(id, text), text, false, 'userDefined');
  }
  const decoder = files.tokenizerConfig?.['added_tokens_decoder'];
  for (const [id, entry] of isJsonObject(decoder) ? Object.entries(decoder) : []) {
    overlayEntry(rows, Number(id), entry, rules);
  }
  const added = rules === 'phi3' ? files.tokenizerJson?.['added_tokens'] : undefined;
  for (const entry of Array.isArray(added) ? (added as readonly Json[]) : []) {
    overlayEntry(rows, isJsonObject(entry) ? entry['id'] : undefined, entry, rules);
  }
  const fromJson = rules === 'phi3' ? [] : overlayTokenizerJson(rows, files);
  return { model: 'llama', pre: 'default', ...rows, fromJson };
}

/** Names what only tokenizer.json names, and makes special what only it knows to be; the tokens that it changed. */
function overlayTokenizerJson(rows: Rows, files: TokenizerFiles): string[] {
  const { vocab, addedTokens } =
    files.tokenizerJson === undefined
      ? { vocab: new Map<string, number>(), addedTokens: [] }
      : readTokenizerJson(files.tokenizerJson, files.tokenizerConfig);
  const isUnnamed = (id: number): boolean => rows.types[id] === TOKEN_TYPE.unused && rows.tokens[id] === `[PAD${id}]`;
  // Before transformers 5 they stood in tokenizer_config.json as well, and what is not there was left out on purpose.
  const isAlone = !isJsonObject(files.tokenizerConfig?.['added_tokens_decoder']);
  const changed: string[] = [];
  for (const { id, content, special } of addedTokens) {
    const isPiece = rows.types[id] === TOKEN_TYPE.normal && rows.tokens[id] === content && (special || isAlone);
    if (id < rows.tokens.length && (isUnnamed(id) || isPiece)) {
      overlay(rows, id, content, special, 'looks');
      changed.push(content);
    }
  }
  for (const [token, id] of vocab) {
    if (id < rows.tokens.length && isUnnamed(id)) {
      set(rows, id, token, ADDED_SCORE, TOKEN_TYPE.normal);
      changed.push(token);
    }
  }
  return changed;
}

function readRowId(id: Json | undefined, text: string): number {
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0) {
    throw invalidTokenizer(`the added token ${JSON.stringify(text.slice(0, 60))} has no usable id`);
  }
  return id;
}

function overlayEntry(rows: Rows, id: Json | undefined, entry: Json | undefined, rules: VocabularyRules): void {
  const content = isJsonObject(entry) ? entry['content'] : undefined;
  if (!isJsonObject(entry) || typeof content !== 'string') {
    throw invalidTokenizer('an added token has no text');
  }
  overlay(rows, readRowId(id, content), content, entry['special'] === true, rules === 'phi3' ? 'phi3' : 'looks');
}

/** `userDefined`: always; `looks`: control also by its looks, else with real spaces; `phi3`: by the flag alone. */
function overlay(
  rows: Rows,
  id: number,
  content: string,
  special: boolean,
  rule: 'userDefined' | 'looks' | 'phi3',
): void {
  if (id >= rows.tokens.length) {
    return;
  }
  if (rule === 'looks') {
    const { text, type } = addedTokenEntry(content, special);
    set(rows, id, text, ADDED_SCORE, type);
  } else {
    set(rows, id, content, ADDED_SCORE, special ? TOKEN_TYPE.control : TOKEN_TYPE.userDefined);
  }
}

/**
 * The `llama` vocabulary of a tokenizer.json that transformers 5 wrote from a SentencePiece model and that came without
 * `tokenizer.model`. llama.cpp merges by score, so each token's score is the negated rank of the merge that makes it; tokens
 * that no merge makes come after all others. (The converter writes -1000 everywhere, and texts then split differently.)
 */
export function derivedVocabulary(tokenizer: TokenizerJson, rowCount: number): Vocabulary {
  const rows = paddedRows(rowCount);
  const ranks = new Map<string, number>();
  tokenizer.merges.forEach(([left, right], rank) => {
    const merged = left + right;
    if (!ranks.has(merged)) {
      ranks.set(merged, rank);
    }
  });
  const added = new Set(tokenizer.addedTokens.map(({ content }) => content));
  for (const [token, id] of tokenizer.vocab) {
    if (id >= rowCount && added.has(token)) {
      continue;
    }
    checkTokenFits(id, token, rowCount);
    const byte = /^<0x[\dA-Fa-f]{2}>$/.test(token);
    set(
      rows,
      id,
      token,
      byte ? 0 : 0 - (ranks.get(token) ?? tokenizer.merges.length),
      byte ? TOKEN_TYPE.byte : TOKEN_TYPE.normal,
    );
  }
  // Gemma 3's 1 B model has an added token for images and no row for it: what cannot be looked up is left out, as with tokenizer.model.
  for (const { id, content, special } of tokenizer.addedTokens.filter((token) => token.id < rowCount)) {
    const { text, type } = addedTokenEntry(content, special);
    set(rows, id, text, ADDED_SCORE, type);
  }
  return { model: 'llama', pre: 'default', ...rows };
}
