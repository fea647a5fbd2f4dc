import type { Note } from '../note';
import type { ExpertColumns, FactorLayout } from '../formats/adapters/adapter';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { GgufValue } from '../formats/gguf/ggufTypes';
import type { TensorTransform } from './architectures/architecture';
import type { FileTypeName } from './fileTypes';

/** How numbers lie in an input: a ggml type, or one that only safetensors files have. */
export type StoredType = GgmlTypeName | 'F8_E4M3' | 'F8_E5M2';

/** A span of an input file that holds a matrix row by row. `file` is an index into `BuildPlan.inputs`. */
export interface StoredMatrix {
  readonly file: number;
  /** From the start of the file. */
  readonly offset: number;
  readonly type: StoredType;
  readonly rows: number;
  readonly columns: number;
  /** Bytes from one row to the next and from one value to the next, where they do not follow one another (transposed weights). */
  readonly strides?: { readonly row: number; readonly column: number } | undefined;
}

/**
 * Levels of scaled weights: a byte each, or a nibble (low one first). `OFFSET4` and `OFFSET8` are integers with half their
 * range added.
 */
export type LevelEncoding = 'F8_E4M3' | 'F8_E5M2' | 'I8' | 'E2M1' | 'OFFSET4' | 'OFFSET8';

export type ScaleType = 'F32' | 'F16' | 'BF16' | 'F8_E8M0' | 'F8_E4M3';

/** Where the rows of a base tensor come from. */
export type RowSource =
  /** `undo` is set where the rows went through a transform already (those of a GGUF), and contributions want them as they were. */
  | { readonly kind: 'stored'; readonly matrix: StoredMatrix; readonly undo?: TensorTransform | undefined }
  /** mlx: unsigned levels packed into 32-bit words, one scale and bias a group; value = scale * level + bias. */
  | {
      readonly kind: 'affine';
      readonly words: StoredBytes;
      readonly scales: StoredMatrix;
      readonly biases: StoredMatrix;
      readonly bits: number;
      readonly groupSize: number;
    }
  /** mlx mxfp4: E2M1 nibbles, low first, one E8M0 scale for 32 values. */
  | { readonly kind: 'mxfp4'; readonly words: StoredBytes; readonly scales: StoredBytes }
  /** 8-bit floats or integers, packed levels: value = level * scale, a scale for `rowBlock` rows by `columnBlock` columns. */
  | {
      readonly kind: 'scaled';
      readonly levels: StoredBytes;
      readonly encoding: LevelEncoding;
      readonly scales: StoredBytes;
      readonly scaleType: ScaleType;
      readonly rowBlock: number;
      readonly columnBlock: number;
      /** Set where these are not the first rows of the weight: which they are. */
      readonly firstRow?: number | undefined;
    }
  /** Computed from the configuration. */
  | { readonly kind: 'generated'; readonly values: readonly number[] };

/** Rows of bytes that are not numbers by themselves. */
export interface StoredBytes {
  readonly file: number;
  readonly offset: number;
  readonly rows: number;
  readonly rowBytes: number;
  /** Bytes from one row to the next, where that is more than `rowBytes`. */
  readonly rowStride?: number | undefined;
}

/** What an adapter does to a slice. Several add up: base + sum of weight * (changed by one - base). */
export type Contribution =
  | {
      readonly kind: 'lowRank';
      readonly a: StoredMatrix;
      readonly b: StoredMatrix;
      readonly layout: FactorLayout;
      readonly rank: number;
      readonly scale: number;
      readonly weight: number;
      /** Set with the layouts of fused experts. */
      readonly columns?: ExpertColumns | undefined;
      /** Set where the rows of L stand in a GGUF's rotary order, of so many heads. */
      readonly permutedHeads?: number | undefined;
      /** Set where the slice does not begin with the first row of the weight: which row of L is its first. */
      readonly firstRow?: number | undefined;
      /** DoRA: one magnitude a row. */
      readonly magnitude?: StoredMatrix | undefined;
      /** DoRA on an embedding: one magnitude a column. */
      readonly columnMagnitude?: StoredMatrix | undefined;
      /** What each column is multiplied by then: its magnitude / its norm over all rows, which only reading them tells. */
      readonly columnFactors?: readonly number[] | undefined;
    }
  | { readonly kind: 'replace'; readonly matrix: StoredMatrix; readonly weight: number }
  | {
      readonly kind: 'replaceRows';
      readonly matrix: StoredMatrix;
      readonly rows: readonly number[];
      /** As above; `rows` count from the first of the whole weight. */
      readonly firstRow?: number | undefined;
      readonly weight: number;
    }
  | { readonly kind: 'add'; readonly matrix: StoredMatrix; readonly scale: number };

