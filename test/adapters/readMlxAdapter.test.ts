import { describe, expect, test } from 'vitest';
import type { Adapter } from '../../src/core/formats/adapters/adapter';
import { readMlxAdapter } from '../../src/core/formats/adapters/readMlxAdapter';
import { recogniseAdapter } from '../../src/core/formats/adapters/recogniseAdapter';
import type { JsonObject } from '../../src/core/json';
import { adapterInput, MLX_CONFIG, PEFT_CONFIG, type Shapes } from './adapterFiles';

const Q = 'model.layers.0.self_attn.q_proj';
const PAIR: Shapes = { [`${Q}.lora_a`]: [32, 8], [`${Q}.lora_b`]: [8, 64] };

function read(config: JsonObject, shapes: Shapes = PAIR): Adapter {
  return readMlxAdapter(adapterInput({ ...MLX_CONFIG, ...config }, shapes));
}

describe('mlx-lm adapters', () => {
  test('the scale is used as it is, whatever the rank and any alpha', () => {
    for (const lora_parameters of [
      { rank: 8, scale: 20 },
      { rank: 8, scale: 20, alpha: 16 },
    ]) {
      expect(read({ lora_parameters }).parts).toMatchObject([
        { kind: 'lowRank', target: `${Q}.weight`, layout: 'mlxLinear', rank: 8, scale: 20 },
      ]);
    }
  });

  test('alpha beside the old layer count is ambiguous, and said to be', () => {
    const old = { num_layers: null, lora_layers: 16, lora_parameters: { rank: 8, alpha: 16, scale: 10 } };
    expect(read(old).warnings.map(({ code }) => code)).toEqual(['adapter/legacy-alpha']);
    expect(read(old).scale).toBe(10);
    expect(read({ lora_parameters: { rank: 8, alpha: 16, scale: 10 } }).warnings).toEqual([]);
  });

  test('orientation follows the module, not the shape, where the shape is square', () => {
    const square = read(
      {},
      {
        'model.embed_tokens.lora_a': [32, 8],
        'model.embed_tokens.lora_b': [8, 32],
        [`${Q}.lora_a`]: [32, 8],
        [`${Q}.lora_b`]: [8, 32],
      },
    );
    expect(square.parts.map((part) => (part.kind === 'lowRank' ? part.layout : part.kind))).toEqual([
      'mlxEmbedding',
      'mlxLinear',
    ]);
  });

  test('DoRA has one magnitude a row, of embeddings too', () => {
    const dora = read(
      { fine_tune_type: 'dora' },
      {
        ...PAIR,
        [`${Q}.m`]: [64],
        'model.embed_tokens.lora_a': [100, 8],
        'model.embed_tokens.lora_b': [8, 32],
        'model.embed_tokens.m': [100],
      },
    );
    expect(dora.refusals).toEqual([]);
    expect(dora.parts).toMatchObject([
      { magnitude: { shape: [64] }, magnitudeAxis: 'row' },
      { magnitude: { shape: [100] }, magnitudeAxis: 'row' },
    ]);
    expect(
      readMlxAdapter(
        adapterInput(
          { lora_layers: 4, use_dora: true, lora_parameters: { rank: 8, scale: 1 } },
          { ...PAIR, [`${Q}.m`]: [64] },
        ),
      ).method,
    ).toBe('dora');
  });

  test('a full fine-tune replaces', () => {
    const full = read(
      { fine_tune_type: 'full', lora_parameters: null },
      { [`${Q}.weight`]: [64, 32], 'language_model.model.norm.weight': [32] },
    );
    expect(full).toMatchObject({ method: 'full', rank: undefined, scale: undefined, refusals: [] });
    expect(full.parts).toMatchObject([
      { kind: 'replace', target: `${Q}.weight` },
      { kind: 'replace', target: 'model.norm.weight' },
    ]);
  });

  test('the weight inside an adapted layer is what the factors were trained on', () => {
    const adapter = read({}, { ...PAIR, [`${Q}.linear.weight`]: [64, 32], [`${Q}.linear.bias`]: [64] });
    expect(adapter.parts.map(({ kind, target }) => `${kind} ${target}`)).toEqual([
      `lowRank ${Q}.weight`,
      `base ${Q}.weight`,
      `replace ${Q}.bias`,
    ]);
  });

  test.each<[string, string, JsonObject, Shapes]>([
    ['a missing partner', 'adapter/pair', {}, { [`${Q}.lora_a`]: [32, 8] }],
    ['DoRA without magnitude', 'adapter/pair', { fine_tune_type: 'dora' }, PAIR],
    ['a magnitude in a LoRA', 'adapter/config', {}, { ...PAIR, [`${Q}.m`]: [64] }],
    ['a magnitude of the wrong length', 'adapter/shape', { fine_tune_type: 'dora' }, { ...PAIR, [`${Q}.m`]: [32] }],
    ['ranks that differ', 'adapter/shape', {}, { [`${Q}.lora_a`]: [32, 8], [`${Q}.lora_b`]: [4, 64] }],
    ['a checkpoint of another run', 'adapter/shape', { lora_parameters: { rank: 16, scale: 20 } }, PAIR],
    ['no scale', 'adapter/config', { lora_parameters: { rank: 8 } }, PAIR],
    ['factors in a full fine-tune', 'adapter/config', { fine_tune_type: 'full' }, PAIR],
    ['whole weights in a LoRA', 'adapter/config', {}, { [`${Q}.weight`]: [64, 32] }],
    [
      'stacked experts whose ranks differ',
      'adapter/shape',
      {},
      {
        'model.layers.0.mlp.switch_mlp.up_proj.lora_a': [4, 8, 32],
        'model.layers.0.mlp.switch_mlp.up_proj.lora_b': [4, 64, 4],
      },
    ],
    [
      'a stack that is none of experts',
      'adapter/unsupported',
      {},
      { 'model.layers.0.mlp.other.lora_a': [4, 8, 32], 'model.layers.0.mlp.other.lora_b': [4, 64, 8] },
    ],
    ['an unknown tuning', 'adapter/unsupported', { fine_tune_type: 'ortho' }, PAIR],
    ['quantisation scales', 'adapter/unmatched', { fine_tune_type: 'full' }, { [`${Q}.scales`]: [64, 1] }],
    ['no tensors', 'adapter/empty', {}, {}],
    [
      'one weight under two names',
      'adapter/unsupported',
      {},
      {
        ...PAIR,
        'language_model.model.layers.0.self_attn.q_proj.lora_a': [32, 8],
        'language_model.model.layers.0.self_attn.q_proj.lora_b': [8, 64],
      },
    ],
  ])('%s is refused', (_what, code, config, shapes) => {
    expect(read(config, shapes).refusals.map((one) => one.code)).toContain(code);
  });
});

test('configurations tell their tools apart', () => {
  expect(recogniseAdapter(PEFT_CONFIG)).toBe('peft');
  expect(recogniseAdapter({ r: 8, lora_alpha: 16 })).toBe('peft');
  expect(recogniseAdapter(MLX_CONFIG)).toBe('mlx');
  expect(recogniseAdapter({ lora_layers: 16, lora_parameters: {} })).toBe('mlx');
  expect(recogniseAdapter({ architectures: ['LlamaForCausalLM'] })).toBeUndefined();
});
