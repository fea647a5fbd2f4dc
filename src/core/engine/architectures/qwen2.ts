import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { LAYER_TENSORS, mapTextTensor, requiredWeights } from './textTensors';

const BIASED = ['attn_q', 'attn_k', 'attn_v'];

/** Qwen1.5, Qwen2 and Qwen2.5, dense. Queries, keys and values have biases. */
export const qwen2: Architecture = {
  name: 'qwen2',
  classes: ['Qwen2ForCausalLM'],
  label: 'Qwen2 and Qwen2.5',
  defaults: {
    Qwen2ForCausalLM: {
      max_position_embeddings: 32_768,
      num_key_value_heads: 32,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 151_936,
      tie_word_embeddings: false,
    },
  },
  hyperparameters: (config) => baseHyperparameters('qwen2', config),
  mapTensor: (name, config) => mapTextTensor(name, config, LAYER_TENSORS),
  requiredTensors: (config) => [...requiredWeights(config, LAYER_TENSORS), ...biases(config)],
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};

function biases(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) => BIASED.map((leaf) => `blk.${layer}.${leaf}.bias`)).flat();
}
