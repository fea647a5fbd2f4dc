import type { PlannedSlice, PlannedTensor } from './buildPlan';

/** A run of rows of one slice: what a worker reads, makes and writes in one go. */
export interface WorkUnit {
  readonly tensor: number;
  readonly slice: number;
  /** First row within the slice, and how many. */
  readonly row: number;
  readonly rows: number;
}

/** Values that a unit aims at: large enough to read well, small enough that the last worker ends with the others. */
const UNIT_VALUES = 1024 * 1024;

/** Rows that must stay together: a head's, where a transform or a factor in rotary order mixes them. */
export function rowGranule(slice: PlannedSlice): number {
  if (slice.transform.kind === 'transpose') {
    return slice.rows;
  }
  const permuted = slice.contributions.find((part) => part.kind === 'lowRank' && part.permutedHeads !== undefined);
  const heads =
    slice.transform.kind === 'permute'
      ? slice.transform.heads
      : permuted?.kind === 'lowRank'
        ? permuted.permutedHeads
        : undefined;
  return heads === undefined ? 1 : slice.rows / heads;
}

/** Rows of a slice that are worked on at once, a multiple of its granule. */
export function rowsFor(slice: PlannedSlice, columns: number, values: number): number {
  const granule = rowGranule(slice);
  return Math.min(slice.rows, Math.max(1, Math.floor(values / (columns * granule))) * granule);
}

/** The rows that a unit reads, and how long they are: those of a transposed slice are the columns of what it writes. */
export function readShape(
  unit: WorkUnit,
  slice: PlannedSlice,
  columns: number,
): { readonly unit: WorkUnit; readonly columns: number } {
  return slice.transform.kind === 'transpose'
    ? { unit: { ...unit, rows: columns }, columns: slice.rows }
    : { unit, columns };
}

/** The work of a plan in the order of its inputs, always the same for the same plan. */
export function workUnits(tensors: readonly PlannedTensor[]): WorkUnit[] {
  const units: WorkUnit[] = [];
  tensors.forEach((tensor, tensorIndex) => {
    tensor.slices.forEach((slice, sliceIndex) => {
      const step = rowsFor(slice, tensor.columns, UNIT_VALUES);
      for (let row = 0; row < slice.rows; row += step) {
        units.push({ tensor: tensorIndex, slice: sliceIndex, row, rows: Math.min(step, slice.rows - row) });
      }
    });
  });
  return units;
}
