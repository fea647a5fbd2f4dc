import { StudioError } from '../../errors';
import { bool, f32, type GgufEntry, i32s, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters } from './baseHyperparameters';
import { checkOnly, decimal, optionalWhole, whole } from './configNumber';
import { MAMBA2_TENSORS } from './mamba2';
import { checkExpertCounts } from './qwenMoe';
import { GLOBAL_TENSORS, ofHiddenSize, PERMUTED_LAYER_TENSORS } from './textTensors';

const SIZES = {
  heads: (c: ModelConfig): number => whole(c, 'mamba_num_heads'),
  groups: (c: ModelConfig): number => whole(c, 'n_groups'),
  inner: (c: ModelConfig): number => whole(c, 'mamba_num_heads') * whole(c, 'mamba_head_dim'),
  state: (c: ModelConfig): number => whole(c, 'ssm_state_size'),
};

type Kind = 'mamba' | 'attention' | 'mlp' | 'moe';
const LETTERS: Readonly<Record<string, Kind>> = { M: 'mamba', '*': 'attention', '-': 'mlp', E: 'moe' };
const WORDS: Readonly<Record<string, Kind>> = {
  mamba: 'mamba',
  linear_attention: 'mamba',
  attention: 'attention',
  full_attention: 'attention',
  mlp: 'mlp',
  moe: 'moe',
};

/** What every layer is: each does one thing. @throws StudioError model/config */
function kinds(config: ModelConfig): readonly Kind[] {
  const pattern: unknown =
    config.raw['hybrid_override_pattern'] ?? config.raw['layers_block_type'] ?? config.raw['layer_types'];
  const found =
    typeof pattern === 'string'
      ? Array.from(pattern, (letter) => LETTERS[letter])
      : Array.isArray(pattern)
        ? pattern.map((word: unknown) => (typeof word === 'string' ? WORDS[word] : undefined))
        : [];
  if (found.length !== config.layers || found.includes(undefined)) {
    throw new StudioError(
      'model/config',
      `config.json must say of each of its ${config.layers} layers what it is (\`hybrid_override_pattern\`). Fetch the model's config.json again.`,
    );
  }
  return found as readonly Kind[];
}

const experts = (config: ModelConfig): number => config.experts;
const sharedWidth = (config: ModelConfig): number => whole(config, 'moe_shared_expert_intermediate_size');
const expertWidth = (config: ModelConfig): number => whole(config, 'moe_intermediate_size');

const RULES: Readonly<Record<Kind, TensorRules>> = {
  mamba: MAMBA2_TENSORS('mixer', SIZES),
  attention: {
    'mixer.q_proj': { ...PERMUTED_LAYER_TENSORS['self_attn.q_proj'], bias: 'none' },
    'mixer.k_proj': { ...PERMUTED_LAYER_TENSORS['self_attn.k_proj'], bias: 'none' },
    'mixer.v_proj': { ...PERMUTED_LAYER_TENSORS['self_attn.v_proj'], bias: 'none' },
    'mixer.o_proj': { ...PERMUTED_LAYER_TENSORS['self_attn.o_proj'], bias: 'none' },
  },
  mlp: {
    'mixer.up_proj': { to: 'ffn_up', shape: (c) => [c.feedForward, c.hiddenSize], bias: 'none' },
    'mixer.down_proj': { to: 'ffn_down', shape: (c) => [c.hiddenSize, c.feedForward], bias: 'none' },
  },
  moe: {
    'mixer.gate': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
    'mixer.gate.e_score_correction_bias': { to: 'exp_probs_b.bias', parameter: true, shape: (c) => [c.experts] },
    'mixer.experts.*.up_proj': {
      to: 'ffn_up_exps',
      stack: experts,
      shape: (c) => [expertWidth(c), c.hiddenSize],
      bias: 'none',
    },
    'mixer.experts.*.down_proj': {
      to: 'ffn_down_exps',
      stack: experts,
      shape: (c) => [c.hiddenSize, expertWidth(c)],
      bias: 'none',
    },
    'mixer.shared_experts.up_proj': { to: 'ffn_up_shexp', shape: (c) => [sharedWidth(c), c.hiddenSize], bias: 'none' },
    'mixer.shared_experts.down_proj': {
      to: 'ffn_down_shexp',
      shape: (c) => [c.hiddenSize, sharedWidth(c)],
      bias: 'none',
    },
  },
};

function tensors(config: ModelConfig): TensorTable {
  const list = kinds(config);
  return {
    globals: GLOBAL_TENSORS,
    layers: config.layers,
    layer: (index) => ({
      norm: { to: 'attn_norm', shape: ofHiddenSize, bias: 'none' },
      ...RULES[list[index] ?? 'mlp'],
    }),
  };
}

/** As many positions as layers without rotation can tell apart. */
const ENDLESS = 2 ** 20;

