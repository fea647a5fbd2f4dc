import type { ModelConfig, TensorRules } from './architecture';

/** Sizes of a state space (Mamba 2), from a family's own keys. */
export interface Mamba2Sizes {
  readonly heads: (config: ModelConfig) => number;
  readonly groups: (config: ModelConfig) => number;
  /** Values of all heads together. */
  readonly inner: (config: ModelConfig) => number;
  readonly state: (config: ModelConfig) => number;
}

/** Rows of the convolution: values, and the group's two vectors. */
const convolved = (sizes: Mamba2Sizes, c: ModelConfig): number => sizes.inner(c) + 2 * sizes.groups(c) * sizes.state(c);

/** The tensors of a state space under `module`. */
export function MAMBA2_TENSORS(module: string, sizes: Mamba2Sizes): TensorRules {
  const ofHeads = (c: ModelConfig): readonly number[] => [sizes.heads(c)];
  const asColumn = (c: ModelConfig): readonly number[] => [1, sizes.heads(c)];
  return {
    [`${module}.in_proj`]: {
      to: 'ssm_in',
      bias: 'none',
      shape: (c) => [sizes.inner(c) + convolved(sizes, c) + sizes.heads(c), c.hiddenSize],
    },
    [`${module}.conv1d`]: { to: 'ssm_conv1d', shape: (c) => [convolved(sizes, c), undefined, undefined] },
    [`${module}.A_log`]: {
      to: 'ssm_a',
      parameter: true,
      shape: ofHeads,
      reshape: asColumn,
      transform: () => ({ kind: 'negativeExp' }),
    },
    [`${module}.D`]: { to: 'ssm_d', parameter: true, shape: ofHeads, reshape: asColumn },
    [`${module}.dt_bias`]: { to: 'ssm_dt.bias', parameter: true, shape: ofHeads },
    [`${module}.norm`]: {
      to: 'ssm_norm',
      bias: 'none',
      shape: (c) => [sizes.inner(c)],
      reshape: (c) => [sizes.inner(c) / sizes.groups(c), sizes.groups(c)],
    },
    [`${module}.out_proj`]: { to: 'ssm_out', bias: 'none', shape: (c) => [c.hiddenSize, sizes.inner(c)] },
  };
}
