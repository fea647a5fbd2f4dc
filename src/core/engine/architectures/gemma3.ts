import { StudioError } from '../../errors';
import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters, checkRope } from './baseHyperparameters';
import { positive } from './gemma2';
import { GEMMA3_LAYER_TENSORS, GEMMA_GLOBAL_TENSORS } from './gemmaTensors';
import { sameLayers } from './textTensors';

/** The published 4b and 12b configurations leave most of these out. */
const DEFAULTS: JsonObject = {
  vocab_size: 262_208,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  rope_local_base_freq: 10_000,
  sliding_window: 4096,
  tie_word_embeddings: true,
};

/** Gemma 3: text models, and the text part of those that also see. */
export const gemma3: Architecture = {
  name: 'gemma3',
  classes: ['Gemma3ForCausalLM', 'Gemma3ForConditionalGeneration'],
  label: 'Gemma 3',
  defaults: { Gemma3ForCausalLM: DEFAULTS, Gemma3ForConditionalGeneration: DEFAULTS },
  vocabulary: 'gemma',
  hyperparameters: (config) => baseHyperparameters('gemma3', config),
  lateParameters: (config) => gemma3Parameters('gemma3', config),
  tensors: (config) => sameLayers(config, GEMMA3_LAYER_TENSORS, GEMMA_GLOBAL_TENSORS),
  check(config) {
    checkRope(config, ['linear']);
    const softcap = config.raw['attn_logit_softcapping'];
    if (softcap !== undefined && softcap !== null) {
      throw new StudioError(
        'model/config',
        "config.json has `attn_logit_softcapping`, which Gemma 3 does not have. Check it against the original model's.",
        { detail: { softcap } },
      );
    }
    gemma3Parameters('gemma3', config);
  },
};

/** Keys after `general.file_type`. @throws StudioError model/config */
export function gemma3Parameters(name: string, config: ModelConfig): GgufEntry[] {
  const softcap = config.raw['final_logit_softcapping'];
  return [
    ...(typeof softcap === 'number' && softcap !== 0
      ? [[`${name}.final_logit_softcapping`, f32(softcap)] as const]
      : []),
    ...(config.raw['sliding_window_pattern'] === 1
      ? []
      : [[`${name}.attention.sliding_window`, u32(positive(config, 'sliding_window'))] as const]),
  ];
}
