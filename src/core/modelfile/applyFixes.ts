import { append } from '../append';
import type { Diagnostic, Fix, TextEdit } from './diagnostic';
import { applyEdits } from './formatModelfile';

/** Fixes can make room for others; after these many rounds something goes in circles. */
const MAX_ROUNDS = 10;

/** A text after all sure fixes, with what is found in it then. */
export interface FixedText {
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
  /** The edits of the first round, where that was the only one: they touch less than a comparison of the texts would. */
  readonly edits?: readonly TextEdit[] | undefined;
}

/**
 * Rounds of sure fixes until none is left. What a round makes is linted again: a fix that leaves more errors and warnings than there
 * were, or a finding of a new kind in a file that Ollama takes, is taken back, whatever its rule thought of it.
 */
export async function fixAll(
  text: string,
  diagnostics: readonly Diagnostic[],
  lint: (text: string) => Promise<readonly Diagnostic[]>,
): Promise<FixedText> {
  const refused = new Set<string>();
  let current: FixedText = { text, diagnostics };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const fixes = sureFixes(current.diagnostics, refused);
    const edits = fixes.flatMap((fix) => fix.edits);
    const next = applyEdits(current.text, edits);
    if (next === current.text) {
      break;
    }
    const found = await lint(next);
    if (!isWorse(current.diagnostics, found)) {
      current = { text: next, diagnostics: found, edits: round === 0 ? edits : undefined };
    } else if (fixes.length === 1) {
      refused.add(keyOf(fixes[0]));
    } else {
      await refuseWorse(current, fixes, lint, refused);
    }
  }
  return current;
}

/** Marks those fixes of a round that alone leave a worse text; all, where none does but they do together. */
async function refuseWorse(
  { text, diagnostics }: FixedText,
  fixes: readonly Fix[],
  lint: (text: string) => Promise<readonly Diagnostic[]>,
  refused: Set<string>,
): Promise<void> {
  const before = refused.size;
  for (const fix of fixes) {
    if (isWorse(diagnostics, await lint(applyEdits(text, fix.edits)))) {
      refused.add(keyOf(fix));
    }
  }
  if (refused.size === before) {
    fixes.forEach((fix) => refused.add(keyOf(fix)));
  }
}

function isWorse(before: readonly Diagnostic[], after: readonly Diagnostic[]): boolean {
  if (weight(after) > weight(before)) {
    return true;
  }
  // Errors hide what the rest of a file is like.
  const codes = new Set(before.map(({ code }) => code));
  const wasTaken = !before.some(({ severity }) => severity === 'error');
  return wasTaken && after.some(({ code, severity }) => severity !== 'hint' && !codes.has(code));
}

function weight(diagnostics: readonly Diagnostic[]): number {
  return diagnostics.filter(({ severity }) => severity === 'error' || severity === 'warning').length;
}

function keyOf(fix: Fix | undefined): string {
  return JSON.stringify([fix?.title, fix?.edits]);
}

/** Sure fixes that do not touch one another, in the order of the diagnostics: what one round applies. */
function sureFixes(diagnostics: readonly Diagnostic[], refused: ReadonlySet<string>): readonly Fix[] {
  const chosen: Fix[] = [];
  const edits: TextEdit[] = [];
  for (const { fixes } of diagnostics) {
    const sure = fixes.find((fix) => fix.isSure && !refused.has(keyOf(fix)));
    if (sure !== undefined && sure.edits.every((edit) => !edits.some((other) => touches(edit, other)))) {
      chosen.push(sure);
      append(edits, sure.edits);
    }
  }
  return chosen;
}

/** Two insertions at one place touch, too: their order would be chance. */
function touches(a: TextEdit, b: TextEdit): boolean {
  return a.span.start <= b.span.end && b.span.start <= a.span.end;
}
