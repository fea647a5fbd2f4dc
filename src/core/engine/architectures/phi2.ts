import { StudioError } from '../../errors';
import { bool, f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { checkRopeType } from './baseHyperparameters';
import { checkOnly } from './configNumber';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { GLOBAL_TENSORS, LAYER_TENSORS, ofHiddenSize, sameLayers } from './textTensors';

const biased = { bias: 'required' } as const;

const PHI2_LAYER_TENSORS: TensorRules = {
  'self_attn.q_proj': { ...LAYER_TENSORS['self_attn.q_proj'], ...biased },
  'self_attn.k_proj': { ...LAYER_TENSORS['self_attn.k_proj'], ...biased },
  'self_attn.v_proj': { ...LAYER_TENSORS['self_attn.v_proj'], ...biased },
  'self_attn.dense': { to: 'attn_output', shape: (c) => [c.hiddenSize, c.heads * c.headDim], ...biased },
  'mlp.fc1': { to: 'ffn_up', shape: (c) => [c.feedForward, c.hiddenSize], ...biased },
  'mlp.fc2': { to: 'ffn_down', shape: (c) => [c.hiddenSize, c.feedForward], ...biased },
  input_layernorm: { to: 'attn_norm', shape: ofHiddenSize, ...biased },
};

/** Phi-1.5 and Phi-2: attention and feed-forward side by side, biases everywhere, the head too. */
export const phi2: Architecture = {
  name: 'phi2',
  classes: ['PhiForCausalLM'],
  label: 'Phi-2',
  defaults: {
    PhiForCausalLM: {
      vocab_size: 51_200,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 24,
      num_attention_heads: 32,
      max_position_embeddings: 2048,
      layer_norm_eps: 1e-5,
      rope_theta: 10_000,
      partial_rotary_factor: 0.5,
      tie_word_embeddings: false,
    },
  },
  hyperparameters,
  lateParameters: () => [['tokenizer.ggml.add_bos_token', bool(false)]],
  tensors: (config) =>
    sameLayers(config, PHI2_LAYER_TENSORS, {
      'model.embed_tokens': GLOBAL_TENSORS['model.embed_tokens'],
      'model.final_layernorm': { to: 'output_norm', shape: ofHiddenSize, ...biased },
      lm_head: { to: 'output', shape: GLOBAL_TENSORS.lm_head.shape, ...biased },
    }),
  check(config) {
    checkRopeType(config, []);
    checkOnly(config, 'hidden_act', ['gelu_new', 'gelu_pytorch_tanh', 'gelu']);
    checkOnly(config, 'qk_layernorm', [false]);
    if (rotated(config) % 2 !== 0) {
      throw new StudioError(
        'model/config',
        `config.json rotates ${rotated(config)} values of each head, which cannot be done in pairs. Fetch the model's config.json again.`,
      );
    }
    checkOnly(config, 'intermediate_size', [4 * config.hiddenSize]);
    checkOnly(config, 'num_key_value_heads', [config.heads]);
  },
};

/** Values of each head that turn. */
function rotated(config: ModelConfig): number {
  const part = ropeNumber(readRopeParameters(config.raw).full, 'partial_rotary_factor') ?? 0.5;
  return Math.floor(Math.floor(part * config.hiddenSize) / config.heads);
}

function hyperparameters(config: ModelConfig): GgufEntry[] {
  return [
    ['phi2.context_length', u32(config.contextLength)],
    ['phi2.embedding_length', u32(config.hiddenSize)],
    ['phi2.feed_forward_length', u32(4 * config.hiddenSize)],
    ['phi2.block_count', u32(config.layers)],
    ['phi2.attention.head_count', u32(config.heads)],
    ['phi2.attention.head_count_kv', u32(config.heads)],
    ['phi2.attention.layer_norm_epsilon', f32(config.rmsNormEps)],
    ['phi2.rope.dimension_count', u32(rotated(config))],
  ];
}
