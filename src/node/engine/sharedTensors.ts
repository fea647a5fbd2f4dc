import { deserialize, serialize } from 'node:v8';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { PlannedTensor } from '../../core/engine/buildPlan';
import { shareBytes } from './shareBytes';

/** The tensors of a plan as the threads of a run share them: packed once, opened a block at a time. */
export interface SharedTensors {
  /** The blocks one after the other, each deflated. */
  readonly bytes: SharedArrayBuffer;
  /** Float64, two numbers a block: its first tensor, and where it begins in `bytes`. */
  readonly blocks: SharedArrayBuffer;
  readonly count: number;
}

/** Slices after which a block ends: what a thread holds open stays small, however many tensors there are. */
const BLOCK_SLICES = 256;
/** A thread works at one unit while it reads the next, whose tensor may stand in the next block. */
const OPEN_BLOCKS = 2;

/** Packs tensors so that a copy for each thread is not needed: names and shapes repeat, and take a twentieth. */
export function shareTensors(tensors: readonly PlannedTensor[]): SharedTensors {
  const packed: Uint8Array[] = [];
  const blocks: number[] = [];
  let [first, slices, bytes] = [0, 0, 0];
  tensors.forEach((tensor, index) => {
    slices += Math.max(1, tensor.slices.length);
    if (slices >= BLOCK_SLICES || index === tensors.length - 1) {
      const block = deflateRawSync(serialize(tensors.slice(first, index + 1)), { level: 1 });
      packed.push(block);
      blocks.push(first, bytes);
      bytes += block.length;
      [first, slices] = [index + 1, 0];
    }
  });
  return {
    bytes: shareBytes(packed),
    blocks: shareBytes([new Uint8Array(Float64Array.from(blocks).buffer)]),
    count: tensors.length,
  };
}

/** One thread's view of the shared tensors. */
export class TensorReader {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #blocks: Float64Array;
  /** The last opened first. */
  #open: { readonly block: number; readonly tensors: readonly PlannedTensor[] }[] = [];

  constructor({ bytes, blocks, count }: SharedTensors) {
    this.count = count;
    this.#bytes = new Uint8Array(bytes);
    this.#blocks = new Float64Array(blocks);
  }

  /** The tensor of an index below `count`. */
  at(index: number): PlannedTensor {
    const block = this.#blockOf(index);
    let found = this.#open.find((open) => open.block === block);
    if (found === undefined) {
      found = { block, tensors: this.#read(block) };
      this.#open = [found, ...this.#open].slice(0, OPEN_BLOCKS);
    }
    return found.tensors[index - this.#blocks[2 * block]!]!;
  }

  #blockOf(index: number): number {
    let [low, high] = [0, this.#blocks.length / 2 - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#blocks[2 * middle]! <= index) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  #read(block: number): readonly PlannedTensor[] {
    const end = this.#blocks[2 * block + 3] ?? this.#bytes.length;
    return deserialize(inflateRawSync(this.#bytes.subarray(this.#blocks[2 * block + 1], end))) as PlannedTensor[];
  }
}
