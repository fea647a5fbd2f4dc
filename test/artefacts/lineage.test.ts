import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { buildGguf, textKey } from '../hostile/ggufBuilder';
import { makeModel } from '../support/models';
import {
  below,
  byPath,
  model,
  modelShapes,
  peft,
  safetensorsBytes,
  scanTree,
  temporaryFolder,
  trainerFiles,
  writeTree,
} from './folders';

describe('which base an adapter belongs to', () => {
  test('the one whose shapes and names fit, whatever the configuration names', async () => {
    const found = await scanTree({
      ...below('small', model(2, 32)),
      ...below('large', model(2, 48)),
      ...below('deep', model(4, 32)),
      ...below('a', peft({ base_model_name_or_path: 'org/large' })),
      ...below('b', peft({ base_model_name_or_path: 'org/small' }, 4)),
    });
    // Two layers fit the deeper model as well: a LoRA may leave layers out.
    expect(found.get('a')?.base?.candidates.map((path) => path.split('/').at(-1))).toEqual(['deep', 'small']);
    expect(found.get('b')?.base?.candidates.map((path) => path.split('/').at(-1))).toEqual(['deep']);
  });

  test('among equals the named one comes first, also under the name of its quantised copy', async () => {
    const bases = { ...below('x/first', model()), ...below('x/second', model()), ...below('x/third', model()) };
    for (const name of ['org/second', '/home/me/second/', 'C:\\models\\second', 'unsloth/second-bnb-4bit', 'SECOND']) {
      const found = await scanTree({ ...bases, ...below('lora', peft({ base_model_name_or_path: name })) });
      expect(found.get('lora')?.base?.path).toMatch(/x\/second$/);
      expect(found.get('lora')?.base?.candidates).toHaveLength(3);
    }
  });

  test('a cache entry is known by its repository', async () => {
    const found = await scanTree({
      ...below('hub/models--org--other/snapshots/1', model()),
      ...below('hub/models--org--wanted/snapshots/2', model()),
      ...below('lora', peft({ base_model_name_or_path: 'org/wanted' })),
    });
    expect(found.get('lora')?.base?.path).toMatch(/models--org--wanted/);
  });

  test('whole models come before incomplete ones and checkpoints', async () => {
    const files = {
      ...below('c/checkpoint-5', { ...model(), ...trainerFiles(5) }),
      ...below('whole', model()),
      ...below('lora', peft()),
    };
    const found = await scanTree(files);
    expect(found.get('lora')?.base?.candidates.map((path) => path.split('/').at(-1))).toEqual([
      'whole',
      'checkpoint-5',
    ]);
  });

  test('a base with missing shards still counts where the shapes that are there fit', async () => {
    const entries = Object.entries(modelShapes());
    const first = Object.fromEntries(entries.filter(([name]) => !name.includes('layers.1.')));
    const map = Object.fromEntries(
      entries.map(([name]) => [
        name,
        name in first ? 'model-00001-of-00002.safetensors' : 'model-00002-of-00002.safetensors',
      ]),
    );
    const partial = {
      'config.json': model()['config.json'],
      'tokenizer.json': '{}',
      'model.safetensors.index.json': { weight_map: map },
      'model-00001-of-00002.safetensors': safetensorsBytes(first),
    };
    const found = await scanTree({
      ...below('partial', partial),
      ...below('lora', peft()),
      ...below('wide', peft({}, 2, 48)),
    });
    expect(found.get('lora')?.base?.path).toMatch(/partial$/);
    expect(found.get('wide')?.base?.candidates).toEqual([]);
  });

  test('none fits: the name that the adapter gives is kept', async () => {
    const found = await scanTree({ ...below('base', model(2, 48)), ...below('lora', peft()) });
    expect(found.get('lora')?.base).toEqual({ name: '/training/machine/base', path: undefined, candidates: [] });
  });

  test('noise models of several families keep their adapters apart', async () => {
    const folder = temporaryFolder();
    for (const spec of ['llama3', 'qwen2', 'gemma3']) {
      makeModel(spec, folder);
    }
    const found = byPath(await collectArtefacts([folder]), folder);
    for (const spec of ['llama3', 'qwen2', 'gemma3']) {
      expect(found.get(`${spec}/lora`)?.base?.path).toBe(join(folder, spec, 'base'));
    }
    for (const adapter of ['rslora', 'dora', 'mlx']) {
      expect(found.get(`llama3/${adapter}`)?.base?.path).toBe(join(folder, 'llama3', 'base'));
    }
    expect(found.get('llama3/base')?.shards).toEqual({ count: 3, missing: [] });
  });

  test('an adapter and its base in different folders of one scan', async () => {
    const [a, b] = [
      writeTree(temporaryFolder(), below('m', model())),
      writeTree(temporaryFolder(), below('l', peft())),
    ];
    const artefacts = await collectArtefacts([a, b]);
    expect(artefacts.find(({ kind }) => kind === 'peft-adapter')?.base?.path).toBe(join(a, 'm'));
  });

  test('GGUF adapters belong to GGUFs of their architecture and shapes', async () => {
    const gguf = (architecture: string, width: bigint): Uint8Array =>
      buildGguf({
        keys: [textKey('general.architecture', architecture)],
        tensors: [{ name: 'blk.0.attn_q.weight', dimensions: [width, 64n] }],
      });
    const adapter = buildGguf({
      keys: [textKey('general.type', 'adapter'), textKey('general.architecture', 'qwen3')],
      tensors: [
        { name: 'blk.0.attn_q.weight.lora_a', dimensions: [32n, 8n] },
        { name: 'blk.0.attn_q.weight.lora_b', dimensions: [8n, 64n] },
      ],
    });
    const found = await scanTree({
      'right.gguf': gguf('qwen3', 32n),
      'wide.gguf': gguf('qwen3', 48n),
      'other.gguf': gguf('llama', 32n),
      'lora.gguf': adapter,
    });
    expect(found.get('lora.gguf')?.base?.candidates.map((path) => path.split('/').at(-1))).toEqual(['right.gguf']);
  });
});
