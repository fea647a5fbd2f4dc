import { edit, fix, quoted, type Fix } from '../diagnostic';
import type { LintContext } from '../lintContext';
import type { Span } from '../modelfileTypes';

/** Longer values are not searched: nobody reads so far for a closing quote. */
const SEARCHED = 20_000;

/**
 * The closing quotes of a value that do not close it, for something stands behind them on their line: most often a comment.
 * @param span from the opening quotes to where the value ends at the latest
 * @param quote `"` or `"""`
 */
export function textBehindQuote(
  { text, lines, newline, parsed }: LintContext,
  { start, end }: Span,
  quote: string,
): { readonly suggestion: string; readonly fix?: Fix | undefined } | undefined {
  const source = text.slice(start, Math.min(end, start + SEARCHED));
  const pattern =
    quote === '"""' ? /"""[ \t]*([^\s"][^\r\n]*)(?=\r?\n|$)/g : /^"[^"\r\n]*"[ \t]*([^\s"][^\r\n]*)(?=\r?\n|$)/g;
  pattern.lastIndex = quote === '"""' ? 3 : 0;
  const match = pattern.exec(source);
  const behind = match?.[1];
  if (match === null || behind === undefined) {
    return undefined;
  }
  const behindAt = start + match.index + match[0].length - behind.length;
  const quoteEnd = behindAt - (text.slice(start, behindAt).length - text.slice(start, behindAt).trimEnd().length);
  const owner = parsed.instructions.find(({ value }) => value?.span.start === start);
  const suggestion = ` The ${quote} in line ${lines.position(behindAt).line + 1} does not close it, for ${quoted(behind)} stands behind it.`;
  if (owner === undefined || !behind.startsWith('#')) {
    return { suggestion };
  }
  const at = owner.span.start;
  return {
    suggestion,
    fix: fix(
      'Move the comment above',
      true,
      edit({ start: at, end: at }, `${behind.trimEnd()}${newline}`),
      edit({ start: quoteEnd, end: behindAt + behind.length }, ''),
    ),
  };
}
