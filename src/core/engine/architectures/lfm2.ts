import { StudioError } from '../../errors';
import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRope } from './baseHyperparameters';
import { GLOBAL_TENSORS, LAYER_TENSORS, ofHiddenSize } from './textTensors';

const ofHeadDim = (c: ModelConfig): readonly number[] => [c.headDim];

const GLOBALS: TensorRules = {
  'model.embed_tokens': GLOBAL_TENSORS['model.embed_tokens'],
  'model.embedding_norm': { to: 'token_embd_norm', shape: ofHiddenSize },
  lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true },
};
const NORMS: TensorRules = {
  operator_norm: { to: 'attn_norm', shape: ofHiddenSize },
  ffn_norm: { to: 'ffn_norm', shape: ofHiddenSize },
};
const ATTENTION: TensorRules = {
  'self_attn.q_proj': LAYER_TENSORS['self_attn.q_proj'],
  'self_attn.k_proj': LAYER_TENSORS['self_attn.k_proj'],
  'self_attn.v_proj': LAYER_TENSORS['self_attn.v_proj'],
  'self_attn.out_proj': LAYER_TENSORS['self_attn.o_proj'],
  'self_attn.q_layernorm': { to: 'attn_q_norm', shape: ofHeadDim },
  'self_attn.k_layernorm': { to: 'attn_k_norm', shape: ofHeadDim },
};
const CONVOLUTION: TensorRules = {
  'conv.conv': { to: 'shortconv.conv', bias: 'none' },
  'conv.in_proj': { to: 'shortconv.in_proj', shape: (c) => [3 * c.hiddenSize, c.hiddenSize], bias: 'none' },
  'conv.out_proj': { to: 'shortconv.out_proj', shape: (c) => [c.hiddenSize, c.hiddenSize], bias: 'none' },
};
export const LFM2_FEED_FORWARD: TensorRules = {
  'feed_forward.w1': { to: 'ffn_gate', bias: 'none' },
  'feed_forward.w2': { to: 'ffn_down', bias: 'none' },
  'feed_forward.w3': { to: 'ffn_up', bias: 'none' },
};

/** Short convolutions with attention in some layers; the feed-forward by layer. */
export function lfm2Table(config: ModelConfig, feedForward: (layer: number) => TensorRules): TensorTable {
  const types = layerTypes(config);
  return {
    globals: GLOBALS,
    layers: config.layers,
    layer: (index) => ({
      ...NORMS,
      ...(types === undefined || types[index] === 'full_attention' ? ATTENTION : {}),
      ...(types === undefined || types[index] !== 'full_attention' ? CONVOLUTION : {}),
      ...feedForward(index),
    }),
  };
}

/** What every layer is; older files name the layers with attention. Undefined where nothing tells (a GGUF). */
function layerTypes(config: ModelConfig): readonly string[] | undefined {
  const types: unknown = config.raw['layer_types'];
  const indices: unknown = config.raw['full_attn_idxs'];
  if (Array.isArray(types)) {
    return types as readonly string[];
  }
  return Array.isArray(indices)
    ? Array.from({ length: config.layers }, (_, layer) => (indices.includes(layer) ? 'full_attention' : 'conv'))
    : undefined;
}

/** None in layers of convolutions. */
export function lfm2Heads(config: ModelConfig): readonly number[] {
  const types = layerTypes(config);
  if (types?.length !== config.layers || types.some((type) => type !== 'conv' && type !== 'full_attention')) {
    throw new StudioError(
      'model/config',
      `config.json must say of each of its ${config.layers} layers whether it is \`conv\` or \`full_attention\` (\`layer_types\`). Fetch the model's config.json again.`,
    );
  }
  return types.map((type) => (type === 'full_attention' ? config.kvHeads : 0));
}

/** Kernel of the convolutions. */
export function convolutionLength(config: ModelConfig): number {
  const length = config.raw['conv_L_cache'];
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1 || length > 65_536) {
    throw new StudioError(
      'model/config',
      "config.json: `conv_L_cache` must be a positive whole number. Fetch the model's config.json again.",
    );
  }
  return length;
}

/** @throws StudioError model/config */
export function checkLfm2(config: ModelConfig): void {
  checkRope(config, ['linear', 'yarn']);
  if (config.raw['conv_bias'] === true) {
    throw new StudioError(
      'model/config',
      'config.json gives its convolutions biases (`conv_bias`), which llama.cpp does not run for this architecture.',
    );
  }
  convolutionLength(config);
}

const DEFAULTS: JsonObject = {
  vocab_size: 65_536,
  hidden_size: 2560,
  intermediate_size: 12_288,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  max_position_embeddings: 128_000,
  norm_eps: 1e-5,
  rope_theta: 1_000_000,
  conv_bias: false,
  conv_L_cache: 3,
  block_multiple_of: 256,
  block_ffn_dim_multiplier: 1,
  block_auto_adjust_ff_dim: true,
  tie_word_embeddings: true,
};

/** LFM2 and LFM2.5, dense; the text part of LFM2-VL. */
export const lfm2: Architecture = {
  name: 'lfm2',
  classes: ['Lfm2ForCausalLM', 'LFM2ForCausalLM', 'Lfm2VlForConditionalGeneration'],
  label: 'LFM2 and LFM2.5',
  defaults: {
    Lfm2ForCausalLM: DEFAULTS,
    LFM2ForCausalLM: DEFAULTS,
    Lfm2VlForConditionalGeneration: DEFAULTS,
  },
  kvHeadsByLayer: lfm2Heads,
  hyperparameters: (config) => baseHyperparameters('lfm2', config),
  lateParameters,
  tensors: (config) => lfm2Table(config, () => LFM2_FEED_FORWARD),
  check: checkLfm2,
};

function lateParameters(config: ModelConfig): GgufEntry[] {
  return [
    ['lfm2.vocab_size', u32(config.vocabSize)],
    ['lfm2.shortconv.l_cache', u32(convolutionLength(config))],
    ['lfm2.attention.layer_norm_rms_epsilon', f32(config.rmsNormEps)],
    ['lfm2.feed_forward_length', u32(feedForward(config))],
  ];
}

/** The true width: two thirds of what config.json says, times a factor, rounded up. */
function feedForward(config: ModelConfig): number {
  const number = (key: string): number | undefined => {
    const value = config.raw[key];
    return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
  };
  const width = number('block_ff_dim') ?? config.feedForward;
  if (config.raw['block_auto_adjust_ff_dim'] !== true) {
    return width;
  }
  const multiple = number('block_multiple_of') ?? 256;
  const part = Math.floor((2 * width) / 3);
  const factor = number('block_ffn_dim_multiplier');
  const scaled = factor === undefined ? part : Math.floor(factor * part);
  return multiple * Math.floor((scaled + multiple - 1) / multiple);
}
