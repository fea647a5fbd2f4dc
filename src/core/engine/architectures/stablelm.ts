import { bool, f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { checkRopeType, checkSilu } from './baseHyperparameters';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { GLOBAL_TENSORS, LAYER_TENSORS, ofHiddenSize, sameLayers, without } from './textTensors';

const norm = (to: string): TensorRules[string] => ({ to, shape: ofHiddenSize, bias: 'required' });

/** StableLM 2: norms over every head, with weights of its own each; and then one norm for both halves of a layer. */
const HEAD_NORMS: TensorRules = {
  'self_attn.q_layernorm.norms.*': {
    to: 'attn_q_norm',
    stack: (c) => c.heads,
    shape: (c) => [c.headDim],
    bias: 'none',
  },
  'self_attn.k_layernorm.norms.*': {
    to: 'attn_k_norm',
    stack: (c) => c.kvHeads,
    shape: (c) => [c.headDim],
    bias: 'none',
  },
};

/** StableLM 3B, Zephyr 3B, StableLM 2. */
export const stablelm: Architecture = {
  name: 'stablelm',
  classes: ['StableLmForCausalLM', 'StableLMEpochForCausalLM'],
  label: 'StableLM',
  defaults: Object.fromEntries(
    ['StableLmForCausalLM', 'StableLMEpochForCausalLM'].map((name) => [
      name,
      {
        vocab_size: 50_304,
        max_position_embeddings: 4096,
        num_key_value_heads: 32,
        layer_norm_eps: 1e-5,
        rope_theta: 10_000,
        partial_rotary_factor: 0.25,
        use_parallel_residual: false,
        qk_layernorm: false,
        tie_word_embeddings: false,
      },
    ]),
  ),
  hyperparameters,
  tensors(config) {
    const parallel = config.raw['use_parallel_residual'] === true;
    return sameLayers(
      config,
      {
        ...without(LAYER_TENSORS, 'post_attention_layernorm'),
        input_layernorm: norm('attn_norm'),
        ...(parallel ? {} : { post_attention_layernorm: norm('ffn_norm') }),
        ...(config.raw['qk_layernorm'] === true ? HEAD_NORMS : {}),
      },
      { ...GLOBAL_TENSORS, 'model.norm': norm('output_norm') },
    );
  },
  check(config) {
    checkRopeType(config, []);
    checkSilu(config);
    hyperparameters(config);
  },
};

function hyperparameters(config: ModelConfig): GgufEntry[] {
  const part = ropeNumber(readRopeParameters(config.raw).full, 'partial_rotary_factor') ?? 0.25;
  return [
    ['stablelm.context_length', u32(config.contextLength)],
    ['stablelm.embedding_length', u32(config.hiddenSize)],
    ['stablelm.block_count', u32(config.layers)],
    ['stablelm.feed_forward_length', u32(config.feedForward)],
    ['stablelm.rope.dimension_count', u32(Math.floor(part * Math.floor(config.hiddenSize / config.heads)))],
    ['stablelm.attention.head_count', u32(config.heads)],
    ['stablelm.attention.head_count_kv', u32(config.kvHeads)],
    ['stablelm.use_parallel_residual', bool(config.raw['use_parallel_residual'] === true)],
    ['stablelm.attention.layer_norm_epsilon', f32(config.rmsNormEps)],
  ];
}
