import { displayLine } from './displayText';

/** A tensor as the table takes it; `undefined` where the file does not say it, or says nonsense. */
export interface TensorEntry {
  readonly name: string;
  readonly type: string;
  /** As the format has it: GGUF fastest dimension first, safetensors slowest first. */
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly offset: number | undefined;
  readonly bytes: number | undefined;
}

export interface TensorRow extends TensorEntry {
  /** Place in the file's own order. */
  readonly index: number;
  /** What is wrong with it. */
  readonly problem: string | undefined;
}

export const TENSOR_SORTS = ['file', 'name', 'type', 'shape', 'size', 'offset'] as const;
export type TensorSort = (typeof TENSOR_SORTS)[number];

export interface TensorSelection {
  /** Part of a name, a type or a shape; case does not count. Every word must be found. */
  readonly filter: string;
  readonly sort: TensorSort;
  readonly descending: boolean;
  /** Only tensors with a problem. */
  readonly onlyProblems?: boolean | undefined;
}

/**
 * The tensors of a file, column by column: a header can announce 1.4 million of them, and an object for each would take
 * gigabytes. Filled once, then read.
 */
export class TensorTable {
  readonly #names: string[] = [];
  readonly #types: number[] = [];
  readonly #offsets: number[] = [];
  readonly #bytes: number[] = [];
  /** Dimensions of all tensors end to end, and where each one's begin. */
  readonly #dimensions: number[] = [];
  readonly #starts: number[] = [0];
  readonly #typeNames: string[] = [];
  readonly #typeNumbers = new Map<string, number>();
  readonly #problems = new Map<number, string>();
  #last: { readonly key: string; readonly order: Uint32Array } | undefined;

  get length(): number {
    return this.#names.length;
  }

  get problemCount(): number {
    return this.#problems.size;
  }

  /** Adds a tensor and returns its index. */
  add(entry: TensorEntry): number {
    this.#names.push(entry.name);
    this.#types.push(this.#typeNumber(entry.type));
    this.#offsets.push(entry.offset ?? NaN);
    this.#bytes.push(entry.bytes ?? NaN);
    for (const dimension of entry.shape) {
      this.#dimensions.push(dimension);
    }
    this.#starts.push(this.#dimensions.length);
    return this.#names.length - 1;
  }

  /** Marks a tensor; the first thing said of it stands. */
  mark(index: number, problem: string): void {
    if (!this.#problems.has(index)) {
      this.#problems.set(index, problem);
    }
  }

  name(index: number): string {
    return this.#names[index]!;
  }

  type(index: number): string {
    return this.#typeNames[this.#types[index]!]!;
  }

  shape(index: number): readonly number[] {
    return this.#dimensions.slice(this.#starts[index], this.#starts[index + 1]);
  }

  /** Number of elements; 1 for a scalar. */
  elements(index: number): number {
    let product = 1;
    for (let at = this.#starts[index]!; at < this.#starts[index + 1]!; at++) {
      product *= this.#dimensions[at]!;
    }
    return product;
  }

