import { StudioError } from '../errors';
import type { Contribution, PlannedSlice, PlannedTensor, RowSource, StoredBytes, StoredMatrix } from './buildPlan';
import type { Kernels } from './kernels/kernels';
import { storedRowBytes } from './storedMatrix';
import { widenScaled } from './widenScaled';
import { aligned, leftMatrix, scaleRows } from './workerLayout';
import type { WorkUnit } from './workUnits';

/** Fills `target` from an input of the plan, whole or not at all (throws). */
export type ReadAt = (file: number, offset: number, target: Uint8Array) => Promise<void>;

/** Spans of one contribution inside the staging buffer; 0 for those it has not. */
interface StagedContribution {
  readonly address: number;
  readonly magnitude: number;
}

/** The inputs of one unit, as they lie in a staging buffer. */
export class StagedUnit {
  readonly unit: WorkUnit;
  /** Address of the base's rows (or packed words). */
  readonly source: number;
  readonly #scales: number;
  readonly #biases: number;
  readonly #parts: readonly StagedContribution[];
  readonly #kernels: Kernels;

  private constructor(
    unit: WorkUnit,
    kernels: Kernels,
    addresses: { source: number; scales: number; biases: number; parts: readonly StagedContribution[] },
  ) {
    this.unit = unit;
    this.#kernels = kernels;
    this.source = addresses.source;
    this.#scales = addresses.scales;
    this.#biases = addresses.biases;
    this.#parts = addresses.parts;
  }

  /** Reads everything that a unit needs from its rows on to `address` and following. */
  static async read(
    unit: WorkUnit,
    tensor: PlannedTensor,
    kernels: Kernels,
    address: number,
    readAt: ReadAt,
  ): Promise<StagedUnit> {
    const slice = tensor.slices[unit.slice]!;
    const stage = new Stage(kernels, address, readAt, unit);
    const { source } = slice;
    let at = { source: 0, scales: 0, biases: 0 };
    if (source.kind === 'stored') {
      at.source = stage.rows(source.matrix);
    } else if (source.kind === 'affine') {
      at = { source: stage.bytes(source.words), scales: stage.rows(source.scales), biases: stage.rows(source.biases) };
    } else if (source.kind === 'mxfp4') {
      at = { source: stage.bytes(source.words), scales: stage.bytes(source.scales), biases: 0 };
    } else if (source.kind === 'scaled') {
      at = { source: stage.bytes(source.levels), scales: stage.scaleRows(source), biases: 0 };
    } else {
      at.source = stage.generated(source, tensor.columns);
    }
    const parts = slice.contributions.map((part) => stage.contribution(part));
    await stage.done();
    return new StagedUnit(unit, kernels, { ...at, parts });
  }

  /** Widens rows [row, row + rows) of the unit's base to f32 at `target`. */
  widenSource(slice: PlannedSlice, columns: number, row: number, rows: number, target: number): void {
    const { source } = slice;
    const kernels = this.#kernels;
    switch (source.kind) {
      case 'stored':
        kernels.widen(
          source.matrix.type,
          this.source + row * storedRowBytes(source.matrix.type, columns),
          target,
          rows * columns,
        );
        return;
      case 'affine': {
        const { type } = source.scales;
        if (type !== 'F16' && type !== 'BF16' && type !== 'F32') {
          throw new StudioError('model/dtype', `Quantisation scales of type ${type} are not read.`);
        }
        const groupBytes = row * storedRowBytes(type, source.scales.columns);
        kernels.widenAffine(
          this.source + row * source.words.rowBytes,
          this.#scales + groupBytes,
          this.#biases + groupBytes,
          type,
          target,
          rows,
          columns,
          source.bits,
          source.groupSize,
        );
        return;
      }
      case 'mxfp4':
        kernels.widenMxfp4(
          this.source + row * source.words.rowBytes,
          this.#scales + row * source.scales.rowBytes,
          target,
          rows,
          columns,
        );
        return;
      case 'scaled': {
        const skipped = ((this.unit.row + (source.firstRow ?? 0)) % source.rowBlock) + row;
        widenScaled(
          kernels.memory.buffer,
          {
            encoding: source.encoding,
            scaleType: source.scaleType,
            levels: this.source + row * source.levels.rowBytes,
            levelRowBytes: source.levels.rowBytes,
            scales: this.#scales,
            scaleRowBytes: source.scales.rowBytes,
            rowBlock: source.rowBlock,
            columnBlock: source.columnBlock,
            skippedRows: skipped,
          },
          target,
          rows,
          columns,
        );
        return;
      }
      case 'generated':
        kernels.widen('F32', this.source + row * columns * 4, target, rows * columns);
    }
  }

