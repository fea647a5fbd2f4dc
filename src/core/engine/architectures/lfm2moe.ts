import { StudioError } from '../../errors';
import { u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { expertTensors } from './expertTensors';
import { checkLfm2, convolutionLength, LFM2_FEED_FORWARD, lfm2Heads, lfm2Table } from './lfm2';
import { checkExpertCounts } from './qwenMoe';

const EXPERTS: TensorRules = {
  'feed_forward.gate': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'feed_forward.expert_bias': {
    to: 'exp_probs_b.bias',
    parameter: true,
    optional: (c) => c.raw['use_expert_bias'] !== true,
  },
  ...expertTensors('feed_forward'),
};

/** LFM2 with experts (8B-A1B); the first layers are dense. */
export const lfm2moe: Architecture = {
  name: 'lfm2moe',
  classes: ['Lfm2MoeForCausalLM'],
  label: 'LFM2-MoE',
  defaults: {
    Lfm2MoeForCausalLM: {
      vocab_size: 65_536,
      hidden_size: 2048,
      intermediate_size: 7168,
      moe_intermediate_size: 1792,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      max_position_embeddings: 128_000,
      norm_eps: 1e-5,
      rope_theta: 1_000_000,
      conv_bias: false,
      conv_L_cache: 3,
      num_dense_layers: 2,
      num_experts: 32,
      num_experts_per_tok: 4,
      use_expert_bias: true,
      tie_word_embeddings: true,
    },
  },
  kvHeadsByLayer: lfm2Heads,
  hyperparameters: (config) => baseHyperparameters('lfm2moe', config),
  lateParameters: (config) => [
    ['lfm2moe.expert_feed_forward_length', u32(count(config, 'moe_intermediate_size'))],
    ['lfm2moe.leading_dense_block_count', u32(count(config, 'num_dense_layers'))],
    ['lfm2moe.expert_gating_func', u32(SIGMOID)],
    ['lfm2moe.vocab_size', u32(config.vocabSize)],
    ['lfm2moe.shortconv.l_cache', u32(convolutionLength(config))],
  ],
  ggufKeys: { num_dense_layers: 'leading_dense_block_count' },
  tensors: (config) => {
    const dense = count(config, 'num_dense_layers');
    return lfm2Table(config, (layer) => (layer < dense ? LFM2_FEED_FORWARD : EXPERTS));
  },
  check(config) {
    checkLfm2(config);
    checkExpertCounts(config);
    count(config, 'moe_intermediate_size');
  },
};

const SIGMOID = 2;

function count(config: ModelConfig, key: string): number {
  const value = config.raw[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 16_777_216) {
    throw new StudioError(
      'model/config',
      `config.json: \`${key}\` must be a whole number. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return value;
}
