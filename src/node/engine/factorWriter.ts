import { readFully } from '../../core/bytes';
import type { RowRun } from '../../core/engine/architectures/architecture';
import type { PlanNote } from '../../core/engine/buildPlan';
import { Kernels } from '../../core/engine/kernels/kernels';
import type { AdapterType, FactorSlice, PlannedFactor } from '../../core/engine/planAdapterGguf';
import { storedType } from '../../core/engine/storedMatrix';
import { StudioError } from '../../core/errors';
import type { FileSource } from '../files/fileSource';

/** The largest value that rounds to a finite half, exclusive. */
const HALF_LIMIT = 65_520;

/** |stored - value| / |value| of a factor above which the type is too coarse for it; Q8_0 keeps to about a hundredth. */
const COARSE = 0.02;

/** Brings stored factors into the form, order and type that the file wants, one at a time, in one kernel memory. */
export class FactorWriter {
  readonly #kernels: Kernels;
  readonly #source: FileSource;
  /** Three buffers of f32 values, addresses in the kernels' memory. */
  readonly #buffers: readonly [number, number, number];
  readonly #coarse: { readonly name: string; readonly error: number }[] = [];
  readonly #modules = new Map<string, boolean>();

  private constructor(kernels: Kernels, source: FileSource, most: number) {
    const bytes = Math.ceil((most * 4) / 64) * 64;
    this.#kernels = kernels;
    this.#source = source;
    this.#buffers = [kernels.heapBase, kernels.heapBase + bytes, kernels.heapBase + 2 * bytes];
  }

  /**
   * @param most values of the largest factor
   * @throws StudioError engine/memory
   */
  static async open(most: number, source: FileSource): Promise<FactorWriter> {
    return new FactorWriter(await Kernels.instantiate(1024 * 1024 + 3 * (most * 4 + 64)), source, most);
  }

