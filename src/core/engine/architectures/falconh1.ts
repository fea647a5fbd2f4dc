import { StudioError } from '../../errors';
import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, RowFactor, TensorRule, TensorRules, TensorTransform } from './architecture';
import { checkRope, checkSilu } from './baseHyperparameters';
import { checkOnly, decimal, decimals, whole } from './configNumber';
import { MAMBA2_TENSORS } from './mamba2';
import { GLOBAL_TENSORS, LAYER_TENSORS, ofHiddenSize, sameLayers } from './textTensors';

const SIZES = {
  heads: (c: ModelConfig): number => whole(c, 'mamba_n_heads'),
  groups: (c: ModelConfig): number => whole(c, 'mamba_n_groups'),
  inner: (c: ModelConfig): number => whole(c, 'mamba_d_ssm'),
  state: (c: ModelConfig): number => whole(c, 'mamba_d_state'),
};

/** llama.cpp has no keys for the family's multipliers: they go into the weights, one after the other. */
function times(...keys: readonly string[]): (config: ModelConfig) => TensorTransform {
  return (config) => ({ kind: 'multiply', steps: keys.map((key) => [{ value: decimal(config, key) }]) });
}

const ofMlp =
  (index: number) =>
  (config: ModelConfig): TensorTransform => ({
    kind: 'multiply',
    steps: [[{ value: decimals(config, 'mlp_multipliers', 2)[index]! }]],
  });

/** Gate, values, the group's two vectors and time steps have a multiplier each. */
function ofStateSpace(config: ModelConfig): TensorTransform {
  const group = SIZES.groups(config) * SIZES.state(config);
  const rows = [SIZES.inner(config), SIZES.inner(config), group, group, undefined];
  const factors: readonly RowFactor[] = decimals(config, 'ssm_multipliers', 5).map((value, index) => ({
    rows: rows[index],
    value,
  }));
  return { kind: 'multiply', steps: [[{ value: decimal(config, 'ssm_in_multiplier') }], factors] };
}

const rule = (one: TensorRules[string] | undefined): TensorRule => one as TensorRule;
const MAMBA2 = MAMBA2_TENSORS('mamba', SIZES);

function layer(config: ModelConfig): TensorRules {
  return {
    input_layernorm: LAYER_TENSORS.input_layernorm,
    'self_attn.q_proj': {
      ...LAYER_TENSORS['self_attn.q_proj'],
      bias: 'none',
      transform: times('attention_in_multiplier'),
    },
    'self_attn.k_proj': {
      ...LAYER_TENSORS['self_attn.k_proj'],
      bias: 'none',
      transform: times('key_multiplier', 'attention_in_multiplier'),
    },
    'self_attn.v_proj': {
      ...LAYER_TENSORS['self_attn.v_proj'],
      bias: 'none',
      transform: times('attention_in_multiplier'),
    },
    'self_attn.o_proj': {
      ...LAYER_TENSORS['self_attn.o_proj'],
      bias: 'none',
      transform: times('attention_out_multiplier'),
    },
    'feed_forward.gate_proj': { ...LAYER_TENSORS['mlp.gate_proj'], bias: 'none', transform: ofMlp(0) },
    'feed_forward.up_proj': { ...LAYER_TENSORS['mlp.up_proj'], bias: 'none' },
    'feed_forward.down_proj': { ...LAYER_TENSORS['mlp.down_proj'], bias: 'none', transform: ofMlp(1) },
    // llama.cpp asks for this one without `.weight`.
    'pre_ff_layernorm.weight': { to: 'ffn_norm', parameter: true, shape: ofHiddenSize },
    ...MAMBA2,
    'mamba.in_proj': { ...rule(MAMBA2['mamba.in_proj']), transform: ofStateSpace },
    'mamba.out_proj': { ...rule(MAMBA2['mamba.out_proj']), transform: times('ssm_out_multiplier') },
    'mamba.norm': { ...rule(MAMBA2['mamba.norm']), optional: config.raw['mamba_rms_norm'] !== true },
  };
}

