import { type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import { isJsonObject } from '../../json';
import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { EXPERT_TENSORS } from './expertTensors';
import { checkQwenMoe, expertLengths } from './qwenMoe';
import { HEAD_NORMS, LAYER_TENSORS, sameLayers, withoutDenseFeedForward } from './textTensors';

/** How many layers of the image encoder feed layers of the text model. */
function deepstack(name: string, config: ModelConfig): GgufEntry[] {
  const vision = config.raw['vision_config'];
  const indexes: unknown = isJsonObject(vision) ? vision['deepstack_visual_indexes'] : undefined;
  return [[`${name}.n_deepstack_layers`, u32(Array.isArray(indexes) ? indexes.length : DEEPSTACK_LAYERS)]];
}

/** What transformers assumes where the configuration of the image encoder does not say. */
const DEEPSTACK_LAYERS = 3;

const DEFAULTS = {
  head_dim: 128,
  max_position_embeddings: 128_000,
  num_key_value_heads: 32,
  rms_norm_eps: 1e-6,
  rope_theta: 500_000,
  vocab_size: 151_936,
  tie_word_embeddings: false,
};

/** Qwen3-VL, dense (text part). */
export const qwen3vl: Architecture = {
  name: 'qwen3vl',
  classes: ['Qwen3VLForConditionalGeneration'],
  label: 'Qwen3-VL',
  defaults: { Qwen3VLForConditionalGeneration: DEFAULTS },
  hyperparameters: (config) => baseHyperparameters('qwen3vl', config),
  lateParameters: (config) => deepstack('qwen3vl', config),
  tensors: (config) => sameLayers(config, { ...LAYER_TENSORS, ...HEAD_NORMS }),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
  },
};

/** Qwen3-VL with experts (text part); published with experts as [expert, in, out], saved by transformers as [expert, out, in]. */
export const qwen3vlmoe: Architecture = {
  name: 'qwen3vlmoe',
  classes: ['Qwen3VLMoeForConditionalGeneration'],
  label: 'Qwen3-VL-MoE',
  defaults: {
    Qwen3VLMoeForConditionalGeneration: {
      ...DEFAULTS,
      num_key_value_heads: 16,
      num_experts: 60,
      num_experts_per_tok: 4,
      moe_intermediate_size: 1408,
    },
  },
  squareExperts: 'refused',
  hyperparameters: (config) => baseHyperparameters('qwen3vlmoe', config),
  lateParameters: (config) => [...expertLengths('qwen3vlmoe', config), ...deepstack('qwen3vlmoe', config)],
  tensors: (config) =>
    sameLayers(config, {
      ...withoutDenseFeedForward(LAYER_TENSORS),
      ...HEAD_NORMS,
      'mlp.gate': 'ffn_gate_inp',
      ...EXPERT_TENSORS,
    }),
  check: checkQwenMoe,
};
