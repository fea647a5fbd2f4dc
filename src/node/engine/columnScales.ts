import { readFully } from '../../core/bytes';
import type { BuildPlan, Contribution, PlannedTensor, StoredMatrix } from '../../core/engine/buildPlan';
import { Kernels } from '../../core/engine/kernels/kernels';
import { storedRowBytes } from '../../core/engine/storedMatrix';
import { UnitRunner } from '../../core/engine/unitRunner';
import { workerLayout } from '../../core/engine/workerLayout';
import { workUnits } from '../../core/engine/workUnits';
import { StudioError, throwIfAborted } from '../../core/errors';
import { openFileSource, type FileSource } from '../files/fileSource';

type LowRank = Extract<Contribution, { kind: 'lowRank' }>;

/**
 * A plan with the scales of weights that have one magnitude a column (PEFT's DoRA on embeddings): magnitude / norm of the
 * column of W + scale * L @ R, over all rows of the vocabulary. The weight is read once for it, widened and changed as a run does it.
 * @throws StudioError adapter/values where a norm is no number
 */
export async function withColumnScales(plan: BuildPlan, signal?: AbortSignal): Promise<BuildPlan> {
  if (!plan.tensors.some(({ slices }) => slices.some(({ contributions }) => contributions.some(hasColumns)))) {
    return plan;
  }
  const files = new Map<number, Promise<FileSource>>();
  const readAt = async (file: number, offset: number, target: Uint8Array): Promise<void> => {
    const source = files.get(file) ?? openFileSource(plan.inputs[file]!);
    files.set(file, source);
    await readFully(await source, offset, target);
  };
  try {
    const tensors: PlannedTensor[] = [];
    for (const tensor of plan.tensors) {
      tensors.push(await scaledTensor(tensor, readAt, signal));
    }
    return { ...plan, tensors };
  } finally {
    await Promise.all([...files.values()].map(async (source) => await (await source).close()));
  }
}

type ReadAt = (file: number, offset: number, target: Uint8Array) => Promise<void>;

function hasColumns(part: Contribution): part is LowRank & { readonly columnMagnitude: StoredMatrix } {
  return part.kind === 'lowRank' && part.columnMagnitude !== undefined;
}

async function scaledTensor(
  tensor: PlannedTensor,
  readAt: ReadAt,
  signal: AbortSignal | undefined,
): Promise<PlannedTensor> {
  const slices = [];
  for (const slice of tensor.slices) {
    const contributions: Contribution[] = [];
    for (const part of slice.contributions) {
      contributions.push(
        hasColumns(part)
          ? { ...part, columnScales: await scalesOf({ ...tensor, slices: [slice] }, part, readAt, signal) }
          : part,
      );
    }
    slices.push({ ...slice, contributions });
  }
  return { ...tensor, slices };
}

async function scalesOf(
  tensor: PlannedTensor,
  part: LowRank & { readonly columnMagnitude: StoredMatrix },
  readAt: ReadAt,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const { columnMagnitude, ...plain } = part;
  const [slice] = tensor.slices;
  const changed: PlannedTensor = {
    ...tensor,
    type: 'F32',
    importance: -1,
    slices: [{ ...slice!, transform: { kind: 'none' }, contributions: [{ ...plain, weight: 1 }] }],
  };
  const layout = workerLayout([changed]);
  const kernels = await Kernels.instantiate(layout.memoryBytes);
  const runner = new UnitRunner({ kernels, layout, tensorAt: () => changed, readAt });
  const { columns } = tensor;
  const squares = new Float64Array(columns);
  for (const unit of workUnits([changed])) {
    throwIfAborted(signal);
    const { bytes } = await runner.run(await runner.stage(unit, 0), 0);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let start = 0; start < values.length; start += columns) {
      for (let column = 0; column < columns; column++) {
        squares[column] = squares[column]! + values[start + column]! ** 2;
      }
    }
  }
  const magnitudes = await widened(columnMagnitude, kernels, readAt);
  return Array.from(squares, (sum, column) => {
    const scale = magnitudes[column]! / Math.sqrt(sum);
    if (!Number.isFinite(scale)) {
      throw new StudioError(
        'adapter/values',
        `The magnitude or the norm of column ${column} of ${tensor.name} is no number: the training run diverged. Take an earlier checkpoint.`,
        { detail: { tensor: tensor.name, column } },
      );
    }
    return scale;
  });
}

async function widened(matrix: StoredMatrix, kernels: Kernels, readAt: ReadAt): Promise<Float32Array> {
  const count = matrix.rows * matrix.columns;
  const bytes = matrix.rows * storedRowBytes(matrix.type, matrix.columns);
  const values = kernels.heapBase + Math.ceil(bytes / 64) * 64;
  await readAt(matrix.file, matrix.offset, new Uint8Array(kernels.memory.buffer, kernels.heapBase, bytes));
  kernels.widen(matrix.type, kernels.heapBase, values, count);
  return new Float32Array(kernels.memory.buffer, values, count).slice();
}
