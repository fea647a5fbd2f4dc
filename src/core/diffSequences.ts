/** Which elements of two sequences have no counterpart in the other: 1 where they differ, 0 where they are the same. */
export interface SequenceMarks {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
}

/** Edits beyond which nobody looks for the shortest way: what lies between the same beginnings and ends then differs as a whole. */
const MAX_EDITS = 1200;

/**
 * The shortest way from one sequence to another, after Myers, “An O(ND) Difference Algorithm and Its Variations” (1986). The work is
 * bounded by the number of edits, whatever the lengths.
 */
export function diffSequences(left: readonly unknown[], right: readonly unknown[]): SequenceMarks {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) {
    start += 1;
  }
  let end = 0;
  while (
    end < left.length - start &&
    end < right.length - start &&
    left[left.length - 1 - end] === right[right.length - 1 - end]
  ) {
    end += 1;
  }
  const marks = { left: new Uint8Array(left.length), right: new Uint8Array(right.length) };
  marks.left.fill(1, start, left.length - end);
  marks.right.fill(1, start, right.length - end);
  const [a, b] = [left.slice(start, left.length - end), right.slice(start, right.length - end)];
  const trace = furthestReaches(a, b);
  let [x, y] = [a.length, b.length];
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    // Where the way with one edit less had come to, on the diagonal from which this edit left.
    const before = trace[edits - 1];
    const diagonal = x - y;
    const isDown = before === undefined || comesFromAbove(before, edits - 1, diagonal, edits);
    const fromX = before === undefined ? 0 : reach(before, edits - 1, isDown ? diagonal + 1 : diagonal - 1);
    const fromY = before === undefined ? 0 : fromX - (isDown ? diagonal + 1 : diagonal - 1);
    const [sinceX, sinceY] = before === undefined ? [0, 0] : isDown ? [fromX, fromY + 1] : [fromX + 1, fromY];
    marks.left.fill(0, start + sinceX, start + x);
    marks.right.fill(0, start + sinceY, start + y);
    [x, y] = [fromX, fromY];
  }
  return marks;
}

/** For every number of edits, how far each diagonal from -edits to edits was reached; empty where there are too many. */
function furthestReaches(a: readonly unknown[], b: readonly unknown[]): readonly Int32Array[] {
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= Math.min(a.length + b.length, MAX_EDITS); edits += 1) {
    const reached = new Int32Array(2 * edits + 1).fill(-1);
    const before = trace.at(-1);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x =
        before === undefined
          ? 0
          : comesFromAbove(before, edits - 1, diagonal, edits)
            ? reach(before, edits - 1, diagonal + 1)
            : reach(before, edits - 1, diagonal - 1) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) {
        x += 1;
      }
      reached[diagonal + edits] = x;
      if (x >= a.length && x - diagonal >= b.length) {
        return [...trace, reached];
      }
    }
    trace.push(reached);
  }
  return [];
}

function reach(reached: Int32Array, edits: number, diagonal: number): number {
  return reached[diagonal + edits] ?? -1;
}

/** Whether a way to a diagonal goes by an element of the right sequence. */
function comesFromAbove(before: Int32Array, edits: number, diagonal: number, limit: number): boolean {
  return (
    diagonal === -limit ||
    (diagonal !== limit && reach(before, edits, diagonal - 1) < reach(before, edits, diagonal + 1))
  );
}
