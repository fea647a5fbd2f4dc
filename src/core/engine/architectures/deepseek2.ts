import { bool, f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, RowRun, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRopeType, checkSilu } from './baseHyperparameters';
import { checkOnly, decimal, optionalWhole, whole } from './configNumber';
import { furtherLayers, NEXT_TOKEN_TENSORS, SHARED_EXPERTS } from './glm4moe';
import { checkExpertCounts } from './qwenMoe';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { DENSE_FEED_FORWARD, each, GLOBAL_TENSORS, LAYER_TENSORS } from './textTensors';

const nope = (c: ModelConfig): number => whole(c, 'qk_nope_head_dim');
const rope = (c: ModelConfig): number => whole(c, 'qk_rope_head_dim');
const valueDim = (c: ModelConfig): number => whole(c, 'v_head_dim');
const latent = (c: ModelConfig): number => whole(c, 'kv_lora_rank');
const queryRank = (c: ModelConfig): number | undefined => optionalWhole(c, 'q_lora_rank');
const queryRows = (c: ModelConfig): number => c.heads * (nope(c) + rope(c));

/** Keys and values of each head stand one behind the other; the GGUF has all heads' keys, transposed, and all heads' values. */
function ofEachHead(part: 'keys' | 'values'): (config: ModelConfig) => readonly RowRun[] {
  return (c) =>
    Array.from({ length: c.heads }, (_, head) => {
      const first = head * (nope(c) + valueDim(c));
      return part === 'keys' ? { first, count: nope(c) } : { first: first + nope(c), count: valueDim(c) };
    });
}

/** Latent attention: keys and values are unfolded from one short vector a token. */
const ATTENTION: TensorRules = {
  'self_attn.kv_a_proj_with_mqa': { to: 'attn_kv_a_mqa', shape: (c) => [latent(c) + rope(c), c.hiddenSize] },
  'self_attn.kv_a_layernorm': { to: 'attn_kv_a_norm', shape: (c) => [latent(c)] },
  'self_attn.kv_b_proj': [
    {
      to: 'attn_k_b',
      bias: 'none',
      shape: (c) => [c.heads * (nope(c) + valueDim(c)), latent(c)],
      rows: ofEachHead('keys'),
      matrices: true,
      transform: () => ({ kind: 'transpose' }),
    },
    {
      to: 'attn_v_b',
      bias: 'none',
      shape: (c) => [c.heads * (nope(c) + valueDim(c)), latent(c)],
      rows: ofEachHead('values'),
      matrices: true,
    },
  ],
  'self_attn.o_proj': { to: 'attn_output', shape: (c) => [c.hiddenSize, c.heads * valueDim(c)] },
  input_layernorm: LAYER_TENSORS.input_layernorm,
  post_attention_layernorm: LAYER_TENSORS.post_attention_layernorm,
};

const QUERY: TensorRules = { 'self_attn.q_proj': { to: 'attn_q', shape: (c) => [queryRows(c), c.hiddenSize] } };
const LATENT_QUERY: TensorRules = {
  'self_attn.q_a_proj': { to: 'attn_q_a', shape: (c) => [queryRank(c), c.hiddenSize] },
  'self_attn.q_a_layernorm': { to: 'attn_q_a_norm', shape: (c) => [queryRank(c)] },
  'self_attn.q_b_proj': { to: 'attn_q_b', shape: (c) => [queryRows(c), queryRank(c)] },
};

function tensors(config: ModelConfig): TensorTable {
  const dense = leadingDense(config);
  const biased = each(
    { bias: SHARED_EXPERTS['mlp.gate.e_score_correction_bias']! },
    { optional: config.raw['topk_method'] !== 'noaux_tc' },
  );
  const experts: TensorRules = { ...SHARED_EXPERTS, 'mlp.gate.e_score_correction_bias': biased['bias']! };
  return {
    globals: {
      ...GLOBAL_TENSORS,
      ...(config.tiedEmbeddings ? { lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true } } : {}),
    },
    layers: config.layers + config.mtpLayers,
    layer: (index) => ({
      ...ATTENTION,
      ...(queryRank(config) === undefined ? QUERY : LATENT_QUERY),
      ...(index < dense ? DENSE_FEED_FORWARD : experts),
      ...(index < config.layers ? {} : NEXT_TOKEN_TENSORS),
    }),
  };
}

function leadingDense(config: ModelConfig): number {
  return optionalWhole(config, 'first_k_dense_replace') ?? (config.experts === 0 ? config.layers : 0);
}

/** One key/value head, as llama.cpp's graph of latent attention counts them. */
function hyperparameters(config: ModelConfig): GgufEntry[] {
  return baseHyperparameters('deepseek2', {
    ...config,
    kvHeads: 1,
    headDim: rope(config),
    // transformers gives DeepSeek's own configurations one; key_length is written over below, but its place is told by that.
    hasHeadDim: config.hasHeadDim || config.className !== 'Glm4MoeLiteForCausalLM',
  });
}

