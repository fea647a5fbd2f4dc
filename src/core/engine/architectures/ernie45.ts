import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { each, LAYER_TENSORS, sameLayers } from './textTensors';

/** None of its projections has a bias. */
export const ERNIE_LAYER_TENSORS: TensorRules = each(LAYER_TENSORS, { bias: 'none' });

const DEFAULTS = {
  max_position_embeddings: 131_072,
  num_key_value_heads: 2,
  head_dim: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  vocab_size: 103_424,
  tie_word_embeddings: true,
};

/** ERNIE 4.5, dense (0.3B). */
export const ernie45: Architecture = {
  name: 'ernie4_5',
  classes: ['Ernie4_5ForCausalLM', 'Ernie4_5_ForCausalLM'],
  label: 'ERNIE 4.5',
  defaults: { Ernie4_5ForCausalLM: DEFAULTS, Ernie4_5_ForCausalLM: DEFAULTS },
  vocabulary: 'ernie',
  hyperparameters: (config) => baseHyperparameters('ernie4_5', config),
  tensors: (config) => sameLayers(config, ERNIE_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};
