import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { LAYER_TENSORS, sameLayers } from './textTensors';

/** The layers of Qwen2: queries, keys and values have biases. */
export const BIASED_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  'self_attn.q_proj': { ...LAYER_TENSORS['self_attn.q_proj'], bias: 'required' },
  'self_attn.k_proj': { ...LAYER_TENSORS['self_attn.k_proj'], bias: 'required' },
  'self_attn.v_proj': { ...LAYER_TENSORS['self_attn.v_proj'], bias: 'required' },
};

const DEFAULTS = {
  max_position_embeddings: 32_768,
  num_key_value_heads: 32,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  vocab_size: 151_936,
  tie_word_embeddings: false,
};

/** Qwen1.5, Qwen2 and Qwen2.5, dense. Queries, keys and values have biases. */
export const qwen2: Architecture = {
  name: 'qwen2',
  classes: ['Qwen2ForCausalLM', 'Qwen2Model'],
  pools: true,
  label: 'Qwen2 and Qwen2.5',
  defaults: { Qwen2ForCausalLM: DEFAULTS, Qwen2Model: DEFAULTS },
  hyperparameters: (config) => baseHyperparameters('qwen2', config),
  tensors: (config) => sameLayers(config, BIASED_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};
