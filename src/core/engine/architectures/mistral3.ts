import { StudioError } from '../../errors';
import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { ropeNumber } from './ropeParameters';
import { PERMUTED_LAYER_TENSORS, sameLayers } from './textTensors';

/** Mistral Small 3.x (text part) and Ministral 3. */
export const mistral3: Architecture = {
  name: 'mistral3',
  classes: ['Mistral3ForConditionalGeneration', 'Ministral3ForCausalLM'],
  label: 'Mistral Small 3 and Ministral 3',
  defaults: {
    Mistral3ForConditionalGeneration: {
      max_position_embeddings: 131_072,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      vocab_size: 32_000,
      tie_word_embeddings: false,
    },
    Ministral3ForCausalLM: {
      max_position_embeddings: 262_144,
      num_key_value_heads: 8,
      head_dim: 128,
      rms_norm_eps: 1e-5,
      vocab_size: 131_072,
      tie_word_embeddings: false,
    },
  },
  derivesHeadDim: ['Mistral3ForConditionalGeneration'],
  vocabulary: 'llama',
  hyperparameters: (config) => baseHyperparameters('mistral3', config),
  lateParameters: (config) => [
    ['mistral3.vocab_size', u32(config.vocabSize)],
    ['mistral3.rope.dimension_count', u32(config.headDim)],
    ...ministral(config),
  ],
  tensors: (config) => sameLayers(config, PERMUTED_LAYER_TENSORS),
  check(config) {
    if (config.raw['model_type'] === 'mistral4') {
      throw new StudioError(
        'model/architecture',
        "Mistral 4 is not built in. Convert the model with llama.cpp's own converter, `convert_hf_to_gguf.py DIRECTORY --outtype f16 --outfile MODEL.gguf`, and then run `modelfile-studio quantize MODEL.gguf OUT.gguf Q4_K_M`.",
      );
    }
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
    ministral(config);
  },
};

/** Ministral 3 scales attention by position; its config must say how. */
function ministral(config: ModelConfig): GgufEntry[] {
  if (config.raw['model_type'] !== 'ministral3') {
    return [];
  }
  const rope = config.ropeScaling ?? {};
  const multiplier = ropeNumber(rope, 'mscale_all_dim');
  const temperature = ropeNumber(rope, 'llama_4_scaling_beta');
  if (rope['rope_type'] !== 'yarn' || multiplier === undefined || temperature === undefined) {
    throw new StudioError(
      'model/config',
      "config.json of a Ministral 3 must have yarn `rope_parameters` with `mscale_all_dim` and `llama_4_scaling_beta`. Fetch the model's config.json again.",
    );
  }
  return [
    ['mistral3.rope.scaling.yarn_log_multiplier', f32(multiplier)],
    ['mistral3.attention.temperature_scale', f32(temperature)],
  ];
}
