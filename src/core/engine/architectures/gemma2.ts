import { StudioError } from '../../errors';
import { f32, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig } from './architecture';
import { checkRope } from './baseHyperparameters';
import { gemmaHyperparameters } from './gemma';
import { GEMMA2_LAYER_TENSORS, GEMMA_GLOBAL_TENSORS } from './gemmaTensors';
import { sameLayers } from './textTensors';

/** Gemma 2. The head is the embedding; llama.cpp has no place for another. */
export const gemma2: Architecture = {
  name: 'gemma2',
  classes: ['Gemma2ForCausalLM'],
  label: 'Gemma 2',
  defaults: {
    Gemma2ForCausalLM: {
      vocab_size: 256_000,
      hidden_size: 2304,
      intermediate_size: 9216,
      num_hidden_layers: 26,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      head_dim: 256,
      max_position_embeddings: 8192,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      sliding_window: 4096,
      attn_logit_softcapping: 50,
      final_logit_softcapping: 30,
      tie_word_embeddings: true,
    },
  },
  vocabulary: 'gemma',
  noOutputTensor: true,
  dropped: /^lm_head\.weight$/,
  hyperparameters: (config) => gemmaHyperparameters('gemma2', config),
  lateParameters: (config) => [
    ['gemma2.attn_logit_softcapping', f32(positive(config, 'attn_logit_softcapping'))],
    ['gemma2.final_logit_softcapping', f32(positive(config, 'final_logit_softcapping'))],
    ['gemma2.attention.sliding_window', u32(positive(config, 'sliding_window'))],
  ],
  tensors: (config) => sameLayers(config, GEMMA2_LAYER_TENSORS, GEMMA_GLOBAL_TENSORS),
  check(config) {
    checkRope(config, []);
    ['attn_logit_softcapping', 'final_logit_softcapping', 'sliding_window'].forEach((key) => positive(config, key));
  },
};

/** A number that Gemma needs to be there. */
export function positive(config: ModelConfig, key: string): number {
  const value = config.raw[key];
  if (typeof value !== 'number' || !(value > 0) || value >= 2 ** 32) {
    throw new StudioError(
      'model/config',
      `config.json: \`${key}\` must be a positive number for this architecture. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return value;
}
