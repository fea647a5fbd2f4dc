import { largest, smallest } from '../../core/extremes';
import { Kernels } from '../../core/engine/kernels/kernels';
import type { BuildPlan, Contribution, PlannedSlice, StoredMatrix } from '../../core/engine/buildPlan';
import { storedRowBytes } from '../../core/engine/storedMatrix';
import { rightMatrix, leftMatrix } from '../../core/engine/workerLayout';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { FileSource } from '../files/fileSource';
import { openFileSource } from '../files/fileSource';
import { readFully } from '../../core/bytes';

/** What a look at the adapter's numbers tells, before anything is written. */
export interface DeltaFacts {
  /** Smallest and largest |delta| / |base| over the modules that were looked at; undefined when none could be. */
  readonly smallest: number | undefined;
  readonly largest: number | undefined;
  /** True when every delta that was looked at is zero. */
  readonly noEffect: boolean;
}

type LowRank = Extract<Contribution, { kind: 'lowRank' }>;

/** Modules looked at, spread evenly over the model; a plan must stay quick for the largest adapters. */
const MAX_MODULES = 64;
/** Rows of the base that stand for the whole weight. */
const SAMPLED_ROWS = 16;
const MEMORY_BYTES = 96 * 1024 * 1024;

/**
 * Norms of the deltas of a plan against the weights they change. The norm of L @ R is exact, from the Gram matrices of its
 * factors; that of the base is taken from some of its rows.
 * @throws StudioError adapter/values where a factor holds NaN or infinite values
 */
export async function deltaFacts(plan: BuildPlan, signal?: AbortSignal): Promise<DeltaFacts> {
  const all = plan.tensors.flatMap((tensor) =>
    tensor.slices.flatMap((slice) =>
      slice.contributions
        .filter(isPlainLora)
        .map((part) => ({ name: tensor.name, columns: tensor.columns, slice, part })),
    ),
  );
  if (all.length === 0) {
    return { smallest: undefined, largest: undefined, noEffect: false };
  }
  const every = Math.max(1, Math.ceil(all.length / MAX_MODULES));
  const reader = await FactReader.open(plan);
  const ratios: number[] = [];
  try {
    for (const [index, item] of all.entries()) {
      if (index % every === 0) {
        throwIfAborted(signal);
        const ratio = await reader.ratio(item.name, item.slice, item.part, item.columns);
        if (ratio !== undefined) {
          ratios.push(ratio);
        }
      }
    }
  } finally {
    await reader.close();
  }
  const known = ratios.filter((ratio) => Number.isFinite(ratio));
  return {
    smallest: known.length === 0 ? undefined : smallest(known),
    largest: known.length === 0 ? undefined : largest(known),
    noEffect: ratios.length > 0 && ratios.every((ratio) => ratio === 0),
  };
}

/** DoRA scales its rows afterwards: the size of its low-rank part says nothing of the change. Factors of all experts in one are not taken apart here. */
function isPlainLora(part: Contribution): part is LowRank {
  const isDora = part.kind === 'lowRank' && (part.magnitude ?? part.columnMagnitude) !== undefined;
  return part.kind === 'lowRank' && !isDora && part.columns === undefined;
}

/** Reads factors into one kernel memory and measures them. */
class FactReader {
  readonly #kernels: Kernels;
  readonly #plan: BuildPlan;
  readonly #files = new Map<number, FileSource>();

  private constructor(kernels: Kernels, plan: BuildPlan) {
    this.#kernels = kernels;
    this.#plan = plan;
  }

  static async open(plan: BuildPlan): Promise<FactReader> {
    return new FactReader(await Kernels.instantiate(MEMORY_BYTES), plan);
  }

  /** |scale * L @ R| / |W|; undefined when a factor is too large to be looked at or the base is packed. */
  async ratio(name: string, slice: PlannedSlice, part: LowRank, columns: number): Promise<number | undefined> {
    const { rank } = part;
    if ((slice.rows + columns) * rank * 12 + rank * rank * 8 > MEMORY_BYTES / 2) {
      return undefined;
    }
    const left = await this.#gram(name, leftMatrix(part), rank, 'left');
    const right = await this.#gram(name, rightMatrix(part), rank, 'right');
    let squared = 0;
    for (let i = 0; i < left.length; i++) {
      squared += left[i]! * right[i]!;
    }
    const delta = Math.abs(part.scale * part.weight) * Math.sqrt(Math.max(0, squared));
    const base = await this.#baseNorm(slice, columns);
    return base === undefined || base === 0 ? (delta === 0 ? 0 : undefined) : delta / base;
  }

  /** The rank x rank matrix of inner products of a factor's rank vectors. */
  async #gram(
    name: string,
    factor: { readonly matrix: StoredMatrix; readonly transposed: boolean },
    rank: number,
    side: 'left' | 'right',
  ): Promise<Float32Array> {
    const kernels = this.#kernels;
    const { matrix } = factor;
    const count = matrix.rows * matrix.columns;
    const raw = kernels.heapBase;
    const values = raw + align(count * 8);
    const turned = values + align(count * 4);
    const gram = turned + align(count * 4);
    await this.#read(matrix, 0, matrix.rows, raw);
    kernels.widen(matrix.type, raw, values, count);
    if (kernels.firstNonFinite(values, count) >= 0) {
      throw new StudioError(
        'adapter/values',
        `The adapter holds NaN or infinite values (${name}): the training run diverged. Take an earlier checkpoint.`,
        { path: this.#plan.inputs[matrix.file], detail: { tensor: name } },
      );
    }
    kernels.transpose(values, turned, matrix.rows, matrix.columns);
    // Which of the two is [rank, n] depends on the side and on how the file stores it.
    const rankFirst = (side === 'right') !== factor.transposed;
    const n = count / rank;
    new Float32Array(kernels.memory.buffer, gram, rank * rank).fill(0);
    kernels.addLowRank(gram, rankFirst ? values : turned, rankFirst ? turned : values, rank, rank, n, 1);
    return new Float32Array(kernels.memory.buffer, gram, rank * rank).slice();
  }

  async #baseNorm(slice: PlannedSlice, columns: number): Promise<number | undefined> {
    if (slice.source.kind !== 'stored' || columns * SAMPLED_ROWS * 12 > MEMORY_BYTES / 2) {
      return undefined;
    }
    const { matrix } = slice.source;
    const kernels = this.#kernels;
    const raw = kernels.heapBase;
    const values = raw + align(columns * 8);
    const rows = Math.min(SAMPLED_ROWS, matrix.rows);
    let squared = 0;
    for (let i = 0; i < rows; i++) {
      await this.#read(matrix, Math.floor((i * matrix.rows) / rows), 1, raw);
      kernels.widen(matrix.type, raw, values, columns);
      squared += kernels.sumSquares(values, columns);
    }
    return Math.sqrt((squared * matrix.rows) / rows);
  }

  async #read(matrix: StoredMatrix, row: number, rows: number, address: number): Promise<void> {
    let source = this.#files.get(matrix.file);
    if (source === undefined) {
      source = await openFileSource(this.#plan.inputs[matrix.file]!);
      this.#files.set(matrix.file, source);
    }
    const bytes = storedRowBytes(matrix.type, matrix.columns);
    await readFully(
      source,
      matrix.offset + row * bytes,
      new Uint8Array(this.#kernels.memory.buffer, address, rows * bytes),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((source) => source.close()));
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
