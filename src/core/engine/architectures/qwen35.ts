import type { Architecture } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { checkHybrid, DELTA_NET_KEYS, hybridParameters, hybridTable, mtpLayers, TILED_DELTA_NET } from './deltaNet';
import { DENSE_FEED_FORWARD } from './textTensors';
import { i32s } from '../../formats/gguf/ggufValue';
import type { GgufEntry } from '../../formats/gguf/ggufValue';
import type { ModelConfig } from './architecture';
import type { JsonObject } from '../../json';
import { readRopeParameters } from './ropeParameters';

/** Class defaults of Qwen3.5's text models that both kinds share. */
export const QWEN35_DEFAULTS: JsonObject = {
  vocab_size: 248_320,
  num_key_value_heads: 4,
  head_dim: 256,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  linear_conv_kernel_dim: 4,
  linear_key_head_dim: 128,
  linear_value_head_dim: 128,
  linear_num_key_heads: 16,
  linear_num_value_heads: 32,
  full_attention_interval: 4,
  partial_rotary_factor: 0.25,
  tie_word_embeddings: false,
};

/** The graph asks for the parts of the rotation whether config.json names them or not. */
export function qwen35Parameters(name: string, config: ModelConfig): GgufEntry[] {
  const given = Array.isArray(readRopeParameters(config.raw).full['mrope_section']);
  return [
    ...hybridParameters(name, config),
    ...(given ? [] : [[`${name}.rope.dimension_sections`, i32s([11, 11, 10, 0])] as const]),
  ];
}

const DEFAULTS: JsonObject = {
  ...QWEN35_DEFAULTS,
  hidden_size: 4096,
  intermediate_size: 12_288,
  num_hidden_layers: 32,
  num_attention_heads: 16,
};

/** Qwen3.5 and Qwen3.6, dense (text part): three layers of gated delta net to one of gated attention. */
export const qwen35: Architecture = {
  name: 'qwen35',
  classes: ['Qwen3_5ForConditionalGeneration', 'Qwen3_5ForCausalLM'],
  label: 'Qwen3.5 and Qwen3.6',
  defaults: { Qwen3_5ForConditionalGeneration: DEFAULTS, Qwen3_5ForCausalLM: DEFAULTS },
  mtpLayers,
  mlxDiffers: true,
  dropped: /^(?:model\.)?mtp\.embed_tokens\./,
  ggufKeys: DELTA_NET_KEYS,
  hyperparameters: (config) => baseHyperparameters('qwen35', config),
  lateParameters: (config) => qwen35Parameters('qwen35', config),
  tensors: (config) => hybridTable(config, TILED_DELTA_NET, DENSE_FEED_FORWARD),
  check: checkHybrid,
};
