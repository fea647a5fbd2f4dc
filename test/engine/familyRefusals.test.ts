import { describe, expect, it } from 'vitest';
import type { WeightedAdapter } from '../../src/core/engine/applyAdapters';
import type { ModelConfig } from '../../src/core/engine/architectures/architecture';
import { deltaNet } from '../../src/core/engine/architectures/deltaNet';
import { findArchitecture } from '../../src/core/engine/architectures/architectures';
import { refuseFamily } from '../../src/core/engine/refuseFamily';

const onExperts = [
  { adapter: { path: 'A', parts: [{ kind: 'experts' }] }, weight: 1 },
] as unknown as readonly WeightedAdapter[];
const codeOf = (work: () => void): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? 'untyped';
  }
};

describe('what a family would do wrongly', () => {
  it('value heads of another width than key heads, which llama.cpp does not load', () => {
    const raw = { linear_num_key_heads: 2, linear_num_value_heads: 4, linear_key_head_dim: 32 };
    const config = (width: number): ModelConfig =>
      ({ raw: { ...raw, linear_value_head_dim: width } }) as unknown as ModelConfig;
    expect(deltaNet(config(32))).toMatchObject({ keyDim: 32, valueDim: 32 });
    expect(codeOf(() => deltaNet(config(64)))).toBe('model/config');
  });

  it('experts of gpt-oss changed all at once', () => {
    expect(codeOf(() => refuseFamily(findArchitecture('GptOssForCausalLM'), onExperts, undefined))).toBe(
      'adapter/unsupported',
    );
    expect(codeOf(() => refuseFamily(findArchitecture('Qwen3MoeForCausalLM'), onExperts, undefined))).toBe('none');
  });

  it.each(['Qwen3_5ForCausalLM', 'Qwen3_5MoeForCausalLM', 'Qwen3NextForCausalLM'])('%s as mlx stores it', (name) => {
    const base = { path: 'B', weightsFormat: 'mlx' };
    expect(codeOf(() => refuseFamily(findArchitecture(name), [], base))).toBe('model/quantised');
    expect(codeOf(() => refuseFamily(findArchitecture(name), [], { ...base, weightsFormat: 'pt' }))).toBe('none');
  });
});
