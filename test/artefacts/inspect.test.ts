import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectText } from '../../src/core/artefacts/inspectText';
import { scanText } from '../../src/core/artefacts/scanText';
import type { CommandContext } from '../../src/cli/command';
import { inspect } from '../../src/cli/commands/inspect';
import { scan } from '../../src/cli/commands/scan';
import { PLAIN } from '../../src/core/engine/describePlan';
import { inspectPath, inspectPaths } from '../../src/node/artefacts/inspectPath';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { FIXTURES } from '../support/cli';
import { arrayKey, buildGguf, key, textKey, tokensKey, u32Key, u64 } from '../hostile/ggufBuilder';
import { below, model, peft, safetensorsBytes, temporaryFolder, writeTree } from './folders';

const RUGBY = join(FIXTURES, 'rugby');
const CONTEXT: CommandContext = {
  json: true,
  quiet: false,
  signal: new AbortController().signal,
  palette: PLAIN,
  say: () => undefined,
  write: () => undefined,
  status: undefined,
  onEvent: () => undefined,
  columns: 80,
  bundleFolder: '',
};

describe('one path', () => {
  test.each([
    ['lora', { kind: 'peft-adapter', rank: 8, scale: 2 }],
    ['lora/adapter_model.safetensors', { kind: 'peft-adapter', rank: 8, scale: 2, partOf: join(RUGBY, 'lora') }],
    ['lora/adapter_config.json', { kind: 'peft-adapter', rank: 8 }],
    ['mlx-lora', { kind: 'mlx-adapter', scale: 2 }],
    ['mlx-lora/adapters.safetensors', { kind: 'mlx-adapter', scale: 2 }],
    ['mlx-lora/0000150_adapters.safetensors', { kind: 'mlx-checkpoint', step: 150, scale: 2, isNewest: false }],
    ['outputs', { kind: 'trainer-output', content: 'peft-adapter' }],
    ['outputs/checkpoint-90', { kind: 'checkpoint', step: 90 }],
    ['base', { kind: 'model', label: 'Qwen3', complete: true }],
    ['base/config.json', { kind: 'model', label: 'Qwen3' }],
    ['base-mlx4', { kind: 'mlx-model' }],
    ['base/model.safetensors', { kind: 'safetensors', parameters: 3_312_384, dtype: 'BF16' }],
  ])('%s', async (name, expected) => {
    const path = join(RUGBY, name);
    expect(await inspectPath(path)).toMatchObject({ path, ok: true, ...expected });
  });

  test('a safetensors file lists its tensors and metadata', async () => {
    const answer = await inspectPath(join(RUGBY, 'base', 'model.safetensors'));
    expect(answer).toMatchObject({ metadata: { format: 'pt' } });
    expect('tensorList' in answer && answer.tensorList?.find(({ name }) => name === 'model.norm.weight')).toMatchObject(
      { type: 'BF16', shape: [256], bytes: 512 },
    );
  });

  test('a GGUF lists its keys, long arrays by their length, and its tensors', async () => {
    const folder = writeTree(temporaryFolder(), {
      'x.gguf': buildGguf({
        keys: [
          textKey('general.architecture', 'qwen3'),
          u32Key('qwen3.block_count', 3),
          key('big', 'u64', u64(2n ** 63n)),
          key('small', 'u64', u64(7n)),
          key('__proto__', 'string', Buffer.concat([u64(1n), Buffer.from('x')])),
          tokensKey(Array.from({ length: 100 }, (_, index) => `t${index}`)),
          arrayKey('short', 'u32', 2n, Buffer.from([1, 0, 0, 0, 2, 0, 0, 0])),
        ],
        tensors: [{ name: 'a.weight', dimensions: [4n, 2n] }],
      }),
    });
    const answer = await inspectPath(join(folder, 'x.gguf'));
    const { metadata, tensorList } = JSON.parse(JSON.stringify(answer)) as {
      metadata: Record<string, unknown>;
      tensorList: unknown[];
    };
    expect(metadata).toMatchObject({
      'general.architecture': 'qwen3',
      'qwen3.block_count': 3,
      big: '9223372036854775808',
      small: 7,
      'tokenizer.ggml.tokens': { elements: 'string', count: 100 },
      short: { elements: 'u32', count: 2, values: [1, 2] },
    });
    expect(Object.keys(metadata)).toContain('__proto__');
    expect(tensorList).toMatchObject([{ name: 'a.weight', type: 'F32', shape: [4, 2], bytes: 32 }]);
  });

  test('a folder of several things', async () => {
    const folder = writeTree(temporaryFolder(), { ...below('a', peft()), ...below('b', model()) });
    expect(await inspectPath(folder)).toMatchObject({
      ok: true,
      kind: 'folder',
      artefacts: [{ kind: 'peft-adapter' }, { kind: 'model' }],
    });
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['nothing', {}, 'missing', 'input/missing'],
    ['an empty folder', {}, '.', 'input/unrecognised'],
    ['a text', { 'a.txt': 'hello' }, 'a.txt', 'input/unrecognised'],
    ['an empty file', { 'a.gguf': '' }, 'a.gguf', 'input/empty'],
    [
      'a safetensors file with a tail',
      { 'a.safetensors': Buffer.concat([safetensorsBytes({ a: [1] }), Buffer.from('x')]) },
      'a.safetensors',
      'safetensors/layout',
    ],
    [
      'an adapter whose weights are cut short',
      { ...peft(), 'adapter_model.safetensors': (peft()['adapter_model.safetensors'] as Buffer).subarray(0, -1) },
      '.',
      'safetensors/truncated',
    ],
    [
      'an unsafe index',
      { ...model(), 'model.safetensors.index.json': { weight_map: { a: '/etc/passwd' } } },
      '.',
      'index/unsafe-name',
    ],
  ])('%s is refused', async (_what, files, path, code) => {
    const folder = writeTree(temporaryFolder(), files);
    expect(await inspectPath(join(folder, path))).toMatchObject({ ok: false, error: { code } });
  });

  test('what cannot be merged, or is not whole, is described with its problem', async () => {
    const folder = writeTree(temporaryFolder(), {
      ...below('pissa', peft({ init_lora_weights: 'pissa' })),
      ...below('half', {
        'config.json': model()['config.json'],
        'tokenizer.json': '{}',
        'model.safetensors.index.json': { weight_map: { a: 'model-00001-of-00001.safetensors' } },
      }),
    });
    expect(await inspectPath(join(folder, 'pissa'))).toMatchObject({
      ok: true,
      kind: 'peft-adapter',
      problems: [{ code: 'adapter/mutated-base' }],
    });
    expect(await inspectPath(join(folder, 'half'))).toMatchObject({
      ok: true,
      kind: 'model',
      complete: false,
      problems: [{ code: 'index/missing' }],
    });
  });
});

