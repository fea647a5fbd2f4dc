import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StudioError } from '../../src/core/errors';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { loadAdapter } from '../../src/node/inputs/loadAdapter';
import { openFileSource } from '../../src/node/files/fileSource';
import { below, byPath, peft, zipPickle } from '../artefacts/folders';
import {
  MLX_CONFIG,
  PEFT_CONFIG,
  ONE_PAIR,
  safetensorsBytes,
  temporaryFolder,
  writeTree,
  type Shapes,
} from './adapterFiles';

async function refusal(path: string): Promise<StudioError> {
  const thrown: unknown = await loadAdapter(path).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(StudioError);
  return thrown as StudioError;
}

/** A zip of stored entries, as Python's zipfile writes them. */
function zip(entries: Readonly<Record<string, Buffer>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(entries)) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(content.length, 18);
    local.writeUInt32LE(content.length, 22);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt32LE(content.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    locals.push(local, Buffer.from(name), content);
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length + content.length;
  }
  const bytes = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(bytes.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, bytes, end]);
}

/** NumPy's format 1.0 (numpy/lib/format.py). */
function npy(shape: readonly number[], descr = '<f4', fortran = 'False'): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape.join(', ')},), }`;
  const header = Buffer.from(text.padEnd(118 - 1) + '\n');
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 0xff, header.length >> 8]);
  const values = Buffer.alloc(shape.reduce((product, size) => product * size, descr.endsWith('4') ? 4 : 2));
  values.writeFloatLE(1.5, 0);
  return Buffer.concat([head, header, values]);
}

const PAIR = {
  'model.layers.0.self_attn.q_proj.lora_a.npy': npy([32, 8]),
  'model.layers.0.self_attn.q_proj.lora_b.npy': npy([8, 64]),
};

describe('several adapters in one folder', () => {
  const two = { ...below('sql_expert', peft()), ...below('tone', peft()) };

  test('are listed, and one of them is taken by its folder', async () => {
    const folder = writeTree(temporaryFolder(), two);
    const error = await refusal(folder);
    expect(error).toMatchObject({ code: 'adapter/missing', detail: { adapters: ['sql_expert', 'tone'] } });
    expect(error.message).toContain(join(folder, 'sql_expert'));
    expect((await loadAdapter(join(folder, 'tone'))).directory).toBe(join(folder, 'tone'));
  });

  test('`default` is taken, and said to be, with the names of the others', async () => {
    const folder = writeTree(temporaryFolder(), { ...two, ...below('default', peft()) });
    const { directory, takenBecause } = await loadAdapter(folder);
    expect(directory).toBe(join(folder, 'default'));
    expect(takenBecause).toBe('the sub-folder default; 2 more beside it: sql_expert, tone');
  });

  test('one alone needs no word of others', async () => {
    const folder = writeTree(temporaryFolder(), below('sql_expert', peft()));
    expect((await loadAdapter(folder)).takenBecause).toBe('the sub-folder sql_expert');
  });
});

describe('adapters.npz, as mlx wrote it before safetensors', () => {
  test('is read where it lies, in loader and scan alike', async () => {
    const folder = writeTree(temporaryFolder(), { 'adapters.npz': zip(PAIR), 'adapter_config.json': MLX_CONFIG });
    const adapter = await loadAdapter(folder);
    expect(adapter).toMatchObject({ format: 'mlx', method: 'lora', refusals: [], targets: ['q_proj'] });
    const [part] = adapter.parts;
    expect(part).toMatchObject({ kind: 'lowRank', layout: 'mlxLinear' });
    const source = await openFileSource(adapter.weightsFile);
    const bytes = new Uint8Array(4);
    await source.read(part?.kind === 'lowRank' ? part.a.offset : 0, bytes);
    await source.close();
    expect(new DataView(bytes.buffer).getFloat32(0, true)).toBe(1.5);
    const found = byPath(await collectArtefacts([folder]), folder).get('.');
    expect(found).toMatchObject({ kind: 'mlx-adapter', weightsFile: 'adapters.npz', tensors: 2, problems: [] });
  });

  test('without a configuration it says what to write', async () => {
    const error = await refusal(writeTree(temporaryFolder(), { 'adapters.npz': zip(PAIR) }));
    expect(error).toMatchObject({ code: 'adapter/config' });
    expect(error.message).toContain('"fine_tune_type": "lora"');
  });

  test('safetensors come first, and the newest numbered file before an older one', async () => {
    const files = { 'adapter_config.json': MLX_CONFIG, 'adapters.npz': zip(PAIR) };
    const shapes: Shapes = {
      'model.layers.0.self_attn.q_proj.lora_a': [32, 8],
      'model.layers.0.self_attn.q_proj.lora_b': [8, 64],
    };
    const both = writeTree(temporaryFolder(), { ...files, 'adapters.safetensors': safetensorsBytes(shapes) });
    expect((await loadAdapter(both)).weightsFile).toBe(join(both, 'adapters.safetensors'));
    const numbered = writeTree(temporaryFolder(), {
      'adapter_config.json': MLX_CONFIG,
      '100_adapters.npz': zip(PAIR),
      '200_adapters.npz': zip(PAIR),
    });
    expect((await loadAdapter(numbered)).weightsFile).toBe(join(numbered, '200_adapters.npz'));
  });

  test.each<[string, Buffer]>([
    ['not a zip', Buffer.from('PK\u0003\u0004, or so it says')],
    ['no array', zip({ 'a.npy': Buffer.from('x'.repeat(200)) })],
    ['columns first', zip({ 'a.npy': npy([4, 4], '<f4', 'True') })],
    ['objects', zip({ 'a.npy': npy([4, 4], '|O2') })],
    ['another size', zip({ 'a.npy': npy([4, 4]).subarray(0, -1) })],
    ['a name twice', zip({ 'a.npy': npy([4]), a: npy([4]) })],
    [
      'a header past its end',
      zip({ 'a.npy': Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 255, 255, 1, 1]) }),
    ],
  ])('what is %s is refused', async (_what, bytes) => {
    const folder = writeTree(temporaryFolder(), { 'adapters.npz': bytes, 'adapter_config.json': MLX_CONFIG });
    expect((await refusal(folder)).code).toBe('input/unrecognised');
    expect((await collectArtefacts([folder])).every(({ problems }) => problems.length > 0)).toBe(true);
  });
});

describe('pickles', () => {
  test.each(['adapter_model.bin', 'adapter_model.pt', 'adapter.pt', 'adapter_0.pt'])(
    '%s: the way to safetensors is named, by loader and scan',
    async (name) => {
      const folder = writeTree(temporaryFolder(), { 'adapter_config.json': PEFT_CONFIG, [name]: zipPickle('x') });
      for (const path of [folder, join(folder, name)]) {
        const error = await refusal(path);
        expect(error.code).toBe('input/pickle');
        expect(error.message).toContain(`torch.load('${name}', weights_only=True`);
      }
      const found = byPath(await collectArtefacts([folder]), folder).get('.');
      expect(found?.problems.map(({ code, message }) => [code, message.includes('save_file(')])).toEqual([
        ['input/pickle', true],
      ]);
    },
  );
});

describe('names in wrappers', () => {
  test.each([
    ['module.base_model.model.', ''],
    ['_orig_mod.base_model.model.', ''],
    ['module._orig_mod.base_model.model.', ''],
    ['_fsdp_wrapped_module.base_model.model.', '_fsdp_wrapped_module.'],
    ['base_model.model.module.', ''],
    ['base_model.model.', '_checkpoint_wrapped_module.'],
  ])('%s…%s', async (front, inside) => {
    const shapes = Object.fromEntries(
      Object.entries(ONE_PAIR).map(([name, shape]) => [
        name.replace('base_model.model.', front).replace(/(layers\.\d+\.)/, `$1${inside}`),
        shape,
      ]),
    );
    const folder = writeTree(temporaryFolder(), {
      'adapter_config.json': PEFT_CONFIG,
      'adapter_model.safetensors': safetensorsBytes(shapes),
    });
    const bare = writeTree(temporaryFolder(), {
      'adapter_config.json': PEFT_CONFIG,
      'adapter_model.safetensors': safetensorsBytes(ONE_PAIR),
    });
    const [found, wanted] = [await loadAdapter(folder), await loadAdapter(bare)];
    expect(found.refusals).toEqual([]);
    expect(found.parts.map(({ target }) => target)).toEqual(wanted.parts.map(({ target }) => target));
  });
});

describe('a configuration with null', () => {
  test.each(['lora_alpha', 'r'])('%s: null is not the default', async (key) => {
    const folder = writeTree(temporaryFolder(), peft({ [key]: null }));
    expect((await loadAdapter(folder)).refusals.map(({ code, detail }) => [code, detail?.['key']])).toContainEqual([
      'adapter/config',
      key,
    ]);
  });
});
