import { f32, string, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { checkOnly, decimal, layerTypes, optionalWhole, whole } from './configNumber';
import { each, GLOBAL_TENSORS, LAYER_TENSORS, sameLayers, without } from './textTensors';

/** One norm a layer, before attention and feed-forward that stand side by side. */
const COHERE_LAYER_TENSORS: TensorRules = without(LAYER_TENSORS, 'post_attention_layernorm');

/** Command R+ normalises every head with weights of its own. */
const QUERY_NORMS: TensorRules = {
  'self_attn.q_norm': { to: 'attn_q_norm', shape: (c) => [c.heads, c.headDim] },
  'self_attn.k_norm': { to: 'attn_k_norm', shape: (c) => [c.kvHeads, c.headDim] },
};

const GLOBALS: TensorRules = { ...GLOBAL_TENSORS, lm_head: { ...GLOBAL_TENSORS.lm_head, optional: true } };

const DEFAULTS: JsonObject = {
  vocab_size: 256_000,
  max_position_embeddings: 8192,
  layer_norm_eps: 1e-5,
  rope_theta: 10_000,
  logit_scale: 0.0625,
  tie_word_embeddings: true,
};

/** Command R and R+, Aya (Cohere's first generation). */
export const commandr: Architecture = {
  name: 'command-r',
  classes: ['CohereForCausalLM'],
  label: 'Command R',
  defaults: { CohereForCausalLM: DEFAULTS },
  hyperparameters: (config) =>
    baseHyperparameters('command-r', {
      ...config,
      // config.json says 8192 where the model was trained on 128k.
      contextLength: optionalWhole(config, 'model_max_length') ?? config.contextLength,
    }),
  lateParameters: (config) => [
    ['command-r.logit_scale', f32(decimal(config, 'logit_scale'))],
    ['command-r.rope.scaling.type', string('none')],
  ],
  tensors: (config) =>
    sameLayers(
      config,
      {
        ...COHERE_LAYER_TENSORS,
        ...(config.raw['use_qk_norm'] === true ? QUERY_NORMS : each(QUERY_NORMS, { optional: true })),
      },
      GLOBALS,
    ),
  check(config) {
    checkCohere(config);
    // llama.cpp asks for norms of queries and keys from 64 layers on, and for none below.
    checkOnly(config, 'use_qk_norm', [config.layers >= 64]);
  },
};

/** Command R7B, Command A, Aya Expanse 2: three layers of four look back a window only, the fourth has no positions. */
export const cohere2: Architecture = {
  name: 'cohere2',
  classes: ['Cohere2ForCausalLM'],
  label: 'Command R7B and Command A',
  defaults: {
    Cohere2ForCausalLM: { ...DEFAULTS, sliding_window: 4096, sliding_window_pattern: 4, rotary_pct: 1 },
  },
  hyperparameters: (config) => baseHyperparameters('cohere2', config),
  lateParameters: (config) => [
    ['cohere2.logit_scale', f32(decimal(config, 'logit_scale'))],
    ['cohere2.attention.sliding_window', u32(whole(config, 'sliding_window'))],
    ['cohere2.vocab_size', u32(config.vocabSize)],
    [
      'cohere2.rope.dimension_count',
      u32(Math.floor(decimal(config, 'rotary_pct') * Math.floor(config.hiddenSize / config.heads))),
    ],
    ['cohere2.rope.scaling.type', string('none')],
  ],
  tensors: (config) => sameLayers(config, each(COHERE_LAYER_TENSORS, { bias: 'none' }), GLOBALS),
  check(config) {
    checkCohere(config);
    whole(config, 'sliding_window');
    decimal(config, 'rotary_pct');
    // llama.cpp has this pattern built in and no key for another.
    checkOnly(config, 'sliding_window_pattern', [4]);
    const types = layerTypes(config, ['sliding_attention', 'full_attention'], fourth);
    checkOnly({ ...config, raw: { layers: types.join() } }, 'layers', [types.map((_, layer) => fourth(layer)).join()]);
  },
};

const fourth = (layer: number): string => ((layer + 1) % 4 === 0 ? 'full_attention' : 'sliding_attention');

function checkCohere(config: ModelConfig): void {
  checkRope(config, []);
  checkSilu(config);
  checkOnly(config, 'attention_bias', [false]);
  decimal(config, 'logit_scale');
}
