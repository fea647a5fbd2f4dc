import { diffSequences } from '../diffSequences';

/** A stretch of a prompt; `differs` where the other prompt has no counterpart for it. */
export interface MarkedPart {
  readonly text: string;
  readonly differs: boolean;
}

/** Two prompts, marked against each other. The parts of each together are its prompt. */
export interface MarkedPair {
  readonly own: readonly MarkedPart[];
  readonly file: readonly MarkedPart[];
}

/** Two letters that happen to be the same between longer changes tell nothing. */
const ACCIDENT = 2;

/** Marks by character; neighbours of one kind are one part. */
export function markCharacters(own: string, file: string): MarkedPair {
  const [left, right] = [Array.from(own), Array.from(file)];
  const marks = diffSequences(left, right);
  dropAccidents(marks.left, marks.right);
  return { own: joined(left, marks.left), file: joined(right, marks.right) };
}

/** Marks by token; every token is a part of its own. */
export function markTokens(
  own: readonly { readonly id: number; readonly text: string }[],
  file: readonly { readonly id: number; readonly text: string }[],
): MarkedPair {
  const marks = diffSequences(
    own.map(({ id }) => id),
    file.map(({ id }) => id),
  );
  const parts = (tokens: typeof own, differ: Uint8Array): MarkedPart[] =>
    tokens.map(({ text }, index) => ({ text, differs: differ[index] === 1 }));
  return { own: parts(own, marks.left), file: parts(file, marks.right) };
}

/** What is the same comes in the same order on both sides: one walk sees each run with the changes around it. */
function dropAccidents(left: Uint8Array, right: Uint8Array): void {
  let [x, y] = [0, 0];
  for (;;) {
    let [startX, startY] = [x, y];
    while (left[x] === 1) {
      x += 1;
    }
    while (right[y] === 1) {
      y += 1;
    }
    const changed = x - startX + y - startY;
    [startX, startY] = [x, y];
    while (x < left.length && y < right.length && left[x] === 0 && right[y] === 0) {
      x += 1;
      y += 1;
    }
    const same = x - startX;
    if (same === 0) {
      return;
    }
    const isBetween = left[x] === 1 || right[y] === 1;
    if (isBetween && same <= ACCIDENT && changed > 2 * ACCIDENT) {
      left.fill(1, startX, x);
      right.fill(1, startY, y);
    }
  }
}

function joined(characters: readonly string[], differ: Uint8Array): MarkedPart[] {
  const parts: MarkedPart[] = [];
  let start = 0;
  for (let at = 1; at <= characters.length; at += 1) {
    if (at === characters.length || differ[at] !== differ[start]) {
      parts.push({ text: characters.slice(start, at).join(''), differs: differ[start] === 1 });
      start = at;
    }
  }
  return parts;
}