const GLOBALS: TensorRules = {
  'model.embed_tokens': { ...GLOBAL_TENSORS['model.embed_tokens'], transform: times('embedding_multiplier') },
  'model.final_layernorm': { to: 'output_norm', shape: ofHiddenSize },
  lm_head: { ...GLOBAL_TENSORS.lm_head, transform: times('lm_head_multiplier') },
};

const DEFAULTS: JsonObject = {
  vocab_size: 128_000,
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100_000,
  mamba_d_ssm: 1024,
  mamba_n_heads: 128,
  mamba_d_head: 64,
  mamba_n_groups: 1,
  mamba_d_state: 256,
  mamba_d_conv: 4,
  mamba_rms_norm: true,
  lm_head_multiplier: 1,
  embedding_multiplier: 1,
  key_multiplier: 1,
  attention_in_multiplier: 1,
  attention_out_multiplier: 1,
  ssm_in_multiplier: 1,
  ssm_out_multiplier: 1,
  mlp_multipliers: [1, 1],
  ssm_multipliers: [1, 1, 1, 1, 1],
  tie_word_embeddings: false,
};

/** Falcon-H1: attention and a state space side by side in every layer. */
export const falconh1: Architecture = {
  name: 'falcon-h1',
  classes: ['FalconH1ForCausalLM'],
  label: 'Falcon-H1',
  defaults: { FalconH1ForCausalLM: DEFAULTS },
  hyperparameters: (config) => [
    ['falcon-h1.context_length', u32(config.contextLength)],
    ['falcon-h1.embedding_length', u32(config.hiddenSize)],
    ['falcon-h1.feed_forward_length', u32(config.feedForward)],
    ['falcon-h1.attention.head_count', u32(config.heads)],
    ['falcon-h1.block_count', u32(config.layers)],
    ['falcon-h1.ssm.conv_kernel', u32(whole(config, 'mamba_d_conv'))],
    ['falcon-h1.ssm.inner_size', u32(SIZES.inner(config))],
    ['falcon-h1.ssm.state_size', u32(SIZES.state(config))],
    ['falcon-h1.ssm.time_step_rank', u32(Math.floor(SIZES.inner(config) / whole(config, 'mamba_d_head')))],
    ['falcon-h1.ssm.group_count', u32(SIZES.groups(config))],
    ['falcon-h1.attention.layer_norm_rms_epsilon', f32(config.rmsNormEps)],
  ],
  lateParameters: (config): GgufEntry[] => [
    ['falcon-h1.vocab_size', u32(config.vocabSize)],
    ['falcon-h1.attention.head_count_kv', u32(config.kvHeads)],
    ['falcon-h1.attention.key_length', u32(config.headDim)],
    ['falcon-h1.attention.value_length', u32(config.headDim)],
    ['falcon-h1.rope.freq_base', f32(config.ropeTheta)],
  ],
  tensors: (config) => sameLayers(config, layer(config), GLOBALS),
  check(config) {
    checkRope(config, []);
    checkSilu(config);
    for (const key of ['attention_bias', 'mlp_bias', 'mamba_proj_bias', 'projectors_bias', 'mamba_norm_before_gate']) {
      checkOnly(config, key, [false]);
    }
    checkOnly(config, 'mamba_n_heads', [Math.floor(SIZES.inner(config) / whole(config, 'mamba_d_head'))]);
    if (config.tiedEmbeddings && config.raw['lm_head_multiplier'] !== config.raw['embedding_multiplier']) {
      throw new StudioError(
        'model/config',
        'config.json ties the head to the embedding and multiplies the two differently, which a GGUF of Falcon-H1 cannot express. Save the model with a head of its own (tie_word_embeddings false).',
      );
    }
    ofStateSpace(config);
  },
};
