/** Letters and digits of scripts that tokenizers cut into about one token a character. */
const DENSE = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u{20000}-\u{3ffff}]/gu;

/** Longer runs of letters are no words that a tokenizer knows. */
const LONGEST_WORD = 20;

function lettersPerToken(word: string): number {
  return word.charCodeAt(0) >= 0x370 ? 3 : word.length > LONGEST_WORD ? 4 : 6;
}

/**
 * About how many tokens a text is: a word counts one for every six of its Latin letters begun (every four of a run
 * that is no word), or every three of others; figures and signs one for every two, Chinese, Japanese and Korean characters one each.
 */
export function estimateTokens(text: string): number {
  const dense = text.match(DENSE)?.length ?? 0;
  const words = text.match(/[A-Za-z\u00c0-\u024f\u0370-\u06ff\u0900-\u0dff]+/g) ?? [];
  const inWords = words.reduce((sum, word) => sum + Math.ceil(word.length / lettersPerToken(word)), 0);
  const rest =
    text.match(/[^\sA-Za-z\u00c0-\u024f\u0370-\u06ff\u0900-\u0dff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/g)?.length ??
    0;
  return dense + inWords + Math.ceil(rest / 2);
}
