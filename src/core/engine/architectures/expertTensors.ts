import type { ModelConfig, TensorRules } from './architecture';

const experts = (config: ModelConfig): number => config.experts;

/** The projections of every expert, which become slices of a stack; without biases. */
export const EXPERT_TENSORS: TensorRules = {
  'mlp.experts.*.gate_proj': { to: 'ffn_gate_exps', stack: experts, bias: 'none' },
  'mlp.experts.*.up_proj': { to: 'ffn_up_exps', stack: experts, bias: 'none' },
  'mlp.experts.*.down_proj': { to: 'ffn_down_exps', stack: experts, bias: 'none' },
};
