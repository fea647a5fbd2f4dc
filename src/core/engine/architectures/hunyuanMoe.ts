import { StudioError } from '../../errors';
import { type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { EXPERT_TENSORS } from './expertTensors';
import { dynamicRope, HUNYUAN_LAYER_TENSORS, hunyuanDropped } from './hunyuan';
import { sameLayers, withoutDenseFeedForward } from './textTensors';

const HUNYUAN_MOE_LAYER_TENSORS: TensorRules = {
  ...withoutDenseFeedForward(HUNYUAN_LAYER_TENSORS),
  'mlp.gate.wg': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'mlp.shared_mlp.gate_proj': { to: 'ffn_gate_shexp', bias: 'none' },
  'mlp.shared_mlp.up_proj': { to: 'ffn_up_shexp', bias: 'none' },
  'mlp.shared_mlp.down_proj': { to: 'ffn_down_shexp', bias: 'none' },
  ...EXPERT_TENSORS,
};

/** Hunyuan with experts (A13B): one more that every token goes through. */
export const hunyuanMoe: Architecture = {
  name: 'hunyuan-moe',
  classes: ['HunYuanMoEV1ForCausalLM'],
  label: 'Hunyuan-MoE',
  defaults: {
    HunYuanMoEV1ForCausalLM: {
      vocab_size: 290_943,
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      num_experts: 1,
      tie_word_embeddings: false,
    },
  },
  vocabulary: 'hunyuanMoe',
  hyperparameters: (config) => baseHyperparameters('hunyuan-moe', config),
  lateParameters,
  tensors: (config) => sameLayers(config, HUNYUAN_MOE_LAYER_TENSORS, hunyuanDropped(config)),
  check(config) {
    checkRope(config, ['dynamic', 'linear', 'yarn']);
    checkSilu(config);
    lateParameters(config);
  },
};

function lateParameters(config: ModelConfig): GgufEntry[] {
  return [
    ['hunyuan-moe.expert_shared_feed_forward_length', u32(config.feedForward)],
    ['hunyuan-moe.expert_feed_forward_length', u32(everywhere(config, 'moe_intermediate_size'))],
    ['hunyuan-moe.expert_used_count', u32(everywhere(config, 'moe_topk'))],
    ['hunyuan-moe.expert_shared_count', u32(everywhere(config, 'num_shared_expert'))],
    ...dynamicRope('hunyuan-moe', config, Math.floor(config.hiddenSize / config.heads), 1000),
  ];
}

/** A number that config.json has for every layer, or once; llama.cpp knows one for all. */
function everywhere(config: ModelConfig, key: string): number {
  const value: unknown = config.raw[key];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const [first] = list;
  if (
    typeof first !== 'number' ||
    !Number.isInteger(first) ||
    first < 1 ||
    first > 16_777_216 ||
    list.some((one) => one !== first)
  ) {
    throw new StudioError(
      'model/config',
      `config.json: \`${key}\` must be one positive whole number for all layers, since llama.cpp runs no other. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return first;
}
