import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StudioError } from '../../src/core/errors';
import { unwrapTensors } from '../../src/core/formats/huggingface/unwrapTensors';
import type { TensorRef } from '../../src/core/formats/tensorRef';
import { inspectPath } from '../../src/node/artefacts/inspectPath';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';
import { safetensorsBytes, temporaryFolder, writeTree, type Shapes } from '../adapters/adapterFiles';
import { model, modelConfig, modelShapes, peft } from '../artefacts/folders';

const SHAPES = modelShapes();
const NAMES = Object.keys(SHAPES);

function renamed(rename: (name: string) => string): Shapes {
  return Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [rename(name), shape]));
}

function folderOf(files: Readonly<Record<string, unknown>>): string {
  return writeTree(temporaryFolder(), { 'config.json': modelConfig(), 'tokenizer.json': '{}', ...files });
}

async function refusal(path: string): Promise<StudioError> {
  const thrown: unknown = await loadHuggingFaceModel(path).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(StudioError);
  return thrown as StudioError;
}

describe('two saves in one folder', () => {
  const shards = (names: readonly string[]): Record<string, unknown> => ({
    'model-00001-of-00002.safetensors': safetensorsBytes(
      Object.fromEntries(names.filter((_, i) => i % 2 === 0).map((name) => [name, SHAPES[name]!])),
    ),
    'model-00002-of-00002.safetensors': safetensorsBytes(
      Object.fromEntries(names.filter((_, i) => i % 2 === 1).map((name) => [name, SHAPES[name]!])),
    ),
  });
  const index = (names: readonly string[]): Record<string, unknown> => ({
    'model.safetensors.index.json': {
      weight_map: Object.fromEntries(names.map((name, i) => [name, `model-0000${(i % 2) + 1}-of-00002.safetensors`])),
    },
  });
  const single = { 'model.safetensors': safetensorsBytes(SHAPES) };

  test.each<[string, Record<string, unknown>]>([
    ['an index of shards that are gone', { ...single, ...index(NAMES) }],
    ['an index with all its shards', { ...single, ...index(NAMES), ...shards(NAMES) }],
    ['shards without an index', { ...single, ...shards(NAMES) }],
  ])('model.safetensors comes before %s, which is said', async (_what, files) => {
    const folder = folderOf(files);
    const loaded = await loadHuggingFaceModel(folder);
    expect(new Set([...loaded.tensors.values()].map(({ file }) => file))).toEqual(
      new Set([join(folder, 'model.safetensors')]),
    );
    expect([...loaded.tensors.keys()].sort()).toEqual([...NAMES].sort());
    expect(loaded.notes?.map(({ code }) => code)).toEqual(['model/stale-index']);
    expect(await inspectPath(folder)).toMatchObject({ kind: 'model', complete: true, tensors: NAMES.length });
  });

  test.each<[string, Record<string, unknown>]>([
    ['with an index', { ...index(NAMES), ...shards(NAMES) }],
    ['without one', shards(NAMES)],
  ])('a whole other save that has more weights is for its owner to judge, %s', async (_what, files) => {
    const folder = folderOf({
      ...files,
      'model.safetensors': safetensorsBytes({ 'model.norm.weight': SHAPES['model.norm.weight']! }),
    });
    expect((await refusal(folder)).code).toBe('index/mismatch');
    expect(await inspectPath(folder)).toMatchObject({ ok: false, error: { code: 'index/mismatch' } });
  });

  test('an index that names model.safetensors itself is no other save', async () => {
    const folder = folderOf({
      ...single,
      'model.safetensors.index.json': {
        weight_map: Object.fromEntries(NAMES.map((name) => [name, 'model.safetensors'])),
      },
    });
    expect((await loadHuggingFaceModel(folder)).notes).toEqual([]);
  });
});

