import { didYouMean } from './didYouMean';
import { edit, fix, suggestion } from './diagnostic';
import { DIAGNOSTICS, isDiagnosticCode } from './diagnosticCodes';
import type { LintContext } from './lintContext';
import type { Span } from './modelfileTypes';

const PATTERN = /^#[ \t]*modelfile-studio:[ \t]*ignore\b(.*)$/s;

/** Codes that comments silence, by the 0-based line that they silence. */
export type Suppressions = ReadonlyMap<number, ReadonlySet<string>>;

/**
 * Reads `# modelfile-studio: ignore CODE…` comments: each silences the codes on the next line that is no comment.
 * Several codes are separated by spaces or commas; `modelfile/` may be left out. Words that are no codes are reported.
 */
export function readSuppressions(context: LintContext): Suppressions {
  const {
    lines,
    parsed: { text, comments },
  } = context;
  const byLine = new Map<number, Set<string>>();
  let pending = new Set<string>();
  let pendingLine = -1;
  // Most texts have no such comment, and lines need not be counted for them.
  const first = text.indexOf('modelfile-studio');
  for (const span of first < 0 ? [] : comments) {
    const match = span.end < first ? null : PATTERN.exec(text.slice(span.start, span.end));
    if (match === null && pending.size === 0) {
      continue;
    }
    const line = lines.position(span.start).line;
    const codes = line === pendingLine ? pending : new Set<string>();
    if (match !== null) {
      const at = span.end - (match[1] ?? '').length;
      for (const word of (match[1] ?? '').matchAll(/[^\s,]+/g)) {
        const code = word[0].includes('/') ? word[0] : `modelfile/${word[0]}`;
        if (isDiagnosticCode(code)) {
          codes.add(code);
        } else {
          const start = at + word.index;
          unknownCode(context, { start, end: start + word[0].length }, code);
        }
      }
    }
    pending = codes;
    pendingLine = line + 1;
    if (codes.size > 0) {
      byLine.set(line + 1, codes);
    }
  }
  return byLine;
}

function unknownCode(context: LintContext, span: Span, code: string): void {
  if (context.isEnough('modelfile/unknown-ignore', span)) {
    return;
  }
  const meant = didYouMean(code, Object.keys(DIAGNOSTICS));
  const fixes = meant === undefined ? [] : [fix(`Write ${meant}`, false, edit(span, meant))];
  context.report(
    'modelfile/unknown-ignore',
    span,
    { word: context.text.slice(span.start, span.end), suggestion: suggestion(meant) },
    { fixes },
  );
}
