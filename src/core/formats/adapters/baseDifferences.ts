import type { BaseTensorShape } from './baseTensorShape';

/** Modules whose input, or else output, is as wide as the hidden state. */
const READS_HIDDEN =
  /\.(?:q_proj|k_proj|v_proj|qkv_proj|gate_proj|up_proj|gate_up_proj)\.weight$|^(?:lm_head|model\.embed_tokens)\.weight$/;
const WRITES_HIDDEN = /\.(?:o_proj|down_proj)\.weight$/;

/**
 * The hidden sizes that an adapter and a base disagree about, with the module that shows it; undefined when their
 * difference is another. Wanted shapes are [out, in] by tensor name.
 */
export function hiddenSizes(
  wanted: readonly (readonly [string, readonly number[]])[],
  base: ReadonlyMap<string, BaseTensorShape>,
): { readonly adapter: number; readonly base: number; readonly module: string } | undefined {
  for (const [name, shape] of wanted) {
    const axis = READS_HIDDEN.test(name) ? 1 : WRITES_HIDDEN.test(name) ? 0 : undefined;
    const found = base.get(name)?.shape;
    if (axis === undefined || found?.length !== 2 || shape.length !== 2) {
      continue;
    }
    if (shape[axis] !== found[axis]) {
      return { adapter: shape[axis]!, base: found[axis]!, module: name.replace(/\.weight$/, '') };
    }
  }
  return undefined;
}

/** Number of layers that these tensor names count up to; 0 for none. */
export function layersOf(names: Iterable<string>): number {
  let layers = 0;
  for (const name of names) {
    const index = /^model\.layers\.(\d{1,5})\./.exec(name)?.[1];
    layers = Math.max(layers, index === undefined ? 0 : Number(index) + 1);
  }
  return layers;
}

/** So many base names are compared at most: a distance costs the product of two lengths. */
const CANDIDATES = 4_000;

/** Up to three of `names` that differ least from `name`, and not by more than half of it. */
export function nearestNames(name: string, names: Iterable<string>): string[] {
  const scored: [number, string][] = [];
  for (const candidate of names) {
    if (scored.length >= CANDIDATES) {
      break;
    }
    scored.push([editDistance(name, candidate), candidate]);
  }
  const limit = name.length / 2;
  return scored
    .filter(([distance]) => distance <= limit)
    .sort((a, b) => a[0] - b[0])
    .slice(0, 3)
    .map(([, candidate]) => candidate);
}

/** Levenshtein's distance; common beginnings and ends cost nothing. */
function editDistance(a: string, b: string): number {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) {
    start++;
  }
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) {
    end++;
  }
  const left = a.slice(start, Math.min(a.length - end, start + 100));
  const right = b.slice(start, Math.min(b.length - end, start + 100));
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 0; i < left.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < right.length; j++) {
      const substituted = row[j]! + (left[i] === right[j] ? 0 : 1);
      next.push(Math.min(substituted, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
