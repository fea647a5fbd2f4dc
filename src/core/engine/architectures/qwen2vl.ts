import type { Architecture } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { BIASED_LAYER_TENSORS } from './qwen2';
import { sameLayers } from './textTensors';

const DEFAULTS = {
  max_position_embeddings: 32_768,
  num_key_value_heads: 32,
  rms_norm_eps: 1e-5,
  rope_theta: 1_000_000,
  vocab_size: 152_064,
  tie_word_embeddings: false,
};

/** Qwen2-VL and Qwen2.5-VL (text part): Qwen2 whose positions have three axes. */
export const qwen2vl: Architecture = {
  name: 'qwen2vl',
  classes: ['Qwen2VLForConditionalGeneration', 'Qwen2_5_VLForConditionalGeneration'],
  label: 'Qwen2-VL and Qwen2.5-VL',
  defaults: { Qwen2VLForConditionalGeneration: DEFAULTS, Qwen2_5_VLForConditionalGeneration: DEFAULTS },
  hyperparameters: (config) => baseHyperparameters('qwen2vl', config),
  tensors: (config) => sameLayers(config, BIASED_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['mrope', 'linear', 'yarn']);
    checkSilu(config);
  },
};
