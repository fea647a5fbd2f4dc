import { type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { checkOnly, whole } from './configNumber';
import { expertTensors } from './expertTensors';
import { checkExpertCounts } from './qwenMoe';
import { llama3RopeFrequencies } from './ropeFrequencies';
import { each, GLOBAL_TENSORS, LAYER_TENSORS, withoutDenseFeedForward } from './textTensors';

const denseWidth = (config: ModelConfig): number => whole(config, 'intermediate_size_mlp');

const DENSE: TensorRules = {
  'feed_forward.gate_proj': { to: 'ffn_gate', shape: (c) => [denseWidth(c), c.hiddenSize] },
  'feed_forward.up_proj': { to: 'ffn_up', shape: (c) => [denseWidth(c), c.hiddenSize] },
  'feed_forward.down_proj': { to: 'ffn_down', shape: (c) => [c.hiddenSize, denseWidth(c)] },
};
const EXPERTS: TensorRules = {
  'feed_forward.router': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'feed_forward.shared_expert.gate_proj': { to: 'ffn_gate_shexp', bias: 'none' },
  'feed_forward.shared_expert.up_proj': { to: 'ffn_up_shexp', bias: 'none' },
  'feed_forward.shared_expert.down_proj': { to: 'ffn_down_shexp', bias: 'none' },
  ...expertTensors('feed_forward'),
};

function tensors(config: ModelConfig): TensorTable {
  const fromGguf = Object.keys(config.raw).length === 0;
  const step = fromGguf ? 1 : whole(config, 'interleave_moe_layer_step');
  const attention = withoutDenseFeedForward(LAYER_TENSORS);
  return {
    globals: GLOBAL_TENSORS,
    layers: config.layers,
    layer: (index) => ({
      ...attention,
      ...(fromGguf
        ? each({ ...DENSE, ...EXPERTS }, { optional: true })
        : step > 0 && (index + 1) % step === 0
          ? EXPERTS
          : DENSE),
    }),
  };
}

const DEFAULTS: JsonObject = {
  vocab_size: 202_048,
  hidden_size: 5120,
  intermediate_size: 8192,
  intermediate_size_mlp: 16_384,
  num_hidden_layers: 48,
  num_attention_heads: 40,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  num_experts_per_tok: 1,
  num_local_experts: 16,
  interleave_moe_layer_step: 1,
  attention_chunk_size: 8192,
  tie_word_embeddings: false,
};

/** Llama 4, text part (Scout, Maverick). */
export const llama4: Architecture = {
  name: 'llama4',
  classes: ['Llama4ForConditionalGeneration', 'Llama4ForCausalLM'],
  label: 'Llama 4',
  defaults: { Llama4ForConditionalGeneration: DEFAULTS, Llama4ForCausalLM: DEFAULTS },
  squareExperts: 'transposed',
  hyperparameters: (config) =>
    baseHyperparameters('llama4', {
      ...config,
      feedForward: denseWidth(config),
    }),
  lateParameters,
  tensors,
  generatedTensors: llama3RopeFrequencies,
  check(config) {
    checkRope(config, ['linear', 'yarn', 'llama3']);
    checkSilu(config);
    checkExpertCounts(config);
    // What llama.cpp's graph has built in and no keys for.
    checkOnly(config, 'attention_chunk_size', [8192]);
    checkOnly(config, 'use_qk_norm', [config.experts !== 128]);
    checkOnly(config, 'floor_scale', [8192]);
    checkOnly(config, 'attn_scale', [0.1]);
    lateParameters(config);
  },
};

function lateParameters(config: ModelConfig): GgufEntry[] {
  const types: unknown = config.raw['layer_types'];
  const all = Array.isArray(types) && types.length > 0 && types.every((type) => type === 'full_attention');
  return [
    ['llama4.vocab_size', u32(config.vocabSize)],
    ['llama4.rope.dimension_count', u32(config.headDim)],
    ['llama4.interleave_moe_layer_step', u32(whole(config, 'interleave_moe_layer_step'))],
    ['llama4.expert_feed_forward_length', u32(config.feedForward)],
    ...(all ? [['llama4.attention.sliding_window', u32(0)] as const] : []),
  ];
}
