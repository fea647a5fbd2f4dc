import { describe, expect, test } from 'vitest';
import type { StudioError } from '../../src/core/errors';
import { matchAdapterToBase } from '../../src/core/formats/adapters/matchBase';
import { readMlxAdapter } from '../../src/core/formats/adapters/readMlxAdapter';
import { readPeftAdapter } from '../../src/core/formats/adapters/readPeftAdapter';
import type { JsonObject } from '../../src/core/json';
import { adapterInput, MLX_CONFIG, ONE_PAIR, PEFT_CONFIG, Q_PROJ, SMALL_BASE, type Shapes } from './adapterFiles';

const EMBED = 'base_model.model.model.embed_tokens';

function problems(shapes: Shapes, config: JsonObject = {}): readonly StudioError[] {
  const adapter = readPeftAdapter(adapterInput({ ...PEFT_CONFIG, ...config }, shapes));
  expect(adapter.refusals.map(String)).toEqual([]);
  return matchAdapterToBase(adapter, SMALL_BASE).problems;
}

describe('an adapter against a base', () => {
  test('fits', () => {
    const adapter = readPeftAdapter(adapterInput(PEFT_CONFIG, ONE_PAIR));
    expect(matchAdapterToBase(adapter, SMALL_BASE)).toEqual({ matched: adapter.parts, problems: [] });
    const mlx = readMlxAdapter(
      adapterInput(MLX_CONFIG, {
        'model.layers.0.mlp.down_proj.lora_a': [96, 8],
        'model.layers.0.mlp.down_proj.lora_b': [8, 32],
        'model.embed_tokens.lora_a': [100, 8],
        'model.embed_tokens.lora_b': [8, 32],
      }),
    );
    expect(matchAdapterToBase(mlx, SMALL_BASE).problems).toEqual([]);
  });

  test('another hidden size is said as such, with the base that the configuration names', () => {
    const [problem] = problems({ [`${Q_PROJ}.lora_A.weight`]: [8, 2048], [`${Q_PROJ}.lora_B.weight`]: [2048, 8] });
    expect(problem?.code).toBe('adapter/base-mismatch');
    expect(problem?.message).toBe(
      'outputs/checkpoint-500 was trained on a model with hidden size 2048; base has 32 (model.layers.0.self_attn.q_proj). Pass the base it was trained on: adapter_config.json names Qwen/Qwen3-1.7B.',
    );
  });

  test('another width with the same hidden size names the module and both shapes', () => {
    const [problem] = problems({ [`${Q_PROJ}.lora_A.weight`]: [8, 32], [`${Q_PROJ}.lora_B.weight`]: [128, 8] });
    expect(problem?.code).toBe('adapter/base-mismatch');
    expect(problem?.message).toContain('q_proj is [128, 32]; base has [64, 32]');
  });

  test('more layers than the base has', () => {
    const module = Q_PROJ.replace('layers.0', 'layers.27');
    const [problem] = problems({
      ...ONE_PAIR,
      [`${module}.lora_A.weight`]: [8, 32],
      [`${module}.lora_B.weight`]: [64, 8],
    });
    expect(problem?.code).toBe('adapter/base-mismatch');
    expect(problem?.message).toContain('at least 28 layers; base has 1');
  });

  test('a name that the base does not have is listed with its nearest', () => {
    const module = 'base_model.model.model.layers.0.self_attn.query_proj';
    const [problem] = problems({ [`${module}.lora_A.weight`]: [8, 32], [`${module}.lora_B.weight`]: [64, 8] });
    expect(problem?.code).toBe('adapter/unmatched');
    expect(problem?.message).toMatch(
      /query_proj\.weight\. Nearest in the base: model\.layers\.0\.self_attn\.q_proj\.weight/,
    );
  });

  test('fan_in_fan_out takes a base stored the other way round, and only then', () => {
    const transposed: Shapes = { [`${Q_PROJ}.lora_A.weight`]: [8, 64], [`${Q_PROJ}.lora_B.weight`]: [32, 8] };
    expect(problems(transposed, { fan_in_fan_out: true })).toEqual([]);
    expect(problems(transposed)).toHaveLength(1);
    expect(problems(ONE_PAIR, { fan_in_fan_out: true })).toEqual([]);
  });

  test('a vocabulary may grow only where the whole embedding comes along', () => {
    const factors: Shapes = { [`${EMBED}.lora_embedding_A`]: [8, 104], [`${EMBED}.lora_embedding_B`]: [32, 8] };
    expect(problems(factors).map(({ code }) => code)).toEqual(['adapter/base-mismatch']);
    expect(problems({ ...factors, [`${EMBED}.base_layer.weight`]: [104, 32] })).toEqual([]);
    expect(problems({ [`${EMBED}.weight`]: [104, 32], 'base_model.model.lm_head.weight': [104, 32] })).toEqual([]);
    expect(problems({ [`${EMBED}.weight`]: [104, 48] }).map(({ code }) => code)).toEqual(['adapter/base-mismatch']);
    expect(problems({ 'base_model.model.model.norm.weight': [48] }).map(({ code }) => code)).toEqual([
      'adapter/base-mismatch',
    ]);
  });

  test('trained tokens lie within the vocabulary', () => {
    const tokens: Shapes = { [`${EMBED}.token_adapter.trainable_tokens_delta`]: [2, 32] };
    expect(problems(tokens, { trainable_token_indices: [0, 99] })).toEqual([]);
    expect(problems(tokens, { trainable_token_indices: [0, 100] }).map(({ code }) => code)).toEqual([
      'adapter/base-mismatch',
    ]);
  });

  test('a bias is added only where there is one', () => {
    const o = 'base_model.model.model.layers.0.self_attn.o_proj';
    expect(problems({ ...ONE_PAIR, [`${Q_PROJ}.lora_B.bias`]: [64] }, { lora_bias: true })).toEqual([]);
    const [problem] = problems(
      { [`${o}.lora_A.weight`]: [8, 64], [`${o}.lora_B.weight`]: [32, 8], [`${o}.lora_B.bias`]: [32] },
      { lora_bias: true },
    );
    expect(problem?.code).toBe('adapter/unmatched');
    expect(problem?.message).toContain('no such bias');
  });
});
