import type { Architecture } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { LAYER_TENSORS, mapTextTensor, requiredWeights, type TensorRules } from './textTensors';

const QWEN3_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
};

/** Qwen3, dense. Queries and keys are normalised per head, and head_dim does not follow from the width. */
export const qwen3: Architecture = {
  name: 'qwen3',
  classes: ['Qwen3ForCausalLM'],
  label: 'Qwen3',
  defaults: {
    Qwen3ForCausalLM: {
      head_dim: 128,
      max_position_embeddings: 32_768,
      num_key_value_heads: 32,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 151_936,
      tie_word_embeddings: false,
    },
  },
  hyperparameters: (config) => baseHyperparameters('qwen3', config),
  mapTensor: (name, config) => mapTextTensor(name, config, QWEN3_LAYER_TENSORS),
  requiredTensors: (config) => requiredWeights(config, QWEN3_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};
