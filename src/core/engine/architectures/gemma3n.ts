import { StudioError } from '../../errors';
import { bools, f32s, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRule, TensorRules } from './architecture';
import { baseHyperparameters, checkRope } from './baseHyperparameters';
import { checkOnly, layerTypes, whole } from './configNumber';
import { gemma3Parameters } from './gemma3';
import { GLOBAL_TENSORS, HEAD_NORMS, LAYER_TENSORS, ofHiddenSize, sameLayers } from './textTensors';

/** Streams of hidden states beside the one at work. */
const STREAMS = 4;
const perLayer = (config: ModelConfig): number => whole(config, 'hidden_size_per_layer_input');
const laurelRank = (config: ModelConfig): number => whole(config, 'laurel_rank');
const plain = (to: string): TensorRule => ({ to, shape: ofHiddenSize, bias: 'none' });
const streams = (): number => STREAMS - 1;

const GEMMA3N_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  ...HEAD_NORMS,
  post_attention_layernorm: plain('post_attention_norm'),
  pre_feedforward_layernorm: plain('ffn_norm'),
  post_feedforward_layernorm: plain('post_ffw_norm'),
  per_layer_input_gate: { to: 'inp_gate', shape: (c) => [perLayer(c), c.hiddenSize], bias: 'none' },
  per_layer_projection: { to: 'proj', shape: (c) => [c.hiddenSize, perLayer(c)], bias: 'none' },
  post_per_layer_input_norm: plain('post_norm'),
  'laurel.linear_left': { to: 'laurel_l', shape: (c) => [laurelRank(c), c.hiddenSize], bias: 'none' },
  'laurel.linear_right': { to: 'laurel_r', shape: (c) => [c.hiddenSize, laurelRank(c)], bias: 'none' },
  'laurel.post_laurel_norm': plain('laurel_post_norm'),
  'altup.correct_output_scale': { to: 'altup_correct_scale.weight', parameter: true, shape: ofHiddenSize },
  'altup.correction_coefs': { to: 'altup_correct_coef', shape: () => [STREAMS, STREAMS], bias: 'none' },
  'altup.prediction_coefs': { to: 'altup_predict_coef', shape: () => [STREAMS ** 2, STREAMS], bias: 'none' },
  'altup.modality_router': { to: 'altup_router', shape: (c) => [STREAMS, c.hiddenSize], bias: 'none' },
  'altup.router_norm': plain('altup_router_norm'),
};

const GLOBALS: TensorRules = {
  ...GLOBAL_TENSORS,
  'model.embed_tokens': { ...GLOBAL_TENSORS['model.embed_tokens'], padded: true },
  lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true },
  'model.embed_tokens_per_layer': {
    to: 'per_layer_token_embd',
    shape: (c) => [undefined, c.layers * perLayer(c)],
    bias: 'none',
    padded: true,
  },
  'model.per_layer_model_projection': { to: 'per_layer_model_proj', bias: 'none' },
  'model.per_layer_projection_norm': { to: 'per_layer_proj_norm', shape: (c) => [perLayer(c)] },
  'model.altup_projections.*': {
    to: 'altup_proj',
    stack: streams,
    shape: (c) => [c.hiddenSize, c.hiddenSize],
    bias: 'none',
  },
  'model.altup_unembed_projections.*': {
    to: 'altup_unembd_proj',
    stack: streams,
    shape: (c) => [c.hiddenSize, c.hiddenSize],
    bias: 'none',
  },
};

const DEFAULTS: JsonObject = {
  vocab_size: 262_400,
  vocab_size_per_layer_input: 262_144,
  hidden_size: 2048,
  hidden_size_per_layer_input: 256,
  intermediate_size: 16_384,
  num_hidden_layers: 35,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  head_dim: 256,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  rope_local_base_freq: 10_000,
  sliding_window: 512,
  num_kv_shared_layers: 15,
  altup_active_idx: 0,
  altup_num_inputs: STREAMS,
  laurel_rank: 64,
  tie_word_embeddings: true,
};

/** Gemma 3n (E2B, E4B), text part. */
export const gemma3n: Architecture = {
  name: 'gemma3n',
  classes: ['Gemma3nForConditionalGeneration', 'Gemma3nForCausalLM'],
  label: 'Gemma 3n',
  defaults: { Gemma3nForConditionalGeneration: DEFAULTS, Gemma3nForCausalLM: DEFAULTS },
  vocabulary: 'gemma',
  hyperparameters: (config) => baseHyperparameters('gemma3n', config),
  lateParameters,
  tensors: (config) => sameLayers(config, GEMMA3N_LAYER_TENSORS, GLOBALS),
  check(config) {
    checkRope(config, ['linear']);
    checkOnly(config, 'altup_num_inputs', [STREAMS]);
    // Numbers that llama.cpp has built in.
    checkOnly(config, 'laurel_rank', [64]);
    checkOnly(config, 'hidden_size_per_layer_input', [256]);
    lateParameters(config);
  },
};

function lateParameters(config: ModelConfig): GgufEntry[] {
  const types = layerTypes(config, ['sliding_attention', 'full_attention'], (layer) =>
    (layer + 1) % 5 === 0 ? 'full_attention' : 'sliding_attention',
  );
  return [
    ...gemma3Parameters('gemma3n', config),
    ['gemma3n.altup.active_idx', u32(whole(config, 'altup_active_idx'))],
    ['gemma3n.altup.num_inputs', u32(STREAMS)],
    ['gemma3n.embedding_length_per_layer_input', u32(perLayer(config))],
    ['gemma3n.attention.shared_kv_layers', u32(whole(config, 'num_kv_shared_layers'))],
    ['gemma3n.activation_sparsity_scale', f32s(sparsity(config))],
    ['gemma3n.attention.sliding_window_pattern', bools(types.map((type) => type === 'sliding_attention'))],
  ];
}

/** How many deviations above the mean an activation must be to stay, for 95 of 100 to go; for none to go, any. */
const DEVIATIONS: ReadonlyMap<unknown, number> = new Map([
  [0.95, 1.644_853_353_500_366_2],
  [0, -Infinity],
]);

function sparsity(config: ModelConfig): readonly number[] {
  const pattern: unknown = config.raw['activation_sparsity_pattern'];
  const list: readonly unknown[] = Array.isArray(pattern)
    ? pattern
    : Array.from({ length: config.layers }, (_, layer) => (pattern === undefined && layer < 10 ? 0.95 : 0));
  const values = list.map((one) => DEVIATIONS.get(one));
  if (values.length !== config.layers || values.includes(undefined)) {
    throw new StudioError(
      'model/config',
      `config.json: \`activation_sparsity_pattern\` must be 0.95 or 0 for each of its ${config.layers} layers. Fetch the model's config.json again.`,
    );
  }
  return values as readonly number[];
}
