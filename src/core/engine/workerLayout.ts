import { StudioError } from '../errors';
import type { ExpertColumns } from '../formats/adapters/adapter';
import { rowBytes } from '../formats/gguf/ggmlTypes';
import type { Contribution, PlannedSlice, PlannedTensor, RowSource, StoredMatrix } from './buildPlan';
import { storedRowBytes } from './storedMatrix';
import { readShape, rowsFor, workUnits, type WorkUnit } from './workUnits';

/** Values that are widened, merged and quantised at a time: they stay in the processor's cache. */
export const BLOCK_VALUES = 64 * 1024;

/** Room for the kernels' own tables below the first buffer. */
export const KERNEL_BYTES = 1024 * 1024;

/** A WebAssembly memory has at most 4 GiB; a worker never needs more than a fraction of it. */
const MAX_BYTES = 1024 * 1024 * 1024;

/** Bytes of the buffer through which factors are read and widened. */
export const FACTOR_CHUNK_BYTES = 256 * 1024;

/** Where the buffers of a worker lie in its WebAssembly memory; addresses and sizes in bytes. */
export interface WorkerLayout {
  readonly memoryBytes: number;
  /** Two, so that the next unit is read while one is worked on. */
  readonly staging: readonly [number, number];
  readonly stagingBytes: number;
  /** Two, so that one is written while the next is made. */
  readonly output: readonly [number, number];
  readonly outputBytes: number;
  /** f32 [rank, columns] factors of the slice at work, all contributions. */
  readonly right: number;
  /** f32 [rows, rank] factors of the unit at work, all contributions. */
  readonly left: number;
  /** f32 values of a block: the result, the base beside it, one changed by a contribution, and permuted rows. */
  readonly values: number;
  readonly base: number;
  readonly changed: number;
  readonly permuted: number;
  readonly factorChunk: number;
  readonly factorWide: number;
  readonly importance: number;
}

/** A factor as it lies in its file. */
export interface FactorMatrix {
  readonly matrix: StoredMatrix;
  /** True where its rank dimension comes first. */
  readonly transposed: boolean;
  /** Set where the matrix holds the factors of all experts: those of one are every `experts`-th column. */
  readonly columns?: ExpertColumns | undefined;
}

type LowRank = Extract<Contribution, { kind: 'lowRank' }>;

/** The factor whose rows follow the rows of the base, from the first row of the slice on. */
export function leftMatrix(part: LowRank): FactorMatrix {
  const whole = wholeLeftMatrix(part);
  const { matrix, transposed } = whole;
  const first = part.firstRow ?? 0;
  // Where the rank comes first, rows of the weight are columns, and the rows of the file keep their length.
  const skipped = transposed ? storedRowBytes(matrix.type, first) : first * storedRowBytes(matrix.type, matrix.columns);
  return first === 0 ? whole : { ...whole, matrix: { ...matrix, offset: matrix.offset + skipped } };
}

function wholeLeftMatrix(part: LowRank): FactorMatrix {
  switch (part.layout) {
    case 'peftLinear':
      return { matrix: part.b, transposed: false };
    case 'peftEmbedding':
    case 'peftConv1d':
      return { matrix: part.a, transposed: true };
    case 'mlxLinear':
      return { matrix: part.b, transposed: true };
    case 'mlxEmbedding':
    case 'ggufEmbedding':
      return { matrix: part.a, transposed: false };
    case 'expertLinear':
      return { matrix: part.b, transposed: false, columns: part.columns };
    case 'expertTransposed':
      // A gate or up projection begins in the middle of A's rows; the rows keep their length.
      return {
        matrix: { ...part.a, offset: part.a.offset + storedRowBytes(part.a.type, part.columns?.firstRow ?? 0) },
        transposed: true,
      };
  }
}

/** The factor whose columns follow the columns of the base. */
export function rightMatrix(part: LowRank): FactorMatrix {
  switch (part.layout) {
    case 'peftLinear':
    case 'expertLinear':
      return { matrix: part.a, transposed: false };
    case 'peftEmbedding':
    case 'peftConv1d':
    case 'ggufEmbedding':
      return { matrix: part.b, transposed: true };
    case 'mlxLinear':
      return { matrix: part.a, transposed: true };
    case 'mlxEmbedding':
      return { matrix: part.b, transposed: false };
    case 'expertTransposed':
      return { matrix: part.b, transposed: true, columns: part.columns };
  }
}

/** Values that a row of the left factor takes in its file. */
function leftRowValues(part: LowRank): number {
  return part.layout === 'expertLinear' ? part.b.columns : part.rank;
}

/** Every buffer begins at a multiple of this. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** True when contributions need the base and a changed copy side by side. */
export function needsCopies(slice: PlannedSlice): boolean {
  const mixing = slice.contributions.filter(
    (part) =>
      part.kind === 'replace' ||
      part.kind === 'replaceRows' ||
      (part.kind === 'lowRank' && (part.magnitude ?? part.columnMagnitude) !== undefined),
  );
  return (
    mixing.length > 0 &&
    (slice.contributions.length > 1 || mixing.some((part) => 'weight' in part && part.weight !== 1))
  );
}

/**
 * The memory that one worker needs for a plan, whatever the size of the model.
 * @throws StudioError engine/memory when a single row or factor is too large
 */
