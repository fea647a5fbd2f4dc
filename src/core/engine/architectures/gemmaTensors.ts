import type { ModelConfig, TensorTransform } from './architecture';
import { GLOBAL_TENSORS, LAYER_TENSORS, type TensorRules } from './textTensors';

/** Gemma stores its norms less one. */
const plusOne = (): TensorTransform => ({ kind: 'add', value: 1 });
const norm = (to: string): { readonly to: string; readonly transform: (config: ModelConfig) => TensorTransform } => ({
  to,
  transform: plusOne,
});

export const GEMMA_GLOBAL_TENSORS: TensorRules = { ...GLOBAL_TENSORS, 'model.norm': norm('output_norm') };

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
  'self_attn.q_norm': norm('attn_q_norm'),
  'self_attn.k_norm': norm('attn_k_norm'),
};
