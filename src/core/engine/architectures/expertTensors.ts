import type { ModelConfig, TensorMapping } from './architecture';
import { normaliseTensorName } from './textTensors';

/** Projections of an expert and the stacks that they become. */
const STACKED: Readonly<Record<string, string>> = {
  gate_proj: 'ffn_gate_exps',
  up_proj: 'ffn_up_exps',
  down_proj: 'ffn_down_exps',
};

/** Maps the weight of one expert (`mlp.experts.7.gate_proj`), which becomes a slice of a stack. Undefined for any other tensor. */
export function mapExpertTensor(name: string, config: ModelConfig): TensorMapping | undefined {
  const parts = /^model\.layers\.(\d{1,5})\.mlp\.experts\.(\d{1,5})\.(\w+)\.weight$/.exec(normaliseTensorName(name));
  if (parts === null) {
    return undefined;
  }
  const [, layer, expert, projection] = parts;
  const to = Object.hasOwn(STACKED, projection!) ? STACKED[projection!] : undefined;
  if (to === undefined || Number(layer) >= config.layers || Number(expert) >= config.experts) {
    return undefined;
  }
  return {
    name: `blk.${Number(layer)}.${to}.weight`,
    transform: { kind: 'none' },
    stack: { expert: Number(expert), experts: config.experts },
  };
}

/** The stacks of every layer. */
export function requiredStacks(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    Object.values(STACKED).map((leaf) => `blk.${layer}.${leaf}.weight`),
  ).flat();
}

/**
 * The name of one expert's weight where a file has all of them as a stack (mlx's `switch_mlp.gate_proj.weight`); under the
 * name that Hugging Face files give it. Undefined where the name is no stack's.
 */
export function expertOfStack(name: string, expert: number): string | undefined {
  const parts = /^(.*\.)(mlp|block_sparse_moe)\.switch_mlp\.(gate_proj|up_proj|down_proj)\.weight$/.exec(name);
  if (parts === null) {
    return undefined;
  }
  const [, before, module, projection] = parts;
  const mixtral: Readonly<Record<string, string>> = { gate_proj: 'w1', down_proj: 'w2', up_proj: 'w3' };
  return `${before!}${module!}.experts.${expert}.${module === 'mlp' ? projection! : mixtral[projection!]!}.weight`;
}
