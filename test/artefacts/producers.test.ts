import { describe, expect, test } from 'vitest';
import { loadAdapter } from '../../src/node/inputs/loadAdapter';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import {
  below,
  byPath,
  codes,
  model,
  peft,
  scanTree,
  temporaryFolder,
  trainerFiles,
  writeTree,
  zipPickle,
} from './folders';

const CARD = (tags: readonly string[], body = ''): string =>
  `---\nbase_model: org/base\nlibrary_name: peft\ntags:\n${tags.map((tag) => `- ${tag}`).join('\n')}\n---\n# Model\n${body}`;

describe('who made it', () => {
  test.each<[string, string, Record<string, unknown>, string]>([
    ['transformers', 'Trainer', { ...below('checkpoint-10', { ...peft(), ...trainerFiles(10) }) }, '.'],
    [
      'trl',
      'TRL by its arguments',
      { ...below('checkpoint-10', { ...peft(), ...trainerFiles(10, null, 'trl.trainer.sft_config') }) },
      '.',
    ],
    ['trl', 'TRL by its model card', { ...peft(), 'README.md': CARD(['base_model:adapter:x', 'trl', 'sft']) }, '.'],
    [
      'unsloth',
      'Unsloth by its base',
      { ...peft({ base_model_name_or_path: 'unsloth/qwen3-0.6b-unsloth-bnb-4bit' }) },
      '.',
    ],
    [
      'unsloth',
      'Unsloth by its card',
      { ...peft(), 'README.md': CARD(['text-generation-inference', 'unsloth', 'qwen3', 'trl']) },
      '.',
    ],
    [
      'unsloth',
      'Unsloth, merged',
      { ...model(), 'config.json': { architectures: ['Qwen3ForCausalLM'], unsloth_version: '2026.1' } },
      '.',
    ],
    [
      'axolotl',
      'Axolotl by its card',
      {
        ...peft(),
        'README.md': CARD(['axolotl', 'generated_from_trainer']),
        ...below('checkpoint-10', { ...peft(), ...trainerFiles(10) }),
      },
      '.',
    ],
    [
      'axolotl',
      'Axolotl by its arguments',
      { ...below('checkpoint-10', { ...peft(), ...trainerFiles(10, null, 'axolotl.core.training_args') }) },
      '.',
    ],
    [
      'llama-factory',
      'LLaMA-Factory',
      {
        ...peft(),
        'all_results.json': {},
        'train_results.json': {},
        'trainer_log.jsonl': '',
        ...below('checkpoint-10', { ...peft(), ...trainerFiles(10) }),
      },
      '.',
    ],
    [
      'ms-swift',
      'ms-swift',
      {
        ...below('v0-20250301-101500', {
          'args.json': {},
          'logging.jsonl': '',
          ...below('checkpoint-10', { ...peft(), ...trainerFiles(10), 'args.json': {}, 'additional_config.json': {} }),
        }),
      },
      'v0-20250301-101500',
    ],
    [
      'torchtune',
      'torchtune',
      {
        ...below('epoch_0', peft()),
        ...below('epoch_1', { ...peft(), 'adapter_model.pt': zipPickle('x') }),
        'recipe_state/recipe_state.pt': zipPickle('x'),
      },
      '.',
    ],
  ])('%s: %s', async (producer, _what, files, path) => {
    const found = await scanTree(files);
    expect(found.get(path)?.producer).toBe(producer);
    const checkpoints = [...found.values()].filter(({ kind }) => kind === 'checkpoint');
    expect(checkpoints.every((checkpoint) => checkpoint.producer === producer)).toBe(true);
  });
});

