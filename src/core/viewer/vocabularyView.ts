import { displayLine, PREVIEW_UNITS } from './displayText';
import { kindOfToken, TOKEN_KINDS, type GgufVocabulary, type TokenKind } from './tokenizer/ggufVocabulary';
import { makeTextTokenizer, tokenText, type TextTokenizer } from './tokenizer/tokenizeText';
import type { AnswerOf, PageQuestion, TokenAnswer, VocabularyRowAnswer } from './viewerProtocol';

/** Tokens of a tried text that are shown. */
const SHOWN_TOKENS = 5000;

/** Searches a vocabulary and tries texts on it. */
export class VocabularyView {
  readonly #vocabulary: GgufVocabulary;
  readonly #kinds: readonly { readonly kind: TokenKind; readonly count: number }[];
  #tokenizer: TextTokenizer | string | undefined;
  #last: { readonly key: string; readonly ids: readonly number[] } | undefined;

  constructor(vocabulary: GgufVocabulary) {
    this.#vocabulary = vocabulary;
    const counts = new Map<TokenKind, number>();
    vocabulary.tokens.forEach((_, id) => {
      const kind = kindOfToken(vocabulary, id);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    });
    this.#kinds = TOKEN_KINDS.flatMap((kind) => (counts.has(kind) ? [{ kind, count: counts.get(kind)! }] : []));
  }

  /** A page of the tokens whose text, as stored or as it reads, holds the filter; a number finds the token of that id first. */
  page(question: Extract<PageQuestion, { ask: 'vocabulary' }>): AnswerOf<'vocabulary'> {
    const ids = this.#matching(question.filter, question.kind);
    const tokenizer = this.#made();
    return {
      start: question.start,
      total: ids.length,
      rows: ids.slice(question.start, question.start + question.count).map((id) => this.#row(id)),
      model: displayLine(this.#vocabulary.model, 60),
      pre: displayLine(this.#vocabulary.pre, 60),
      merges: this.#vocabulary.merges.length,
      kinds: this.#kinds.map((kind) => ({ ...kind })),
      refusal: typeof tokenizer === 'string' ? tokenizer : undefined,
      special: this.#special(),
    };
  }

  /** The tokens of a text as a runtime would see it. */
  tokenise(text: string): AnswerOf<'tokenise'> {
    const tokenizer = this.#made();
    if (typeof tokenizer === 'string') {
      return { tokens: [], total: 0, refusal: tokenizer };
    }
    const { bos, eos } = this.#vocabulary;
    const token = (id: number, added: boolean): TokenAnswer => ({
      id,
      text: displayLine(tokenText(this.#vocabulary, id), PREVIEW_UNITS),
      kind: kindOfToken(this.#vocabulary, id),
      added,
    });
    const ids = tokenizer.encode(text);
    const tokens = [
      ...(tokenizer.addsBos && bos !== undefined ? [token(bos, true)] : []),
      ...ids.slice(0, SHOWN_TOKENS).map((id) => token(id, false)),
      ...(tokenizer.addsEos && eos !== undefined ? [token(eos, true)] : []),
    ];
    return { tokens, total: ids.length };
  }

  #made(): TextTokenizer | string {
    this.#tokenizer ??= makeTextTokenizer(this.#vocabulary);
    return this.#tokenizer;
  }

  #matching(filter: string, kind: TokenKind | 'all'): readonly number[] {
    const key = JSON.stringify([filter, kind]);
    if (this.#last?.key !== key) {
      this.#last = { key, ids: this.#search(filter, kind) };
    }
    return this.#last.ids;
  }

  #search(filter: string, kind: TokenKind | 'all'): number[] {
    const { tokens } = this.#vocabulary;
    const wanted = filter.toLowerCase();
    const asId = /^\d+$/.test(filter.trim()) ? Number(filter.trim()) : undefined;
    const found: number[] = [];
    if (
      asId !== undefined &&
      asId < tokens.length &&
      (kind === 'all' || kindOfToken(this.#vocabulary, asId) === kind)
    ) {
      found.push(asId);
    }
    for (let id = 0; id < tokens.length; id++) {
      const isKind = kind === 'all' || kindOfToken(this.#vocabulary, id) === kind;
      if (
        isKind &&
        id !== asId &&
        (wanted === '' ||
          tokens[id]!.toLowerCase().includes(wanted) ||
          tokenText(this.#vocabulary, id).toLowerCase().includes(wanted))
      ) {
        found.push(id);
      }
    }
    return found;
  }

  #row(id: number): VocabularyRowAnswer {
    return {
      id,
      text: displayLine(tokenText(this.#vocabulary, id), PREVIEW_UNITS),
      stored: displayLine(this.#vocabulary.tokens[id] ?? '', PREVIEW_UNITS),
      kind: kindOfToken(this.#vocabulary, id),
      score: this.#vocabulary.scores === undefined ? undefined : finite(this.#vocabulary.scores[id]),
    };
  }

  #special(): { role: string; id: number; text: string }[] {
    const { bos, eos, unknown, tokens } = this.#vocabulary;
    return (
      [
        ['BOS', bos],
        ['EOS', eos],
        ['Unknown', unknown],
      ] as const
    ).flatMap(([role, id]) => (id === undefined ? [] : [{ role, id, text: displayLine(tokens[id] ?? '', 80) }]));
  }
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
