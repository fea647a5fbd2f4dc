import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeArtefact } from '../../src/core/artefacts/describeArtefact';
import { inspectText } from '../../src/core/artefacts/inspectText';
import { validationLosses } from '../../src/core/artefacts/mlxLog';
import { inspectPath } from '../../src/node/artefacts/inspectPath';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { loadAdapter } from '../../src/node/inputs/loadAdapter';
import { MLX_CONFIG, safetensorsBytes, temporaryFolder, writeTree } from '../adapters/adapterFiles';
import { below, byPath, peft, scanTree, trainerFiles } from './folders';

/** A checkpoint whose trainer has measured these losses up to its step. */
function saved(step: number, evalLosses: Readonly<Record<number, number>>, best: string | null = null) {
  const files = trainerFiles(step, best);
  const state = files['trainer_state.json'] as Record<string, unknown>;
  const history = Object.entries(evalLosses)
    .filter(([at]) => Number(at) <= step)
    .map(([at, loss]) => ({ eval_loss: loss, step: Number(at) }));
  return below(`run/checkpoint-${step}`, {
    ...peft(),
    ...files,
    'trainer_state.json': { ...state, log_history: [{ loss: 2 / step, step }, ...history] },
  });
}

function run(evalLosses: Readonly<Record<number, number>>, best: string | null = null): Record<string, unknown> {
  return { ...saved(10, evalLosses), ...saved(20, evalLosses), ...saved(30, evalLosses, best) };
}

describe('the best checkpoint is one that was measured', () => {
  test('the lowest evaluation loss, where the trainer names none', async () => {
    const root = writeTree(temporaryFolder(), run({ 10: 0.9, 20: 0.4, 30: 0.6 }));
    const found = byPath(await collectArtefacts([root]), root);
    expect(found.get('run')).toMatchObject({
      bestCheckpoint: join(root, 'run/checkpoint-20'),
      bestBy: 'eval-loss',
      checkpoints: [
        { step: 10, evalLoss: 0.9 },
        { step: 20, evalLoss: 0.4 },
        { step: 30, evalLoss: 0.6 },
      ],
    });
    const marks = [10, 20, 30].map((step) => found.get(`run/checkpoint-${step}`));
    expect(marks.map((one) => one?.isBest)).toEqual([false, true, false]);
    expect(describeArtefact(marks[1]!)).toContain('eval loss 0.4 · best');
    expect(describeArtefact(found.get('run')!)).toContain('best 20, eval loss 0.4');
    const adapter = await loadAdapter(join(root, 'run'));
    expect(adapter.directory).toBe(join(root, 'run/checkpoint-20'));
    expect(adapter.takenBecause).toBe('the lowest evaluation loss, 0.4, of 3 measured checkpoints');
    expect(inspectText([await inspectPath(join(root, 'run'))])).toMatch(/Losses .*step 20: 0\.1, eval 0\.4 \(best\)/);
  });

  test('what the trainer names comes first, by its own metric', async () => {
    const root = writeTree(temporaryFolder(), run({ 10: 0.9, 20: 0.4, 30: 0.6 }, '/gone/run/checkpoint-30'));
    const found = byPath(await collectArtefacts([root]), root);
    expect(found.get('run')).toMatchObject({ bestBy: 'trainer-state' });
    expect(found.get('run/checkpoint-30')?.isBest).toBe(true);
    const { takenBecause } = await loadAdapter(join(root, 'run'));
    expect(takenBecause).toBe('the best of 3 checkpoints, says trainer_state.json: evaluation loss 0.6');
  });

  test('where only some were measured, they are compared, and it is said', async () => {
    const root = writeTree(temporaryFolder(), run({ 10: 0.4, 30: 0.6 }));
    const { directory, takenBecause } = await loadAdapter(join(root, 'run'));
    expect(directory).toBe(join(root, 'run/checkpoint-10'));
    expect(takenBecause).toContain('of 2 measured checkpoints (3 in all)');
  });

  test.each<[string, Record<number, number>]>([
    ['nothing was measured', {}],
    ['one alone was', { 10: 0.1 }],
    ['losses are of other steps', { 15: 0.1, 25: 0.2 }],
  ])('no star where %s: the newest is taken', async (_what, losses) => {
    const root = writeTree(temporaryFolder(), run(losses));
    const found = byPath(await collectArtefacts([root]), root);
    expect([...found.values()].filter(({ isBest }) => isBest === true)).toEqual([]);
    expect(found.get('run')).toMatchObject({ bestBy: 'step', bestCheckpoint: join(root, 'run/checkpoint-30') });
    expect(describeArtefact(found.get('run')!)).toContain('newest 30');
    const { directory, takenBecause } = await loadAdapter(join(root, 'run'));
    expect(directory).toBe(join(root, 'run/checkpoint-30'));
    expect(takenBecause).toBe('the newest of 3 checkpoints, none of which was measured as best');
  });
});

