import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters, checkRope } from './baseHyperparameters';
import { checkOnly } from './configNumber';
import { each, GLOBAL_TENSORS, LAYER_TENSORS, ofHiddenSize, sameLayers, withoutDenseFeedForward } from './textTensors';

const biased = { bias: 'required' } as const;

const STARCODER2_LAYER_TENSORS: TensorRules = {
  ...each(withoutDenseFeedForward(LAYER_TENSORS), biased),
  'mlp.c_fc': { to: 'ffn_up', shape: (c) => [c.feedForward, c.hiddenSize], ...biased },
  'mlp.c_proj': { to: 'ffn_down', shape: (c) => [c.hiddenSize, c.feedForward], ...biased },
};

/** StarCoder 2: layer norms, biases everywhere, no gate. */
export const starcoder2: Architecture = {
  name: 'starcoder2',
  classes: ['Starcoder2ForCausalLM'],
  label: 'StarCoder 2',
  defaults: {
    Starcoder2ForCausalLM: {
      max_position_embeddings: 4096,
      num_key_value_heads: 2,
      norm_epsilon: 1e-5,
      rope_theta: 10_000,
      vocab_size: 49_152,
      tie_word_embeddings: true,
    },
  },
  hyperparameters: (config) => baseHyperparameters('starcoder2', config),
  tensors: (config) =>
    sameLayers(config, STARCODER2_LAYER_TENSORS, {
      ...GLOBAL_TENSORS,
      'model.norm': { to: 'output_norm', shape: ofHiddenSize, ...biased },
    }),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkOnly(config, 'hidden_act', ['gelu_pytorch_tanh', 'gelu']);
    checkOnly(config, 'use_bias', [true]);
  },
};
