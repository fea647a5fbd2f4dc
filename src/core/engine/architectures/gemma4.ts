import { StudioError } from '../../errors';
import { bools, f32, type GgufEntry, i32s, u32 } from '../../formats/gguf/ggufValue';
import type { Json, JsonObject } from '../../json';
import type { Architecture, GeneratedTensor, ModelConfig, TensorRule, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRopeType } from './baseHyperparameters';
import { positive } from './gemma2';
import { checkExpertCounts } from './qwenMoe';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { each, GLOBAL_TENSORS, ofHiddenSize } from './textTensors';

/** Turns a rotation off: an angle divided by this is none. */
const UNROTATED = 1e30;

const DEFAULTS: JsonObject = {
  vocab_size: 262_144,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 30,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  global_head_dim: 512,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  sliding_window: 512,
  hidden_size_per_layer_input: 256,
  num_kv_shared_layers: 0,
  tie_word_embeddings: true,
  rope_parameters: {
    sliding_attention: { rope_type: 'default', rope_theta: 10_000 },
    full_attention: { rope_type: 'proportional', partial_rotary_factor: 0.25, rope_theta: 1_000_000 },
  },
};

const plain = (to: string): TensorRule => ({ to, shape: ofHiddenSize });
const perLayer = (config: ModelConfig): number => ropeNumber(config.raw, 'hidden_size_per_layer_input') ?? 0;

const NORMS: TensorRules = {
  input_layernorm: plain('attn_norm'),
  post_attention_layernorm: plain('post_attention_norm'),
  pre_feedforward_layernorm: plain('ffn_norm'),
  post_feedforward_layernorm: plain('post_ffw_norm'),
  layer_scalar: { to: 'layer_output_scale.weight', parameter: true },
};

/** A second embedding, with its share for every layer (E2B, E4B). */
const PER_LAYER_GLOBALS: TensorRules = {
  'model.embed_tokens_per_layer': {
    to: 'per_layer_token_embd',
    shape: (c) => [undefined, c.layers * perLayer(c)],
    bias: 'none',
  },
  'model.per_layer_model_projection': { to: 'per_layer_model_proj', bias: 'none' },
  'model.per_layer_projection_norm': { to: 'per_layer_proj_norm', shape: (c) => [perLayer(c)] },
};
const PER_LAYER: TensorRules = {
  per_layer_input_gate: { to: 'inp_gate', shape: (c) => [perLayer(c), c.hiddenSize], bias: 'none' },
  per_layer_projection: { to: 'proj', shape: (c) => [c.hiddenSize, perLayer(c)], bias: 'none' },
  post_per_layer_input_norm: plain('post_norm'),
};

const experts = (config: ModelConfig): number => config.experts;
/** Experts beside the dense feed-forward; gate and up stay one tensor. */
const EXPERTS: TensorRules = {
  'router.proj': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'router.scale': { to: 'ffn_gate_inp.scale', parameter: true, shape: ofHiddenSize },
  'router.per_expert_scale': { to: 'ffn_down_exps.scale', parameter: true, shape: (c) => [c.experts] },
  'experts.*.gate_proj': { to: 'ffn_gate_up_exps', stack: experts, within: [0, 2], bias: 'none' },
  'experts.*.up_proj': { to: 'ffn_gate_up_exps', stack: experts, within: [1, 2], bias: 'none' },
  'experts.*.down_proj': { to: 'ffn_down_exps', stack: experts, bias: 'none' },
  post_feedforward_layernorm_1: plain('post_ffw_norm_1'),
  post_feedforward_layernorm_2: plain('post_ffw_norm_2'),
  pre_feedforward_layernorm_2: plain('pre_ffw_norm_2'),
};

/** Gemma 4, text part: dense (31B), with experts (26B-A4B), with embeddings for each layer (E2B, E4B). */
export const gemma4: Architecture = {
  name: 'gemma4',
  classes: ['Gemma4ForConditionalGeneration', 'Gemma4ForCausalLM', 'Gemma4UnifiedForConditionalGeneration'],
  label: 'Gemma 4',
  defaults: {
    Gemma4ForConditionalGeneration: DEFAULTS,
    Gemma4ForCausalLM: DEFAULTS,
    Gemma4UnifiedForConditionalGeneration: DEFAULTS,
  },
  vocabulary: 'gemma4',
  kvHeadsByLayer,
  hyperparameters: (config) => baseHyperparameters('gemma4', config),
  lateParameters,
  tensors,
  generatedTensors,
  check(config) {
    checkRopeType(config, ['proportional']);
    if (config.raw['enable_moe_block'] === true) {
      checkExpertCounts(config);
    }
    if (config.raw['per_layer_config'] !== undefined && config.raw['per_layer_config'] !== null) {
      throw refused('gives layers a configuration of their own (`per_layer_config`), which is not read');
    }
    lateParameters(config);
    generatedTensors(config);
  },
};

function refused(what: string): StudioError {
  return new StudioError('model/config', `config.json ${what}. Fetch the model's config.json again.`);
}

/** Every layer's attention; five of six slide where config.json does not say, and the last never does. */
function layerTypes(config: ModelConfig): readonly Json[] {
  const given: unknown = config.raw['layer_types'];
  const types: readonly Json[] = Array.isArray(given)
    ? (given as readonly Json[])
    : Array.from({ length: config.layers }, (_, index) =>
        (index + 1) % 6 === 0 ? 'full_attention' : 'sliding_attention',
      );
  if (types.length !== config.layers) {
    throw refused(`names ${types.length} layers in \`layer_types\`, and num_hidden_layers is ${config.layers}`);
  }
  return [...types.slice(0, -1), 'full_attention'];
}

