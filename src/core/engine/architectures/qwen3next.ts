import type { Architecture } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { checkHybrid, DELTA_NET_KEYS, GROUPED_DELTA_NET, hybridParameters, hybridTable, mtpLayers } from './deltaNet';
import { checkQwenLayers, SHARED_EXPERT_TENSORS } from './qwenMoe';

/** Qwen3-Next (80B-A3B): gated delta net and gated attention, with experts. */
export const qwen3next: Architecture = {
  name: 'qwen3next',
  classes: ['Qwen3NextForCausalLM'],
  label: 'Qwen3-Next',
  defaults: {
    Qwen3NextForCausalLM: {
      vocab_size: 151_936,
      hidden_size: 2048,
      intermediate_size: 5632,
      num_hidden_layers: 48,
      num_attention_heads: 16,
      num_key_value_heads: 2,
      head_dim: 256,
      max_position_embeddings: 32_768,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      partial_rotary_factor: 0.25,
      linear_conv_kernel_dim: 4,
      linear_key_head_dim: 128,
      linear_value_head_dim: 128,
      linear_num_key_heads: 16,
      linear_num_value_heads: 32,
      full_attention_interval: 4,
      num_experts: 512,
      num_experts_per_tok: 10,
      moe_intermediate_size: 512,
      shared_expert_intermediate_size: 512,
      tie_word_embeddings: false,
    },
  },
  mtpLayers,
  mlxDiffers: true,
  ggufKeys: DELTA_NET_KEYS,
  hyperparameters: (config) => baseHyperparameters('qwen3next', config),
  lateParameters: (config) => hybridParameters('qwen3next', config),
  tensors: (config) => hybridTable(config, GROUPED_DELTA_NET, SHARED_EXPERT_TENSORS),
  check(config) {
    checkHybrid(config);
    checkQwenLayers(config);
  },
};
