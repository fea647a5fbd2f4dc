import { u32 } from '../../formats/gguf/ggufValue';
import type { Architecture } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { llama3RopeFrequencies } from './ropeFrequencies';
import { PERMUTED_LAYER_TENSORS, sameLayers } from './textTensors';

/** Llama's own, and the text models of SmolVLM and Idefics 3. */
const LLAMA_CLASSES = [
  'LlamaForCausalLM',
  'LLaMAForCausalLM',
  'VLlama3ForCausalLM',
  'SmolVLMForConditionalGeneration',
  'Idefics3ForConditionalGeneration',
];

const DEFAULTS = {
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  vocab_size: 32_000,
  tie_word_embeddings: false,
};

/** Llama 1 to 3.3, and everything of that shape: Mistral 7B, SmolLM2, TinyLlama, Vicuna. */
export const llama: Architecture = {
  name: 'llama',
  classes: [...LLAMA_CLASSES, 'MistralForCausalLM'],
  label: 'Llama and Mistral',
  defaults: {
    ...Object.fromEntries(LLAMA_CLASSES.map((name) => [name, DEFAULTS])),
    MistralForCausalLM: {
      max_position_embeddings: 131_072,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      sliding_window: 4096,
      vocab_size: 32_000,
      tie_word_embeddings: false,
    },
  },
  derivesHeadDim: [...LLAMA_CLASSES, 'MistralForCausalLM'],
  vocabulary: 'llama',
  hyperparameters: (config) => baseHyperparameters('llama', config),
  lateParameters: (config) => [
    ['llama.vocab_size', u32(config.vocabSize)],
    ['llama.rope.dimension_count', u32(config.headDim)],
  ],
  tensors: (config) => sameLayers(config, PERMUTED_LAYER_TENSORS),
  generatedTensors: llama3RopeFrequencies,
  check(config) {
    checkRope(config, ['linear', 'yarn', 'llama3']);
    checkSilu(config);
  },
};
