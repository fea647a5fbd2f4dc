/** A piece of text on its way to tokens; `next` and `previous` are positions, -1 at the ends. */
interface Joint {
  text: string;
  previous: number;
  next: number;
}

interface Merge {
  readonly left: number;
  readonly right: number;
  /** Lower comes first; at the same cost, the leftmost. */
  readonly cost: number;
  /** What the two were when the merge was found. */
  readonly text: string;
}

/**
 * Joins neighbouring symbols, the cheapest pair first, until `cost` knows no pair any more: the loop of both byte pair
 * encoding (cost = rank of the merge) and SentencePiece (cost = -score of the joined token). In n log n for n symbols.
 */
export function mergeSymbols(
  characters: readonly string[],
  cost: (left: string, right: string) => number | undefined,
): string[] {
  const symbols = characters.map((text, at): Joint => ({
    text,
    previous: at - 1,
    next: at + 1 < characters.length ? at + 1 : -1,
  }));
  const queue = new MergeQueue();
  const offer = (left: number, right: number): void => {
    if (left < 0 || right < 0) {
      return;
    }
    const [a, b] = [symbols[left]!.text, symbols[right]!.text];
    const found = cost(a, b);
    if (found !== undefined) {
      queue.push({ left, right, cost: found, text: a + b });
    }
  };
  for (let at = 1; at < symbols.length; at++) {
    offer(at - 1, at);
  }
  for (let merge = queue.pop(); merge !== undefined; merge = queue.pop()) {
    const left = symbols[merge.left]!;
    const right = symbols[merge.right]!;
    // Either may have been joined with something else since.
    if (left.text === '' || right.text === '' || left.text + right.text !== merge.text) {
      continue;
    }
    left.text = merge.text;
    right.text = '';
    left.next = right.next;
    if (right.next >= 0) {
      symbols[right.next]!.previous = merge.left;
    }
    offer(left.previous, merge.left);
    offer(merge.left, left.next);
  }
  return symbols.map(({ text }) => text).filter((text) => text !== '');
}

/** A binary heap: cheapest merge on top. */
class MergeQueue {
  readonly #heap: Merge[] = [];

  push(merge: Merge): void {
    const heap = this.#heap;
    let at = heap.push(merge) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(merge, heap[parent]!)) {
        break;
      }
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = merge;
  }

  pop(): Merge | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) {
      return top;
    }
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) {
        break;
      }
      const child = left + 1 < heap.length && isBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left;
      if (!isBefore(heap[child]!, last)) {
        break;
      }
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function isBefore(a: Merge, b: Merge): boolean {
  return a.cost < b.cost || (a.cost === b.cost && a.left < b.left);
}
