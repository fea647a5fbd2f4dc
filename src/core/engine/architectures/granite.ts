import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { ropeNumber } from './ropeParameters';
import { PERMUTED_LAYER_TENSORS, sameLayers } from './textTensors';

/** Multipliers by config key, without which a Granite model babbles. */
const SCALES = [
  ['attention.scale', 'attention_multiplier'],
  ['embedding_scale', 'embedding_multiplier'],
  ['residual_scale', 'residual_multiplier'],
  ['logit_scale', 'logits_scaling'],
] as const;

/** Granite 3.x, dense: the llama graph with four multipliers. A head_dim in the config is not used, as the converter does. */
export const granite: Architecture = {
  name: 'granite',
  classes: ['GraniteForCausalLM'],
  label: 'Granite 3',
  defaults: {
    GraniteForCausalLM: {
      max_position_embeddings: 2048,
      attention_multiplier: 1,
      embedding_multiplier: 1,
      residual_multiplier: 1,
      logits_scaling: 1,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 32_000,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'llama',
  hyperparameters: (config) => baseHyperparameters('granite', { ...config, hasHeadDim: false }),
  lateParameters: (config) => [
    ['granite.vocab_size', u32(config.vocabSize)],
    ['granite.rope.dimension_count', u32(Math.floor(config.hiddenSize / config.heads))],
    ...graniteScales('granite', config),
  ],
  tensors: (config) => sameLayers(config, PERMUTED_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
    graniteScales('granite', config);
  },
};

/** The multipliers, as far as they are not 0. @throws StudioError model/config */
export function graniteScales(name: string, config: ModelConfig): GgufEntry[] {
  return SCALES.flatMap(([key, source]): GgufEntry[] => {
    const value = ropeNumber(config.raw, source) ?? 0;
    return value === 0 ? [] : [[`${name}.${key}`, f32(value)]];
  });
}