/** One matrix of an output tensor: the whole of it, or one expert of a stack. */
export interface PlannedSlice {
  readonly source: RowSource;
  /** As they are written: what a transposed one reads has as many columns. */
  readonly rows: number;
  readonly contributions: readonly Contribution[];
  readonly transform: TensorTransform;
  /** Which matrix of the tensor the rows belong to, where not every slice is one: several runs of rows can make up a matrix. */
  readonly matrix?: number | undefined;
}

/** One tensor of the output, complete: nothing about it is decided later. */
export interface PlannedTensor {
  readonly name: string;
  /** GGUF order for a GGUF, row-major for safetensors. */
  readonly shape: readonly number[];
  readonly type: GgmlTypeName;
  /** What the mixture wanted where the shape did not allow it. */
  readonly requestedType?: GgmlTypeName | undefined;
  /** Row length in values. */
  readonly columns: number;
  readonly slices: readonly PlannedSlice[];
  /** Index into `BuildPlan.outputs`. */
  readonly output: number;
  /** From the start of the output file. */
  readonly offset: number;
  readonly bytes: number;
  /** First value of this tensor in the plan's importance data (columns values a slice); -1 for none. */
  readonly importance: number;
}

/** One file that a run writes. */
export interface PlannedOutput {
  /** `''` for a single-file output; else the name inside the output folder. */
  readonly name: string;
  /** Written last, so that an unfinished file is never taken for a model. */
  readonly header: Uint8Array;
  readonly bytes: number;
}

export type PlanNote = Note;

/** For people and for `plan --json`. */
export interface PlanSummary {
  readonly base: {
    readonly path: string;
    /** Why a folder in it was taken (`the best of 3 checkpoints, …`); undefined when it is what was named. */
    readonly takenBecause?: string | undefined;
    readonly architecture: string;
    readonly label: string;
    readonly parameters: number;
    readonly dtype: string;
    readonly template?: string | undefined;
  };
  readonly adapters: readonly PlannedAdapter[];
  /** One pass, copy, … in the words of the plan's Route line. */
  readonly route: string;
  readonly bitsPerWeight: number;
  readonly tensorTypes: Readonly<Partial<Record<GgmlTypeName, number>>>;
}

export interface PlannedAdapter {
  readonly path: string;
  /** The weights file that was taken. */
  readonly weightsFile: string;
  /** Why it stands for the path that was given; undefined when it was named itself. */
  readonly takenBecause?: string | undefined;
  readonly format: string;
  readonly method: string;
  readonly weight: number;
  readonly rank?: number | undefined;
  readonly scale?: number | undefined;
  /** Modules that the result has, of all that the adapter changes. */
  readonly modulesMatched: number;
  readonly modules: number;
  /** What becomes of the tensors of its file. */
  readonly tensors: { readonly used: number; readonly withoutEffect: number; readonly leftOut: number };
  readonly baseName?: string | undefined;
}

/** Everything that a run does, decided before a byte is written. */
export interface BuildPlan {
  readonly kind: 'gguf' | 'safetensors';
  readonly fileType: FileTypeName;
  /** Paths that are read, as they can be opened. */
  readonly inputs: readonly string[];
  /** What each input was when its header was read, as text that changes when it does; undefined where nobody looked. */
  readonly inputStates?: readonly string[] | undefined;
  /** The final name: a file for a GGUF, a folder for safetensors. */
  readonly output: string;
  readonly outputs: readonly PlannedOutput[];
  readonly metadata: readonly (readonly [string, GgufValue])[];
  /** In the order of the data. */
  readonly tensors: readonly PlannedTensor[];
  /** Importance weights of all tensors that have some, one after the other. */
  readonly importance?: Float32Array | undefined;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
  readonly summary: PlanSummary;
}