  offset(index: number): number | undefined {
    return known(this.#offsets[index]);
  }

  bytes(index: number): number | undefined {
    return known(this.#bytes[index]);
  }

  row(index: number): TensorRow {
    return {
      index,
      name: this.name(index),
      type: this.type(index),
      shape: this.shape(index),
      offset: this.offset(index),
      bytes: this.bytes(index),
      problem: this.#problems.get(index),
    };
  }

  /** Indices of the tensors that a selection shows, in its order. The last answer is kept: pages of one selection cost nothing. */
  select(selection: TensorSelection): Uint32Array {
    const key = JSON.stringify([
      selection.filter,
      selection.sort,
      selection.descending,
      selection.onlyProblems === true,
    ]);
    if (this.#last?.key !== key) {
      this.#last = { key, order: this.#sorted(this.#matching(selection), selection) };
    }
    return this.#last.order;
  }

  /** Tensors, elements and bytes by type, most bytes first; of tensors without a known size only their number. */
  mix(): { readonly type: string; readonly tensors: number; readonly elements: number; readonly bytes: number }[] {
    const sums = this.#typeNames.map((type) => ({ type, tensors: 0, elements: 0, bytes: 0 }));
    for (let index = 0; index < this.length; index++) {
      const sum = sums[this.#types[index]!]!;
      const bytes = this.bytes(index);
      sum.tensors++;
      // A shape that no tensor can have must not drown the sum.
      sum.elements += bytes === undefined ? 0 : this.elements(index);
      sum.bytes += bytes ?? 0;
    }
    return sums.sort((a, b) => b.bytes - a.bytes);
  }

  #typeNumber(type: string): number {
    let number = this.#typeNumbers.get(type);
    if (number === undefined) {
      number = this.#typeNames.push(type) - 1;
      this.#typeNumbers.set(type, number);
    }
    return number;
  }

  #matching({ filter, onlyProblems }: TensorSelection): Uint32Array {
    const words = filter
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const found: number[] = [];
    const types = this.#typeNames.map((type) => type.toLowerCase());
    for (let index = 0; index < this.length; index++) {
      if (onlyProblems === true && !this.#problems.has(index)) {
        continue;
      }
      if (words.length === 0 || this.#isMatch(index, words, types)) {
        found.push(index);
      }
    }
    return Uint32Array.from(found);
  }

  #isMatch(index: number, words: readonly string[], types: readonly string[]): boolean {
    const name = this.#names[index]!.toLowerCase();
    return words.every(
      (word) =>
        name.includes(word) ||
        types[this.#types[index]!] === word ||
        (/^\d+(?:x\d+)*$/.test(word) && this.shape(index).join('x') === word),
    );
  }

  #sorted(order: Uint32Array, { sort, descending }: TensorSelection): Uint32Array {
    const compare = this.#comparison(sort);
    if (compare !== undefined) {
      order.sort((a, b) => compare(a, b) || a - b);
    }
    return descending ? order.reverse() : order;
  }

  #comparison(sort: TensorSort): ((a: number, b: number) => number) | undefined {
    switch (sort) {
      case 'file':
        return undefined;
      case 'name':
        return (a, b) => compareNames(this.#names[a]!, this.#names[b]!);
      case 'type':
        return (a, b) => compareNames(this.type(a), this.type(b));
      case 'shape': {
        const elements = Float64Array.from({ length: this.length }, (_, index) => this.elements(index));
        return (a, b) => elements[a]! - elements[b]!;
      }
      case 'size':
        return (a, b) => order(this.#bytes[a]!, this.#bytes[b]!);
      case 'offset':
        return (a, b) => order(this.#offsets[a]!, this.#offsets[b]!);
    }
  }
}

function known(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** Numbers upwards, what is unknown last. */
function order(a: number, b: number): number {
  return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b;
}

const ZERO = 0x30;
const NINE = 0x39;

/** Orders names by character, and numbers in them by value: `blk.2` comes before `blk.10`. */
export function compareNames(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(j);
    if (x >= ZERO && x <= NINE && y >= ZERO && y <= NINE) {
      const left = digitsEnd(a, i);
      const right = digitsEnd(b, j);
      const difference = compareDigits(a, i, left, b, j, right);
      if (difference !== 0) {
        return difference;
      }
      i = left;
      j = right;
      continue;
    }
    if (x !== y) {
      return x - y;
    }
    i++;
    j++;
  }
  return a.length - i - (b.length - j);
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) >= ZERO && text.charCodeAt(at) <= NINE) {
    at++;
  }
  return at;
}

/** Compares digits i to `left` of a with j to `right` of b by value. A million names are sorted with this: nothing is copied. */
function compareDigits(a: string, i: number, left: number, b: string, j: number, right: number): number {
  while (i < left && a.charCodeAt(i) === ZERO) {
    i++;
  }
  while (j < right && b.charCodeAt(j) === ZERO) {
    j++;
  }
  if (left - i !== right - j) {
    return left - i - (right - j);
  }
  for (; i < left; i++, j++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(j);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** `256 × 256`; `scalar` without dimensions. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : displayLine(shape.join(' × '));
}
