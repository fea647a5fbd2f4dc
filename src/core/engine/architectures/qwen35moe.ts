import type { JsonObject } from '../../json';
import type { Architecture } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { checkHybrid, DELTA_NET_KEYS, hybridTable, mtpLayers, TILED_DELTA_NET } from './deltaNet';
import { QWEN35_DEFAULTS, qwen35Parameters } from './qwen35';
import { checkExpertCounts, SHARED_EXPERT_TENSORS } from './qwenMoe';

const DEFAULTS: JsonObject = {
  ...QWEN35_DEFAULTS,
  hidden_size: 2048,
  num_hidden_layers: 40,
  num_attention_heads: 16,
  num_key_value_heads: 2,
  num_experts: 256,
  num_experts_per_tok: 8,
  moe_intermediate_size: 512,
  shared_expert_intermediate_size: 512,
};

/** Qwen3.5 and Qwen3.6 with experts (text part). */
export const qwen35moe: Architecture = {
  name: 'qwen35moe',
  classes: ['Qwen3_5MoeForConditionalGeneration', 'Qwen3_5MoeForCausalLM'],
  label: 'Qwen3.5-MoE and Qwen3.6-MoE',
  defaults: { Qwen3_5MoeForConditionalGeneration: DEFAULTS, Qwen3_5MoeForCausalLM: DEFAULTS },
  mtpLayers,
  mlxDiffers: true,
  dropped: /^(?:model\.)?mtp\.embed_tokens\./,
  ggufKeys: DELTA_NET_KEYS,
  hyperparameters: (config) => baseHyperparameters('qwen35moe', config),
  lateParameters: (config) => qwen35Parameters('qwen35moe', config),
  tensors: (config) => hybridTable(config, TILED_DELTA_NET, SHARED_EXPERT_TENSORS),
  check(config) {
    checkHybrid(config);
    checkExpertCounts(config);
  },
};
