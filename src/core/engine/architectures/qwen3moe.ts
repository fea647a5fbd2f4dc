import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { EXPERT_TENSORS } from './expertTensors';
import { checkQwenMoe, expertLengths } from './qwenMoe';
import { HEAD_NORMS, LAYER_TENSORS, sameLayers, withoutDenseFeedForward } from './textTensors';

const QWEN3MOE_LAYER_TENSORS: TensorRules = {
  ...withoutDenseFeedForward(LAYER_TENSORS),
  ...HEAD_NORMS,
  'mlp.gate': 'ffn_gate_inp',
  ...EXPERT_TENSORS,
};

/** Qwen3 with experts (30B-A3B, 235B-A22B). */
export const qwen3moe: Architecture = {
  name: 'qwen3moe',
  classes: ['Qwen3MoeForCausalLM'],
  label: 'Qwen3-MoE',
  defaults: {
    Qwen3MoeForCausalLM: {
      max_position_embeddings: 32_768,
      num_key_value_heads: 4,
      num_experts: 128,
      num_experts_per_tok: 8,
      moe_intermediate_size: 768,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 151_936,
      tie_word_embeddings: false,
    },
  },
  hyperparameters: (config) => baseHyperparameters('qwen3moe', config),
  lateParameters: (config) => expertLengths('qwen3moe', config),
  tensors: (config) => sameLayers(config, QWEN3MOE_LAYER_TENSORS),
  check: checkQwenMoe,
};
