import { StudioError } from '../errors';
import { rowBytes } from '../formats/gguf/ggmlTypes';
import type { RowFactor, TensorTransform } from './architectures/architecture';
import type { Contribution, PlannedSlice, PlannedTensor } from './buildPlan';
import { isQuantised } from './fileTypes';
import { FactorStore, type LoadedFactor } from './factorStore';
import type { Kernels } from './kernels/kernels';
import { StagedUnit, type ReadAt } from './stagedUnit';
import { storedRowBytes } from './storedMatrix';
import { BLOCK_VALUES, needsCopies, type WorkerLayout } from './workerLayout';
import { readShape, rowsFor, type WorkUnit } from './workUnits';

/**
 * No block can hold more: 65504, the largest half, as the scale of 8-bit scales (-128) of 6-bit levels (-32). The searches
 * of some types square or cube their values, and would make zeros of a block where that overflows.
 */
const LARGEST_QUANTISED = 65504 * 128 * 32;

/** The bytes of a finished unit; valid until the same output buffer is used again. */
export interface UnitResult {
  readonly bytes: Uint8Array;
  /** Elements (or blocks) that are NaN or infinite; always 0 for quantised types, which refuse them. */
  readonly nonFinite: number;
}

/**
 * Makes the output bytes of one unit after the other: widen, add the adapter's delta, transform, narrow or
 * quantise, block by block in one WebAssembly memory. Pure: reads come through `readAt`.
 */
export class UnitRunner {
  readonly #kernels: Kernels;
  readonly #layout: WorkerLayout;
  readonly #tensorAt: (index: number) => PlannedTensor;
  readonly #factors: FactorStore;
  readonly #readAt: ReadAt;
  readonly #importance: Float32Array | undefined;
  #sliceAtWork = '';

  constructor(options: {
    readonly kernels: Kernels;
    readonly layout: WorkerLayout;
    /** By the number that units name. */
    readonly tensorAt: (index: number) => PlannedTensor;
    readonly readAt: ReadAt;
    readonly importance?: Float32Array | undefined;
  }) {
    this.#kernels = options.kernels;
    this.#layout = options.layout;
    this.#tensorAt = options.tensorAt;
    this.#readAt = options.readAt;
    this.#importance = options.importance;
    this.#factors = new FactorStore(options.kernels, options.layout, options.readAt);
  }

