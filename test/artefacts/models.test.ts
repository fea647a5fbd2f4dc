import { describe, expect, test } from 'vitest';
import { below, codes, model, modelConfig, modelShapes, safetensorsBytes, scanTree, zipPickle } from './folders';

/** A model in two shards with its index. */
function sharded(): Record<string, unknown> {
  const entries = Object.entries(modelShapes());
  const shards = [entries.slice(0, 4), entries.slice(4)].map((part) => Object.fromEntries(part));
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  const rest = without(model(), 'model.safetensors');
  return {
    ...rest,
    ...Object.fromEntries(names.map((name, index) => [name, safetensorsBytes(shards[index]!)])),
    'model.safetensors.index.json': {
      metadata: {},
      weight_map: Object.fromEntries(
        names.flatMap((name, index) => Object.keys(shards[index]!).map((tensor) => [tensor, name])),
      ),
    },
  };
}

function without(files: Record<string, unknown>, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
}

describe('model folders', () => {
  test('whole, in one file and in shards', async () => {
    const found = await scanTree({ ...below('one', model()), ...below('two', sharded()) });
    for (const name of ['one', 'two']) {
      expect(found.get(name)).toMatchObject({
        kind: 'model',
        complete: true,
        label: 'Qwen3',
        dtype: 'BF16',
        tensors: 9,
        template: 'ChatML',
        contextLength: 4096,
        problems: [],
      });
    }
    expect(found.get('two')?.shards).toEqual({ count: 2, missing: [] });
    expect(found.get('one')?.parameters).toBe(2 * 3200 + 32 + 2 * (64 * 32 + 32 * 32 + 32 * 96));
    expect(found.size).toBe(2);
  });

  test('which shards are missing, by the index or by the names of the others', async () => {
    const missing = 'model-00002-of-00002.safetensors';
    for (const files of [without(sharded(), missing), without(sharded(), missing, 'model.safetensors.index.json')]) {
      const artefact = (await scanTree(files)).get('.');
      expect(artefact).toMatchObject({ complete: false, shards: { count: 2, missing: [missing] } });
      expect(codes(artefact)).toEqual(['index/missing']);
      expect(artefact?.problems[0]?.message).toContain(missing);
    }
  });

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no config.json', without(model(), 'config.json'), 'model/incomplete', /config\.json/],
    ['no weights', without(model(), 'model.safetensors'), 'model/incomplete', /no weights/],
    [
      'pickled weights',
      { ...without(model(), 'model.safetensors'), 'pytorch_model.bin': zipPickle('x') },
      'input/pickle',
      /pytorch_model\.bin/,
    ],
    ['no tokenizer', without(model(), 'tokenizer.json'), 'tokenizer/missing', /tokenizer/],
    [
      'an index that leads out of the folder',
      { ...sharded(), 'model.safetensors.index.json': { weight_map: { a: '../../etc/passwd' } } },
      'index/unsafe-name',
      /no plain name/,
    ],
    [
      'an index of other shards',
      { ...sharded(), 'model.safetensors.index.json': { weight_map: { a: 'model-00001-of-00002.safetensors' } } },
      'index/mismatch',
      /index/,
    ],
    [
      'bitsandbytes',
      {
        ...model(),
        'model.safetensors': safetensorsBytes({
          'model.layers.0.mlp.up_proj.weight': ['U8', [64, 1]],
          'model.layers.0.mlp.up_proj.weight.absmax': ['F32', [4]],
          'model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4': ['U8', [80]],
        }),
      },
      'model/quantised',
      /bitsandbytes.*16-bit/,
    ],
    [
      'GPTQ',
      {
        ...model(),
        'model.safetensors': safetensorsBytes({
          'model.layers.0.mlp.up_proj.qweight': ['I32', [4, 64]],
          'model.layers.0.mlp.up_proj.scales': ['F16', [1, 64]],
        }),
      },
      'model/quantised',
      /GPTQ/,
    ],
    [
      'FP8',
      {
        ...model(),
        'model.safetensors': safetensorsBytes({ 'model.layers.0.mlp.up_proj.weight': ['F8_E4M3', [64, 32]] }),
      },
      'model/quantised',
      /8-bit floats/,
    ],
    [
      'compressed-tensors without scales',
      {
        ...model(),
        'model.safetensors': safetensorsBytes({ 'model.layers.0.mlp.up_proj.weight_packed': ['I32', [64, 4]] }),
      },
      'model/quantised',
      /no weight_scale/,
    ],
    [
      'a tokenizer that is a Git LFS pointer',
      {
        ...model(),
        'tokenizer.json': `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 11422654\n`,
      },
      'input/lfs-pointer',
      /git lfs pull/,
    ],
  ])('%s', async (_what, files, code, message) => {
    const artefact = (await scanTree(files)).get('.');
    expect(artefact?.kind).toBe('model');
    expect(codes(artefact)).toContain(code);
    expect(artefact?.problems.find((problem) => problem.code === code)?.message).toMatch(message);
  });

  test('names of multimodal configurations come from the text model', async () => {
    const config = {
      architectures: ['Gemma3ForConditionalGeneration'],
      text_config: { ...modelConfig(5), architectures: undefined, hidden_size: 640 },
    };
    expect((await scanTree({ ...model(), 'config.json': config })).get('.')).toMatchObject({
      architecture: 'Gemma3ForConditionalGeneration',
      layers: 5,
      hiddenSize: 640,
    });
    expect(
      (await scanTree({ ...model(), 'config.json': { architectures: ['StrangeForCausalLM'] } })).get('.')?.label,
    ).toBe('Strange');
  });

  test.each<[string, unknown, string | undefined]>([
    [
      'a list with a default',
      [
        { name: 'tool', template: '[INST]' },
        { name: 'default', template: '<|start_header_id|>' },
      ],
      'Llama 3',
    ],
    ['an unknown one', '{{ messages }}', 'own'],
    ['none', undefined, undefined],
  ])('chat template: %s', async (_what, chat_template, expected) => {
    expect((await scanTree({ ...model(), 'tokenizer_config.json': { chat_template } })).get('.')?.template).toBe(
      expected,
    );
  });

  test('chat_template.jinja comes before the configuration', async () => {
    expect((await scanTree({ ...model(), 'chat_template.jinja': '<start_of_turn>user' })).get('.')?.template).toBe(
      'Gemma',
    );
  });

  test('a Hugging Face cache is read through its snapshots', async () => {
    const found = await scanTree({
      ...below('hub/models--org--small/snapshots/abc', model()),
      'hub/models--org--small/blobs/deadbeef.safetensors': 'x',
      'hub/models--org--small/refs/main': 'abc',
    });
    expect([...found.keys()]).toEqual(['hub/models--org--small/snapshots/abc']);
  });

  test('the model card names the base', async () => {
    expect(
      (await scanTree({ ...model(), 'README.md': '---\nbase_model:\n- Qwen/Qwen3-0.6B\n---\n' })).get('.')?.base,
    ).toEqual({ name: 'Qwen/Qwen3-0.6B', candidates: [] });
  });

  test('any other config.json is no model', async () => {
    expect((await scanTree({ 'config.json': { editor: 'x' }, 'package.json': {} })).size).toBe(0);
  });
});