function globalHeadDim(config: ModelConfig): number {
  return positive(config, 'global_head_dim');
}

function sharedLayers(config: ModelConfig): number {
  return ropeNumber(config.raw, 'num_kv_shared_layers') ?? 0;
}

function kvHeadsByLayer(config: ModelConfig): readonly number[] | undefined {
  const global = ropeNumber(config.raw, 'num_global_key_value_heads');
  return global === undefined
    ? undefined
    : layerTypes(config).map((type) => (type === 'sliding_attention' ? config.kvHeads : global));
}

function tensors(config: ModelConfig): TensorTable {
  const fromGguf = Object.keys(config.raw).length === 0;
  const types = fromGguf ? [] : layerTypes(config);
  const firstShared = config.layers - (fromGguf ? 0 : sharedLayers(config));
  const wide = config.raw['use_double_wide_mlp'] === true;
  const withExperts = config.experts > 0 && (fromGguf || config.raw['enable_moe_block'] === true);
  const hasPerLayer = fromGguf || perLayer(config) > 0;
  const layer = (index: number): TensorRules => {
    const full = types[index] === 'full_attention';
    const headDim = full ? globalHeadDim(config) : config.headDim;
    const kvHeads = config.kvHeadsByLayer?.[index] ?? config.kvHeads;
    const width = config.feedForward * (wide && index >= firstShared ? 2 : 1);
    const keys: TensorRules = {
      'self_attn.k_proj': { to: 'attn_k', shape: (c) => [kvHeads * headDim, c.hiddenSize] },
      'self_attn.v_proj': {
        to: 'attn_v',
        shape: (c) => [kvHeads * headDim, c.hiddenSize],
        optional: full && config.raw['attention_k_eq_v'] === true,
      },
      'self_attn.k_norm': { to: 'attn_k_norm', shape: () => [headDim] },
    };
    return {
      ...NORMS,
      'self_attn.q_proj': { to: 'attn_q', shape: (c) => [c.heads * headDim, c.hiddenSize] },
      'self_attn.o_proj': { to: 'attn_output', shape: (c) => [c.hiddenSize, c.heads * headDim] },
      'self_attn.q_norm': { to: 'attn_q_norm', shape: () => [headDim] },
      // The last layers use keys and values of earlier ones; published files have some of their own, which nobody reads.
      ...(index < firstShared && !fromGguf ? keys : each(keys, { optional: true })),
      'mlp.gate_proj': { to: 'ffn_gate', shape: (c) => [width, c.hiddenSize] },
      'mlp.up_proj': { to: 'ffn_up', shape: (c) => [width, c.hiddenSize] },
      'mlp.down_proj': { to: 'ffn_down', shape: (c) => [c.hiddenSize, width] },
      ...(hasPerLayer ? PER_LAYER : {}),
      ...(withExperts ? EXPERTS : {}),
    };
  };
  const rules = Array.from({ length: config.layers }, (_, index) => layer(index));
  return {
    globals: {
      'model.embed_tokens': GLOBAL_TENSORS['model.embed_tokens'],
      'model.norm': plain('output_norm'),
      lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true },
      ...(hasPerLayer ? PER_LAYER_GLOBALS : {}),
    },
    layers: config.layers,
    layer: (index) => rules[index] ?? {},
  };
}

function lateParameters(config: ModelConfig): GgufEntry[] {
  const softcap = config.raw['final_logit_softcapping'];
  const shared = sharedLayers(config);
  const slides = layerTypes(config).map((type) => type === 'sliding_attention');
  const full = globalHeadDim(config);
  const width = ropeNumber(config.raw, 'expert_intermediate_size') ?? ropeNumber(config.raw, 'moe_intermediate_size');
  const key = (name: string): string => `gemma4.${name}`;
  return [
    ...(typeof softcap === 'number' && softcap !== 0 ? [[key('final_logit_softcapping'), f32(softcap)] as const] : []),
    [key('attention.sliding_window'), u32(positive(config, 'sliding_window'))],
    [key('attention.shared_kv_layers'), u32(shared)],
    [key('embedding_length_per_layer_input'), u32(perLayer(config))],
    [key('attention.sliding_window_pattern'), bools(slides)],
    [key('attention.key_length'), u32(full)],
    [key('attention.value_length'), u32(full)],
    [key('attention.key_length_swa'), u32(config.headDim)],
    [key('attention.value_length_swa'), u32(config.headDim)],
    ...(width === undefined ? [] : [[key('expert_feed_forward_length'), u32(width)] as const]),
    ...(config.raw['use_double_wide_mlp'] === true
      ? [
          [
            key('feed_forward_length'),
            i32s(slides.map((_, index) => config.feedForward * (index < config.layers - shared ? 1 : 2))),
          ] as const,
        ]
      : []),
    [key('rope.dimension_count'), u32(full)],
    [key('rope.dimension_count_swa'), u32(config.headDim)],
  ];
}

/** Divisors of the rotation in layers of full attention: only a part of each head turns. */
function generatedTensors(config: ModelConfig): readonly GeneratedTensor[] {
  const part = ropeNumber(readRopeParameters(config.raw).full, 'partial_rotary_factor') ?? 1;
  const half = Math.floor(globalHeadDim(config) / 2);
  const rotated = Math.floor((globalHeadDim(config) * part) / 2);
  if (!(part > 0 && part <= 1)) {
    throw refused('rotates a part of each head (`partial_rotary_factor`) that is not between 0 and 1');
  }
  const values = Float32Array.from({ length: half }, (_, pair) => (pair < rotated ? 1 : UNROTATED));
  return [{ name: 'rope_freqs.weight', shape: [half], values }];
}