function lateParameters(config: ModelConfig): GgufEntry[] {
  const key = (name: string): string => `deepseek2.${name}`;
  const rank = queryRank(config);
  const all = ropeNumber(readRopeParameters(config.raw).full, 'mscale_all_dim');
  const scale = config.raw['routed_scaling_factor'];
  return [
    [key('leading_dense_block_count'), u32(leadingDense(config))],
    [key('vocab_size'), u32(config.vocabSize)],
    ...(rank === undefined ? [] : [[key('attention.q_lora_rank'), u32(rank)] as const]),
    [key('attention.kv_lora_rank'), u32(latent(config))],
    [key('attention.key_length'), u32(latent(config) + rope(config))],
    [key('attention.value_length'), u32(latent(config))],
    [key('attention.key_length_mla'), u32(nope(config) + rope(config))],
    [key('attention.value_length_mla'), u32(valueDim(config))],
    [key('expert_feed_forward_length'), u32(whole(config, 'moe_intermediate_size'))],
    ...(config.experts === 0 ? [] : [[key('expert_count'), u32(config.experts)] as const]),
    [key('expert_shared_count'), u32(optionalWhole(config, 'n_shared_experts') ?? 0)],
    ...(typeof scale === 'number'
      ? [[key('expert_weights_scale'), f32(decimal(config, 'routed_scaling_factor'))] as const]
      : []),
    ...(config.raw['norm_topk_prob'] === true ? [[key('expert_weights_norm'), bool(true)] as const] : []),
    [key('rope.dimension_count'), u32(rope(config))],
    ...(all === undefined ? [] : [[key('rope.scaling.yarn_log_multiplier'), f32(0.1 * all)] as const]),
    ...(config.mtpLayers === 0 ? [] : [[key('nextn_predict_layers'), u32(config.mtpLayers)] as const]),
  ];
}

function check(config: ModelConfig): void {
  checkRopeType(config, ['linear', 'yarn']);
  checkSilu(config);
  if (config.experts > 0) {
    checkExpertCounts(config);
  }
  lateParameters(config);
  // llama.cpp tells models without a latent query by the number of their layers.
  if (queryRank(config) === undefined) {
    checkOnly(config, 'num_hidden_layers', [26, 27]);
  }
}

const DEFAULTS: JsonObject = {
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  vocab_size: 102_400,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  q_lora_rank: 1536,
  first_k_dense_replace: 0,
  norm_topk_prob: false,
  tie_word_embeddings: false,
};

/** DeepSeek-V2, V3, V3.1 and R1; Kimi K2 and others of their shape. Layers for multi-token prediction are left out, as the converter does. */
export const deepseek2: Architecture = {
  name: 'deepseek2',
  classes: ['DeepseekV2ForCausalLM', 'DeepseekV3ForCausalLM'],
  label: 'DeepSeek-V2 and V3',
  defaults: {
    DeepseekV2ForCausalLM: { ...DEFAULTS, routed_scaling_factor: 1, topk_method: 'greedy' },
    DeepseekV3ForCausalLM: {
      ...DEFAULTS,
      max_position_embeddings: 4096,
      vocab_size: 129_280,
      first_k_dense_replace: 3,
      n_group: 8,
      topk_group: 4,
      n_shared_experts: 1,
      n_routed_experts: 256,
      num_experts_per_tok: 8,
      moe_intermediate_size: 2048,
      routed_scaling_factor: 2.5,
      norm_topk_prob: true,
      topk_method: 'noaux_tc',
    },
  },
  dropsFurtherLayers: true,
  hyperparameters,
  lateParameters,
  tensors,
  check,
};

/** GLM-4.7-Flash: DeepSeek's latent attention with GLM's vocabulary; layers for multi-token prediction go along. */
export const glm47flash: Architecture = {
  ...deepseek2,
  classes: ['Glm4MoeLiteForCausalLM'],
  label: 'GLM-4.7-Flash',
  defaults: {
    Glm4MoeLiteForCausalLM: {
      ...DEFAULTS,
      vocab_size: 154_880,
      max_position_embeddings: 202_752,
      rms_norm_eps: 1e-5,
      n_group: 1,
      topk_group: 1,
      q_lora_rank: 768,
      qk_nope_head_dim: 192,
      v_head_dim: 256,
      n_shared_experts: 1,
      n_routed_experts: 64,
      num_experts_per_tok: 4,
      moe_intermediate_size: 1536,
      routed_scaling_factor: 1.8,
      first_k_dense_replace: 1,
      norm_topk_prob: true,
      topk_method: 'noaux_tc',
    },
  },
  vocabulary: 'glm',
  dropsFurtherLayers: false,
  mtpLayers: furtherLayers,
};