describe('names of a model that was saved in its wrappers', () => {
  test.each<[string, (name: string) => string]>([
    ['torch.compile', (name) => `_orig_mod.${name}`],
    ['compiled layers', (name) => name.replace(/(layers\.\d+\.)/, '$1_orig_mod.')],
    ['DistributedDataParallel', (name) => `module.${name}`],
    ['both', (name) => `module._orig_mod.${name}`],
    ['FSDP', (name) => `_fsdp_wrapped_module.${name.replace(/(layers\.\d+\.)/, '$1_fsdp_wrapped_module.')}`],
    ['checkpointed layers', (name) => name.replace(/(layers\.\d+\.)/, '$1_checkpoint_wrapped_module.')],
    ['PEFT', (name) => `base_model.model.${name}`],
    ['PEFT in DistributedDataParallel', (name) => `module.base_model.model.${name}`],
    ['Lightning', (name) => `model.${name}`],
  ])('%s', async (_what, wrap) => {
    const folder = folderOf({ 'model.safetensors': safetensorsBytes(renamed(wrap)) });
    const loaded = await loadHuggingFaceModel(folder);
    expect([...loaded.tensors.keys()].sort()).toEqual([...NAMES].sort());
    expect([...loaded.tensors.values()].every(({ name }) => NAMES.includes(name))).toBe(true);
    expect(loaded.notes).toEqual([]);
  });

  test('a scan holds adapters against the bare names', async () => {
    const root = writeTree(temporaryFolder(), {
      'base/config.json': modelConfig(),
      'base/model.safetensors': safetensorsBytes(renamed((name) => `module.${name}`)),
      ...Object.fromEntries(Object.entries(peft()).map(([name, content]) => [`lora/${name}`, content])),
    });
    const found = await collectArtefacts([root]);
    expect(found.find(({ kind }) => kind === 'peft-adapter')?.base?.path).toBe(join(root, 'base'));
  });

  test('a prefix counts only where all names have it', () => {
    const tensors = refs(['module.model.norm.weight', 'lm_head.weight']);
    expect([...unwrapTensors(tensors, 'x').tensors.keys()]).toEqual(['module.model.norm.weight', 'lm_head.weight']);
    const own = refs(['model.embed_tokens.weight', 'model.layers.0.mlp.up_proj.weight']);
    expect(unwrapTensors(own, 'x').tensors).toBe(own);
  });

  test('two names for one weight are refused', () => {
    expect(() => unwrapTensors(refs(['_orig_mod.a.weight', 'a.weight']), 'x')).toThrow(/under another name too/);
  });

  test.each([
    'model.layers.0.self_attn.q_proj.lora_A.default.weight',
    'base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector.default.weight',
    'lm_head.modules_to_save.default.weight',
    'model.embed_tokens.token_adapter.trainable_tokens_delta.default',
  ])('an unmerged adapter is called that: %s', async (name) => {
    const folder = folderOf({ 'model.safetensors': safetensorsBytes({ ...SHAPES, [name]: [4, 32] }) });
    expect((await refusal(folder)).code).toBe('model/unmerged');
    expect((await inspectPath(folder)).ok).toBe(true);
    expect((await collectArtefacts([folder]))[0]?.problems.map(({ code }) => code)).toEqual(['model/unmerged']);
  });

  test("FSDP's flat parameters hold no names", async () => {
    const folder = folderOf({ 'model.safetensors': safetensorsBytes({ '_fsdp_wrapped_module._flat_param': [100] }) });
    expect((await refusal(folder)).message).toContain('FULL_STATE_DICT');
  });

  test('base_layer without factors is the base, which is said', async () => {
    const folder = folderOf({
      'model.safetensors': safetensorsBytes(renamed((name) => name.replace('q_proj.', 'q_proj.base_layer.'))),
    });
    const loaded = await loadHuggingFaceModel(folder);
    expect([...loaded.tensors.keys()].sort()).toEqual([...NAMES].sort());
    expect(loaded.notes?.map(({ code }) => code)).toEqual(['model/base-layer']);
  });
});

test('a whole model says nothing of this', async () => {
  const folder = folderOf(model());
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(SHAPES));
  expect((await loadHuggingFaceModel(folder)).notes).toEqual([]);
});

function refs(names: readonly string[]): Map<string, TensorRef> {
  return new Map(
    names.map((name) => [name, { name, dtype: 'F32', shape: [1], file: 'model.safetensors', offset: 0, bytes: 4 }]),
  );
}
