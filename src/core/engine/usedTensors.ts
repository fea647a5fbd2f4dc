import { StudioError } from '../errors';
import { type Adapter, tensorsOf } from '../formats/adapters/adapter';
import type { TensorRef } from '../formats/tensorRef';
import type { Contribution, PlannedTensor, StoredMatrix } from './buildPlan';

/** What becomes of the tensors of an adapter's file; the three numbers are all of them. */
export interface AdapterAccount {
  readonly used: number;
  /** Zero, or copies of what is there. */
  readonly withoutEffect: number;
  readonly leftOut: number;
}

/**
 * Which tensors of adapters a plan reads, seen from the spans of their files that it names: no tensor counts as used for what it is
 * called.
 */
export class UsedTensors {
  /** Offsets into each file, sorted. */
  readonly #offsets = new Map<string, Float64Array>();

  constructor(read: Iterable<Pick<TensorRef, 'file' | 'offset'>>) {
    const offsets = new Map<string, Set<number>>();
    for (const { file, offset } of read) {
      const list = offsets.get(file) ?? new Set<number>();
      offsets.set(file, list.add(offset));
    }
    offsets.forEach((list, file) => this.#offsets.set(file, Float64Array.from(list).sort()));
  }

  /** What a plan reads, of its inputs. */
  static ofPlan(tensors: readonly PlannedTensor[], inputs: readonly string[]): UsedTensors {
    return new UsedTensors(spansOf(tensors, inputs));
  }

  /** True where the plan reads something of this tensor. */
  has({ file, offset, bytes }: TensorRef): boolean {
    const offsets = this.#offsets.get(file) ?? new Float64Array();
    let [low, high] = [0, offsets.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      [low, high] = offsets[middle]! < offset ? [middle + 1, high] : [low, middle];
    }
    return low < offsets.length && offsets[low]! < offset + bytes;
  }

  /**
   * Every tensor of the adapter: read, without effect, or left out with a warning.
   * @throws StudioError adapter/unmatched for one that is none of them: it would be lost without a word
   */
  account(adapter: Adapter): AdapterAccount {
    const leftOut = new Set(adapter.leftOut?.flatMap(({ tensors }) => tensors));
    const idle = new Set(adapter.withoutEffect);
    // Whatever a base was, a weight that takes its place makes it nothing.
    const replaced = new Set(adapter.parts.flatMap((part) => (part.kind === 'replace' ? [part.target] : [])));
    for (const part of adapter.parts) {
      if (part.kind === 'base' && replaced.has(part.target)) {
        tensorsOf(part).forEach((name) => idle.add(name));
      }
    }
    const account = { used: 0, withoutEffect: 0, leftOut: 0 };
    const lost: string[] = [];
    for (const tensor of adapter.tensors.values()) {
      if (this.has(tensor)) {
        account.used++;
      } else if (leftOut.has(tensor.name)) {
        account.leftOut++;
      } else if (idle.has(tensor.name)) {
        account.withoutEffect++;
      } else {
        lost.push(tensor.name);
      }
    }
    if (lost.length > 0) {
      throw new StudioError(
        'adapter/unmatched',
        `${adapter.path}: ${lost.length} of ${adapter.tensors.size} tensors (${lost[0]!}) would not be in the result. Merge the adapter with the tool that trained it and pass the merged folder as the base.`,
        { path: adapter.path, detail: { tensors: lost.slice(0, 50) } },
      );
    }
    return account;
  }
}

/** The sum of what becomes of several adapters' tensors, as a check of a plan says it. */
export function accountText(accounts: readonly AdapterAccount[]): string {
  const sum = (key: keyof AdapterAccount): number => accounts.reduce((total, account) => total + account[key], 0);
  const [used, idle, left] = [sum('used'), sum('withoutEffect'), sum('leftOut')];
  if (idle + left === 0) {
    return 'every adapter tensor is used';
  }
  const others = [
    ...(idle === 0 ? [] : [`${idle} without effect: zero, or copies`]),
    ...(left === 0 ? [] : [`${left} left out`]),
  ];
  return `${used} of ${used + idle + left} adapter tensors are used (${others.join('; ')})`;
}

function* spansOf(
  tensors: readonly PlannedTensor[],
  inputs: readonly string[],
): Generator<Pick<TensorRef, 'file' | 'offset'>> {
  for (const { slices } of tensors) {
    for (const { source, contributions } of slices) {
      const read = [...(source.kind === 'stored' ? [source.matrix] : []), ...contributions.flatMap(matricesOf)];
      yield* read.map(({ file, offset }) => ({ file: inputs[file] ?? '', offset }));
    }
  }
}

function matricesOf(part: Contribution): StoredMatrix[] {
  if (part.kind !== 'lowRank') {
    return [part.matrix];
  }
  const magnitude = part.magnitude ?? part.columnMagnitude;
  return [part.a, part.b, ...(magnitude === undefined ? [] : [magnitude])];
}
