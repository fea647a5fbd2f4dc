import type { ModelConfig, TensorMapping } from './architecture';
import { normaliseTensorName } from './textTensors';

/** Where a family keeps its experts and how their weights become stacks: projection of one expert to GGUF name. */
export interface ExpertRules {
  /** `mlp` or `block_sparse_moe`. */
  readonly module: string;
  readonly projections: Readonly<Record<string, string>>;
}

const STACKED: Readonly<Record<string, string>> = { gate_proj: 'ffn_gate_exps', up_proj: 'ffn_up_exps', down_proj: 'ffn_down_exps' };

/**
 * Maps the weights of experts: one a file entry (`experts.7.gate_proj`), which becomes a slice of a stack, or the whole stack as
 * mlx stores it (`switch_mlp.gate_proj`). Undefined for any other tensor.
 */
export function mapExpertTensor(name: string, config: ModelConfig, rules: ExpertRules): TensorMapping | undefined {
  const parts = /^model\.layers\.(\d{1,5})\.(\w+)\.(?:experts\.(\d{1,5})|switch_mlp)\.(\w+)\.weight$/.exec(normaliseTensorName(name));
  if (parts === null) {
    return undefined;
  }
  const [, layer, module, expert, projection] = parts;
  const names = expert === undefined ? STACKED : rules.projections;
  const to = Object.hasOwn(names, projection!) ? names[projection!] : undefined;
  if (module !== rules.module || to === undefined || Number(layer) >= config.layers || Number(expert ?? 0) >= config.experts) {
    return undefined;
  }
  return {
    name: `blk.${Number(layer)}.${to}.weight`,
    transform: { kind: 'none' },
    ...(expert === undefined ? {} : { stack: { expert: Number(expert), experts: config.experts } }),
  };
}

/** The stacks of every layer. */
export function requiredStacks(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) => Object.values(STACKED).map((leaf) => `blk.${layer}.${leaf}.weight`)).flat();
}
