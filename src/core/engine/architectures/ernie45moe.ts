import { type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { checkOnly, optionalWhole, whole } from './configNumber';
import { ERNIE_LAYER_TENSORS } from './ernie45';
import { DENSE_FEED_FORWARD, each, GLOBAL_TENSORS, withoutDenseFeedForward } from './textTensors';

const experts = (config: ModelConfig): number => optionalWhole(config, 'moe_num_experts') ?? config.experts;

const EXPERTS: TensorRules = {
  'mlp.gate': { to: 'ffn_gate_inp', shape: (c) => [experts(c), c.hiddenSize], bias: 'none' },
  'mlp.moe_statics.e_score_correction_bias': {
    to: 'exp_probs_b.bias',
    parameter: true,
    shape: (c) => [1, experts(c)],
  },
  'mlp.shared_experts.gate_proj': { to: 'ffn_gate_shexp', bias: 'none' },
  'mlp.shared_experts.up_proj': { to: 'ffn_up_shexp', bias: 'none' },
  'mlp.shared_experts.down_proj': { to: 'ffn_down_shexp', bias: 'none' },
  'mlp.experts.*.gate_proj': { to: 'ffn_gate_exps', stack: experts, bias: 'none' },
  'mlp.experts.*.up_proj': { to: 'ffn_up_exps', stack: experts, bias: 'none' },
  'mlp.experts.*.down_proj': { to: 'ffn_down_exps', stack: experts, bias: 'none' },
};

/** Layers from `moe_layer_start_index` on have experts, every so many of them. */
function tensors(config: ModelConfig): TensorTable {
  const fromGguf = Object.keys(config.raw).length === 0;
  const start = fromGguf ? 0 : whole(config, 'moe_layer_start_index');
  const end = optionalWhole(config, 'moe_layer_end_index') ?? config.layers - 1;
  const step = fromGguf ? 1 : whole(config, 'moe_layer_interval');
  const attention = withoutDenseFeedForward(ERNIE_LAYER_TENSORS);
  const dense = each(DENSE_FEED_FORWARD, { bias: 'none' });
  return {
    globals: GLOBAL_TENSORS,
    layers: config.layers,
    layer: (index) => ({
      ...attention,
      ...(fromGguf
        ? each({ ...dense, ...EXPERTS }, { optional: true })
        : index >= start && index <= end && (index + 1) % step === 0
          ? EXPERTS
          : dense),
    }),
  };
}

/** ERNIE 4.5 with experts (21B-A3B, 300B-A47B). */
export const ernie45moe: Architecture = {
  name: 'ernie4_5-moe',
  classes: ['Ernie4_5_MoeForCausalLM'],
  label: 'ERNIE 4.5-MoE',
  defaults: {
    Ernie4_5_MoeForCausalLM: {
      vocab_size: 103_424,
      max_position_embeddings: 131_072,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-5,
      rope_theta: 500_000,
      moe_num_experts: 64,
      moe_k: 6,
      moe_num_shared_experts: 2,
      moe_intermediate_size: 1536,
      moe_layer_start_index: 1,
      moe_layer_interval: 1,
      tie_word_embeddings: true,
    },
  },
  vocabulary: 'ernie',
  dropped: /^model\.mtp_(?:block|emb_norm|hidden_norm|linear_proj)\./,
  hyperparameters: (config) => baseHyperparameters('ernie4_5-moe', config),
  lateParameters,
  tensors,
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
    lateParameters(config);
    // llama.cpp works the width of the shared experts out of these, as the converter does.
    const shared = optionalWhole(config, 'moe_num_shared_experts') ?? 0;
    if (shared > 0) {
      checkOnly(config, 'intermediate_size', [shared * whole(config, 'moe_intermediate_size') * config.kvHeads]);
    }
  },
};

function lateParameters(config: ModelConfig): GgufEntry[] {
  const key = (name: string): string => `ernie4_5-moe.${name}`;
  const shared = optionalWhole(config, 'moe_num_shared_experts');
  return [
    [key('expert_count'), u32(whole(config, 'moe_num_experts'))],
    [key('expert_used_count'), u32(whole(config, 'moe_k'))],
    [key('interleave_moe_layer_step'), u32(whole(config, 'moe_layer_interval'))],
    [key('leading_dense_block_count'), u32(whole(config, 'moe_layer_start_index'))],
    [key('expert_feed_forward_length'), u32(whole(config, 'moe_intermediate_size'))],
    ...(shared === undefined ? [] : [[key('expert_shared_count'), u32(shared)] as const]),
    ...(shared === undefined || shared === 0
      ? []
      : [[key('expert_shared_feed_forward_length'), u32(Math.floor(config.feedForward / config.kvHeads))] as const]),
  ];
}
