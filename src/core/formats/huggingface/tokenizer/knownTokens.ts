import { isJsonObject, type Json } from '../../../json';
import type { TokenizerFiles } from '../huggingFaceModel';
import { readSentencePieceModel } from './sentencePieceModel';
import { readTokenizerJson, tokenizerJsonFromParts } from './tokenizerJson';

/**
 * What the files of a folder call each row of an embedding: ids to texts, before any padding. Empty for a folder without a
 * tokenizer. A token that two files know by the same id has the text of tokenizer.model, then of added_tokens.json,
 * tokenizer_config.json and tokenizer.json.
 * @throws StudioError tokenizer/invalid
 */
export function knownTokens(files: TokenizerFiles): Map<number, string> {
  const known = new Map<number, string>();
  const add = (id: Json | undefined, text: Json | undefined): void => {
    if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 && typeof text === 'string' && !known.has(id)) {
      known.set(id, text);
    }
  };
  if (files.tokenizerModel !== undefined) {
    readSentencePieceModel(files.tokenizerModel).pieces.forEach(({ text }, id) => add(id, text));
  }
  Object.entries(files.addedTokens ?? {}).forEach(([text, id]) => add(id, text));
  const decoder = files.tokenizerConfig?.['added_tokens_decoder'];
  for (const [id, entry] of isJsonObject(decoder) ? Object.entries(decoder) : []) {
    add(/^\d{1,9}$/.test(id) ? Number(id) : undefined, isJsonObject(entry) ? entry['content'] : undefined);
  }
  const json = files.tokenizerJson ?? tokenizerJsonFromParts(files);
  if (json !== undefined) {
    const { vocab, addedTokens } = readTokenizerJson(json, files.tokenizerConfig);
    vocab.forEach((id, text) => add(id, text));
    addedTokens.forEach(({ id, content }) => add(id, content));
  }
  return known;
}

/** True where the files hold a tokenizer, and not only settings of one. */
export function hasTokenizer(files: TokenizerFiles): boolean {
  return files.tokenizerJson !== undefined || files.tokenizerModel !== undefined || files.vocab !== undefined;
}
