import { StudioError } from '../../errors';
import { GGML_TYPES, type GgmlTypeName } from '../../formats/gguf/ggmlTypes';
import binary from './build/kernels.wasm';
import type { KernelExports } from './kernelExports';
import { webAssembly, type WasmMemory } from './webAssembly';

/** Types that {@link Kernels.quantise} writes. */
export const QUANTISED_TYPES = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q2_K',
  'Q3_K',
  'Q4_K',
  'Q5_K',
  'Q6_K',
  'IQ4_NL',
  'IQ4_XS',
] as const satisfies readonly GgmlTypeName[];

export type QuantisedType = (typeof QUANTISED_TYPES)[number];

/** Types that {@link Kernels.widen} reads: those that are written, and three more that checkpoints use. */
export const WIDENED_TYPES = [...QUANTISED_TYPES, 'F64', 'F8_E4M3', 'F8_E5M2'] as const;

export type WidenedType = (typeof WIDENED_TYPES)[number];

/** Types of the scales and biases of an mlx-quantised weight; the position is the number that the kernel knows. */
const AFFINE_SCALES = ['F32', 'F16', 'BF16'] as const;

const BITS = new Uint32Array(1);
const FLOAT = new Float32Array(BITS.buffer);

const PAGE = 65_536;
const PAGES = 65_536;

/**
 * The engine's arithmetic: one instance of kernels.wasm with its memory. All arguments called source, target,
 * values, scales and so on are addresses: byte offsets into {@link Kernels.memory}. Nothing below
 * {@link Kernels.heapBase} may be touched; addresses need no alignment, but multiples of 16 are faster.
 * The kernels check nothing: the caller vouches that every span lies in the memory. NaN and infinite values
 * never trap; what a quantiser makes of them is not defined.
 *
 * The results are the same bytes on every processor: no relaxed SIMD, no fused multiply-add.
 */
export class Kernels {
  readonly memory: WasmMemory;
  /** First byte that is free for the caller, a multiple of 64. */
  readonly heapBase: number;
  /** What the kernels are compiled for. */
  readonly instructionSet = 'wasm-simd128';
  readonly #exports: KernelExports;

  private constructor(memory: WasmMemory, exports: KernelExports) {
    this.memory = memory;
    this.#exports = exports;
    this.heapBase = Math.ceil(exports.heapBase() / 64) * 64;
  }

  /**
   * Compiles and starts the kernels in a memory of `memoryBytes` (rounded up to 64 KiB) that never grows.
   * @throws StudioError engine/memory when the size is impossible or the system does not give that much
   */
  static async instantiate(memoryBytes: number): Promise<Kernels> {
    const pages = Math.ceil(memoryBytes / PAGE);
    if (!(pages >= 1 && pages <= PAGES)) {
      throw new StudioError(
        'engine/memory',
        `A worker cannot have ${memoryBytes} bytes of memory: WebAssembly offers at most 4 GiB.`,
      );
    }
    try {
      const memory = new webAssembly.Memory({ initial: pages, maximum: pages });
      const { instance } = await webAssembly.instantiate(binary, { env: { memory } });
      return new Kernels(memory, instance.exports as KernelExports);
    } catch (thrown) {
      throw new StudioError(
        'engine/memory',
        `${Math.ceil(memoryBytes / 1e6)} MB for a worker were not to be had: ${String(thrown)}. Use fewer workers, or close other programs.`,
        { cause: thrown },
      );
    }
  }

  /**
   * Quantises `rows` rows of `columns` f32 values, the bytes being those of ggml's reference quantisers in a build
   * without fused multiply-add. `columns` must be a multiple of the type's block.
   * @param importance address of one row of `columns` f32 weights (an importance matrix), or 0; F32, F16, BF16 and
   *   Q8_0 take no notice of it
   * @throws StudioError quantize/type, quantize/shape
   */
  quantise(type: GgmlTypeName, source: number, target: number, rows: number, columns: number, importance = 0): void {
    const kernel = this.#exports[`quantise${type}`];
    if (kernel === undefined) {
      throw new StudioError('quantize/type', `${type} cannot be written. Choose one of ${QUANTISED_TYPES.join(', ')}.`);
    }
    if (columns % GGML_TYPES[type].block !== 0) {
      throw new StudioError(
        'quantize/shape',
        `Rows of ${columns} values do not divide into the blocks of ${GGML_TYPES[type].block} that ${type} has.`,
      );
    }
    kernel(source, target, rows, columns, importance);
  }

  /**
   * `count` values of `type` as f32, to the bit as ggml reads them. `count` must be a multiple of the type's block.
   * F64 is rounded once, to nearest even.
   * @throws StudioError model/dtype, quantize/shape
   */
  widen(type: GgmlTypeName | WidenedType, source: number, target: number, count: number): void {
    const kernel = this.#exports[`widenFrom${type}`];
    if (kernel === undefined) {
      throw new StudioError('model/dtype', `Weights of type ${type} are not read. Pass the 16-bit weights.`);
    }
    const block = type in GGML_TYPES ? GGML_TYPES[type as GgmlTypeName].block : 1;
    if (count % block !== 0) {
      throw new StudioError(
        'quantize/shape',
        `${count} values do not divide into the blocks of ${block} that ${type} has.`,
      );
    }
    kernel(source, target, count);
  }

