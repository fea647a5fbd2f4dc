import type { ModelConfig, TensorRules } from './architecture';

const experts = (config: ModelConfig): number => config.experts;

/** The projections of every expert of `module`, which become slices of a stack; without biases. */
export function expertTensors(module: string): TensorRules {
  return {
    [`${module}.experts.*.gate_proj`]: { to: 'ffn_gate_exps', stack: experts, bias: 'none' },
    [`${module}.experts.*.up_proj`]: { to: 'ffn_up_exps', stack: experts, bias: 'none' },
    [`${module}.experts.*.down_proj`]: { to: 'ffn_down_exps', stack: experts, bias: 'none' },
  };
}

export const EXPERT_TENSORS = expertTensors('mlp');
