import { readFully, type ByteSource } from '../../core/bytes';
import { Kernels, WIDENED_TYPES, type WidenedType } from '../../core/engine/kernels/kernels';
import { throwIfAborted } from '../../core/errors';
import { GGML_TYPES, type GgmlTypeName } from '../../core/formats/gguf/ggmlTypes';

/** Values of a tensor where it lies. */
export interface StoredValues {
  readonly source: ByteSource;
  /** First byte, from the start of the file. */
  readonly offset: number;
  readonly type: WidenedType;
  /** Number of values; a multiple of the type's block. */
  readonly count: number;
}

/** Values that are read at a time; a multiple of every block. */
export const CHUNK_VALUES = 256 * 1024;
const WIDEST_BYTES = 8;

/** The type as the kernels read it; undefined for integers and blocks that are not widened. */
export function widenedType(type: string): WidenedType | undefined {
  return WIDENED_TYPES.find((known) => known === type);
}

/** Bytes of `count` values, a multiple of the block. */
export function bytesOfValues(type: WidenedType, count: number): number {
  if (type === 'F8_E4M3' || type === 'F8_E5M2') {
    return count;
  }
  const { block, bytes } = GGML_TYPES[type satisfies GgmlTypeName];
  return Math.ceil(count / block) * bytes;
}

/** Widens tensors to f32 in a memory of fixed size, chunk by chunk. */
export class ValueReader {
  readonly #kernels: Kernels;
  /** Two places, so that the chunks of two tensors can stand side by side. */
  readonly #places: readonly [number, number];
  readonly #raw: number;

  private constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#raw = kernels.heapBase;
    const first = this.#raw + CHUNK_VALUES * WIDEST_BYTES;
    this.#places = [first, first + CHUNK_VALUES * 4];
  }

  static async open(): Promise<ValueReader> {
    return new ValueReader(await Kernels.instantiate(1024 * 1024 + CHUNK_VALUES * (WIDEST_BYTES + 8)));
  }

  /** Values `first` to `first + count` as f32, valid until the next read into the same place; `count` is at most {@link CHUNK_VALUES}. */
  async read(stored: StoredValues, first: number, count: number, place: 0 | 1 = 0): Promise<Float32Array> {
    const bytes = bytesOfValues(stored.type, count);
    await readFully(
      stored.source,
      stored.offset + bytesOfValues(stored.type, first),
      new Uint8Array(this.#kernels.memory.buffer, this.#raw, bytes),
    );
    this.#kernels.widen(stored.type, this.#raw, this.#places[place], count);
    return new Float32Array(this.#kernels.memory.buffer, this.#places[place], count);
  }

  /** Everything of a tensor as f32, which the caller has found small enough. */
  async readAll(stored: StoredValues, signal?: AbortSignal): Promise<Float32Array> {
    const values = new Float32Array(stored.count);
    for (let first = 0; first < stored.count; first += CHUNK_VALUES) {
      throwIfAborted(signal);
      values.set(await this.read(stored, first, Math.min(CHUNK_VALUES, stored.count - first)), first);
    }
    return values;
  }
}
