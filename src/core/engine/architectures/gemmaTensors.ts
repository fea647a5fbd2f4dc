import type { TensorRules, TensorTransform } from './architecture';
import { each, GLOBAL_TENSORS, HEAD_NORMS, LAYER_TENSORS, ofHiddenSize } from './textTensors';

/** Gemma stores its norms less one. */
const plusOne = (): TensorTransform => ({ kind: 'add', value: 1 });
const norm = (to: string): TensorRules[string] => ({ to, shape: ofHiddenSize, transform: plusOne });

/** The head is the embedding; one that stands in the files is kept where the architecture has a place for it. */
export const GEMMA_GLOBAL_TENSORS: TensorRules = {
  ...GLOBAL_TENSORS,
  'model.norm': norm('output_norm'),
  lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true },
};

/** Gemma 1: two norms a layer. */
export const GEMMA_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  input_layernorm: norm('attn_norm'),
  post_attention_layernorm: norm('ffn_norm'),
};

/** Gemma 2 and 3: four norms a layer, and the one after attention is not the one before the feed-forward. */
export const GEMMA2_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  input_layernorm: norm('attn_norm'),
  post_attention_layernorm: norm('post_attention_norm'),
  pre_feedforward_layernorm: norm('ffn_norm'),
  post_feedforward_layernorm: norm('post_ffw_norm'),
};

/** Gemma 3 normalises queries and keys as well. */
export const GEMMA3_LAYER_TENSORS: TensorRules = {
  ...GEMMA2_LAYER_TENSORS,
  ...each(HEAD_NORMS, { transform: plusOne }),
};