  /**
   * The bytes of one slice as they stand in the file; valid until the next call.
   * @throws StudioError adapter/values for NaN or infinite values, quantize/values for some that F16 cannot hold
   */
  async slice(tensor: PlannedFactor, slice: FactorSlice): Promise<Uint8Array> {
    const [raw, wide, spare] = this.#buffers;
    const { source } = slice;
    const count = source.shape.reduce((product, size) => product * size, 1);
    await readFully(this.#source, source.offset, new Uint8Array(this.#kernels.memory.buffer, raw, source.bytes));
    this.#kernels.widen(storedType(source.dtype) ?? 'F32', raw, wide, count);
    if (this.#kernels.firstNonFinite(wide, count) >= 0) {
      throw new StudioError(
        'adapter/values',
        `${source.name} holds NaN or infinite values: the training run diverged. Take an earlier checkpoint.`,
        { path: source.file, detail: { tensor: source.name } },
      );
    }
    this.#multiply(wide, count, slice.factor);
    let [values, other] = [wide, raw];
    if (slice.transposed) {
      const [rows = 1, columns = 1] = source.shape;
      this.#kernels.transpose(values, other, rows, columns);
      [values, other] = [other, values];
    }
    if (slice.permuteHeads !== undefined) {
      this.#permute(values, other, tensor, slice.permuteHeads);
      [values, other] = [other, values];
    }
    if (slice.runs !== undefined) {
      this.#gather(values, other, tensor.columns, slice.runs);
      [values, other] = [other, values];
    }
    return this.#cast(tensor, values, other, spare, tensor.rows * tensor.columns);
  }

  /** What the types cost that was not refused, and an adapter that does nothing. */
  warnings(type: AdapterType): PlanNote[] {
    const notes: PlanNote[] = [];
    const worst = [...this.#coarse].sort((a, b) => b.error - a.error)[0];
    if (worst !== undefined) {
      notes.push({
        code: 'adapter/coarse',
        message: `${this.#coarse.length} of the adapter's factors lose more than ${100 * COARSE} % of themselves as ${type} (${worst.name}: ${Math.round(100 * worst.error)} %). Write the adapter with --type F32`,
      });
    }
    if (this.#modules.size > 0 && [...this.#modules.values()].every((zero) => zero)) {
      notes.push({
        code: 'adapter/no-effect',
        message: 'the adapter changes nothing: all its deltas are zero (untrained, or the wrong checkpoint)',
      });
    }
    return notes;
  }

  /** In f64, rounded once; exact for powers of two. */
  #multiply(address: number, count: number, factor: number): void {
    if (factor === 1) {
      return;
    }
    const values = new Float32Array(this.#kernels.memory.buffer, address, count);
    for (let i = 0; i < count; i++) {
      values[i] = values[i]! * factor;
    }
  }

  /** Rows [heads, 2, half] to [heads, half, 2], as llama.cpp's converter turns queries and keys of the llama family. */
  #permute(from: number, to: number, { rows, columns, name }: PlannedFactor, heads: number): void {
    const half = rows / heads / 2;
    if (!Number.isInteger(half)) {
      throw new StudioError(
        'model/config',
        `${name}: ${rows} rows do not divide into ${heads} heads of rotary pairs. config.json and the weights are not of the same model.`,
        { detail: { tensor: name, rows, heads } },
      );
    }
    const source = new Float32Array(this.#kernels.memory.buffer, from, rows * columns);
    const target = new Float32Array(this.#kernels.memory.buffer, to, rows * columns);
    for (let row = 0; row < rows; row++) {
      const head = Math.floor(row / (2 * half));
      const within = row - head * 2 * half;
      const moved = head * 2 * half + (within % half) * 2 + Math.floor(within / half);
      target.set(source.subarray(row * columns, (row + 1) * columns), moved * columns);
    }
  }

  /** Keeps the rows of some runs, one after the other. */
  #gather(from: number, to: number, columns: number, runs: readonly RowRun[]): void {
    const memory = new Uint8Array(this.#kernels.memory.buffer);
    const bytes = columns * 4;
    let at = to;
    for (const { first, count } of runs) {
      memory.copyWithin(at, from + first * bytes, from + (first + count) * bytes);
      at += count * bytes;
    }
  }

  #cast(tensor: PlannedFactor, values: number, target: number, spare: number, count: number): Uint8Array {
    const kernels = this.#kernels;
    const most = kernels.maxAbs(values, count);
    if (!Number.isFinite(most) || (tensor.type === 'F16' && most >= HALF_LIMIT)) {
      throw new StudioError(
        'quantize/values',
        `${tensor.name} reaches ${most.toPrecision(3)}, more than F16 can hold. Write the adapter with --type F32 or BF16.`,
        { detail: { tensor: tensor.name, largest: most } },
      );
    }
    this.#note(tensor.name, most === 0);
    kernels.quantise(tensor.type, values, target, tensor.rows, tensor.columns);
    if (tensor.type !== 'F32' && most > 0) {
      kernels.widen(tensor.type, target, spare, count);
      this.#measure(tensor.name, values, spare, count);
    }
    return new Uint8Array(kernels.memory.buffer, target, tensor.bytes / tensor.slices.length);
  }

  #measure(name: string, values: number, spare: number, count: number): void {
    const size = this.#kernels.sumSquares(values, count);
    this.#kernels.addScaled(spare, values, count, -1);
    const error = Math.sqrt(this.#kernels.sumSquares(spare, count) / size);
    if (error > COARSE) {
      this.#coarse.push({ name, error });
    }
  }

  /** A module whose A or B is zero throughout does nothing; a stack does when one expert does. */
  #note(name: string, zero: boolean): void {
    const module = name.replace(/\.lora_[ab]$/, '');
    const before = this.#modules.get(module);
    const isStack = module.includes('_exps.');
    this.#modules.set(module, before === undefined ? zero : isStack ? before && zero : before || zero);
  }
}
