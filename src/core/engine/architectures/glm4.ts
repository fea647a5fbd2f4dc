import { type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters, checkRopeType, checkSilu } from './baseHyperparameters';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { LAYER_TENSORS, ofHiddenSize, sameLayers, withoutDenseFeedForward } from './textTensors';

/** Norms before and after attention and feed-forward; gate and up are one matrix. */
const GLM4_LAYER_TENSORS: TensorRules = {
  ...withoutDenseFeedForward(LAYER_TENSORS),
  post_self_attn_layernorm: { to: 'post_attention_norm', shape: ofHiddenSize },
  'mlp.gate_up_proj': { to: 'ffn_up', shape: (c) => [2 * c.feedForward, c.hiddenSize] },
  'mlp.down_proj': LAYER_TENSORS['mlp.down_proj'],
  post_mlp_layernorm: { to: 'post_ffw_norm', shape: ofHiddenSize },
};

/** How much of each head turns: half of it, unless config.json says otherwise. */
export function glmRotation(name: string, config: ModelConfig): GgufEntry {
  const part = ropeNumber(readRopeParameters(config.raw).full, 'partial_rotary_factor') ?? 0.5;
  return [`${name}.rope.dimension_count`, u32(Math.floor(config.headDim * part))];
}

/** GLM-4-0414 and GLM-Z1 (9B, 32B). */
export const glm4: Architecture = {
  name: 'glm4',
  classes: ['Glm4ForCausalLM'],
  label: 'GLM-4',
  defaults: {
    Glm4ForCausalLM: {
      vocab_size: 151_552,
      max_position_embeddings: 131_072,
      num_key_value_heads: 2,
      head_dim: 128,
      rms_norm_eps: 1.5625e-7,
      rope_theta: 10_000,
      partial_rotary_factor: 0.5,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'glm4',
  hyperparameters: (config) => baseHyperparameters('glm4', config),
  lateParameters: (config) => [glmRotation('glm4', config)],
  tensors: (config) => sameLayers(config, GLM4_LAYER_TENSORS),
  check(config) {
    checkRopeType(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};