  /**
   * mlx's affine quantisation, value = scale * level + bias in f32 (a product, then a sum, each rounded once).
   * @param source words [rows, columns * bits / 32], levels packed from the lowest bit on, across words
   * @param scales [rows, columns / groupSize] of `scaleType`, as are the biases
   * @param columns a multiple of `groupSize`, which is a multiple of 8; a row's levels fill whole words
   * @param bits 1, 2, 3, 4, 5, 6 or 8
   * @throws StudioError model/quantised for other widths or groups
   */
  widenAffine(
    source: number,
    scales: number,
    biases: number,
    scaleType: 'F32' | 'F16' | 'BF16',
    target: number,
    rows: number,
    columns: number,
    bits: number,
    groupSize: number,
  ): void {
    if (
      ![1, 2, 3, 4, 5, 6, 8].includes(bits) ||
      groupSize < 8 ||
      groupSize % 8 !== 0 ||
      columns % groupSize !== 0 ||
      (columns * bits) % 32 !== 0
    ) {
      throw new StudioError(
        'model/quantised',
        `mlx weights of ${bits} bits in groups of ${groupSize} with ${columns} columns are not read. Pass the 16-bit weights.`,
      );
    }
    this.#exports.affine(
      source,
      scales,
      biases,
      AFFINE_SCALES.indexOf(scaleType),
      target,
      rows,
      columns,
      bits,
      groupSize,
    );
  }

  /**
   * mlx's mxfp4: E2M1 values, two a byte with the low half first, 32 to a group, each group times 2^(scale - 127).
   * @param source bytes [rows, columns / 2]
   * @param scales bytes [rows, columns / 32]; 255 is NaN
   * @throws StudioError model/quantised when `columns` is no multiple of 32
   */
  widenMxfp4(source: number, scales: number, target: number, rows: number, columns: number): void {
    if (columns % 32 !== 0) {
      throw new StudioError(
        'model/quantised',
        `mxfp4 weights with ${columns} columns do not divide into groups of 32. Pass the 16-bit weights.`,
      );
    }
    this.#exports.mxfp4(source, scales, target, (rows * columns) / 32);
  }

  /**
   * target[i, j] += scale * sum over k of left[i, k] * right[k, j], all f32: the sum runs in the order of k, is
   * multiplied by `scale` once, and then added, whatever the sizes, so that cutting rows differently changes nothing.
   */
  addLowRank(
    target: number,
    left: number,
    right: number,
    rows: number,
    columns: number,
    rank: number,
    scale: number,
  ): void {
    this.#exports.addLowRank(target, left, right, rows, columns, rank, scale);
  }

  /** target[j, i] = source[i, j] for a source of `rows` x `columns` f32 values; the spans must not overlap. */
  transpose(source: number, target: number, rows: number, columns: number): void {
    this.#exports.transpose(source, target, rows, columns);
  }

  /** The Euclidean norm of every row, as f64 values at `target` (8 bytes a row), summed in f64. */
  rowNorms(source: number, target: number, rows: number, columns: number): void {
    this.#exports.rowNorms(source, target, rows, columns);
  }

  /**
   * DoRA: every row times magnitude[i] / norm of the row. Norm and factor are f64, and each value is rounded once.
   * @param magnitude address of `rows` f32 values
   */
  scaleRowsToMagnitude(values: number, rows: number, columns: number, magnitude: number): void {
    this.#exports.scaleRowsToMagnitude(values, rows, columns, magnitude);
  }

  /** target[i] += weight * (a[i] - b[i]) in f32. */
  addScaledDifference(target: number, a: number, b: number, count: number, weight: number): void {
    this.#exports.addScaledDifference(target, a, b, count, weight);
  }

  /** target[i] += weight * a[i] in f32. */
  addScaled(target: number, a: number, count: number, weight: number): void {
    this.#exports.addScaled(target, a, count, weight);
  }

  /** target[i] += value in f32. */
  addConstant(target: number, count: number, value: number): void {
    this.#exports.addConstant(target, count, value);
  }

  /** Index of the first NaN or infinite f32 value, or -1. */
  firstNonFinite(source: number, count: number): number {
    return this.#exports.firstNonFinite(source, count);
  }

  /**
   * Index of the first block (of the first value, in types without blocks) that has a NaN or infinite value or scale,
   * or -1. `count` is in values, as in {@link Kernels.widen}.
   * @throws StudioError model/dtype, quantize/shape
   */
  firstInvalidBlock(type: GgmlTypeName | WidenedType, source: number, count: number): number {
    const kernel = this.#exports[`validate${type}`];
    if (kernel === undefined) {
      throw new StudioError('model/dtype', `Weights of type ${type} are not read. Pass the 16-bit weights.`);
    }
    const block = type in GGML_TYPES ? GGML_TYPES[type as GgmlTypeName].block : 1;
    if (count % block !== 0) {
      throw new StudioError(
        'quantize/shape',
        `${count} values do not divide into the blocks of ${block} that ${type} has.`,
      );
    }
    return kernel(source, count / block);
  }

  /** The largest magnitude of `count` f32 values, 0 for none; Infinity where some are NaN or infinite. */
  largest(source: number, count: number): number {
    // Bits of magnitudes order as unsigned integers, those of NaN above that of infinity.
    BITS[0] = Math.min(this.#exports.largestBits(source, count) >>> 0, 0x7f800000);
    return FLOAT[0]!;
  }

  /** Whether {@link Kernels.firstInvalidBlock} knows a type. */
  canValidate(type: GgmlTypeName | WidenedType): boolean {
    return this.#exports[`validate${type}`] !== undefined;
  }

  /** The largest magnitude of `count` f32 values; 0 for none, NaN left out. */
  maxAbs(source: number, count: number): number {
    return this.#exports.maxAbs(source, count);
  }

  /** The sum of the squares of `count` f32 values, in f64. */
  sumSquares(source: number, count: number): number {
    return this.#exports.sumSquares(source, count);
  }
}
