import { f32, type GgufEntry, string, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRule, TensorRules } from './architecture';
import { baseHyperparameters, checkRopeType } from './baseHyperparameters';
import { checkOnly } from './configNumber';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { GLOBAL_TENSORS, LAYER_TENSORS, ofHiddenSize, sameLayers, without } from './textTensors';

/** Weights of norms are stored less one; their biases are not. */
const norm = (to: string): TensorRule => ({
  to,
  shape: ofHiddenSize,
  bias: 'required',
  transform: (_, suffix) => (suffix === 'weight' ? { kind: 'add', value: 1 } : { kind: 'none' }),
});

const NEMOTRON_LAYER_TENSORS: TensorRules = {
  ...without(LAYER_TENSORS, 'mlp.gate_proj'),
  input_layernorm: norm('attn_norm'),
  post_attention_layernorm: norm('ffn_norm'),
};

/** Nemotron-4 and Minitron: layer norms and squared ReLU, without a gate. */
export const nemotron: Architecture = {
  name: 'nemotron',
  classes: ['NemotronForCausalLM'],
  label: 'Nemotron and Minitron',
  defaults: {
    NemotronForCausalLM: {
      vocab_size: 256_000,
      hidden_size: 6144,
      intermediate_size: 24_576,
      num_hidden_layers: 32,
      num_attention_heads: 48,
      max_position_embeddings: 4096,
      norm_eps: 1e-5,
      rope_theta: 10_000,
      partial_rotary_factor: 0.5,
      tie_word_embeddings: false,
    },
  },
  derivesHeadDim: ['NemotronForCausalLM'],
  vocabulary: 'nemotron',
  mlxDiffers: true,
  hyperparameters: (config) => baseHyperparameters('nemotron', config),
  lateParameters,
  tensors: (config) =>
    sameLayers(config, NEMOTRON_LAYER_TENSORS, { ...GLOBAL_TENSORS, 'model.norm': norm('output_norm') }),
  check(config) {
    checkRopeType(config, ['linear']);
    checkOnly(config, 'hidden_act', ['relu2']);
  },
};

function lateParameters(config: ModelConfig): GgufEntry[] {
  const rope = readRopeParameters(config.raw).full;
  const part = ropeNumber(rope, 'partial_rotary_factor') ?? 0.5;
  const factor = ropeNumber(config.raw, 'factor') ?? ropeNumber(rope, 'factor');
  return [
    ['nemotron.vocab_size', u32(config.vocabSize)],
    ['nemotron.attention.layer_norm_epsilon', f32(config.rmsNormEps)],
    ['nemotron.rope.dimension_count', u32(Math.floor(Math.floor(part * config.hiddenSize) / config.heads))],
    ['nemotron.rope.scaling.type', string(factor === undefined ? 'none' : 'linear')],
    ...(factor === undefined ? [] : [['nemotron.rope.scaling.factor', f32(factor)] as const]),
  ];
}