  /** Starts reading the inputs of a unit into one of the two staging buffers. */
  async stage(unit: WorkUnit, buffer: 0 | 1): Promise<StagedUnit> {
    const tensor = this.#tensorAt(unit.tensor);
    const read = readShape(unit, tensor.slices[unit.slice]!, tensor.columns);
    return await StagedUnit.read(read.unit, tensor, this.#kernels, this.#layout.staging[buffer], this.#readAt);
  }

  /**
   * The output of a staged unit.
   * @throws StudioError quantize/values where NaN, infinite or too large values meet a type that cannot hold them
   */
  async run(staged: StagedUnit, buffer: 0 | 1): Promise<UnitResult> {
    const { unit } = staged;
    const tensor = this.#tensorAt(unit.tensor);
    const slice = tensor.slices[unit.slice]!;
    await this.#enterSlice(unit, tensor, slice);
    const copied = this.#copied(staged, tensor, slice);
    if (copied !== undefined) {
      return copied;
    }
    const lefts = this.#factors.left(staged, slice);
    const outputRow = rowBytes(tensor.type, tensor.columns)!;
    const start = this.#layout.output[buffer];
    if (slice.transform.kind === 'transpose') {
      this.#merge(staged, slice, slice.rows, 0, unit.rows, lefts);
      this.#transpose(slice.rows, unit.rows);
      const nonFinite = this.#narrow(
        tensor,
        { ...unit, rows: slice.rows },
        this.#layout.permuted,
        start,
        0,
        slice.rows,
      );
      return { bytes: new Uint8Array(this.#kernels.memory.buffer, start, slice.rows * outputRow), nonFinite };
    }
    const step = rowsFor(slice, tensor.columns, BLOCK_VALUES);
    let nonFinite = 0;
    for (let row = 0; row < unit.rows; row += step) {
      const rows = Math.min(step, unit.rows - row);
      this.#merge(staged, slice, tensor.columns, row, rows, lefts);
      const values = this.#transform(slice, tensor.columns, unit.row + row, rows);
      nonFinite += this.#narrow(tensor, unit, values, start + row * outputRow, row, rows);
    }
    return { bytes: new Uint8Array(this.#kernels.memory.buffer, start, unit.rows * outputRow), nonFinite };
  }

  async #enterSlice(unit: WorkUnit, tensor: PlannedTensor, slice: PlannedSlice): Promise<void> {
    const key = `${unit.tensor}:${unit.slice}`;
    if (key === this.#sliceAtWork) {
      return;
    }
    this.#sliceAtWork = key;
    if (tensor.importance >= 0 && this.#importance !== undefined) {
      const first = tensor.importance + (slice.matrix ?? unit.slice) * tensor.columns;
      new Float32Array(this.#kernels.memory.buffer, this.#layout.importance, tensor.columns).set(
        this.#importance.subarray(first, first + tensor.columns),
      );
    }
    await this.#factors.loadRight(slice, slice.transform.kind === 'transpose' ? slice.rows : tensor.columns);
  }

  /** Rows that leave as they came: no work but a look for NaN. */
  #copied(staged: StagedUnit, tensor: PlannedTensor, slice: PlannedSlice): UnitResult | undefined {
    const { source } = slice;
    if (source.kind === 'mxfp4' && tensor.type === 'MXFP4' && slice.contributions.length === 0) {
      const blocks = staged.mxfp4Blocks(tensor.columns);
      return { bytes: blocks, nonFinite: 0 };
    }
    if (
      source.kind !== 'stored' ||
      source.matrix.type !== tensor.type ||
      slice.contributions.length > 0 ||
      slice.transform.kind !== 'none'
    ) {
      return undefined;
    }
    const bytes = staged.unit.rows * storedRowBytes(source.matrix.type, tensor.columns);
    const integers = /^I(8|16|32|64)$/.test(tensor.type);
    const invalid = integers
      ? -1
      : this.#kernels.firstInvalidBlock(tensor.type, staged.source, staged.unit.rows * tensor.columns);
    if (invalid >= 0 && isQuantised(tensor.type)) {
      throw nonFiniteError(tensor, `block ${invalid} of rows from ${staged.unit.row}`);
    }
    return {
      bytes: new Uint8Array(this.#kernels.memory.buffer, staged.source, bytes),
      nonFinite: invalid >= 0 ? 1 : 0,
    };
  }

  #merge(
    staged: StagedUnit,
    slice: PlannedSlice,
    columns: number,
    row: number,
    rows: number,
    lefts: readonly (LoadedFactor | undefined)[],
  ): void {
    const { values, base, changed } = this.#layout;
    const count = rows * columns;
    staged.widenSource(slice, columns, row, rows, values);
    this.#undo(slice, columns, rows);
    if (!needsCopies(slice)) {
      slice.contributions.forEach((part, index) =>
        this.#apply(part, staged, index, columns, row, rows, values, lefts[index], true),
      );
      return;
    }
    const { buffer } = this.#kernels.memory;
    new Uint8Array(buffer).copyWithin(base, values, values + count * 4);
    slice.contributions.forEach((part, index) => {
      if (part.kind === 'add') {
        this.#apply(part, staged, index, columns, row, rows, values, undefined, true);
        return;
      }
      new Uint8Array(buffer).copyWithin(changed, base, base + count * 4);
      this.#apply(part, staged, index, columns, row, rows, changed, lefts[index], false);
      this.#kernels.addScaledDifference(values, changed, base, count, part.weight);
    });
  }

  /** Changes the block at `target` as one contribution does; `weighted` folds its weight into a plain delta. */
  #apply(
    part: Contribution,
    staged: StagedUnit,
    index: number,
    columns: number,
    row: number,
    rows: number,
    target: number,
    left: LoadedFactor | undefined,
    weighted: boolean,
  ): void {
    const kernels = this.#kernels;
    switch (part.kind) {
      case 'lowRank': {
        const scale = part.scale * (weighted ? part.weight : 1);
        const from = left!;
        kernels.addLowRank(
          target,
          from.address + row * part.rank * 4,
          this.#factors.right(index),
          rows,
          columns,
          part.rank,
          scale,
        );
        if (part.magnitude !== undefined) {
          kernels.scaleRowsToMagnitude(target, rows, columns, from.magnitude + row * 4);
        }
        if (part.columnMagnitude !== undefined) {
          this.#scaleColumns(part.columnFactors, target, columns, rows);
        }
        return;
      }
      case 'replace':
        staged.widenContribution(index, part.matrix, columns, row, rows, target);
        return;
      case 'replaceRows':
        staged.widenReplacedRows(index, part, columns, row, rows, target);
        return;
      case 'add':
        staged.widenContribution(index, part.matrix, columns, row, rows, this.#layout.changed);
        kernels.addScaled(target, this.#layout.changed, rows * columns, part.scale);
        return;
    }
  }

  #scaleColumns(factors: readonly number[] | undefined, target: number, columns: number, rows: number): void {
    if (factors?.length !== columns) {
      throw new StudioError('internal/unexpected', 'The norms of the columns of a DoRA embedding were not measured.');
    }
    const block = new Float32Array(this.#kernels.memory.buffer, target, rows * columns);
    for (let start = 0; start < block.length; start += columns) {
      for (let column = 0; column < columns; column++) {
        block[start + column]! *= factors[column]!;
      }
    }
  }

  /** Returns the address of the transformed block. */
  #transform(slice: PlannedSlice, columns: number, first: number, rows: number): number {
    const { values, permuted } = this.#layout;
    const { transform } = slice;
    if (transform.kind === 'none') {
      return values;
    }
    if (transform.kind === 'add') {
      this.#kernels.addConstant(values, rows * columns, transform.value);
      return values;
    }
    if (transform.kind === 'negativeExp') {
      const block = new Float32Array(this.#kernels.memory.buffer, values, rows * columns);
      block.forEach((value, index) => {
        block[index] = -Math.exp(value);
      });
      return values;
    }
    if (transform.kind === 'multiply') {
      transform.steps.forEach((step) => this.#multiply(step, columns, first, rows));
      return values;
    }
    if (transform.kind === 'columns') {
      this.#moveColumns(transform, columns, rows, true);
      return permuted;
    }
    if (transform.kind === 'transpose') {
      throw new StudioError('internal/unexpected', 'A transposed slice is worked on as a whole.');
    }
    this.#moveRows(slice.rows / transform.heads, columns, rows, true);
    return permuted;
  }

  /** Rows of the slice from `first` on, by the factors of their rows. */
  #multiply(factors: readonly RowFactor[], columns: number, first: number, rows: number): void {
    const block = new Float32Array(this.#kernels.memory.buffer, this.#layout.values, rows * columns);
    let at = 0;
    for (const { rows: count = Infinity, value } of factors) {
      const from = Math.max(at, first);
      const to = Math.min(at + count, first + rows);
      const factor = Math.fround(value);
      for (let index = (from - first) * columns; index < (to - first) * columns; index++) {
        block[index] = block[index]! * factor;
      }
      at += count;
    }
  }

  /** Rows that were read become columns. */
  #transpose(columns: number, rows: number): void {
    const { buffer } = this.#kernels.memory;
    const from = new Float32Array(buffer, this.#layout.values, rows * columns);
    const to = new Float32Array(buffer, this.#layout.permuted, rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        to[column * rows + row] = from[row * columns + column]!;
      }
    }
  }

  /** Brings the rows of a GGUF back to what they were before it was converted. */
  #undo(slice: PlannedSlice, columns: number, rows: number): void {
    const { values, permuted } = this.#layout;
    const undo = slice.source.kind === 'stored' ? slice.source.undo : undefined;
    if (undo?.kind === 'add') {
      this.#kernels.addConstant(values, rows * columns, -undo.value);
    } else if (undo?.kind === 'permute') {
      this.#moveRows(slice.rows / undo.heads, columns, rows, false);
    } else if (undo?.kind === 'columns') {
      this.#moveColumns(undo, columns, rows, false);
    } else if (undo !== undefined && undo.kind !== 'none') {
      throw new StudioError(
        'adapter/unsupported',
        'An adapter changes a weight that a GGUF does not hold as it was trained, and that cannot be undone exactly. Pass the Hugging Face folder of the base.',
      );
    }
    if (undo?.kind === 'permute' || undo?.kind === 'columns') {
      new Uint8Array(this.#kernels.memory.buffer).copyWithin(values, permuted, permuted + rows * columns * 4);
    }
  }

  /** Groups of columns in another order: those of the checkpoint into those of the GGUF, or back. */
  #moveColumns(
    { group, order }: Extract<TensorTransform, { kind: 'columns' }>,
    columns: number,
    rows: number,
    intoGguf: boolean,
  ): void {
    const { values, permuted } = this.#layout;
    const memory = new Uint8Array(this.#kernels.memory.buffer);
    const bytes = group * 4;
    for (let row = 0; row < rows; row++) {
      const start = row * columns * 4;
      order.forEach((from, to) => {
        const [source, target] = intoGguf ? [from, to] : [to, from];
        const at = values + start + source * bytes;
        memory.copyWithin(permuted + start + target * bytes, at, at + bytes);
      });
    }
  }

  /** Rotary pairs lie half a head apart in Hugging Face weights and side by side in GGUF's: writes the rows of the block in the other order. */
  #moveRows(head: number, columns: number, rows: number, together: boolean): void {
    const { values, permuted } = this.#layout;
    const half = head / 2;
    const memory = new Uint8Array(this.#kernels.memory.buffer);
    const bytes = columns * 4;
    for (let first = 0; first < rows; first += head) {
      for (let pair = 0; pair < half; pair++) {
        for (let side = 0; side < 2; side++) {
          const apart = (first + side * half + pair) * bytes;
          const beside = (first + 2 * pair + side) * bytes;
          const [from, to] = together ? [apart, beside] : [beside, apart];
          memory.copyWithin(permuted + to, values + from, values + from + bytes);
        }
      }
    }
  }

  #narrow(tensor: PlannedTensor, unit: WorkUnit, values: number, target: number, row: number, rows: number): number {
    const kernels = this.#kernels;
    const count = rows * tensor.columns;
    const quantised = isQuantised(tensor.type);
    // One pass tells of both: of NaN and infinite values, and of values too large.
    const largest = quantised ? kernels.largest(values, count) : Infinity;
    const bad = largest < Infinity ? -1 : kernels.firstNonFinite(values, count);
    if (bad >= 0 && quantised) {
      throw nonFiniteError(tensor, `row ${unit.row + row + Math.floor(bad / tensor.columns)}`);
    }
    if (quantised && largest > LARGEST_QUANTISED) {
      throw overflowError(tensor);
    }
    const importance = tensor.importance >= 0 ? this.#layout.importance : 0;
    kernels.quantise(tensor.type, values, target, rows, tensor.columns, importance);
    if (bad < 0 && (tensor.type === 'F16' || quantised)) {
      // Finite values can still overflow a half: f16 ends at 65504, and block scales are halves.
      const block = kernels.firstInvalidBlock(tensor.type, target, count);
      if (block >= 0) {
        throw overflowError(tensor);
      }
    }
    return bad >= 0 ? 1 : 0;
  }
}

function nonFiniteError(tensor: PlannedTensor, where: string): StudioError {
  return new StudioError(
    'quantize/values',
    `${tensor.name} holds NaN or infinite values (${where}) and cannot be stored as ${tensor.type}. The training run diverged or the file is damaged: take an earlier checkpoint, or look at it with inspect and verify.`,
    {
      detail: { tensor: tensor.name, type: tensor.type },
    },
  );
}

function overflowError(tensor: PlannedTensor): StudioError {
  return new StudioError(
    'quantize/values',
    `${tensor.name} holds values too large for ${tensor.type}, whose halves end at 65504: they would become infinite. Use --type BF16 (or F32).`,
    {
      detail: { tensor: tensor.name, type: tensor.type },
    },
  );
}
