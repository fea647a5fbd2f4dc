import { symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { logicalTensors } from '../../src/core/engine/logicalTensors';
import { matchAdapterToBase } from '../../src/core/formats/adapters/matchBase';
import { loadAdapter } from '../../src/node/inputs/loadAdapter';
import { resolveBasePath } from '../../src/node/inputs/loadBasePath';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';
import { FIXTURES } from '../support/cli';
import { makeModel } from '../support/models';
import { MLX_CONFIG, ONE_PAIR, PEFT_CONFIG, safetensorsBytes, temporaryFolder, writeTree } from './adapterFiles';

const RUGBY = join(FIXTURES, 'rugby');
const ADAPTER = { 'adapter_config.json': PEFT_CONFIG, 'adapter_model.safetensors': safetensorsBytes(ONE_PAIR) };
const MODEL = {
  'config.json': { architectures: ['Qwen3ForCausalLM'] },
  'model.safetensors': safetensorsBytes({ 'model.norm.weight': [32] }),
};

function below(folder: string, files: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]));
}

function state(step: number, best: string | null): { 'trainer_state.json': unknown } {
  return { 'trainer_state.json': { global_step: step, best_model_checkpoint: best, log_history: [] } };
}

describe('the real adapters', () => {
  test.each([
    ['lora', 'peft', 'lora', 8, 16, 2, 28],
    ['rslora', 'peft', 'rslora', 8, 8, 8 / Math.sqrt(8), 28],
    ['dora', 'peft', 'dora', 4, 8, 2, 16],
    ['embed', 'peft', 'lora', 8, 16, 2, 14],
    ['outputs', 'peft', 'lora', 8, 16, 2, 28],
    ['mlx-lora', 'mlx', 'lora', 8, undefined, 2, 28],
    ['mlx-dora', 'mlx', 'dora', 4, undefined, 4, 16],
    ['mlx-full', 'mlx', 'full', undefined, undefined, undefined, 11],
  ])(
    '%s: %s %s, rank %s, alpha %s, scale %s, %s parts; fits both forms of its base',
    async (name, format, method, rank, alpha, scale, parts) => {
      const adapter = await loadAdapter(join(RUGBY, name));
      expect(adapter).toMatchObject({ format, method, rank, alpha, scale, refusals: [] });
      expect(adapter.parts).toHaveLength(parts);
      const used = adapter.parts
        .flatMap((part) =>
          part.kind === 'lowRank'
            ? [part.a, part.b, part.magnitude]
            : part.kind === 'experts'
              ? [part.a, part.b]
              : [part.source],
        )
        .filter((tensor) => tensor !== undefined);
      expect(used.map((tensor) => tensor.name).sort()).toEqual([...adapter.tensors.keys()].sort());
      for (const base of ['base', 'base-mlx4']) {
        const match = matchAdapterToBase(adapter, logicalTensors(await loadHuggingFaceModel(join(RUGBY, base))));
        expect(match.problems.map(String)).toEqual([]);
        expect(match.matched).toHaveLength(parts);
      }
    },
  );

  test('rslora has a scale of its own where a pattern says so', async () => {
    const { parts } = await loadAdapter(join(RUGBY, 'rslora'));
    const scales = new Map(parts.map((part) => [part.target, part.kind === 'lowRank' ? part.scale : NaN]));
    expect(scales.get('model.layers.0.self_attn.q_proj.weight')).toBe(8 / Math.sqrt(16));
    expect(scales.get('model.layers.1.self_attn.q_proj.weight')).toBe(8 / Math.sqrt(8));
    expect(scales.get('model.layers.0.mlp.down_proj.weight')).toBe(16 / Math.sqrt(4));
  });

  test('tensors can be read where the loader says they are', async () => {
    const adapter = await loadAdapter(join(RUGBY, 'mlx-lora', '0000150_adapters.safetensors'));
    expect(
      [...adapter.tensors.values()].every(
        ({ file }) => file === join(RUGBY, 'mlx-lora', '0000150_adapters.safetensors'),
      ),
    ).toBe(true);
    expect(adapter.weightsFile).toBe(join(RUGBY, 'mlx-lora', '0000150_adapters.safetensors'));
  });
});

test('the adapters of noise models fit their bases and no other', async () => {
  const folder = temporaryFolder();
  const [llama, qwen] = [makeModel('llama3', folder), makeModel('qwen3', folder)];
  const bases = await Promise.all(
    [llama, qwen].map(async (root) => logicalTensors(await loadHuggingFaceModel(join(root, 'base')))),
  );
  for (const name of ['lora', 'rslora', 'dora', 'mlx']) {
    const adapter = await loadAdapter(join(llama, name));
    expect(adapter.refusals).toEqual([]);
    expect(matchAdapterToBase(adapter, bases[0]!).problems).toEqual([]);
    expect(matchAdapterToBase(adapter, bases[1]!).problems.map(({ code }) => code)).toContain('adapter/base-mismatch');
  }
});