  /**
   * Blocks of ggml's MXFP4 from the levels and scales as they are stored: bits only move. A block is its scale and 16 bytes, of
   * which byte j holds value j in its low half and value j + 16 in its high half; stored, byte j holds values 2j and 2j + 1.
   */
  mxfp4Blocks(columns: number): Uint8Array<ArrayBuffer> {
    const blocks = (this.unit.rows * columns) / 32;
    const memory = new Uint8Array(this.#kernels.memory.buffer);
    const result = new Uint8Array(blocks * 17);
    for (let block = 0; block < blocks; block++) {
      const at = block * 17;
      const from = this.source + block * 16;
      result[at] = memory[this.#scales + block]!;
      for (let j = 0; j < 16; j++) {
        const shift = (j & 1) * 4;
        const low = (memory[from + (j >> 1)]! >> shift) & 15;
        const high = (memory[from + 8 + (j >> 1)]! >> shift) & 15;
        result[at + 1 + j] = low | (high << 4);
      }
    }
    return result;
  }

  /** Raw address of a contribution's row-wise factor, and of its magnitudes. */
  contribution(index: number): StagedContribution {
    return this.#parts[index]!;
  }

  /** Widens rows of a matrix that a contribution brings to f32 at `target`. */
  widenContribution(
    index: number,
    matrix: StoredMatrix,
    columns: number,
    row: number,
    rows: number,
    target: number,
  ): void {
    this.#kernels.widen(
      matrix.type,
      this.#parts[index]!.address + row * storedRowBytes(matrix.type, columns),
      target,
      rows * columns,
    );
  }

  /** Writes those of the replaced rows that lie in [row, row + rows) over the block at `target`. */
  widenReplacedRows(
    index: number,
    part: Extract<Contribution, { kind: 'replaceRows' }>,
    columns: number,
    row: number,
    rows: number,
    target: number,
  ): void {
    const bytes = storedRowBytes(part.matrix.type, columns);
    const skipped = part.firstRow ?? 0;
    const first = this.unit.row + row;
    for (const one of part.rows) {
      const wanted = one - skipped;
      if (wanted >= first && wanted < first + rows) {
        this.#kernels.widen(
          part.matrix.type,
          this.#parts[index]!.address + (wanted - this.unit.row) * bytes,
          target + (wanted - first) * columns * 4,
          columns,
        );
      }
    }
  }
}

/** Collects the reads of a unit, one aligned span after the other. */
class Stage {
  readonly #kernels: Kernels;
  readonly #readAt: ReadAt;
  readonly #unit: WorkUnit;
  readonly #reads: Promise<void>[] = [];
  #at: number;

  constructor(kernels: Kernels, address: number, readAt: ReadAt, unit: WorkUnit) {
    this.#kernels = kernels;
    this.#at = address;
    this.#readAt = readAt;
    this.#unit = unit;
  }

