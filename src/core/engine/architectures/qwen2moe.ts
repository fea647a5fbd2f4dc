import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { mapExpertTensor, requiredStacks } from './expertTensors';
import { checkQwenMoe, expertLengths } from './qwenMoe';
import {
  LAYER_TENSORS,
  mapTextTensor,
  requiredWeights,
  type TensorRules,
  withoutDenseFeedForward,
} from './textTensors';

const QWEN2MOE_LAYER_TENSORS: TensorRules = {
  ...withoutDenseFeedForward(LAYER_TENSORS),
  'mlp.gate': 'ffn_gate_inp',
  'mlp.shared_expert_gate': 'ffn_gate_inp_shexp',
  'mlp.shared_expert.gate_proj': 'ffn_gate_shexp',
  'mlp.shared_expert.up_proj': 'ffn_up_shexp',
  'mlp.shared_expert.down_proj': 'ffn_down_shexp',
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
  mapTensor: (name, config) => mapExpertTensor(name, config) ?? mapTextTensor(name, config, QWEN2MOE_LAYER_TENSORS),
  requiredTensors: (config) => [
    ...requiredWeights(config, QWEN2MOE_LAYER_TENSORS),
    ...requiredStacks(config),
    ...biases(config),
  ],
  check: checkQwenMoe,
};

function biases(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    ['attn_q', 'attn_k', 'attn_v'].map((leaf) => `blk.${layer}.${leaf}.bias`),
  ).flat();
}
