import { fromByteAlphabet } from './byteAlphabet';
import type { TokenizerJson } from './tokenizerJson';
import { TOKEN_TYPE } from '../../gguf/tokenType';
import { addedTokenEntry, checkTokenFits, type Vocabulary } from './vocabulary';

/** Letters that stand for themselves in a text and for another byte in the byte alphabet. */
const LATIN_1 = /[\u00A1-\u00FF]/;

/**
 * Byte-level BPE as `gpt2` vocabulary: tokens in id order, rows without a token filled with `[PAD{id}]`. Added tokens that are
 * matched before normalisation are stored as they come back from decoding, as the converter does (`Ġ` is a space); but not
 * those with Latin-1 letters, which that would garble: they are matched as they are written, and `kept` lists them.
 * `tokenizer/vocabulary` when an id has no row.
 */
export function bpeVocabulary(
  tokenizer: TokenizerJson,
  pre: string,
  rows: number,
): Vocabulary & { readonly kept: readonly string[] } {
  const kept: string[] = [];
  const tokens = new Array<string>(rows).fill('');
  const types = new Int32Array(rows).fill(TOKEN_TYPE.unused);
  const place = (id: number, token: string, text: string, type: number): void => {
    checkTokenFits(id, token, rows);
    tokens[id] = text;
    types[id] = type;
  };
  for (const [token, id] of tokenizer.vocab) {
    place(id, token, token, TOKEN_TYPE.normal);
  }
  for (const { id, content, special, normalized } of tokenizer.addedTokens.filter(
    (token) => token.implied !== true || token.id < rows,
  )) {
    const decoded = normalized ? content : fromByteAlphabet(content);
    const isKept = decoded !== content && LATIN_1.test(content);
    if (isKept) {
      kept.push(content);
    }
    const entry = addedTokenEntry(isKept ? content : decoded, special);
    place(id, content, entry.text, entry.type);
  }
  types.forEach((type, id) => {
    if (type === TOKEN_TYPE.unused) {
      tokens[id] = `[PAD${id}]`;
    }
  });
  return { model: 'gpt2', pre, tokens, types, kept };
}

/** `tokenizer.ggml.merges`: pairs joined by a space, spaces within a part spelt as the byte alphabet does. */
export function mergeStrings(merges: readonly (readonly [string, string])[]): string[] {
  const spell = (part: string): string => part.replaceAll(' ', '\u0120');
  return merges.map(([left, right]) => `${spell(left)} ${spell(right)}`);
}
