import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig } from './architecture';
import { checkRope, headLengths } from './baseHyperparameters';
import { GEMMA_GLOBAL_TENSORS, GEMMA_LAYER_TENSORS } from './gemmaTensors';
import { sameLayers } from './textTensors';

/** Gemma 1 and CodeGemma. The head is the embedding; llama.cpp has no place for another. */
export const gemma: Architecture = {
  name: 'gemma',
  classes: ['GemmaForCausalLM'],
  label: 'Gemma',
  defaults: {
    GemmaForCausalLM: {
      vocab_size: 256_000,
      hidden_size: 3072,
      intermediate_size: 24_576,
      num_hidden_layers: 28,
      num_attention_heads: 16,
      num_key_value_heads: 16,
      head_dim: 256,
      max_position_embeddings: 8192,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      tie_word_embeddings: true,
    },
  },
  vocabulary: 'gemma1',
  noOutputTensor: true,
  dropped: /^lm_head\.weight$/,
  hyperparameters: (config) => gemmaHyperparameters('gemma', config),
  tensors: (config) => sameLayers(config, GEMMA_LAYER_TENSORS, GEMMA_GLOBAL_TENSORS),
  check: (config) => checkRope(config, []),
};

/** The keys of Gemma 1 and 2, in an order of their own and without a rotary base. */
export function gemmaHyperparameters(name: string, config: ModelConfig): GgufEntry[] {
  return [
    [`${name}.context_length`, u32(config.contextLength)],
    [`${name}.embedding_length`, u32(config.hiddenSize)],
    [`${name}.block_count`, u32(config.layers)],
    [`${name}.feed_forward_length`, u32(config.feedForward)],
    [`${name}.attention.head_count`, u32(config.heads)],
    [`${name}.attention.head_count_kv`, u32(config.kvHeads)],
    [`${name}.attention.layer_norm_rms_epsilon`, f32(config.rmsNormEps)],
    ...headLengths(name, { ...config, hasHeadDim: true }),
  ];
}
