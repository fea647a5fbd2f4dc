import { bools, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { layerTypes, whole } from './configNumber';
import { LAYER_TENSORS, ofHiddenSize, sameLayers, without } from './textTensors';

/** Norms come after attention and feed-forward, and over all queries and keys at once. */
const OLMO2_LAYER_TENSORS: TensorRules = {
  ...without(LAYER_TENSORS, 'input_layernorm'),
  'self_attn.q_norm': { to: 'attn_q_norm', shape: (c) => [c.heads * c.headDim] },
  'self_attn.k_norm': { to: 'attn_k_norm', shape: (c) => [c.kvHeads * c.headDim] },
  post_attention_layernorm: { to: 'post_attention_norm', shape: ofHiddenSize },
  post_feedforward_layernorm: { to: 'post_ffw_norm', shape: ofHiddenSize },
};

const DEFAULTS: JsonObject = {
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  vocab_size: 50_304,
  tie_word_embeddings: false,
};

/** OLMo 2 and OLMo 3; in the latter three layers of four look back a window only. */
export const olmo2: Architecture = {
  name: 'olmo2',
  classes: ['Olmo2ForCausalLM', 'Olmo3ForCausalLM'],
  label: 'OLMo 2 and 3',
  defaults: { Olmo2ForCausalLM: DEFAULTS, Olmo3ForCausalLM: { ...DEFAULTS, sliding_window: 4096 } },
  hyperparameters: (config) => baseHyperparameters('olmo2', { ...config, hasHeadDim: false }),
  lateParameters: slidingWindow,
  tensors: (config) => sameLayers(config, OLMO2_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
    slidingWindow(config);
  },
};

function slidingWindow(config: ModelConfig): GgufEntry[] {
  if (config.className === 'Olmo2ForCausalLM' && config.raw['sliding_window'] === undefined) {
    return [];
  }
  const types = layerTypes(config, ['sliding_attention', 'full_attention'], (layer) =>
    (layer + 1) % 4 === 0 ? 'full_attention' : 'sliding_attention',
  );
  return [
    ['olmo2.attention.sliding_window', u32(whole(config, 'sliding_window'))],
    ['olmo2.attention.sliding_window_pattern', bools(types.map((type) => type === 'sliding_attention'))],
  ];
}
