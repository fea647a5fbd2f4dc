import { bool, f32, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { Architecture, ModelConfig, TensorRules, TensorTable } from './architecture';
import { baseHyperparameters, checkRopeType, checkSilu } from './baseHyperparameters';
import { decimal, optionalWhole, whole } from './configNumber';
import { EXPERT_TENSORS } from './expertTensors';
import { glmRotation } from './glm4';
import { checkExpertCounts } from './qwenMoe';
import {
  DENSE_FEED_FORWARD,
  each,
  GLOBAL_TENSORS,
  HEAD_NORMS,
  LAYER_TENSORS,
  ofHiddenSize,
  withoutDenseFeedForward,
} from './textTensors';

/** A router with a bias for each expert, the experts, and one that every token goes through. */
export const SHARED_EXPERTS: TensorRules = {
  'mlp.gate': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'mlp.gate.e_score_correction_bias': { to: 'exp_probs_b.bias', parameter: true, shape: (c) => [c.experts] },
  'mlp.shared_experts.gate_proj': { to: 'ffn_gate_shexp', bias: 'none' },
  'mlp.shared_experts.up_proj': { to: 'ffn_up_shexp', bias: 'none' },
  'mlp.shared_experts.down_proj': { to: 'ffn_down_shexp', bias: 'none' },
  ...EXPERT_TENSORS,
};

/** What a layer that predicts a further token has beside an ordinary one's; embedding and head may be the model's own. */
export const NEXT_TOKEN_TENSORS: TensorRules = {
  eh_proj: { to: 'nextn.eh_proj', bias: 'none' },
  enorm: { to: 'nextn.enorm', shape: ofHiddenSize },
  hnorm: { to: 'nextn.hnorm', shape: ofHiddenSize },
  embed_tokens: { to: 'nextn.embed_tokens', optional: true, bias: 'none' },
  'shared_head.norm': { to: 'nextn.shared_head_norm', shape: ofHiddenSize },
  'shared_head.head': { to: 'nextn.shared_head_head', optional: true, bias: 'none' },
};

/** Layers beyond those of config.json: they predict further tokens. `save_pretrained` leaves them out. */
export function furtherLayers(raw: JsonObject, names: ReadonlySet<string>): number {
  const layers = raw['num_hidden_layers'];
  let found = 0;
  for (const name of names) {
    const index = /^(?:model\.)?(?:language_model\.)?layers\.(\d{1,5})\./.exec(name)?.[1];
    found = index === undefined || typeof layers !== 'number' ? found : Math.max(found, Number(index) + 1 - layers);
  }
  const said = raw['num_nextn_predict_layers'];
  return typeof said === 'number' && Number.isInteger(said) && said >= 0 ? Math.min(found, said) : 0;
}

function tensors(config: ModelConfig): TensorTable {
  const fromGguf = Object.keys(config.raw).length === 0;
  const dense = fromGguf ? config.layers : whole(config, 'first_k_dense_replace');
  const attention: TensorRules = {
    ...withoutDenseFeedForward(LAYER_TENSORS),
    post_attention_layernorm: { to: 'post_attention_norm', shape: ofHiddenSize },
    ...(config.raw['use_qk_norm'] === true ? HEAD_NORMS : each(HEAD_NORMS, { optional: true })),
  };
  const either = each({ ...DENSE_FEED_FORWARD, ...SHARED_EXPERTS }, { optional: true });
  return {
    globals: GLOBAL_TENSORS,
    layers: config.layers + config.mtpLayers,
    layer: (index) => ({
      ...attention,
      ...(fromGguf ? either : index < dense ? DENSE_FEED_FORWARD : SHARED_EXPERTS),
      ...(index < config.layers ? {} : NEXT_TOKEN_TENSORS),
    }),
  };
}

/** GLM-4.5, 4.6 and 4.7, with experts; layers for multi-token prediction go along where the weights are there. */
export const glm4moe: Architecture = {
  name: 'glm4moe',
  classes: ['Glm4MoeForCausalLM'],
  label: 'GLM-4.5 to 4.7',
  defaults: {
    Glm4MoeForCausalLM: {
      vocab_size: 151_552,
      hidden_size: 4096,
      intermediate_size: 10_944,
      num_hidden_layers: 46,
      num_attention_heads: 96,
      num_key_value_heads: 8,
      max_position_embeddings: 131_072,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      partial_rotary_factor: 0.5,
      moe_intermediate_size: 1408,
      num_experts_per_tok: 8,
      n_shared_experts: 1,
      n_routed_experts: 128,
      routed_scaling_factor: 1,
      n_group: 1,
      topk_group: 1,
      first_k_dense_replace: 1,
      norm_topk_prob: true,
      use_qk_norm: false,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'glm',
  mtpLayers: furtherLayers,
  hyperparameters: (config) => baseHyperparameters('glm4moe', config),
  lateParameters,
  tensors,
  check(config) {
    checkRopeType(config, ['linear', 'yarn']);
    checkSilu(config);
    checkExpertCounts(config);
    lateParameters(config);
  },
};

const SIGMOID = 2;

function lateParameters(config: ModelConfig): GgufEntry[] {
  const key = (name: string): string => `glm4moe.${name}`;
  return [
    glmRotation('glm4moe', config),
    [key('expert_feed_forward_length'), u32(whole(config, 'moe_intermediate_size'))],
    [key('expert_shared_count'), u32(whole(config, 'n_shared_experts'))],
    [key('leading_dense_block_count'), u32(whole(config, 'first_k_dense_replace'))],
    [key('expert_gating_func'), u32(SIGMOID)],
    [key('expert_weights_scale'), f32(decimal(config, 'routed_scaling_factor'))],
    [key('expert_weights_norm'), bool(config.raw['norm_topk_prob'] === true)],
    ...(config.mtpLayers === 0 || optionalWhole(config, 'num_nextn_predict_layers') === undefined
      ? []
      : [[key('nextn_predict_layers'), u32(config.mtpLayers)] as const]),
  ];
}
