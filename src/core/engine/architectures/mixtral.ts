import { StudioError } from '../../errors';
import { u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { EXPERT_TENSORS } from './expertTensors';
import { PERMUTED_LAYER_TENSORS, sameLayers, withoutDenseFeedForward } from './textTensors';

const MIXTRAL_LAYER_TENSORS: TensorRules = {
  ...withoutDenseFeedForward(PERMUTED_LAYER_TENSORS),
  'mlp.gate': 'ffn_gate_inp',
  ...EXPERT_TENSORS,
};

/** Mixtral: the llama graph with experts. */
export const mixtral: Architecture = {
  name: 'llama',
  classes: ['MixtralForCausalLM'],
  label: 'Mixtral',
  defaults: {
    MixtralForCausalLM: {
      max_position_embeddings: 131_072,
      num_key_value_heads: 8,
      num_local_experts: 8,
      num_experts_per_tok: 2,
      rms_norm_eps: 1e-5,
      rope_theta: 1_000_000,
      vocab_size: 32_000,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'llama',
  hyperparameters: (config) => baseHyperparameters('llama', config),
  lateParameters: (config) => [
    ['llama.vocab_size', u32(config.vocabSize)],
    ['llama.rope.dimension_count', u32(config.headDim)],
  ],
  tensors: (config) => sameLayers(config, MIXTRAL_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
    if (config.experts < 1 || config.expertsUsed < 1 || config.expertsUsed > config.experts) {
      throw new StudioError(
        'model/config',
        `config.json says that ${config.expertsUsed} of ${config.experts} experts are used for each token. Fetch the model's config.json again.`,
        { detail: { experts: config.experts, used: config.expertsUsed } },
      );
    }
  },
};
