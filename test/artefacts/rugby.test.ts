import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/core/artefacts/artefact';
import { scanText } from '../../src/core/artefacts/scanText';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { FIXTURES } from '../support/cli';
import { byPath } from './folders';

const RUGBY = join(FIXTURES, 'rugby');
const ALL_LINEAR = ['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'];

describe('a scan of the real trainings', () => {
  let all: Artefact[];
  let found: Map<string, Artefact>;
  beforeAll(async () => {
    all = await collectArtefacts([RUGBY]);
    found = byPath(all, RUGBY);
  });

  test('finds everything, and nothing is wrong with it', () => {
    const whole = all.filter((artefact) => artefact.kind !== 'pickle');
    expect(byKind(whole)).toEqual({
      model: 1,
      'mlx-model': 1,
      'peft-adapter': 4,
      'mlx-adapter': 3,
      'mlx-checkpoint': 2,
      'trainer-output': 1,
      checkpoint: 2,
    });
    expect(whole.flatMap((artefact) => artefact.problems)).toEqual([]);
  });

  test('the base, plain and packed', () => {
    // Parameters: 640 x 256 embedding, four layers, norms.
    expect(found.get('base')).toMatchObject({
      kind: 'model',
      label: 'Qwen3',
      architecture: 'Qwen3ForCausalLM',
      dtype: 'BF16',
      parameters: 3_312_384,
      layers: 4,
      hiddenSize: 256,
      contextLength: 512,
      template: 'ChatML',
      tokenizer: { kind: 'tokenizer.json', tokens: 640 },
      complete: true,
    });
    expect(found.get('base-mlx4')).toMatchObject({
      kind: 'mlx-model',
      parameters: 3_312_384,
      dtype: '4-bit affine',
      quantisation: { method: 'mlx', bits: 4, groupSize: 64, mode: 'affine' },
      complete: true,
    });
  });

  test.each([
    [
      'lora',
      {
        kind: 'peft-adapter',
        method: 'lora',
        rank: 8,
        alpha: 16,
        scale: 2,
        modules: 28,
        dtype: 'F32',
        parameters: 155_648,
        targets: ALL_LINEAR,
      },
    ],
    ['rslora', { kind: 'peft-adapter', method: 'rslora', rank: 8, alpha: 8, modules: 28 }],
    [
      'dora',
      {
        kind: 'peft-adapter',
        method: 'dora',
        rank: 4,
        alpha: 8,
        scale: 2,
        modules: 16,
        targets: ['down_proj', 'q_proj', 'up_proj', 'v_proj'],
      },
    ],
    ['embed', { kind: 'peft-adapter', method: 'lora', rank: 8, modules: 13 }],
    [
      'mlx-lora',
      {
        kind: 'mlx-adapter',
        producer: 'mlx-lm',
        method: 'lora',
        rank: 8,
        scale: 2,
        modules: 28,
        newestCheckpoint: join(RUGBY, 'mlx-lora', '0000300_adapters.safetensors'),
      },
    ],
    ['mlx-dora', { kind: 'mlx-adapter', method: 'dora', rank: 4, scale: 4 }],
    ['mlx-full', { kind: 'mlx-adapter', method: 'full', parameters: 787_072 }],
    [
      'mlx-lora/0000150_adapters.safetensors',
      { kind: 'mlx-checkpoint', step: 150, rank: 8, scale: 2, isNewest: false },
    ],
    ['mlx-lora/0000300_adapters.safetensors', { kind: 'mlx-checkpoint', step: 300, isNewest: true }],
    [
      'outputs',
      {
        kind: 'trainer-output',
        producer: 'transformers',
        content: 'peft-adapter',
        rank: 8,
        newestCheckpoint: join(RUGBY, 'outputs', 'checkpoint-180'),
        bestCheckpoint: join(RUGBY, 'outputs', 'checkpoint-180'),
        bestBy: 'step',
      },
    ],
    [
      'outputs/checkpoint-180',
      {
        kind: 'checkpoint',
        content: 'peft-adapter',
        step: 180,
        epoch: 9,
        loss: 0.030897742509841918,
        isNewest: true,
        template: 'ChatML',
        pickles: ['optimizer.pt', 'rng_state.pth', 'scheduler.pt', 'training_args.bin'],
      },
    ],
    [
      'outputs/checkpoint-90',
      { kind: 'checkpoint', step: 90, loss: 0.08160730004310608, isNewest: false, isBest: false },
    ],
  ])('%s', (name, expected) => {
    expect(found.get(name)).toMatchObject(expected);
  });

  test('every adapter finds its base by shapes and names, the plain one first', () => {
    const adapters = all.filter((artefact) => artefact.rank !== undefined || artefact.method === 'full');
    expect(adapters).toHaveLength(12);
    for (const adapter of adapters) {
      expect(adapter.base?.candidates).toEqual([join(RUGBY, 'base'), join(RUGBY, 'base-mlx4')]);
      expect(adapter.base?.path).toBe(join(RUGBY, 'base'));
    }
  });

  test('pickles are listed as parts of their folder', () => {
    const pickles = all.filter(({ kind }) => kind === 'pickle');
    expect(pickles).toHaveLength(7);
    expect(
      pickles.every(
        ({ partOf, problems }) => partOf?.includes('checkpoint-') === true && problems[0]?.code === 'input/pickle',
      ),
    ).toBe(true);
  });

  test('reads like a tree', () => {
    const text = scanText(all, [RUGBY]);
    expect(text).toMatch(/^ {2}base +Qwen3 · 3\.3 M · BF16 · ChatML · 6\.7 MB$/m);
    expect(text).toMatch(/^ {4}lora +LoRA r 8 · scale 2 · all linear · 636 kB$/m);
    expect(text).toMatch(/^ {4}outputs +Trainer · 2 checkpoints · newest 180/m);
    expect(text).toMatch(/^ {6}checkpoint-180 +step 180 · loss 0\.0309 · newest · 4 pickles, never loaded$/m);
    expect(text).toMatch(/10 artefacts$/);
  });
});

function byKind(artefacts: readonly Artefact[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of artefacts) {
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