export function workerLayout(tensors: readonly PlannedTensor[]): WorkerLayout {
  const need = {
    staging: 0,
    output: 0,
    right: 0,
    left: 0,
    values: 0,
    copies: 0,
    permuted: 0,
    factor: 0,
    importance: 0,
  };
  const grow = (key: keyof typeof need, bytes: number): void => {
    need[key] = Math.max(need[key], aligned(bytes));
  };
  for (const tensor of tensors) {
    for (const slice of tensor.slices) {
      const block = rowsFor(slice, tensor.columns, BLOCK_VALUES) * tensor.columns * 4;
      grow('values', block);
      if (needsCopies(slice) || slice.contributions.some((part) => part.kind === 'add')) {
        grow('copies', block);
      }
      if (['permute', 'columns', 'transpose'].includes(slice.transform.kind)) {
        grow('permuted', block);
      }
      grow(
        'right',
        slice.contributions.reduce(
          (sum, part) => sum + rightBytes(part, slice.transform.kind === 'transpose' ? slice.rows : tensor.columns),
          0,
        ),
      );
    }
    grow('importance', tensor.importance >= 0 ? tensor.columns * 4 : 0);
  }
  for (const unit of workUnits(tensors)) {
    const tensor = tensors[unit.tensor]!;
    const slice = tensor.slices[unit.slice]!;
    const read = readShape(unit, slice, tensor.columns);
    grow('staging', unitStagingBytes(slice, read.unit, read.columns));
    grow('output', unit.rows * (rowBytes(tensor.type, tensor.columns) ?? 0));
    grow(
      'left',
      slice.contributions.reduce((sum, part) => sum + leftBytes(part, read.unit.rows), 0),
    );
  }
  if (need.right > 0 || need.left > 0) {
    need.factor = FACTOR_CHUNK_BYTES;
  }
  return place(need);
}

function rightBytes(part: Contribution, columns: number): number {
  return part.kind === 'lowRank' ? aligned(part.rank * columns * 4) : 0;
}

function leftBytes(part: Contribution, rows: number): number {
  return part.kind === 'lowRank' ? aligned(rows * part.rank * 4) + aligned(rows * 4) : 0;
}

/** Bytes that a unit reads into its staging buffer, each span aligned. */
function unitStagingBytes(slice: PlannedSlice, unit: WorkUnit, columns: number): number {
  let bytes = 0;
  const { source } = slice;
  if (source.kind === 'stored') {
    bytes += aligned(unit.rows * storedRowBytes(source.matrix.type, columns));
  } else if (source.kind === 'affine') {
    bytes += aligned(unit.rows * source.words.rowBytes);
    bytes += aligned(unit.rows * storedRowBytes(source.scales.type, source.scales.columns));
    bytes += aligned(unit.rows * storedRowBytes(source.biases.type, source.biases.columns));
  } else if (source.kind === 'mxfp4') {
    bytes += aligned(unit.rows * source.words.rowBytes) + aligned(unit.rows * source.scales.rowBytes);
  } else if (source.kind === 'scaled') {
    bytes +=
      aligned(unit.rows * source.levels.rowBytes) + aligned(scaleRows(source, unit).count * source.scales.rowBytes);
  } else {
    bytes += aligned(unit.rows * columns * 4);
  }
  for (const part of slice.contributions) {
    if (part.kind === 'lowRank') {
      bytes += aligned(unit.rows * storedRowBytes(leftMatrix(part).matrix.type, leftRowValues(part)));
      bytes += part.magnitude === undefined ? 0 : aligned(unit.rows * storedRowBytes(part.magnitude.type, 1));
    } else {
      bytes += aligned(unit.rows * storedRowBytes(part.matrix.type, columns));
    }
  }
  return bytes;
}

/** The rows of scales that the rows of a unit need. */
export function scaleRows(
  source: Extract<RowSource, { kind: 'scaled' }>,
  unit: WorkUnit,
): { readonly first: number; readonly count: number } {
  const row = unit.row + (source.firstRow ?? 0);
  const first = Math.floor(row / source.rowBlock);
  return { first, count: Math.floor((row + unit.rows - 1) / source.rowBlock) - first + 1 };
}

function place(
  need: Readonly<
    Record<'staging' | 'output' | 'right' | 'left' | 'values' | 'copies' | 'permuted' | 'factor' | 'importance', number>
  >,
): WorkerLayout {
  let at = KERNEL_BYTES;
  const take = (bytes: number): number => {
    const address = at;
    at += aligned(bytes);
    return address;
  };
  const layout = {
    staging: [take(need.staging), take(need.staging)] as const,
    output: [take(need.output), take(need.output)] as const,
    right: take(need.right),
    left: take(need.left),
    values: take(need.values),
    base: take(need.copies),
    changed: take(need.copies),
    permuted: take(need.permuted),
    factorChunk: take(need.factor),
    // The widest factor element grows four times (one byte to f32).
    factorWide: take(need.factor * 4),
    importance: take(need.importance),
  };
  const memoryBytes = Math.ceil(at / 65536) * 65536;
  if (memoryBytes > MAX_BYTES) {
    throw new StudioError(
      'engine/memory',
      `One worker would need ${Math.round(memoryBytes / 2 ** 20)} MiB for a single row block of this model and adapter, more than the ${MAX_BYTES / 2 ** 20} MiB that it may have. An adapter of a lower rank fits; please report models that do not.`,
      {
        detail: { memoryBytes },
      },
    );
  }
  return { ...layout, memoryBytes, stagingBytes: need.staging, outputBytes: need.output };
}
