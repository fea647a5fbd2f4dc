import type { RowRun } from './architectures/architecture';
import type { Contribution, PlannedSlice, RowSource, StoredBytes, StoredMatrix } from './buildPlan';
import { storedRowBytes } from './storedMatrix';

/** A run of the rows of a slice, with what adapters do to just those. */
export function rowsOfSlice(slice: PlannedSlice, run: RowRun): PlannedSlice {
  return {
    ...slice,
    rows: run.count,
    source: rowsOfSource(slice.source, slice.rows, run),
    contributions: slice.contributions.map((part) => rowsOfContribution(part, run)),
  };
}

/** A run of the rows of a source. */
export function rowsOfSource(source: RowSource, rows: number, run: RowRun): RowSource {
  switch (source.kind) {
    case 'stored':
      return { ...source, matrix: rowsOfMatrix(source.matrix, run) };
    case 'affine':
      return {
        ...source,
        words: rowsOfBytes(source.words, run),
        scales: rowsOfMatrix(source.scales, run),
        biases: rowsOfMatrix(source.biases, run),
      };
    case 'mxfp4':
      return { ...source, words: rowsOfBytes(source.words, run), scales: rowsOfBytes(source.scales, run) };
    case 'scaled':
      return { ...source, levels: rowsOfBytes(source.levels, run), firstRow: (source.firstRow ?? 0) + run.first };
    case 'generated': {
      const columns = rows === 0 ? 0 : source.values.length / rows;
      return { ...source, values: source.values.slice(run.first * columns, (run.first + run.count) * columns) };
    }
  }
}

function rowsOfMatrix(matrix: StoredMatrix, { first, count }: RowRun): StoredMatrix {
  return {
    ...matrix,
    offset: matrix.offset + first * (matrix.strides?.row ?? storedRowBytes(matrix.type, matrix.columns)),
    rows: count,
  };
}

function rowsOfBytes(bytes: StoredBytes, { first, count }: RowRun): StoredBytes {
  return { ...bytes, offset: bytes.offset + first * (bytes.rowStride ?? bytes.rowBytes), rows: count };
}

function rowsOfContribution(part: Contribution, run: RowRun): Contribution {
  switch (part.kind) {
    case 'replace':
    case 'add':
      return { ...part, matrix: rowsOfMatrix(part.matrix, run) };
    case 'replaceRows': {
      // The rows that are replaced stand one after the other in their matrix, whichever they are.
      return { ...part, firstRow: (part.firstRow ?? 0) + run.first };
    }
    case 'lowRank':
      return {
        ...part,
        firstRow: (part.firstRow ?? 0) + run.first,
        ...(part.magnitude === undefined ? {} : { magnitude: rowsOfMatrix(part.magnitude, run) }),
      };
  }
}
