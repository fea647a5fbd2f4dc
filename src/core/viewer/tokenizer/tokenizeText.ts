import { CHAR_TO_BYTE, toByteAlphabet } from '../../formats/huggingface/tokenizer/byteAlphabet';
import { kindOfToken, type GgufVocabulary, type TokenKind } from './ggufVocabulary';
import { mergeSymbols } from './mergeSymbols';
import { preTokenizerRules, splitText, type PreTokenizerRules } from './preTokenizers';

export interface Token {
  readonly id: number;
  /** As it reads: bytes decoded, U+2581 as a space. Tokens that hold a part of a character show U+FFFD. */
  readonly text: string;
  readonly kind: TokenKind;
}

/** Turns texts into the tokens that llama.cpp makes of them, the names of special tokens recognised. */
export interface TextTokenizer {
  /** Ids of the text alone, without BOS and EOS. */
  encode(text: string): number[];
  /** Whether the runtime puts BOS before a prompt. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
}

const ENCODER = new TextEncoder();
const SPACE_MARK = '\u2581';

/**
 * A tokenizer for a GGUF's vocabulary; a text that says why not, where its model or pre-tokenizer is not reproduced.
 * `gpt2` needs merges and a pre-tokenizer that is known, `llama` scores.
 */
export function makeTextTokenizer(vocabulary: GgufVocabulary): TextTokenizer | string {
  const ids = new Map<string, number>();
  // As in llama.cpp, of two tokens with one text the later one counts.
  vocabulary.tokens.forEach((token, id) => ids.set(token, id));
  const cutSpecial = specialCutter(vocabulary);
  if (vocabulary.model === 'gpt2' || vocabulary.model === 'gemma4') {
    const rules = preTokenizerRules(vocabulary.model === 'gemma4' ? 'gemma4' : vocabulary.pre);
    if (rules === undefined) {
      return `The pre-tokenizer ${JSON.stringify(vocabulary.pre.slice(0, 60))} is not reproduced here, so no text can be tried. The vocabulary can be searched.`;
    }
    const encodePiece = bytePairEncoder(vocabulary, ids, rules);
    return {
      addsBos: (rules.raw === true && rules.addBos === true) || (vocabulary.addBos ?? rules.addBos === true),
      addsEos: vocabulary.addEos ?? false,
      encode: (text) =>
        cutSpecial(text).flatMap((part) =>
          typeof part === 'number'
            ? [part]
            : splitText(rules.raw === true ? part.replaceAll(' ', SPACE_MARK) : part, rules.splits).flatMap(
                encodePiece,
              ),
        ),
    };
  }
  if (vocabulary.model === 'llama') {
    return sentencePiece(vocabulary, ids, cutSpecial);
  }
  return `Tokenizers of the kind ${JSON.stringify(vocabulary.model.slice(0, 60))} are not reproduced here, so no text can be tried. The vocabulary can be searched.`;
}

function bytePairEncoder(
  vocabulary: GgufVocabulary,
  ids: ReadonlyMap<string, number>,
  rules: PreTokenizerRules,
): (piece: string) => number[] {
  const ranks = new Map<string, number>();
  vocabulary.merges.forEach((merge, rank) => {
    if (!ranks.has(merge)) {
      ranks.set(merge, rank);
    }
  });
  const raw = rules.raw === true;
  return (piece) => {
    const word = raw ? piece : toByteAlphabet(piece);
    const whole = rules.ignoreMerges === true || (raw && /^\n+$/.test(word)) ? ids.get(word) : undefined;
    if (whole !== undefined) {
      return [whole];
    }
    const symbols = mergeSymbols(Array.from(word), (left, right) => ranks.get(`${left} ${right}`));
    return symbols.flatMap((symbol) => {
      const id = ids.get(symbol);
      return id === undefined ? byteIds(symbol, raw, ids) : [id];
    });
  };
}

/** The tokens of single bytes for what is no token itself; none where the vocabulary lacks them. */
function byteIds(symbol: string, raw: boolean, ids: ReadonlyMap<string, number>): number[] {
  const names = raw ? Array.from(ENCODER.encode(symbol), byteName) : Array.from(symbol);
  return names.map((name) => ids.get(name)).filter((id) => id !== undefined);
}

function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function sentencePiece(
  vocabulary: GgufVocabulary,
  ids: ReadonlyMap<string, number>,
  cutSpecial: (text: string) => (string | number)[],
): TextTokenizer | string {
  const { scores } = vocabulary;
  if (scores === undefined) {
    return 'The file has no scores for its SentencePiece tokens, so no text can be tried. The vocabulary can be searched.';
  }
  const cost = (left: string, right: string): number | undefined => {
    const id = ids.get(left + right);
    return id === undefined ? undefined : -scores[id]!;
  };
  const prefix = vocabulary.addSpacePrefix ?? true;
  const bytes = Array.from({ length: 256 }, (_, byte) => ids.get(byteName(byte)) ?? vocabulary.unknown);
  const encodeText = (text: string): number[] =>
    mergeSymbols(Array.from(text.replaceAll(' ', SPACE_MARK)), cost).flatMap((symbol) => {
      const id = ids.get(symbol);
      return id === undefined
        ? Array.from(ENCODER.encode(symbol), (byte) => bytes[byte]).filter((known) => known !== undefined)
        : [id];
    });
  return {
    addsBos: vocabulary.addBos ?? true,
    addsEos: vocabulary.addEos ?? false,
    encode: (text) => {
      let afterSpecial = true;
      return cutSpecial(text).flatMap((part) => {
        if (typeof part === 'number') {
          afterSpecial = true;
          return [part];
        }
        const spaced = prefix && afterSpecial ? ` ${part}` : part;
        afterSpecial = false;
        return encodeText(spaced);
      });
    },
  };
}

/**
 * Cuts a text at special tokens, longest name first over the whole text, as llama.cpp does: control, user-defined and unknown
 * tokens stand for themselves wherever their names appear.
 */
function specialCutter(vocabulary: GgufVocabulary): (text: string) => (string | number)[] {
  const special = vocabulary.tokens
    .map((token, id) => ({ token, id, kind: kindOfToken(vocabulary, id) }))
    .filter(({ token, kind }) => token !== '' && (kind === 'control' || kind === 'user-defined' || kind === 'unknown'))
    .sort((a, b) => ENCODER.encode(b.token).length - ENCODER.encode(a.token).length || a.id - b.id);
  return (text) => {
    let parts: (string | number)[] = text === '' ? [] : [text];
    for (const { token, id } of special) {
      if (text.includes(token)) {
        parts = parts.flatMap((part) => (typeof part === 'number' ? [part] : between(part.split(token), id)));
      }
    }
    return parts;
  };
}

function between(texts: readonly string[], id: number): (string | number)[] {
  return texts.flatMap((text, at) => [...(at === 0 ? [] : [id]), ...(text === '' ? [] : [text])]);
}

const LOSSY = new TextDecoder('utf-8', { ignoreBOM: true });

/** A token as it reads. */
export function tokenText(vocabulary: GgufVocabulary, id: number): string {
  const token = vocabulary.tokens[id] ?? '';
  const kind = kindOfToken(vocabulary, id);
  if (kind === 'control' || kind === 'user-defined' || kind === 'unknown') {
    return token;
  }
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token);
  if (byte !== null && (kind === 'byte' || vocabulary.model !== 'gpt2')) {
    return LOSSY.decode(Uint8Array.of(Number.parseInt(byte[1]!, 16)));
  }
  if (vocabulary.model !== 'gpt2') {
    return token.replaceAll(SPACE_MARK, ' ');
  }
  const bytes = Array.from(token, (character) => CHAR_TO_BYTE.get(character));
  return bytes.includes(undefined) ? token : LOSSY.decode(Uint8Array.from(bytes as number[]));
}
