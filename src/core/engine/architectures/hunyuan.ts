import { StudioError } from '../../errors';
import { f32, type GgufEntry, string, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { ropeNumber } from './ropeParameters';
import { GLOBAL_TENSORS, LAYER_TENSORS, sameLayers } from './textTensors';

const ofHeadDim = (c: ModelConfig): readonly number[] => [c.headDim];

/** Queries and keys are normalised per head after they were rotated. */
export const HUNYUAN_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  'self_attn.query_layernorm': { to: 'attn_q_norm', shape: ofHeadDim },
  'self_attn.key_layernorm': { to: 'attn_k_norm', shape: ofHeadDim },
};

/** A head that stands in the files beside the embedding that it is tied to is the same, and left out. */
export function hunyuanDropped(config: ModelConfig): TensorRules {
  return config.tiedEmbeddings
    ? { ...GLOBAL_TENSORS, lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true } }
    : GLOBAL_TENSORS;
}

const CONTEXT = 262_144;

/** Positions that stretch with the context by one factor (`alpha`), which a GGUF has in its rotary base. */
export function dynamicRope(name: string, config: ModelConfig, width: number, alphaOtherwise: number): GgufEntry[] {
  const rope = config.ropeScaling;
  if (rope?.['rope_type'] !== 'dynamic') {
    return [];
  }
  const alpha = ropeNumber(rope, 'alpha') ?? alphaOtherwise;
  if (config.ropeTheta !== 10_000 || ![32_768, CONTEXT].includes(config.contextLength) || !(alpha > 0) || width <= 2) {
    throw new StudioError(
      'model/config',
      "config.json has rope scaling of type `dynamic` with another base or context than this family's, which llama.cpp cannot express. Fetch the model's config.json again.",
      { detail: { alpha, theta: config.ropeTheta, context: config.contextLength } },
    );
  }
  return [
    [`${name}.rope.freq_base`, f32(config.ropeTheta * alpha ** (width / (width - 2)))],
    [`${name}.rope.scaling.type`, string('none')],
    [`${name}.rope.scaling.factor`, f32(1)],
    [`${name}.rope.scaling.original_context_length`, u32(CONTEXT)],
    [`${name}.context_length`, u32(CONTEXT)],
  ];
}

/** Hunyuan, dense (0.5B to 7B). */
export const hunyuan: Architecture = {
  name: 'hunyuan-dense',
  classes: ['HunYuanDenseV1ForCausalLM'],
  label: 'Hunyuan',
  defaults: {
    HunYuanDenseV1ForCausalLM: {
      vocab_size: 290_943,
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'hunyuan',
  hyperparameters: (config) =>
    baseHyperparameters('hunyuan-dense', { ...config, raw: { ...config.raw, num_experts: null } }),
  lateParameters: (config) => dynamicRope('hunyuan-dense', config, config.headDim, 50),
  tensors: (config) => sameLayers(config, HUNYUAN_LAYER_TENSORS, hunyuanDropped(config)),
  check(config) {
    checkRope(config, ['dynamic', 'linear', 'yarn']);
    checkSilu(config);
    dynamicRope('hunyuan-dense', config, config.headDim, 50);
  },
};
