import { u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig, TensorRule, TensorRules } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { positive } from './gemma2';
import { checkExpertCounts } from './qwenMoe';
import { LAYER_TENSORS, ofHiddenSize, sameLayers } from './textTensors';

const experts = (config: ModelConfig): number => config.experts;
const biased = (rule: TensorRule): TensorRule => ({ ...rule, bias: 'required' });

const GPT_OSS_LAYER_TENSORS: TensorRules = {
  'self_attn.q_proj': biased(LAYER_TENSORS['self_attn.q_proj']),
  'self_attn.k_proj': biased(LAYER_TENSORS['self_attn.k_proj']),
  'self_attn.v_proj': biased(LAYER_TENSORS['self_attn.v_proj']),
  'self_attn.o_proj': biased(LAYER_TENSORS['self_attn.o_proj']),
  'self_attn.sinks': { to: 'attn_sinks.weight', parameter: true, shape: (c) => [c.heads] },
  input_layernorm: LAYER_TENSORS.input_layernorm,
  post_attention_layernorm: { to: 'post_attention_norm', shape: ofHiddenSize },
  'mlp.router': biased({ to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize] }),
  'mlp.experts.*.gate_proj': biased({
    to: 'ffn_gate_exps',
    stack: experts,
    shape: (c) => [c.feedForward, c.hiddenSize],
  }),
  'mlp.experts.*.up_proj': biased({ to: 'ffn_up_exps', stack: experts, shape: (c) => [c.feedForward, c.hiddenSize] }),
  'mlp.experts.*.down_proj': biased({
    to: 'ffn_down_exps',
    stack: experts,
    shape: (c) => [c.hiddenSize, c.feedForward],
  }),
};

/** gpt-oss: experts as MXFP4 blocks, which stay what they are, or dequantised. */
export const gptoss: Architecture = {
  name: 'gpt-oss',
  classes: ['GptOssForCausalLM'],
  label: 'gpt-oss',
  defaults: {
    GptOssForCausalLM: {
      vocab_size: 201_088,
      hidden_size: 2880,
      intermediate_size: 2880,
      num_hidden_layers: 36,
      num_attention_heads: 64,
      num_key_value_heads: 8,
      head_dim: 64,
      num_local_experts: 128,
      num_experts_per_tok: 4,
      max_position_embeddings: 131_072,
      rms_norm_eps: 1e-5,
      sliding_window: 128,
      tie_word_embeddings: false,
      rope_parameters: {
        rope_type: 'yarn',
        factor: 32,
        beta_fast: 32,
        beta_slow: 1,
        truncate: false,
        original_max_position_embeddings: 4096,
        rope_theta: 150_000,
      },
    },
  },
  interleavedExperts: true,
  hyperparameters: (config) => baseHyperparameters('gpt-oss', config),
  lateParameters: (config) => [
    ['gpt-oss.attention.sliding_window', u32(positive(config, 'sliding_window'))],
    ['gpt-oss.expert_feed_forward_length', u32(config.feedForward)],
  ],
  tensors: (config) => sameLayers(config, GPT_OSS_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['yarn']);
    checkSilu(config);
    checkExpertCounts(config);
    positive(config, 'sliding_window');
  },
};
