import type { TensorRef } from '../formats/tensorRef';
import type { RowSource } from './buildPlan';
import type { InputFiles } from './inputFiles';

/** One weight of a base as the model sees it, however it is stored. */
export interface LogicalTensor {
  /** The name in a text-only checkpoint. */
  readonly name: string;
  /** The name in its file; of one expert of a stack, the one that it has where experts are stored one by one. */
  readonly storedName: string;
  /** Slowest dimension first, dequantised. */
  readonly shape: readonly number[];
  /** What it is stored as, for people: `BF16`, `4-bit affine`. */
  readonly encoding: string;
  /** The type of its numbers (of its scales, where it is packed). */
  readonly dtype: TensorRef['dtype'];
  readonly file: string;
  /** Set for a piece of a larger tensor of its file: which, and whether the pieces stand there in another order than theirs. */
  readonly whole?: { readonly name: string; readonly turned: boolean; readonly dtype: TensorRef['dtype'] } | undefined;
  /** Builds the source; `asColumn` for vectors whose values are moved like rows. */
  source(files: InputFiles, asColumn: boolean): RowSource;
}
