import { Kernels } from '../../core/engine/kernels/kernels';
import { storedMatrix, storedRowBytes } from '../../core/engine/storedMatrix';
import { readFully } from '../../core/bytes';
import { throwIfAborted } from '../../core/errors';
import type { TensorRef } from '../../core/formats/tensorRef';
import { openFileSource, type FileSource } from '../files/fileSource';

const MEMORY_BYTES = 64 * 1024 * 1024;
/** Values read at once; widened they take four bytes, stored up to eight. */
const CHUNK_VALUES = 4 * 1024 * 1024;

const CHUNK_BYTES = 4 * 1024 * 1024;

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

  /** True where two tensors have the same shape and the same values, whatever their types; packed ones the same bytes. */
  async equal(a: TensorRef, b: TensorRef, signal?: AbortSignal): Promise<boolean> {
    if (a.shape.join() !== b.shape.join()) {
      return false;
    }
    if (a.dtype === b.dtype) {
      return await this.#equalBytes(a, b, signal);
    }
    const { rows, columns } = storedMatrix(a, 0);
    const step = Math.max(1, Math.floor(CHUNK_VALUES / Math.max(1, columns)));
    for (let row = 0; row < rows; row += step) {
      throwIfAborted(signal);
      const count = Math.min(step, rows - row);
      const [left, right] = [await this.read(a, row, count), await this.read(b, row, count)];
      if (left.some((value, index) => value !== right[index])) {
        return false;
      }
    }
    return true;
  }

  /** True where all values of a plain tensor (F32, F16, BF16) are zero. */
  async isZero({ file, offset, bytes, dtype }: TensorRef, signal?: AbortSignal): Promise<boolean> {
    const source = await this.#source(file);
    const chunk = new Uint8Array(CHUNK_BYTES);
    // The sign of a zero, in the last byte of each value.
    const width = dtype === 'F32' ? 4 : 2;
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      throwIfAborted(signal);
      const part = chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - at));
      await readFully(source, offset + at, part);
      if (part.some((byte, index) => byte !== 0 && (byte !== 0x80 || index % width !== width - 1))) {
        return false;
      }
    }
    return true;
  }

  /** True where one matrix is the other turned; factors of adapters, which are read whole. */
  async equalTransposed(a: TensorRef, b: TensorRef): Promise<boolean> {
    const [rows = 0, columns = 0] = a.shape;
    if (rows !== b.shape[1] || columns !== b.shape[0] || rows * columns > CHUNK_VALUES) {
      return false;
    }
    const [left, right] = [await this.read(a, 0, rows), await this.read(b, 0, columns)];
    return left.every((value, index) => value === right[(index % columns) * rows + Math.floor(index / columns)]);
  }

  async #equalBytes(a: TensorRef, b: TensorRef, signal: AbortSignal | undefined): Promise<boolean> {
    const [left, right] = [await this.#source(a.file), await this.#source(b.file)];
    const chunks = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)] as const;
    for (let at = 0; at < a.bytes; at += CHUNK_BYTES) {
      throwIfAborted(signal);
      const length = Math.min(CHUNK_BYTES, a.bytes - at);
      const [one, other] = [chunks[0].subarray(0, length), chunks[1].subarray(0, length)];
      await readFully(left, a.offset + at, one);
      await readFully(right, b.offset + at, other);
      if (Buffer.compare(one, other) !== 0) {
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