describe('which checkpoint', () => {
  test('newest and best, as the loader takes them', async () => {
    const folder = writeTree(temporaryFolder(), {
      ...below('outputs/checkpoint-9', { ...peft(), ...trainerFiles(9) }),
      ...below('outputs/checkpoint-100', { ...peft(), ...trainerFiles(100, '/root/outputs/checkpoint-20') }),
      ...below('outputs/checkpoint-20', { ...peft(), ...trainerFiles(20) }),
    });
    const found = byPath(await collectArtefacts([folder]), folder);
    const run = found.get('outputs');
    expect(run).toMatchObject({
      kind: 'trainer-output',
      bestBy: 'trainer-state',
      rank: 8,
      checkpoints: [{ step: 9 }, { step: 20, loss: 0.05 }, { step: 100 }],
    });
    expect(run?.newestCheckpoint).toMatch(/checkpoint-100$/);
    expect(run?.bestCheckpoint).toMatch(/checkpoint-20$/);
    expect(found.get('outputs/checkpoint-20')).toMatchObject({
      isBest: true,
      isNewest: false,
      evalLoss: 0.5,
      epoch: 2,
    });
    expect(found.get('outputs/checkpoint-100')).toMatchObject({ isBest: false, isNewest: true });
    expect((await loadAdapter(`${folder}/outputs`)).directory).toBe(run?.bestCheckpoint);
  });

  test('a best one that is gone is said to be', async () => {
    const found = await scanTree(below('checkpoint-100', { ...peft(), ...trainerFiles(100, 'x/checkpoint-20') }));
    expect(found.get('.')?.bestCheckpoint).toMatch(/checkpoint-100$/);
    expect(found.get('.')?.problems[0]?.message).toContain('checkpoint-20, is not there');
  });

  test('a run with its final adapter is that adapter, with its checkpoints', async () => {
    const found = await scanTree({
      ...peft(),
      ...below('checkpoint-5', { ...peft(), ...trainerFiles(5) }),
      ...below('checkpoint-10', { ...peft(), ...trainerFiles(10, './checkpoint-5') }),
    });
    expect(found.get('.')).toMatchObject({ kind: 'peft-adapter', checkpoints: [{ step: 5 }, { step: 10 }] });
    expect(found.get('.')?.bestCheckpoint).toMatch(/checkpoint-5$/);
  });

  test('full fine-tunes', async () => {
    const found = await scanTree({
      ...below('checkpoint-5', { ...model(), ...trainerFiles(5) }),
      ...below('checkpoint-10', { ...model(), ...trainerFiles(10) }),
    });
    expect(found.get('.')).toMatchObject({ kind: 'trainer-output', content: 'model', label: 'Qwen3' });
    expect(found.get('checkpoint-10')).toMatchObject({
      kind: 'checkpoint',
      content: 'model',
      complete: true,
      isNewest: true,
    });
  });

  test('a checkpoint that was copied out and renamed is still one', async () => {
    expect((await scanTree(below('mine', { ...peft(), ...trainerFiles(70) }))).get('mine')).toMatchObject({
      kind: 'checkpoint',
      content: 'peft-adapter',
      step: 70,
    });
  });

  test('DeepSpeed checkpoints without gathered weights', async () => {
    const found = await scanTree({
      ...below('checkpoint-5', {
        ...trainerFiles(5),
        'adapter_config.json': peft()['adapter_config.json'],
        'zero_to_fp32.py': '#',
        'global_step5/mp_rank_00_model_states.pt': zipPickle('x'),
      }),
    });
    expect(codes(found.get('checkpoint-5'))).toEqual(['adapter/missing']);
    expect(found.get('checkpoint-5')?.problems[0]?.message).toContain('zero_to_fp32');
    expect(codes(found.get('.'))).toEqual(['adapter/missing']);
    expect(codes((await scanTree(below('checkpoint-5', trainerFiles(5)))).get('checkpoint-5'))).toEqual([
      'adapter/missing',
    ]);
  });

  test('torchtune saves adapter and merged model side by side: both are there', async () => {
    const folder = writeTree(temporaryFolder(), below('epoch_3', { ...peft(), ...model() }));
    const found = await collectArtefacts([folder]);
    expect(
      found.filter(({ kind }) => kind === 'checkpoint').map(({ content, step }) => `${content ?? ''} ${step ?? ''}`),
    ).toEqual(['peft-adapter 3', 'model 3']);
  });

  test('a config.json copied beside an adapter makes no model of it', async () => {
    const found = await scanTree({ ...peft(), 'config.json': { architectures: ['Qwen3ForCausalLM'] } });
    expect([...found.values()].map(({ kind }) => kind)).toEqual(['peft-adapter']);
  });
});

describe('adapters with something wrong', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['PiSSA', peft({ init_lora_weights: 'pissa' }), 'adapter/mutated-base'],
    ['another method', peft({ peft_type: 'IA3' }), 'adapter/unsupported'],
    ['a rank that does not fit', peft({ r: 16 }), 'adapter/shape'],
    ['no weights', { 'adapter_config.json': { peft_type: 'LORA', r: 8, lora_alpha: 16 } }, 'adapter/missing'],
    [
      'a pickle for weights',
      { 'adapter_config.json': { peft_type: 'LORA', r: 8 }, 'adapter_model.bin': zipPickle('x') },
      'input/pickle',
    ],
    ['no configuration', { 'adapter_model.safetensors': peft()['adapter_model.safetensors'] }, 'adapter/config'],
    [
      'a key twice',
      { ...peft(), 'adapter_config.json': '{"peft_type":"LORA","r":8,"\\u0072":16}' },
      'json/duplicate-key',
    ],
    ['a configuration cut short', { ...peft(), 'adapter_config.json': '{"peft_type":"LO' }, 'json/syntax'],
  ])('%s', async (_what, files, code) => {
    const artefact = (await scanTree(files)).get('.');
    expect(artefact?.kind).toBe('peft-adapter');
    expect(codes(artefact)).toContain(code);
  });

  test('what the configuration says is told where the weights cannot be read', async () => {
    const found = await scanTree({
      ...peft({ target_modules: ['v_proj', 'q_proj'] }),
      'adapter_model.safetensors': (peft()['adapter_model.safetensors'] as Buffer).subarray(0, 40),
    });
    expect(found.get('.')).toMatchObject({
      kind: 'peft-adapter',
      rank: 8,
      alpha: 16,
      targets: ['q_proj', 'v_proj'],
      base: { name: '/training/machine/base' },
    });
    expect(found.get('adapter_model.safetensors')).toMatchObject({
      kind: 'truncated',
      partOf: expect.any(String) as string,
    });
  });
});
