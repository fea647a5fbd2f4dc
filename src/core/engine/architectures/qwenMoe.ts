import { StudioError } from '../../errors';
import { type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { ModelConfig, TensorRules } from './architecture';
import { checkRope, checkSilu } from './baseHyperparameters';
import { EXPERT_TENSORS } from './expertTensors';

/** Widths of the experts and of the one that every token goes through, where the config has them. */
export function expertLengths(name: string, config: ModelConfig): GgufEntry[] {
  return (
    [
      ['expert_feed_forward_length', 'moe_intermediate_size'],
      ['expert_shared_feed_forward_length', 'shared_expert_intermediate_size'],
    ] as const
  ).flatMap(([key, source]): GgufEntry[] => {
    const value = config.raw[source];
    if (value === undefined || value === null) {
      return [];
    }
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 16_777_216) {
      throw new StudioError(
        'model/config',
        `config.json: \`${source}\` must be a positive whole number. Fetch the model's config.json again.`,
        { detail: { key: source } },
      );
    }
    return [[`${name}.${key}`, u32(value)]];
  });
}

/** A router, its experts, and one expert that every token goes through. */
export const SHARED_EXPERT_TENSORS: TensorRules = {
  'mlp.gate': { to: 'ffn_gate_inp', shape: (c) => [c.experts, c.hiddenSize], bias: 'none' },
  'mlp.shared_expert_gate': { to: 'ffn_gate_inp_shexp', bias: 'none' },
  'mlp.shared_expert.gate_proj': 'ffn_gate_shexp',
  'mlp.shared_expert.up_proj': 'ffn_up_shexp',
  'mlp.shared_expert.down_proj': 'ffn_down_shexp',
  ...EXPERT_TENSORS,
};

/** @throws StudioError model/config */
export function checkQwenMoe(config: ModelConfig): void {
  checkRope(config, ['linear', 'yarn']);
  checkSilu(config);
  checkQwenLayers(config);
}

/** llama.cpp runs these families with experts in every layer; configurations that mix in dense layers are refused. */
export function checkQwenLayers(config: ModelConfig): void {
  const dense = config.raw['mlp_only_layers'];
  const step = config.raw['decoder_sparse_step'];
  if ((Array.isArray(dense) && dense.length > 0) || (step !== undefined && step !== null && step !== 1)) {
    throw new StudioError(
      'model/config',
      'config.json mixes dense layers among those with experts (`mlp_only_layers`, `decoder_sparse_step`), which llama.cpp does not run for this architecture.',
      { detail: { dense, step } },
    );
  }
  checkExpertCounts(config);
}

/** @throws StudioError model/config where more experts are used than there are */
export function checkExpertCounts(config: ModelConfig): void {
  if (config.experts < 1 || config.expertsUsed < 1 || config.expertsUsed > config.experts) {
    throw new StudioError(
      'model/config',
      `config.json says that ${config.expertsUsed} of ${config.experts} experts are used for each token. Fetch the model's config.json again.`,
      { detail: { experts: config.experts, used: config.expertsUsed } },
    );
  }
}
