import type { Diagnostic, TextEdit } from './diagnostic';
import { applyEdits } from './formatModelfile';

/** Sure fixes that do not touch one another, in the order of the diagnostics: what one pass applies. */
export function sureEdits(diagnostics: readonly Diagnostic[]): readonly TextEdit[] {
  const chosen: TextEdit[] = [];
  for (const { fixes } of diagnostics) {
    const sure = fixes.find((fix) => fix.isSure);
    if (sure !== undefined && sure.edits.every((edit) => !chosen.some((other) => touches(edit, other)))) {
      chosen.push(...sure.edits);
    }
  }
  return chosen;
}

/** Two insertions at one place touch, too: their order would be chance. */
function touches(a: TextEdit, b: TextEdit): boolean {
  return a.span.start <= b.span.end && b.span.start <= a.span.end;
}

/** One pass of sure fixes over a text; the same text when there are none. */
export function applySureFixes(text: string, diagnostics: readonly Diagnostic[]): string {
  return applyEdits(text, sureEdits(diagnostics));
}
