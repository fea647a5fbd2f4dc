import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { checkQwenMoe, expertLengths, SHARED_EXPERT_TENSORS } from './qwenMoe';
import { BIASED_LAYER_TENSORS } from './qwen2';
import { sameLayers, withoutDenseFeedForward } from './textTensors';

const QWEN2MOE_LAYER_TENSORS: TensorRules = {
  ...withoutDenseFeedForward(BIASED_LAYER_TENSORS),
  ...SHARED_EXPERT_TENSORS,
};

/** Qwen1.5-MoE and Qwen2-MoE: experts, and one more that every token goes through. */
export const qwen2moe: Architecture = {
  name: 'qwen2moe',
  classes: ['Qwen2MoeForCausalLM'],
  label: 'Qwen2-MoE',
  defaults: {
    Qwen2MoeForCausalLM: {
      max_position_embeddings: 32_768,
      num_key_value_heads: 16,
      num_experts: 60,
      num_experts_per_tok: 4,
      moe_intermediate_size: 1408,
      shared_expert_intermediate_size: 5632,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 151_936,
      tie_word_embeddings: false,
    },
  },
  hyperparameters: (config) => baseHyperparameters('qwen2moe', config),
  lateParameters: (config) => expertLengths('qwen2moe', config),
  tensors: (config) => sameLayers(config, QWEN2MOE_LAYER_TENSORS),
  check: checkQwenMoe,
};
