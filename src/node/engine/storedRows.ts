import { Kernels } from '../../core/engine/kernels/kernels';
import { storedMatrix, storedRowBytes } from '../../core/engine/storedMatrix';
import { readFully } from '../../core/bytes';
import { throwIfAborted } from '../../core/errors';
import type { TensorRef } from '../../core/formats/tensorRef';
import { openFileSource, type FileSource } from '../files/fileSource';

const MEMORY_BYTES = 48 * 1024 * 1024;
/** Values read at once; widened they take four bytes, stored up to eight. */
const CHUNK_VALUES = 2 * 1024 * 1024;

/** Reads the values of plain tensors of safetensors files, a few rows at a time. */
export class StoredRows {
  readonly #files = new Map<string, FileSource>();

  private constructor(private readonly kernels: Kernels) {}

  static async open(): Promise<StoredRows> {
    return new StoredRows(await Kernels.instantiate(MEMORY_BYTES));
  }

  /**
   * Rows [first, first + count) as f32.
   * @throws StudioError model/dtype for packed tensors
   */
  async read(ref: TensorRef, first: number, count: number): Promise<Float32Array> {
    const { type, columns, offset } = storedMatrix(ref, 0);
    const rowBytes = storedRowBytes(type, columns);
    const raw = this.kernels.heapBase;
    const values = raw + Math.ceil((count * rowBytes) / 64) * 64;
    const bytes = new Uint8Array(this.kernels.memory.buffer, raw, count * rowBytes);
    await readFully(await this.#source(ref.file), offset + first * rowBytes, bytes);
    this.kernels.widen(type, raw, values, count * columns);
    return new Float32Array(this.kernels.memory.buffer, values, count * columns).slice();
  }

  /** True where two tensors have the same shape and the same values, whatever their types. */
  async equal(a: TensorRef, b: TensorRef, signal?: AbortSignal): Promise<boolean> {
    if (a.shape.join() !== b.shape.join()) {
      return false;
    }
    const { rows, columns } = storedMatrix(a, 0);
    const step = Math.max(1, Math.floor(CHUNK_VALUES / Math.max(1, columns)));
    for (let row = 0; row < rows; row += step) {
      throwIfAborted(signal);
      const count = Math.min(step, rows - row);
      const [left, right] = [await this.read(a, row, count), await this.read(b, row, count)];
      if (left.some((value, index) => !Object.is(value, right[index]))) {
        return false;
      }
    }
    return true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((source) => source.close()));
  }

  async #source(file: string): Promise<FileSource> {
    let source = this.#files.get(file);
    if (source === undefined) {
      source = await openFileSource(file);
      this.#files.set(file, source);
    }
    return source;
  }
}