describe("mlx-lm's log", () => {
  const PAIR = {
    'model.layers.0.self_attn.q_proj.lora_a': [32, 8],
    'model.layers.0.self_attn.q_proj.lora_b': [8, 64],
  };
  const log = (losses: Readonly<Record<number, number>>): string =>
    [
      'Loading pretrained model',
      '\rFetching 9 files: 100%',
      'Starting training..., iters: 300',
      ...Object.entries(losses).flatMap(([iteration, loss]) => [
        `\rCalculating loss...: 100%|###| 25/25\nIter ${iteration}: Val loss ${loss.toFixed(3)}, Val took 3.123s`,
        `Iter ${iteration}: Train loss 0.001, Learning Rate 1.000e-05, It/sec 0.5`,
      ]),
    ].join('\n');
  const folder = (logs: Readonly<Record<string, string>>): Record<string, unknown> => ({
    'adapter_config.json': MLX_CONFIG,
    'adapters.safetensors': safetensorsBytes(PAIR),
    '0000100_adapters.safetensors': safetensorsBytes(PAIR),
    '0000200_adapters.safetensors': safetensorsBytes(PAIR),
    '0000300_adapters.safetensors': safetensorsBytes(PAIR),
    ...logs,
  });

  test('its validation losses tell the best numbered file, which is taken and marked', async () => {
    const root = writeTree(temporaryFolder(), folder({ 'train.log': log({ 1: 3, 100: 1.2, 200: 0.75, 300: 0.9 }) }));
    const found = byPath(await collectArtefacts([root]), root);
    expect(found.get('.')).toMatchObject({
      weightsFile: '0000200_adapters.safetensors',
      bestCheckpoint: join(root, '0000200_adapters.safetensors'),
      bestBy: 'eval-loss',
    });
    expect(found.get('0000200_adapters.safetensors')).toMatchObject({ isBest: true, evalLoss: 0.75 });
    expect(describeArtefact(found.get('0000200_adapters.safetensors')!)).toBe('step 200 · eval loss 0.75 · best');
    expect(found.get('0000300_adapters.safetensors')).toMatchObject({ isBest: false, isNewest: true });
    const adapter = await loadAdapter(root);
    expect(adapter.weightsFile).toBe(join(root, '0000200_adapters.safetensors'));
    expect(adapter.takenBecause).toBe(
      'the lowest validation loss, 0.75 at iteration 200, of 4 measured, says train.log',
    );
  });

  test('the last one stays the last one where it is the best', async () => {
    const root = writeTree(temporaryFolder(), folder({ 'train.log': log({ 100: 1.2, 200: 0.75, 300: 0.5 }) }));
    expect((await loadAdapter(root)).weightsFile).toBe(join(root, 'adapters.safetensors'));
  });

  test.each<[string, Record<string, string>]>([
    ['there is no log', {}],
    ['the log is of something else', { 'train.log': 'Iter 100: Train loss 0.5' }],
    ['two runs have logs', { 'a.log': log({ 100: 1, 200: 2 }), 'b.log': log({ 100: 2, 200: 1 }) }],
    ['one alone was measured', { 'train.log': log({ 100: 0.1 }) }],
  ])('no star where %s', async (_what, logs) => {
    const root = writeTree(temporaryFolder(), folder(logs));
    const found = await collectArtefacts([root]);
    expect(found.filter(({ isBest }) => isBest === true)).toEqual([]);
    expect((await loadAdapter(root)).weightsFile).toBe(join(root, 'adapters.safetensors'));
  });

  test('a long log is read to its end', async () => {
    const text = `${log({ 1: 3, 100: 1.2 })}\n${'Iter 110: Train loss 0.123, Tokens/sec 1\n'.repeat(3000)}${log({ 200: 0.5, 300: 0.9 })}`;
    const root = writeTree(temporaryFolder(), folder({ 'nohup.out': text }));
    const best = (await collectArtefacts([root])).filter(({ isBest }) => isBest === true);
    expect(best.map(({ path }) => path)).toEqual([join(root, '0000200_adapters.safetensors')]);
  });

  test('lines without a number are no losses', () => {
    expect([
      ...validationLosses('Iter 1: Val loss nan, Val took\nIter x: Val loss 1\nIter 2: Val loss 1.5, Val'),
    ]).toEqual([[2, 1.5]]);
  });
});

test('an adapter of its own stands for the folder, its checkpoints notwithstanding', async () => {
  const found = await scanTree({
    ...peft(),
    ...Object.fromEntries(Object.entries(run({ 10: 1, 20: 2 })).map(([name, content]) => [name.slice(4), content])),
  });
  expect(found.get('.')).toMatchObject({ kind: 'peft-adapter', bestBy: 'eval-loss' });
});
