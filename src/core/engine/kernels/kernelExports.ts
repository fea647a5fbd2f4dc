/** Rows of f32 to rows of blocks; `importance` is the address of one row of f32 weights, or 0. */
type Quantise = (source: number, target: number, rows: number, columns: number, importance: number) => void;
/** `count` values of a type to f32. */
type Widen = (source: number, target: number, count: number) => void;
/** Index of the first block of `blocks` (value, in types without blocks) that is NaN or infinite, or -1. */
type Validate = (source: number, blocks: number) => number;

/** The functions of kernels.wasm (assembly/index.ts); every address is a byte offset into the imported memory. */
export interface KernelExports {
  readonly [quantise: `quantise${string}`]: Quantise;
  readonly [widen: `widenFrom${string}`]: Widen;
  readonly [validate: `validate${string}`]: Validate;
  heapBase(): number;
  affine(
    source: number,
    scales: number,
    biases: number,
    scaleKind: number,
    target: number,
    rows: number,
    columns: number,
    bits: number,
    groupSize: number,
  ): void;
  mxfp4(source: number, scales: number, target: number, groups: number): void;
  addLowRank(
    target: number,
    left: number,
    right: number,
    rows: number,
    columns: number,
    rank: number,
    scale: number,
  ): void;
  transpose(source: number, target: number, rows: number, columns: number): void;
  rowNorms(source: number, target: number, rows: number, columns: number): void;
  scaleRowsToMagnitude(values: number, rows: number, columns: number, magnitude: number): void;
  addScaledDifference(target: number, a: number, b: number, count: number, weight: number): void;
  addScaled(target: number, a: number, count: number, weight: number): void;
  addConstant(target: number, count: number, value: number): void;
  firstNonFinite(source: number, count: number): number;
  largestBits(source: number, count: number): number;
  maxAbs(source: number, count: number): number;
  sumSquares(source: number, count: number): number;
}
