import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';

/** A tensor whose target type is to be chosen; `type` is what it keeps where nothing applies. */
export interface TypeCandidate {
  readonly name: string;
  /** GGUF order. */
  readonly shape: readonly number[];
  readonly type: GgmlTypeName;
  /** It keeps that type whatever the rules say. */
  readonly fixed?: boolean | undefined;
}

/** What the mixture rules need to know of a model. */
export interface MixtureModel {
  /** `general.architecture`. */
  readonly architecture: string;
  /** All layers, including those for multi-token prediction. */
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly experts: number;
}
