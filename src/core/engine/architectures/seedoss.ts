import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { LAYER_TENSORS, ofHiddenSize, sameLayers } from './textTensors';

const SEED_OSS_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  post_attention_layernorm: { to: 'post_attention_norm', shape: ofHiddenSize },
};

/** Seed-OSS. Queries, keys and values have biases where config.json says so. */
export const seedoss: Architecture = {
  name: 'seed_oss',
  classes: ['SeedOssForCausalLM'],
  label: 'Seed-OSS',
  defaults: {
    SeedOssForCausalLM: {
      max_position_embeddings: 524_288,
      num_key_value_heads: 8,
      head_dim: 128,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 155_136,
      tie_word_embeddings: false,
    },
  },
  hyperparameters: (config) => baseHyperparameters('seed_oss', config),
  tensors: (config) => sameLayers(config, SEED_OSS_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};
