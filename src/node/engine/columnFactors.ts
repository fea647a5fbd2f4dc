import type { BuildPlan, Contribution, PlannedTensor, StoredMatrix } from '../../core/engine/buildPlan';
import { Kernels } from '../../core/engine/kernels/kernels';
import { storedRowBytes } from '../../core/engine/storedMatrix';
import { UnitRunner } from '../../core/engine/unitRunner';
import { workerLayout } from '../../core/engine/workerLayout';
import { workUnits } from '../../core/engine/workUnits';
import { readFully } from '../../core/bytes';
import { StudioError, throwIfAborted } from '../../core/errors';
import { openFileSource, type FileSource } from '../files/fileSource';

type LowRank = Extract<Contribution, { kind: 'lowRank' }>;

/**
 * A plan in which every DoRA embedding knows by what its columns are multiplied. PEFT's DoraEmbeddingLayer takes the norm of each column
 * of W + scale * L @ R over the whole vocabulary, so all rows are read once, by the code that merges them afterwards.
 */
export async function withColumnFactors(plan: BuildPlan, signal: AbortSignal | undefined): Promise<BuildPlan> {
  if (!plan.tensors.some((tensor) => tensor.slices.some(({ contributions }) => contributions.some(isColumnDora)))) {
    return plan;
  }
  const inputs = new Inputs(plan.inputs);
  try {
    const tensors: PlannedTensor[] = [];
    for (const tensor of plan.tensors) {
      tensors.push(await withFactors(tensor, inputs, signal));
    }
    return { ...plan, tensors };
  } finally {
    await inputs.close();
  }
}

function isColumnDora(part: Contribution): part is LowRank & { readonly columnMagnitude: StoredMatrix } {
  return part.kind === 'lowRank' && part.columnMagnitude !== undefined;
}

async function withFactors(
  tensor: PlannedTensor,
  inputs: Inputs,
  signal: AbortSignal | undefined,
): Promise<PlannedTensor> {
  const [first] = tensor.slices;
  if (first?.contributions.some(isColumnDora) !== true) {
    return tensor;
  }
  if (tensor.slices.some(({ transform }) => transform.kind !== 'none')) {
    throw new StudioError(
      'adapter/unsupported',
      `${tensor.name} was trained with DoRA on an embedding that this family stores in another form, and that is not merged here. Merge it with PEFT (merge_and_unload, save_pretrained) and pass the merged folder as the base.`,
    );
  }
  // The adapters of a tensor stand in the same order in each of its slices.
  const factors: (readonly number[] | undefined)[] = [];
  for (const [index, part] of first.contributions.entries()) {
    factors.push(isColumnDora(part) ? await columnFactors(tensor, index, part, inputs, signal) : undefined);
  }
  const slices = tensor.slices.map((slice) => ({
    ...slice,
    contributions: slice.contributions.map((part, index) =>
      isColumnDora(part) ? { ...part, columnFactors: factors[index] } : part,
    ),
  }));
  return { ...tensor, slices };
}

/** Magnitude / norm, by column, of one adapter's change at its full weight. */
async function columnFactors(
  tensor: PlannedTensor,
  index: number,
  part: LowRank & { readonly columnMagnitude: StoredMatrix },
  inputs: Inputs,
  signal: AbortSignal | undefined,
): Promise<readonly number[]> {
  const plain = tensor.slices.map((slice) => {
    const own = slice.contributions[index] as LowRank;
    return { ...slice, contributions: [{ ...own, weight: 1, columnMagnitude: undefined }] };
  });
  const measured: PlannedTensor = { ...tensor, type: 'F32', importance: -1, slices: plain };
  const layout = workerLayout([measured]);
  const kernels = await Kernels.instantiate(layout.memoryBytes);
  const runner = new UnitRunner({
    kernels,
    layout,
    tensorAt: () => measured,
    readAt: (file, offset, target) => inputs.read(file, offset, target),
  });
  const squares = new Float64Array(tensor.columns);
  for (const unit of workUnits([measured])) {
    throwIfAborted(signal);
    const { bytes } = await runner.run(await runner.stage(unit, 0), 0);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let start = 0; start < values.length; start += tensor.columns) {
      for (let column = 0; column < tensor.columns; column++) {
        squares[column]! += values[start + column]! ** 2;
      }
    }
  }
  const magnitudes = await inputs.values(part.columnMagnitude, kernels);
  return Array.from(squares, (square, column) => (square === 0 ? 1 : magnitudes[column]! / Math.sqrt(square)));
}

/** The inputs of a plan, each opened once. */
class Inputs {
  readonly #files = new Map<number, Promise<FileSource>>();

  constructor(private readonly paths: readonly string[]) {}

  async read(file: number, offset: number, target: Uint8Array): Promise<void> {
    let source = this.#files.get(file);
    if (source === undefined) {
      source = openFileSource(this.paths[file]!);
      this.#files.set(file, source);
    }
    await readFully(await source, offset, target);
  }

  /** A vector as f32; the kernels' memory beyond their own tables is used for it. */
  async values(matrix: StoredMatrix, kernels: Kernels): Promise<Float32Array> {
    const count = matrix.rows * matrix.columns;
    const bytes = matrix.rows * storedRowBytes(matrix.type, matrix.columns);
    const raw = kernels.heapBase;
    const wide = raw + Math.ceil(bytes / 64) * 64;
    await this.read(matrix.file, matrix.offset, new Uint8Array(kernels.memory.buffer, raw, bytes));
    kernels.widen(matrix.type, raw, wide, count);
    return new Float32Array(kernels.memory.buffer, wide, count).slice();
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#files.values());
    await Promise.all(opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value.close()] : [])));
  }
}
