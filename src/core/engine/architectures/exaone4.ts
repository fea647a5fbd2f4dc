import { bools, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { layerTypes, whole } from './configNumber';
import { llama3RopeFrequencies } from './ropeFrequencies';
import { HEAD_NORMS, LAYER_TENSORS, ofHiddenSize, sameLayers, without } from './textTensors';

/** Norms come after attention and feed-forward, and over each head's queries and keys. */
const EXAONE4_LAYER_TENSORS: TensorRules = {
  ...without(LAYER_TENSORS, 'input_layernorm'),
  ...HEAD_NORMS,
  post_attention_layernorm: { to: 'post_attention_norm', shape: ofHiddenSize },
  post_feedforward_layernorm: { to: 'post_ffw_norm', shape: ofHiddenSize },
};

/** EXAONE 4: three layers of four look back a window only (32B), or none does (1.2B). */
export const exaone4: Architecture = {
  name: 'exaone4',
  classes: ['Exaone4ForCausalLM'],
  label: 'EXAONE 4',
  defaults: {
    Exaone4ForCausalLM: {
      max_position_embeddings: 2048,
      num_key_value_heads: 32,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      vocab_size: 102_400,
      sliding_window: 4096,
      sliding_window_pattern: 4,
      tie_word_embeddings: false,
    },
  },
  hyperparameters: (config) => baseHyperparameters('exaone4', config),
  lateParameters: (config) => [['exaone4.vocab_size', u32(config.vocabSize)], ...slidingWindow(config)],
  tensors: (config) => sameLayers(config, EXAONE4_LAYER_TENSORS),
  generatedTensors: llama3RopeFrequencies,
  check(config) {
    checkRope(config, ['linear', 'yarn', 'llama3']);
    checkSilu(config);
    slidingWindow(config);
  },
};

function slidingWindow(config: ModelConfig): GgufEntry[] {
  const { sliding_window: window, sliding_window_pattern: pattern } = config.raw;
  if (window === null) {
    return [];
  }
  const slides = (layer: number): boolean =>
    typeof pattern === 'string' && pattern !== ''
      ? pattern[layer % pattern.length] === 'L'
      : typeof pattern === 'number' && (layer + 1) % pattern !== 0;
  const types = layerTypes(config, ['sliding_attention', 'full_attention'], (layer) =>
    slides(layer) ? 'sliding_attention' : 'full_attention',
  );
  return [
    ['exaone4.attention.sliding_window', u32(whole(config, 'sliding_window'))],
    ['exaone4.attention.sliding_window_pattern', bools(types.map((type) => type === 'sliding_attention'))],
  ];
}
