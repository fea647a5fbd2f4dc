import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { HEAD_NORMS, LAYER_TENSORS, sameLayers } from './textTensors';

const QWEN3_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  ...HEAD_NORMS,
};

const DEFAULTS = {
  head_dim: 128,
  max_position_embeddings: 32_768,
  num_key_value_heads: 32,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  vocab_size: 151_936,
  tie_word_embeddings: false,
};

/** Qwen3, dense. Queries and keys are normalised per head, and head_dim does not follow from the width. */
export const qwen3: Architecture = {
  name: 'qwen3',
  classes: ['Qwen3ForCausalLM', 'Qwen3Model'],
  pools: true,
  label: 'Qwen3',
  defaults: { Qwen3ForCausalLM: DEFAULTS, Qwen3Model: DEFAULTS },
  hyperparameters: (config) => baseHyperparameters('qwen3', config),
  tensors: (config) => sameLayers(config, QWEN3_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};
