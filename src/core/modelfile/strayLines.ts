import { endOfLine, isBlank, isNewline } from './characters';
import type { Span } from './modelfileTypes';
import { scanValue } from './scanValue';

/** A line (or a quoted value over several) that begins with no instruction. */
export interface StrayLine extends Span {
  /** The word that it begins with. */
  readonly word: string;
  /** What follows the word, trimmed; quotes included. */
  readonly rest: string;
}

/** The lines of a stretch of a Modelfile that Ollama's parser would stumble on, split as that parser reads them. */
export function strayLines(text: string, { start, end }: Span): readonly StrayLine[] {
  const lines: StrayLine[] = [];
  let at = start;
  while (at < end) {
    const unit = text.charCodeAt(at);
    if (isNewline(unit) || isBlank(unit)) {
      at += 1;
      continue;
    }
    const begin = at;
    while (at < end && !isBlank(text.charCodeAt(at)) && !isNewline(text.charCodeAt(at))) {
      at += 1;
    }
    const wordEnd = at;
    while (at < end && isBlank(text.charCodeAt(at))) {
      at += 1;
    }
    const quoted = at > wordEnd && text[at] === '"' ? scanValue(text, at, end).value : undefined;
    const lineEnd = quoted?.closed === true ? quoted.span.end : Math.min(endOfLine(text, at), end);
    lines.push({
      start: begin,
      end: lineEnd,
      word: text.slice(begin, wordEnd),
      rest: text.slice(wordEnd, lineEnd).trim(),
    });
    at = Math.max(lineEnd, at);
  }
  return lines;
}
