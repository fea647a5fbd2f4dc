import type { ModelConfig, TensorRule, TensorRules, TensorTable, TensorTransform } from './architecture';

const permuteQ = (config: ModelConfig): TensorTransform => ({ kind: 'permute', heads: config.heads });
const permuteK = (config: ModelConfig): TensorTransform => ({ kind: 'permute', heads: config.kvHeads });

/** A vector as long as the hidden state: most norms. */
export const ofHiddenSize = (config: ModelConfig): readonly number[] => [config.hiddenSize];
const ofHeadDim = (config: ModelConfig): readonly number[] => [config.headDim];
const ofVocabulary = (config: ModelConfig): readonly number[] => [config.vocabSize, config.hiddenSize];
const keyShape = (config: ModelConfig): readonly number[] => [config.kvHeads * config.headDim, config.hiddenSize];

/** Outside the layers. */
export const GLOBAL_TENSORS = {
  'model.embed_tokens': { to: 'token_embd', shape: ofVocabulary, bias: 'none' },
  'model.norm': { to: 'output_norm', shape: ofHiddenSize },
  lm_head: { to: 'output', shape: ofVocabulary, optional: (config: ModelConfig) => config.tiedEmbeddings },
} as const satisfies TensorRules;

/** The attention and feed-forward of most families, without the rotary permutation. */
export const LAYER_TENSORS = {
  'self_attn.q_proj': { to: 'attn_q', shape: (c: ModelConfig) => [c.heads * c.headDim, c.hiddenSize] },
  'self_attn.k_proj': { to: 'attn_k', shape: keyShape },
  'self_attn.v_proj': { to: 'attn_v', shape: keyShape },
  'self_attn.o_proj': { to: 'attn_output', shape: (c: ModelConfig) => [c.hiddenSize, c.heads * c.headDim] },
  'mlp.gate_proj': { to: 'ffn_gate', shape: (c: ModelConfig) => [c.feedForward, c.hiddenSize] },
  'mlp.up_proj': { to: 'ffn_up', shape: (c: ModelConfig) => [c.feedForward, c.hiddenSize] },
  'mlp.down_proj': { to: 'ffn_down', shape: (c: ModelConfig) => [c.hiddenSize, c.feedForward] },
  input_layernorm: { to: 'attn_norm', shape: ofHiddenSize },
  post_attention_layernorm: { to: 'ffn_norm', shape: ofHiddenSize },
} as const satisfies TensorRules;

/** The dense feed-forward alone. */
export const DENSE_FEED_FORWARD: TensorRules = {
  'mlp.gate_proj': LAYER_TENSORS['mlp.gate_proj'],
  'mlp.up_proj': LAYER_TENSORS['mlp.up_proj'],
  'mlp.down_proj': LAYER_TENSORS['mlp.down_proj'],
};

/**
 * As {@link LAYER_TENSORS}, with the rotary pairs of queries and keys brought from halves to neighbours, as llama.cpp's
 * graphs of the llama family want them.
 */
export const PERMUTED_LAYER_TENSORS = {
  ...LAYER_TENSORS,
  'self_attn.q_proj': { ...LAYER_TENSORS['self_attn.q_proj'], transform: permuteQ },
  'self_attn.k_proj': { ...LAYER_TENSORS['self_attn.k_proj'], transform: permuteK },
} as const satisfies TensorRules;

/** Norms over each head's queries and keys. */
export const HEAD_NORMS = {
  'self_attn.q_norm': { to: 'attn_q_norm', shape: ofHeadDim },
  'self_attn.k_norm': { to: 'attn_k_norm', shape: ofHeadDim },
} as const satisfies TensorRules;

/** Rules without those whose path begins with `prefix`: a feed-forward where layers have experts, a linear attention. */
export function without(rules: TensorRules, prefix: string): TensorRules {
  return Object.fromEntries(Object.entries(rules).filter(([path]) => !path.startsWith(prefix)));
}

/** Rules without the feed-forward, for families whose layers have experts instead. */
export function withoutDenseFeedForward(rules: TensorRules): TensorRules {
  return without(rules, 'mlp.');
}

/** These rules with changes to each: biases that must be there, another transform. */
export function each(rules: TensorRules, change: Partial<TensorRule>): TensorRules {
  return Object.fromEntries(
    Object.entries(rules).map(([path, rule]) => {
      const list = typeof rule === 'string' ? [{ to: rule }] : ([rule].flat() as readonly TensorRule[]);
      return [path, list.map((one) => ({ ...one, ...change }))];
    }),
  );
}

/** The same rules for every layer. */
export function sameLayers(
  config: ModelConfig,
  layer: TensorRules,
  globals: TensorRules = GLOBAL_TENSORS,
): TensorTable {
  return { globals, layers: config.layers, layer: () => layer };
}