describe('the commands', () => {
  test('inspect: an entry for each path in order, a bad one does not stop the others', async () => {
    const paths = [join(RUGBY, 'lora'), '/no/such/path', join(RUGBY, 'base')];
    const { exitCode, json } = await inspect.run(paths, {}, CONTEXT);
    expect(exitCode).toBe(1);
    expect(json).toMatchObject({
      files: [
        { path: paths[0], ok: true, kind: 'peft-adapter' },
        { path: paths[1], ok: false, error: { code: 'input/missing' } },
        { path: paths[2], ok: true, kind: 'model' },
      ],
    });
    expect((await inspect.run([paths[0]!], {}, CONTEXT)).exitCode).toBe(0);
  });

  test('scan: paths as given, exit 1 for a folder that cannot be read', async () => {
    const folder = writeTree(temporaryFolder(), below('lora', peft()));
    const { exitCode, json } = await scan.run([`${folder}/`], {}, CONTEXT);
    expect(exitCode).toBe(0);
    expect(json).toMatchObject({ artefacts: [{ path: `${folder}/lora`, kind: 'peft-adapter' }] });
    expect((await scan.run([folder, '/no/such/folder'], {}, CONTEXT)).exitCode).toBe(1);
  });

  test('without a path they say what they need', async () => {
    for (const command of [scan, inspect]) {
      await expect(command.run([], {}, CONTEXT)).rejects.toMatchObject({ code: 'usage/arguments' });
    }
  });
});

describe('for people', () => {
  const EVIL = '\u001b[2J\u001b]8;;http://x\u0007\u202egnp.exe';

  test('text from files cannot reach the terminal', async () => {
    const folder = writeTree(temporaryFolder(), {
      ...below('lora', peft({ base_model_name_or_path: EVIL })),
      ...below('odd\u001b[31m', peft({ peft_type: EVIL })),
      'x.gguf': buildGguf({
        keys: [textKey('general.architecture', EVIL), textKey('general.name', EVIL)],
        tensors: [{ name: 'a.weight', dimensions: [4n] }],
      }),
    });
    const artefacts = await collectArtefacts([folder]);
    const answers = await inspectPaths(artefacts.map(({ path }) => path));
    for (const text of [
      scanText(artefacts, [folder]),
      inspectText(answers),
      inspectText(Array.from({ length: 20 }, () => answers[0]!)),
    ]) {
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      expect(text).toContain('\\u001b[2J');
    }
  });

  test('adapters without a base are grouped by the one they name; problems stand below', async () => {
    const folder = writeTree(temporaryFolder(), {
      ...below('svelte', peft({ base_model_name_or_path: 'Qwen/Qwen3-1.7B' })),
      ...below('pissa', peft({ base_model_name_or_path: 'Qwen/Qwen3-1.7B', init_lora_weights: 'pissa' })),
    });
    const lines = scanText(await collectArtefacts([folder]), [folder]).split('\n');
    expect(lines[0]).toBe('base not found: Qwen/Qwen3-1.7B');
    expect(lines[1]).toMatch(/^! {3}pissa +LoRA r 8 · scale 2 · q/);
    expect(lines[2]).toMatch(/^ +adapter\/mutated-base: /);
    expect(lines[3]).toMatch(/^ {4}svelte +LoRA r 8/);
    expect(lines.at(-1)).toBe('2 artefacts, 1 with problems');
  });

  test('nothing found', async () => {
    expect(scanText(await collectArtefacts([temporaryFolder()]), [])).toContain('No artefacts');
  });

  test('a block for few paths, a line for many', async () => {
    const answers = await inspectPaths([join(RUGBY, 'lora'), '/no/such/path']);
    expect(inspectText(answers)).toMatch(/Adapter +lora · rank 8 · alpha 16 · scale 2 · 28 modules · all linear/);
    expect(inspectText(answers)).toMatch(/! input\/missing: There is no file/);
    const many = Array.from({ length: 20 }, () => answers[0]!);
    expect(inspectText(many).split('\n')).toHaveLength(20);
  });
});