describe('which file a path stands for', () => {
  async function taken(folder: string, path = folder): Promise<string> {
    return relative(folder, (await loadAdapter(path)).weightsFile);
  }

  test('a folder, any file in it, and a relative path', async () => {
    const folder = writeTree(temporaryFolder(), { ...ADAPTER, 'README.md': '# adapter' });
    for (const path of [
      folder,
      `${folder}/`,
      join(folder, 'adapter_config.json'),
      join(folder, 'README.md'),
      join(folder, 'adapter_model.safetensors'),
    ]) {
      expect(await taken(folder, path)).toBe('adapter_model.safetensors');
    }
    expect((await loadAdapter(relative(process.cwd(), folder))).path).toBe(relative(process.cwd(), folder));
  });

  test('Trainer: the best checkpoint by its base name, whatever machine it names', async () => {
    const files = {
      ...below('checkpoint-9', ADAPTER),
      ...below('checkpoint-100', ADAPTER),
      ...below('checkpoint-20', ADAPTER),
      ...below('checkpoint-20', state(20, null)),
    };
    for (const best of ['/mnt/gpu/run/outputs/checkpoint-20', 'C:\\runs\\outputs\\checkpoint-20', './checkpoint-20/']) {
      const folder = writeTree(temporaryFolder(), { ...files, ...below('checkpoint-100', state(100, best)) });
      expect(await taken(folder)).toBe(join('checkpoint-20', 'adapter_model.safetensors'));
      expect((await loadAdapter(folder)).takenBecause).toContain('best of 3 checkpoints');
    }
  });

  test("Trainer: the newest state decides, the folder's own included", async () => {
    const files = {
      ...below('checkpoint-20', { ...ADAPTER, ...state(20, 'x/checkpoint-20') }),
      ...below('checkpoint-90', { ...ADAPTER, ...state(90, 'x/checkpoint-20') }),
      ...below('checkpoint-40', { ...ADAPTER, ...state(40, 'x/checkpoint-40') }),
    };
    expect(await taken(writeTree(temporaryFolder(), files))).toBe(join('checkpoint-20', 'adapter_model.safetensors'));
    expect(await taken(writeTree(temporaryFolder(), { ...files, ...state(95, 'x/checkpoint-40') }))).toBe(
      join('checkpoint-40', 'adapter_model.safetensors'),
    );
  });

  test('Trainer: the newest by number where no best one is named or it is gone', async () => {
    const files = {
      ...below('checkpoint-9', ADAPTER),
      ...below('checkpoint-100', ADAPTER),
      'runs/events.out': 'x',
      'checkpoint-200/optimizer.pt': 'x',
    };
    expect(await taken(writeTree(temporaryFolder(), files))).toBe(join('checkpoint-100', 'adapter_model.safetensors'));
    const lost = writeTree(temporaryFolder(), { ...files, ...below('checkpoint-100', state(100, 'x/checkpoint-50')) });
    expect((await loadAdapter(lost)).takenBecause).toBe(
      'the newest of 2 checkpoints (the best, checkpoint-50, is not there)',
    );
    expect(await taken(join(RUGBY, 'outputs'))).toBe(join('checkpoint-180', 'adapter_model.safetensors'));
  });

  test('mlx: adapters.safetensors, a numbered file as named, the newest numbered where there is no other', async () => {
    const weights = safetensorsBytes({
      'model.layers.0.self_attn.q_proj.lora_a': [32, 8],
      'model.layers.0.self_attn.q_proj.lora_b': [8, 64],
    });
    const files = {
      'adapter_config.json': MLX_CONFIG,
      '0000100_adapters.safetensors': weights,
      '0001200_adapters.safetensors': weights,
    };
    const folder = writeTree(temporaryFolder(), { ...files, 'adapters.safetensors': weights });
    expect(await taken(folder)).toBe('adapters.safetensors');
    expect(await taken(folder, join(folder, '0000100_adapters.safetensors'))).toBe('0000100_adapters.safetensors');
    expect(await taken(writeTree(temporaryFolder(), files))).toBe('0001200_adapters.safetensors');
  });

  test.each([
    ["Axolotl's old sub-folder", { ...below('adapter_model', ADAPTER), 'README.md': '' }, 'adapter_model'],
    [
      "ms-swift's newest run",
      {
        ...below('v0-20250101-101010/checkpoint-50', ADAPTER),
        ...below('v10-20250201-101010/checkpoint-8', ADAPTER),
        ...below('v9-20250301-101010/checkpoint-99', ADAPTER),
      },
      'v10-20250201-101010/checkpoint-8',
    ],
    [
      "torchtune's last epoch",
      {
        ...below('epoch_0', ADAPTER),
        ...below('epoch_10', ADAPTER),
        ...below('epoch_9', ADAPTER),
        'recipe_state/recipe_state.pt': 'x',
      },
      'epoch_10',
    ],
    ['the only sub-folder with an adapter', { ...below('my-run', ADAPTER), 'logs/x.txt': '' }, 'my-run'],
  ])('%s', async (_what, files, expected) => {
    expect(await taken(writeTree(temporaryFolder(), files))).toBe(join(expected, 'adapter_model.safetensors'));
  });

  test('a link to a checkpoint is followed, the name that was given is kept', async () => {
    const folder = writeTree(temporaryFolder(), below('real/checkpoint-7', ADAPTER));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    expect(await taken(folder, join(folder, 'link'))).toBe(join('link', 'checkpoint-7', 'adapter_model.safetensors'));
  });

  test.each<[string, Record<string, unknown>, string, string, RegExp]>([
    [
      'a pickle only',
      { 'adapter_config.json': PEFT_CONFIG, 'adapter_model.bin': 'PK' },
      '.',
      'input/pickle',
      /safe_serialization=True/,
    ],
    [
      'a pickle by name',
      { 'adapter_config.json': PEFT_CONFIG, 'adapter_model.bin': 'PK' },
      'adapter_model.bin',
      'input/pickle',
      /never loaded/,
    ],
    [
      'a pickle as safetensors',
      {
        'adapter_config.json': PEFT_CONFIG,
        'adapter_model.safetensors': Buffer.from('\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00cposix', 'latin1'),
      },
      '.',
      'input/pickle',
      /pickle/,
    ],
    [
      'a Git LFS pointer',
      {
        'adapter_config.json': PEFT_CONFIG,
        'adapter_model.safetensors': `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 640000\n`,
      },
      '.',
      'input/lfs-pointer',
      /git lfs pull/,
    ],
    [
      'a truncated file',
      { 'adapter_config.json': PEFT_CONFIG, 'adapter_model.safetensors': safetensorsBytes(ONE_PAIR).subarray(0, -1) },
      '.',
      'safetensors/truncated',
      /cut short/,
    ],
    [
      'no configuration',
      { 'adapter_model.safetensors': safetensorsBytes(ONE_PAIR) },
      '.',
      'adapter/config',
      /no adapter_config\.json/,
    ],
    [
      'a strange configuration',
      { ...ADAPTER, 'adapter_config.json': { hello: 1 } },
      '.',
      'adapter/config',
      /neither PEFT/,
    ],
    [
      'a configuration with a key twice',
      { ...ADAPTER, 'adapter_config.json': '{"r": 8, "r": 16}' },
      '.',
      'json/duplicate-key',
      /r/,
    ],
    ['a configuration without weights', { 'adapter_config.json': PEFT_CONFIG }, '.', 'adapter/missing', /no weights/],
    [
      "DeepSpeed's shards",
      { 'adapter_config.json': PEFT_CONFIG, 'global_step5/zero.pt': 'x' },
      '.',
      'adapter/missing',
      /zero_to_fp32/,
    ],
    ['a whole model', MODEL, '.', 'adapter/missing', /whole model.*--base/],
    ['nothing', { 'notes.txt': 'x' }, '.', 'adapter/missing', /no adapter/],
    ['a GGUF', { 'lora.gguf': 'GGUF' }, 'lora.gguf', 'gguf/truncated', /GGUF/],
    ['no such path', {}, 'missing', 'input/missing', /no file/],
  ])('%s is refused with what to do', async (_what, files, path, code, message) => {
    const folder = writeTree(temporaryFolder(), files);
    await expect(loadAdapter(join(folder, path))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  test('cancelled before it begins', async () => {
    await expect(loadAdapter(join(RUGBY, 'lora'), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
  });
});

describe('which folder a base stands for', () => {
  async function taken(files: Record<string, unknown>, path = '.'): Promise<string> {
    const folder = writeTree(temporaryFolder(), files);
    return relative(folder, (await resolveBasePath(join(folder, path))).directory);
  }

  test('the folder itself, or the folder of a file', async () => {
    expect(await taken(MODEL)).toBe('');
    expect(await taken(MODEL, 'config.json')).toBe('');
    expect(await taken({ ...MODEL, ...below('checkpoint-5', MODEL) })).toBe('');
    expect(await taken({ 'notes.txt': 'x' })).toBe('');
  });

  test('checkpoints of full fine-tunes, merged folders, cache entries', async () => {
    expect(
      await taken({
        ...below('checkpoint-5', MODEL),
        ...below('checkpoint-10', { ...MODEL, ...state(10, '/gpu/checkpoint-5') }),
      }),
    ).toBe('checkpoint-5');
    expect(await taken({ ...ADAPTER, ...below('merged', MODEL) })).toBe('merged');
    const cache = {
      'refs/main': 'abc\n',
      'blobs/x': 'x',
      ...below('snapshots/abc', MODEL),
      ...below('snapshots/def', MODEL),
    };
    expect(await taken(cache)).toBe(join('snapshots', 'abc'));
    expect(await taken({ ...cache, 'refs/main': '../../etc' })).toBe(join('snapshots', 'def'));
  });

  test.each<[string, Record<string, unknown>, string, string, RegExp]>([
    ['an adapter', ADAPTER, '.', 'model/incomplete', /--adapter/],
    ['a GGUF', { 'x.gguf': 'GGUF' }, 'x.gguf', 'input/unrecognised', /quantize/],
    ['nothing', {}, 'missing', 'input/missing', /no file/],
  ])('%s is refused with what to do', async (_what, files, path, code, message) => {
    const folder = writeTree(temporaryFolder(), files);
    await expect(resolveBasePath(join(folder, path))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});
