import { bool, type GgufEntry, i32s, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { checkOnly, layerTypes, optionalWhole, whole } from './configNumber';
import { graniteScales } from './granite';
import { MAMBA2_TENSORS } from './mamba2';
import { GLOBAL_TENSORS, ofHiddenSize, PERMUTED_LAYER_TENSORS, without, withoutDenseFeedForward } from './textTensors';

const sharedWidth = (config: ModelConfig): number => whole(config, 'shared_intermediate_size');

/** Gate and up of every expert are the halves of one matrix, and all experts one tensor. */
const EXPERTS: TensorRules = {
  'block_sparse_moe.router.layer': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'block_sparse_moe.input_linear': (['gate', 'up'] as const).map((part, half) => ({
    to: `ffn_${part}_exps`,
    bias: 'none' as const,
    shape: (c: ModelConfig) => [c.experts, 2 * c.feedForward, c.hiddenSize],
    rows: (c: ModelConfig) =>
      Array.from({ length: c.experts }, (_, expert) => ({
        first: (2 * expert + half) * c.feedForward,
        count: c.feedForward,
      })),
    matrices: true,
  })),
  'block_sparse_moe.output_linear': {
    to: 'ffn_down_exps',
    bias: 'none',
    shape: (c) => [c.experts, c.hiddenSize, c.feedForward],
    rows: (c) =>
      Array.from({ length: c.experts }, (_, expert) => ({ first: expert * c.hiddenSize, count: c.hiddenSize })),
    matrices: true,
  },
};

/** A feed-forward that every token goes through, gate and up in one matrix: beside experts, or instead of them. */
function sharedFeedForward(ending: string): TensorRules {
  return {
    'shared_mlp.input_linear': (['gate', 'up'] as const).map((part, half) => ({
      to: `ffn_${part}${ending}`,
      bias: 'none' as const,
      shape: (c: ModelConfig) => [2 * sharedWidth(c), c.hiddenSize],
      rows: (c: ModelConfig) => [{ first: half * sharedWidth(c), count: sharedWidth(c) }],
    })),
    'shared_mlp.output_linear': {
      to: `ffn_down${ending}`,
      bias: 'none',
      shape: (c) => [c.hiddenSize, sharedWidth(c)],
    },
  };
}

const ATTENTION = without(withoutDenseFeedForward(PERMUTED_LAYER_TENSORS), 'post_attention_layernorm');
const isAttention = (type: string): boolean => type === 'attention';

function types(config: ModelConfig): readonly string[] {
  const indices: unknown = config.raw['attn_layer_indices'];
  return layerTypes(config, ['attention', 'mamba'], (layer) =>
    Array.isArray(indices) && !indices.includes(layer) ? 'mamba' : 'attention',
  );
}

function tensors(config: ModelConfig): TensorTable {
  const fromGguf = Object.keys(config.raw).length === 0;
  const kinds = fromGguf ? [] : types(config);
  const shared = fromGguf || (optionalWhole(config, 'shared_intermediate_size') ?? 0) > 0;
  const feedForward: TensorRules = {
    post_attention_layernorm: { to: 'ffn_norm', shape: ofHiddenSize },
    ...(config.experts > 0 ? EXPERTS : {}),
    ...(shared ? sharedFeedForward(config.experts > 0 ? '_shexp' : '') : {}),
  };
  return {
    globals: GLOBAL_TENSORS,
    layers: config.layers,
    layer: (index) => ({
      ...(isAttention(kinds[index] ?? 'attention')
        ? ATTENTION
        : { input_layernorm: PERMUTED_LAYER_TENSORS.input_layernorm, ...MAMBA2_TENSORS('mamba', SIZES) }),
      ...feedForward,
    }),
  };
}

const SIZES = {
  heads: (c: ModelConfig): number => whole(c, 'mamba_n_heads'),
  groups: (c: ModelConfig): number => whole(c, 'mamba_n_groups'),
  inner: (c: ModelConfig): number => whole(c, 'mamba_expand') * c.hiddenSize,
  state: (c: ModelConfig): number => whole(c, 'mamba_d_state'),
};

/** As many positions as its layers without rotation can tell apart. */
const ENDLESS = 2 ** 20;

/** Keys after `general.file_type`, of Granite with experts. */
function moeParameters(name: string, config: ModelConfig): GgufEntry[] {
  const shared = optionalWhole(config, 'shared_intermediate_size') ?? 0;
  return [
    [`${name}.vocab_size`, u32(config.vocabSize)],
    [`${name}.rope.dimension_count`, u32(Math.floor(config.hiddenSize / config.heads))],
    ...graniteScales(name, config),
    ...(shared === 0 ? [] : [[`${name}.expert_shared_feed_forward_length`, u32(shared)] as const]),
  ];
}

function hybridParameters(name: string, config: ModelConfig): GgufEntry[] {
  const kinds = types(config);
  const rotates = kinds.every(isAttention);
  return [
    ...moeParameters(name, config),
    [`${name}.ssm.conv_kernel`, u32(whole(config, 'mamba_d_conv'))],
    [`${name}.ssm.state_size`, u32(SIZES.state(config))],
    [`${name}.ssm.group_count`, u32(SIZES.groups(config))],
    [`${name}.ssm.inner_size`, u32(SIZES.inner(config))],
    [`${name}.ssm.time_step_rank`, u32(SIZES.heads(config))],
    [`${name}.attention.head_count_kv`, i32s(kinds.map((kind) => (isAttention(kind) ? config.kvHeads : 0)))],
    [`${name}.rope.scaling.finetuned`, bool(rotates)],
    ...(rotates ? [] : [[`${name}.context_length`, u32(ENDLESS)] as const]),
  ];
}

function check(config: ModelConfig): void {
  checkRope(config, ['linear', 'yarn']);
  checkSilu(config);
  checkOnly(config, 'attention_bias', [false]);
  checkOnly(config, 'mamba_proj_bias', [false]);
  graniteScales('granite', config);
}

const DEFAULTS: JsonObject = {
  max_position_embeddings: 2048,
  attention_multiplier: 1,
  embedding_multiplier: 1,
  residual_multiplier: 1,
  logits_scaling: 1,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  vocab_size: 32_000,
  num_local_experts: 8,
  num_experts_per_tok: 2,
  tie_word_embeddings: false,
};

const HYBRID_DEFAULTS: JsonObject = {
  ...DEFAULTS,
  shared_intermediate_size: 1024,
  mamba_n_heads: 128,
  mamba_n_groups: 1,
  mamba_d_state: 256,
  mamba_d_conv: 4,
  mamba_expand: 2,
};

/** Granite 3 with experts, with or without one that every token goes through. */
export const graniteMoe: Architecture = {
  name: 'granitemoe',
  classes: ['GraniteMoeForCausalLM', 'GraniteMoeSharedForCausalLM'],
  label: 'Granite-MoE',
  defaults: {
    GraniteMoeForCausalLM: DEFAULTS,
    GraniteMoeSharedForCausalLM: { ...DEFAULTS, shared_intermediate_size: 1024 },
  },
  vocabulary: 'llama',
  hyperparameters: (config) => baseHyperparameters('granitemoe', { ...config, hasHeadDim: false }),
  lateParameters: (config) => moeParameters('granitemoe', config),
  tensors,
  check,
};

/** Layers of a state space with attention in some of them: what Granite 4 is, with experts or without. */
export const graniteHybrid: Architecture = hybrid('granitehybrid', 'GraniteMoeHybridForCausalLM', 'Granite 4');
/** Granite 4 whose layers all have attention goes by the architecture of Granite 3. */
export const graniteAttention: Architecture = hybrid('granite', 'GraniteMoeHybridForCausalLM (attention)', 'Granite 4');
export const graniteAttentionMoe: Architecture = hybrid(
  'granitemoe',
  'GraniteMoeHybridForCausalLM (attention, experts)',
  'Granite 4',
);

function hybrid(name: string, className: string, label: string): Architecture {
  return {
    name,
    classes: [className],
    label,
    defaults: { [className]: HYBRID_DEFAULTS },
    classOf(raw) {
      const kinds: unknown = raw['layer_types'];
      const attends = Array.isArray(kinds) && kinds.every(isAttention);
      const experts = raw['num_experts_per_tok'];
      return !attends
        ? 'GraniteMoeHybridForCausalLM'
        : typeof experts === 'number' && experts > 0
          ? 'GraniteMoeHybridForCausalLM (attention, experts)'
          : 'GraniteMoeHybridForCausalLM (attention)';
    },
    hyperparameters: (config) => baseHyperparameters(name, { ...config, hasHeadDim: false }),
    lateParameters: (config) => hybridParameters(name, config),
    tensors,
    check(config) {
      check(config);
      hybridParameters(name, config);
      checkOnly(config, 'position_embedding_type', types(config).every(isAttention) ? ['rope'] : ['nope', null]);
    },
  };
}
