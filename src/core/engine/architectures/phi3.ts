import { StudioError } from '../../errors';
import { f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Json, JsonObject } from '../../json';
import type { Architecture, GeneratedTensor, ModelConfig, TensorRules } from './architecture';
import { checkSilu } from './baseHyperparameters';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { LAYER_TENSORS, sameLayers } from './textTensors';

const PHI3_LAYER_TENSORS: TensorRules = {
  'self_attn.qkv_proj': { to: 'attn_qkv', shape: (c) => [(c.heads + 2 * c.kvHeads) * c.headDim, c.hiddenSize] },
  'self_attn.o_proj': LAYER_TENSORS['self_attn.o_proj'],
  'mlp.gate_up_proj': { to: 'ffn_up', shape: (c) => [2 * c.feedForward, c.hiddenSize] },
  'mlp.down_proj': LAYER_TENSORS['mlp.down_proj'],
  input_layernorm: LAYER_TENSORS.input_layernorm,
  post_attention_layernorm: LAYER_TENSORS.post_attention_layernorm,
};

/** Phi-3, Phi-3.5, Phi-4 and Phi-4-mini. Queries, keys and values stay one matrix, as do gate and up. */
export const phi3: Architecture = {
  name: 'phi3',
  classes: ['Phi3ForCausalLM'],
  label: 'Phi-3 and Phi-4',
  defaults: {
    Phi3ForCausalLM: {
      max_position_embeddings: 4096,
      original_max_position_embeddings: 4096,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      vocab_size: 32_064,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'phi3',
  earlyParameters: (config) => longRope(config)?.early ?? [],
  hyperparameters,
  lateParameters: (config) => [
    ['phi3.attention.sliding_window', u32(wholeNumber(config.raw['sliding_window'], 'sliding_window'))],
  ],
  tensors: (config) => sameLayers(config, PHI3_LAYER_TENSORS),
  generatedTensors: (config) => longRope(config)?.tensors ?? [],
  check(config) {
    checkSilu(config);
    const type = config.ropeScaling?.['rope_type'];
    if (config.ropeScaling !== undefined && (typeof type !== 'string' || !['longrope', 'su', 'yarn'].includes(type))) {
      throw new StudioError(
        'model/config',
        `config.json asks for rope scaling of type ${JSON.stringify(type)}, which Phi-3 does not have. Fetch the model's config.json again.`,
        { detail: { ropeType: type } },
      );
    }
    longRope(config);
  },
};

/** Values of each head that rotate: the converter's formula, which is right also where only a part does. */
function rotaryDimensions(config: ModelConfig): number {
  const part = ropeNumber(rope(config), 'partial_rotary_factor') ?? 1;
  return Math.floor(Math.floor(part * config.hiddenSize) / config.heads);
}

function rope(config: ModelConfig): JsonObject {
  return readRopeParameters(config.raw).full;
}

function originalContext(config: ModelConfig): number {
  return wholeNumber(rope(config)['original_max_position_embeddings'], 'original_max_position_embeddings');
}

function wholeNumber(value: Json | undefined, key: string): number {
  const number = value ?? 0;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= 2 ** 32) {
    throw new StudioError(
      'model/config',
      `config.json: \`${key}\` must be a whole number. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return number;
}

function hyperparameters(config: ModelConfig): GgufEntry[] {
  return [
    ['phi3.context_length', u32(config.contextLength)],
    ['phi3.rope.scaling.original_context_length', u32(originalContext(config))],
    ['phi3.embedding_length', u32(config.hiddenSize)],
    ['phi3.feed_forward_length', u32(config.feedForward)],
    ['phi3.block_count', u32(config.layers)],
    ['phi3.attention.head_count', u32(config.heads)],
    ['phi3.attention.head_count_kv', u32(config.kvHeads)],
    ['phi3.attention.layer_norm_rms_epsilon', f32(config.rmsNormEps)],
    ['phi3.rope.dimension_count', u32(rotaryDimensions(config))],
    ['phi3.rope.freq_base', f32(config.ropeTheta)],
  ];
}

/** The factors of the long-context models, and the attention factor that goes with them (older files say `su` or `yarn`). */
function longRope(
  config: ModelConfig,
): { readonly early: GgufEntry[]; readonly tensors: GeneratedTensor[] } | undefined {
  const parameters = rope(config);
  const long = parameters['long_factor'];
  if (!Array.isArray(long) || long.length === 0) {
    if (config.ropeScaling !== undefined) {
      throw new StudioError(
        'model/config',
        "config.json asks for a longer context without the factors for it (`long_factor`, `short_factor`). Fetch the model's config.json again.",
      );
    }
    return undefined;
  }
  const half = rotaryDimensions(config) / 2;
  const tensors = [['long', long] as const, ['short', parameters['short_factor']] as const].map(
    ([name, values]): GeneratedTensor => {
      if (
        !Array.isArray(values) ||
        values.length !== half ||
        !values.every((value: Json) => typeof value === 'number' && Number.isFinite(value))
      ) {
        throw new StudioError(
          'model/config',
          `config.json must have ${half} numbers in \`${name}_factor\`. Fetch the model's config.json again.`,
          { detail: { expected: half } },
        );
      }
      return { name: `rope_factors_${name}.weight`, shape: [half], values: Float32Array.from(values as number[]) };
    },
  );
  const original = originalContext(config);
  const scale = config.contextLength / original;
  const factor = scale > 1 ? Math.sqrt(1 + Math.log(scale) / Math.log(original)) : 1;
  return { early: [['phi3.rope.scaling.attn_factor', f32(factor)]], tensors };
}