  #take(bytes: number): number {
    const address = this.#at;
    this.#at += aligned(bytes);
    return address;
  }

  #read(file: number, offset: number, address: number, bytes: number): void {
    if (bytes > 0) {
      this.#reads.push(this.#readAt(file, offset, new Uint8Array(this.#kernels.memory.buffer, address, bytes)));
    }
  }

  rows(matrix: StoredMatrix): number {
    if (matrix.strides !== undefined) {
      return this.#strided(matrix, matrix.strides);
    }
    const bytes = storedRowBytes(matrix.type, matrix.columns);
    const address = this.#take(this.#unit.rows * bytes);
    this.#read(matrix.file, matrix.offset + this.#unit.row * bytes, address, this.#unit.rows * bytes);
    return address;
  }

  bytes(stored: StoredBytes): number {
    const address = this.#take(this.#unit.rows * stored.rowBytes);
    if (stored.rowStride !== undefined) {
      this.#gathered(address, stored.offset + this.#unit.row * stored.rowStride, stored.file, this.#unit.rows, {
        step: stored.rowStride,
        bytes: stored.rowBytes,
      });
      return address;
    }
    this.#read(
      stored.file,
      stored.offset + this.#unit.row * stored.rowBytes,
      address,
      this.#unit.rows * stored.rowBytes,
    );
    return address;
  }

  /** Rows whose values do not follow one another: whole rows with gaps, or the columns of a transposed weight. */
  #strided(matrix: StoredMatrix, strides: { readonly row: number; readonly column: number }): number {
    const width = storedRowBytes(matrix.type, 1);
    const { rows, row } = this.#unit;
    const { columns } = matrix;
    const address = this.#take(rows * columns * width);
    const offset = matrix.offset + row * strides.row;
    if (strides.column === width) {
      this.#gathered(address, offset, matrix.file, rows, { step: strides.row, bytes: columns * width });
      return address;
    }
    // One run a column: `rows` values, strides.row apart.
    for (let column = 0; column < columns; column++) {
      const span = new Uint8Array((rows - 1) * strides.row + width);
      const at = offset + column * strides.column;
      this.#reads.push(
        this.#readAt(matrix.file, at, span).then(() => {
          const memory = new Uint8Array(this.#kernels.memory.buffer, address, rows * columns * width);
          for (let i = 0; i < rows; i++) {
            for (let byte = 0; byte < width; byte++) {
              memory[(i * columns + column) * width + byte] = span[i * strides.row + byte]!;
            }
          }
        }),
      );
    }
    return address;
  }

  /** Pieces of `bytes` every `step` bytes, read in one span and laid one after the other. */
  #gathered(
    address: number,
    offset: number,
    file: number,
    count: number,
    { step, bytes }: { readonly step: number; readonly bytes: number },
  ): void {
    if (count === 0) {
      return;
    }
    const span = new Uint8Array((count - 1) * step + bytes);
    this.#reads.push(
      this.#readAt(file, offset, span).then(() => {
        const memory = new Uint8Array(this.#kernels.memory.buffer);
        for (let i = 0; i < count; i++) {
          memory.set(span.subarray(i * step, i * step + bytes), address + i * bytes);
        }
      }),
    );
  }

  scaleRows(source: Extract<RowSource, { kind: 'scaled' }>): number {
    const { first, count } = scaleRows(source, this.#unit);
    const bytes = count * source.scales.rowBytes;
    const address = this.#take(bytes);
    this.#read(source.scales.file, source.scales.offset + first * source.scales.rowBytes, address, bytes);
    return address;
  }

  generated(source: Extract<RowSource, { kind: 'generated' }>, columns: number): number {
    const count = this.#unit.rows * columns;
    const address = this.#take(count * 4);
    const first = this.#unit.row * columns;
    new Float32Array(this.#kernels.memory.buffer, address, count).set(source.values.slice(first, first + count));
    return address;
  }

  contribution(part: Contribution): StagedContribution {
    switch (part.kind) {
      case 'lowRank':
        return { address: this.#factor(part), magnitude: part.magnitude === undefined ? 0 : this.rows(part.magnitude) };
      case 'replace':
      case 'add':
        return { address: this.rows(part.matrix), magnitude: 0 };
      case 'replaceRows':
        return { address: this.#scattered(part), magnitude: 0 };
    }
  }

  /** Rows of the left factor: one span, or a piece of every row where it is stored transposed. */
  #factor(part: Extract<Contribution, { kind: 'lowRank' }>): number {
    const { matrix, transposed } = leftMatrix(part);
    if (!transposed) {
      return this.rows(matrix);
    }
    const piece = storedRowBytes(matrix.type, this.#unit.rows);
    const address = this.#take(piece * part.rank);
    for (let k = 0; k < part.rank; k++) {
      const offset =
        matrix.offset + k * storedRowBytes(matrix.type, matrix.columns) + storedRowBytes(matrix.type, this.#unit.row);
      this.#read(matrix.file, offset, address + k * piece, piece);
    }
    return address;
  }

  #scattered(part: Extract<Contribution, { kind: 'replaceRows' }>): number {
    const bytes = storedRowBytes(part.matrix.type, part.matrix.columns);
    const address = this.#take(this.#unit.rows * bytes);
    part.rows.forEach((one, index) => {
      const wanted = one - (part.firstRow ?? 0);
      if (wanted >= this.#unit.row && wanted < this.#unit.row + this.#unit.rows) {
        this.#read(
          part.matrix.file,
          part.matrix.offset + index * bytes,
          address + (wanted - this.#unit.row) * bytes,
          bytes,
        );
      }
    });
    return address;
  }

  /** Waits for all reads, also when one fails: none may write into the buffer afterwards. */
  async done(): Promise<void> {
    const results = await Promise.allSettled(this.#reads);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }
}
