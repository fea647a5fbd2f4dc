import { didYouMean } from './didYouMean';
import { diagnostic, edit, fix, suggestion, type Diagnostic } from './diagnostic';
import { DIAGNOSTICS, isDiagnosticCode } from './diagnosticCodes';
import type { LineIndex } from './lineIndex';
import type { ParsedModelfile } from './modelfileTypes';

const PATTERN = /^#[ \t]*modelfile-studio:[ \t]*ignore\b(.*)$/s;

/** Codes that comments silence, by the 0-based line that they silence. */
export interface Suppressions {
  readonly byLine: ReadonlyMap<number, ReadonlySet<string>>;
  /** Words in such comments that are no codes. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads `# modelfile-studio: ignore CODE…` comments: each silences the codes on the next line that is no comment.
 * Several codes are separated by spaces or commas; `modelfile/` may be left out.
 */
export function readSuppressions({ text, comments }: ParsedModelfile, lines: LineIndex): Suppressions {
  const byLine = new Map<number, Set<string>>();
  const diagnostics: Diagnostic[] = [];
  let pending = new Set<string>();
  let pendingLine = -1;
  for (const span of comments) {
    const line = lines.position(span.start).line;
    const codes = line === pendingLine ? pending : new Set<string>();
    const match = PATTERN.exec(text.slice(span.start, span.end));
    if (match !== null) {
      const at = span.end - (match[1] ?? '').length;
      for (const word of (match[1] ?? '').matchAll(/[^\s,]+/g)) {
        const code = word[0].includes('/') ? word[0] : `modelfile/${word[0]}`;
        if (isDiagnosticCode(code)) {
          codes.add(code);
        } else {
          const start = at + word.index;
          const meant = didYouMean(code, Object.keys(DIAGNOSTICS));
          const span = { start, end: start + word[0].length };
          const fixes = meant === undefined ? [] : [fix(`Write ${meant}`, false, edit(span, meant))];
          diagnostics.push(diagnostic('modelfile/unknown-ignore', span, { word: word[0], suggestion: suggestion(meant) }, { fixes }));
        }
      }
    }
    pending = codes;
    pendingLine = line + 1;
    if (codes.size > 0) {
      byLine.set(line + 1, codes);
    }
  }
  return { byLine, diagnostics };
}
