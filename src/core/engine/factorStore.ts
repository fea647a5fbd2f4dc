import type { ExpertColumns } from '../formats/adapters/adapter';
import type { PlannedSlice, StoredMatrix } from './buildPlan';
import type { Kernels } from './kernels/kernels';
import type { ReadAt, StagedUnit } from './stagedUnit';
import { storedRowBytes } from './storedMatrix';
import {
  aligned,
  FACTOR_CHUNK_BYTES,
  type FactorMatrix,
  leftMatrix,
  rightMatrix,
  type WorkerLayout,
} from './workerLayout';

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
        await this.#loadMatrix(rightMatrix(part), at);
        at += aligned(part.rank * columns * 4);
      }
    }
    this.#rights = rights;
  }

  /** Reads a matrix in chunks of whole rows, widens it, and writes it (transposed) at `target`. */
  async #loadMatrix({ matrix, transposed, columns }: FactorMatrix, target: number): Promise<void> {
    const { factorChunk, factorWide } = this.#layout;
    const { buffer } = this.#kernels.memory;
    const total = matrix.rows * matrix.columns;
    const width = storedRowBytes(matrix.type, 1);
    const step = Math.floor(FACTOR_CHUNK_BYTES / width);
    for (let first = 0; first < total; first += step) {
      const count = Math.min(step, total - first);
      await this.#readAt(
        matrix.file,
        matrix.offset + first * width,
        new Uint8Array(buffer, factorChunk, count * width),
      );
      if (!transposed) {
        this.#kernels.widen(matrix.type, factorChunk, target + first * 4, count);
        continue;
      }
      this.#kernels.widen(matrix.type, factorChunk, factorWide, count);
      const chunk = new Float32Array(buffer, factorWide, count);
      if (columns === undefined) {
        scatterTransposed(chunk, new Float32Array(buffer, target, total), first, matrix);
      } else {
        scatterExpert(chunk, new Float32Array(buffer, target, total / columns.experts), first, matrix, columns);
      }
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
      this.#widenLeft(leftMatrix(part), raw.address, address, rows, part.rank);
      if (part.permutedHeads !== undefined) {
        this.#restoreRows(address, rows, part.rank, slice.rows / part.permutedHeads);
      }
      if (part.magnitude !== undefined) {
        this.#kernels.widen(part.magnitude.type, raw.magnitude, magnitude, rows);
      }
      return { address, magnitude };
    });
  }

  #widenLeft(
    { matrix, transposed, columns }: FactorMatrix,
    raw: number,
    target: number,
    rows: number,
    rank: number,
  ): void {
    if (columns !== undefined) {
      this.#gatherExpert(matrix, raw, target, rows, columns);
      return;
    }
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

  /** Brings the rows of a left factor from a GGUF's rotary order, heads of `head` rows, to that of training. */
  #restoreRows(address: number, rows: number, rank: number, head: number): void {
    const left = new Float32Array(this.#kernels.memory.buffer, address, rows * rank);
    const stored = left.slice();
    for (let first = 0; first < rows; first += head) {
      for (let pair = 0; pair < head / 2; pair++) {
        for (let side = 0; side < 2; side++) {
          const from = (first + 2 * pair + side) * rank;
          left.set(stored.subarray(from, from + rank), (first + (side * head) / 2 + pair) * rank);
        }
      }
    }
  }

  /** Widens the staged rows of a matrix of all experts, and keeps the columns of one. */
  #gatherExpert(
    matrix: StoredMatrix,
    raw: number,
    target: number,
    rows: number,
    { expert, experts }: ExpertColumns,
  ): void {
    const { factorWide } = this.#layout;
    const { buffer } = this.#kernels.memory;
    const total = rows * matrix.columns;
    const left = new Float32Array(buffer, target, total / experts);
    const step = FACTOR_CHUNK_BYTES;
    for (let first = 0; first < total; first += step) {
      const count = Math.min(step, total - first);
      this.#kernels.widen(matrix.type, raw + storedRowBytes(matrix.type, first), factorWide, count);
      const wide = new Float32Array(buffer, factorWide, count);
      for (let at = firstOf(first, expert, experts); at < first + count; at += experts) {
        left[(at - expert) / experts] = wide[at - first]!;
      }
    }
  }
}

/** As {@link scatterTransposed}, of every `experts`-th column from the expert's own on. */
function scatterExpert(
  chunk: Float32Array,
  target: Float32Array,
  first: number,
  matrix: StoredMatrix,
  { expert, experts }: ExpertColumns,
): void {
  const rank = matrix.columns / experts;
  const start = firstOf(first, expert, experts);
  for (let at = start; at < first + chunk.length; at += experts) {
    // Rows are whole multiples of `experts` long, so that the expert's elements are evenly spaced through all of them.
    const element = (at - expert) / experts;
    const row = Math.floor(element / rank);
    target[(element - row * rank) * matrix.rows + row] = chunk[at - first]!;
  }
}

/** The first position at or after `from` that belongs to an expert. */
function firstOf(from: number, expert: number, experts: number): number {
  return from + ((((expert - from) % experts) + experts) % experts);
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