function lateParameters(name: string, config: ModelConfig): GgufEntry[] {
  const list = kinds(config);
  const has = (kind: Kind, width: number): readonly number[] => list.map((one) => (one === kind ? width : 0));
  const key = (suffix: string): string => `${name}.${suffix}`;
  const moe = name === 'nemotron_h_moe';
  return [
    [key('vocab_size'), u32(config.vocabSize)],
    [key('rope.dimension_count'), u32(Math.floor(config.hiddenSize / config.heads))],
    [key('ssm.conv_kernel'), u32(whole(config, 'conv_kernel'))],
    [key('ssm.state_size'), u32(SIZES.state(config))],
    [key('ssm.group_count'), u32(SIZES.groups(config))],
    [key('ssm.inner_size'), u32(SIZES.inner(config))],
    [key('ssm.time_step_rank'), u32(SIZES.heads(config))],
    [key('attention.head_count_kv'), i32s(has('attention', config.kvHeads))],
    [key('rope.scaling.finetuned'), bool(!list.includes('mamba'))],
    ...(list.includes('mamba') ? [[key('context_length'), u32(ENDLESS)] as const] : []),
    [key('attention.key_length'), u32(config.headDim)],
    [key('attention.value_length'), u32(config.headDim)],
    [key('feed_forward_length'), i32s(moe ? has('moe', expertWidth(config)) : has('mlp', config.feedForward))],
    ...(moe ? moeParameters(key, config) : []),
  ];
}

function moeParameters(key: (suffix: string) => string, config: ModelConfig): GgufEntry[] {
  return [
    [key('expert_used_count'), u32(config.expertsUsed)],
    [key('expert_feed_forward_length'), u32(expertWidth(config))],
    [key('expert_shared_feed_forward_length'), u32(sharedWidth(config))],
    [key('expert_count'), u32(config.experts)],
    [key('expert_shared_count'), u32(whole(config, 'n_shared_experts'))],
    [key('expert_weights_norm'), bool(config.raw['norm_topk_prob'] === true)],
    [key('expert_weights_scale'), f32(decimal(config, 'routed_scaling_factor'))],
    [key('expert_group_count'), u32(whole(config, 'n_group'))],
  ];
}

const DEFAULTS: JsonObject = {
  vocab_size: 131_072,
  hidden_size: 4096,
  intermediate_size: 21_504,
  num_hidden_layers: 52,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 4096,
  layer_norm_epsilon: 1e-5,
  ssm_state_size: 128,
  mamba_num_heads: 128,
  mamba_head_dim: 64,
  n_groups: 8,
  conv_kernel: 4,
  norm_topk_prob: true,
  tie_word_embeddings: false,
};

function nemotronHybrid(name: 'nemotron_h' | 'nemotron_h_moe', className: string, label: string): Architecture {
  return {
    name,
    classes: [className],
    label,
    defaults: { [className]: DEFAULTS },
    classOf: (raw) =>
      typeof raw['num_experts_per_tok'] === 'number' ? 'NemotronHForCausalLM (experts)' : 'NemotronHForCausalLM',
    vocabulary: name === 'nemotron_h' ? 'nemotronH' : 'plain',
    dropped: /^mtp\./,
    hyperparameters: (config) =>
      baseHyperparameters(name, { ...config, hasHeadDim: false }).filter(
        // Nothing turns in these models, and the file says no base unless config.json does.
        ([key]) => !key.endsWith('.rope.freq_base') || config.raw['rope_theta'] !== undefined,
      ),
    lateParameters: (config) => lateParameters(name, config),
    tensors,
    check(config) {
      for (const flag of ['attention_bias', 'mlp_bias', 'mamba_proj_bias', 'use_bias']) {
        checkOnly(config, flag, [false]);
      }
      checkOnly(config, 'mlp_hidden_act', ['relu2']);
      if ((optionalWhole(config, 'moe_latent_size') ?? 0) > 0) {
        throw new StudioError(
          'model/architecture',
          "Nemotron models whose experts work on a shorter vector (`moe_latent_size`) are not built in. Convert the model with llama.cpp's own converter, `convert_hf_to_gguf.py DIRECTORY --outtype f16 --outfile MODEL.gguf`, and then run `modelfile-studio quantize MODEL.gguf OUT.gguf Q4_K_M`.",
        );
      }
      if (name === 'nemotron_h_moe') {
        checkExpertCounts(config);
      }
      lateParameters(name, config);
    },
  };
}

/** Nemotron-H: state spaces, attention and feed-forwards, one a layer. */
export const nemotronH: Architecture = nemotronHybrid('nemotron_h', 'NemotronHForCausalLM', 'Nemotron-H');
/** Nemotron 3 Nano: with experts in the place of feed-forwards. */
export const nemotronHMoe: Architecture = nemotronHybrid(
  'nemotron_h_moe',
  'NemotronHForCausalLM (experts)',
  'Nemotron 3',
);
