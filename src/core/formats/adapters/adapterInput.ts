import type { JsonObject } from '../../json';
import type { TensorRef } from '../tensorRef';

/** What the readers of adapters need: the parsed configuration and the header of the weights, no tensor data. */
export interface AdapterInput {
  /** As the user gave it; errors name it. */
  readonly path: string;
  readonly directory: string;
  /** The weights file that was taken, as it can be opened. */
  readonly weightsFile: string;
  /** `adapter_config.json`. */
  readonly config: JsonObject;
  /** All tensors of the weights file, by their name in it. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** True when the folder holds a tokenizer of its own. */
  readonly hasTokenizer: boolean;
}
