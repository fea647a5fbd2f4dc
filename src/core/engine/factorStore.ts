import type { PlannedSlice, StoredMatrix } from './buildPlan';
import type { Kernels } from './kernels/kernels';
import type { ReadAt, StagedUnit } from './stagedUnit';
import { storedRowBytes } from './storedMatrix';
import { aligned, FACTOR_CHUNK_BYTES, leftMatrix, rightMatrix, type WorkerLayout } from './workerLayout';

/** A left factor, f32 [rows of the unit, rank], and the magnitudes of the same rows (0: none). */
export interface LoadedFactor {
  readonly address: number;
  readonly magnitude: number;
}

/** Brings low-rank factors into the layout that the kernels want: L [rows, rank] and R [rank, columns], f32. */
export class FactorStore {
  readonly #kernels: Kernels;
  readonly #layout: WorkerLayout;
  readonly #readAt: ReadAt;
  #rights: readonly number[] = [];

  constructor(kernels: Kernels, layout: WorkerLayout, readAt: ReadAt) {
    this.#kernels = kernels;
    this.#layout = layout;
    this.#readAt = readAt;
  }

  /** Address of the right factor of a contribution of the slice at work. */
  right(index: number): number {
    return this.#rights[index]!;
  }

  /** Reads the right factors of all low-rank contributions of a slice. */
  async loadRight(slice: PlannedSlice, columns: number): Promise<void> {
    let at = this.#layout.right;
    const rights: number[] = [];
    for (const part of slice.contributions) {
      rights.push(at);
      if (part.kind === 'lowRank') {
        const { matrix, transposed } = rightMatrix(part);
        await this.#loadMatrix(matrix, at, transposed);
        at += aligned(part.rank * columns * 4);
      }
    }
    this.#rights = rights;
  }

  /** Reads a matrix in chunks of whole rows, widens it, and writes it (transposed) at `target`. */
  async #loadMatrix(matrix: StoredMatrix, target: number, transposed: boolean): Promise<void> {
    const { factorChunk, factorWide } = this.#layout;
    const { buffer } = this.#kernels.memory;
    const total = matrix.rows * matrix.columns;
    const width = storedRowBytes(matrix.type, 1);
    const step = Math.floor(FACTOR_CHUNK_BYTES / width);
    for (let first = 0; first < total; first += step) {
      const count = Math.min(step, total - first);
      await this.#readAt(matrix.file, matrix.offset + first * width, new Uint8Array(buffer, factorChunk, count * width));
      if (!transposed) {
        this.#kernels.widen(matrix.type, factorChunk, target + first * 4, count);
        continue;
      }
      this.#kernels.widen(matrix.type, factorChunk, factorWide, count);
      scatterTransposed(new Float32Array(buffer, factorWide, count), new Float32Array(buffer, target, total), first, matrix);
    }
  }

  /** The left factors of a staged unit, one for every contribution (undefined for those that have none). */
  left(staged: StagedUnit, slice: PlannedSlice): (LoadedFactor | undefined)[] {
    let at = this.#layout.left;
    const { rows } = staged.unit;
    return slice.contributions.map((part, index) => {
      if (part.kind !== 'lowRank') {
        return undefined;
      }
      const address = at;
      const magnitude = address + aligned(rows * part.rank * 4);
      at = magnitude + aligned(rows * 4);
      const raw = staged.contribution(index);
      const { matrix, transposed } = leftMatrix(part);
      this.#widenLeft(matrix, raw.address, address, rows, part.rank, transposed);
      if (part.magnitude !== undefined) {
        this.#kernels.widen(part.magnitude.type, raw.magnitude, magnitude, rows);
      }
      return { address, magnitude };
    });
  }

  #widenLeft(matrix: StoredMatrix, raw: number, target: number, rows: number, rank: number, transposed: boolean): void {
    if (!transposed) {
      this.#kernels.widen(matrix.type, raw, target, rows * rank);
      return;
    }
    // Staged as `rank` pieces of `rows` values each; widened piece by piece, then turned.
    const { factorWide } = this.#layout;
    const left = new Float32Array(this.#kernels.memory.buffer, target, rows * rank);
    const piece = storedRowBytes(matrix.type, rows);
    const step = FACTOR_CHUNK_BYTES;
    for (let k = 0; k < rank; k++) {
      for (let first = 0; first < rows; first += step) {
        const count = Math.min(step, rows - first);
        this.#kernels.widen(matrix.type, raw + k * piece + storedRowBytes(matrix.type, first), factorWide, count);
        const wide = new Float32Array(this.#kernels.memory.buffer, factorWide, count);
        for (let i = 0; i < count; i++) {
          left[(first + i) * rank + k] = wide[i]!;
        }
      }
    }
  }
}

/** Elements [first, first + chunk.length) of a row-major matrix, written to its transpose. */
function scatterTransposed(chunk: Float32Array, target: Float32Array, first: number, matrix: StoredMatrix): void {
  let row = Math.floor(first / matrix.columns);
  let column = first - row * matrix.columns;
  for (const value of chunk) {
    target[column * matrix.rows + row] = value;
    if (++column === matrix.columns) {
      column = 0;
      row++;
    }
  }
}
