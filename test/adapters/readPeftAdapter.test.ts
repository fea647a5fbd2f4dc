import { describe, expect, test } from 'vitest';
import type { Adapter, AdapterPart } from '../../src/core/formats/adapters/adapter';
import { readPeftAdapter } from '../../src/core/formats/adapters/readPeftAdapter';
import type { JsonObject } from '../../src/core/json';
import { adapterInput, ONE_PAIR, PEFT_CONFIG, Q_PROJ, type Shapes } from './adapterFiles';

const EMBED = 'base_model.model.model.embed_tokens';

function read(config: JsonObject, shapes: Shapes = ONE_PAIR): Adapter {
  return readPeftAdapter(adapterInput({ ...PEFT_CONFIG, ...config }, shapes));
}

function pair(module: string, rank: number, out = 64, into = 32): Shapes {
  return {
    [`base_model.model.${module}.lora_A.weight`]: [rank, into],
    [`base_model.model.${module}.lora_B.weight`]: [out, rank],
  };
}

function only(adapter: Adapter): AdapterPart {
  expect(adapter.refusals.map(String)).toEqual([]);
  expect(adapter.parts).toHaveLength(1);
  return adapter.parts[0]!;
}

function scaleOf(adapter: Adapter): number {
  const part = only(adapter);
  return part.kind === 'lowRank' ? part.scale : NaN;
}

/** Names in the file that some part reads. */
function consumed(adapter: Adapter): string[] {
  return adapter.parts
    .flatMap((part) =>
      part.kind === 'lowRank'
        ? [part.a.name, part.b.name, ...(part.magnitude === undefined ? [] : [part.magnitude.name])]
        : part.kind === 'experts'
          ? [part.a.name, part.b.name]
          : [part.source.name],
    )
    .sort();
}

describe('scale', () => {
  test("is alpha / r, with PEFT's defaults of 8 and 8", () => {
    expect(scaleOf(read({ r: 8, lora_alpha: 16 }))).toBe(2);
    expect(scaleOf(read({ r: 8, lora_alpha: 16.5 }))).toBe(16.5 / 8);
    expect(scaleOf(readPeftAdapter(adapterInput({ peft_type: 'LORA' }, ONE_PAIR)))).toBe(1);
  });

  test('is alpha / sqrt(r) with rank stabilisation', () => {
    expect(scaleOf(read({ use_rslora: true }))).toBeCloseTo(16 / Math.sqrt(8), 12);
    expect(read({ use_rslora: true }).method).toBe('rslora');
  });

  test('follows rank and alpha patterns, the first match in the order of the file, also with rank stabilisation', () => {
    const patterns = {
      rank_pattern: { q_proj: 4, 'self_attn.q_proj': 2 },
      alpha_pattern: { 'layers\\.[0-3]\\..*': 12, q_proj: 99 },
    };
    const module = pair('model.layers.0.self_attn.q_proj', 4);
    expect(scaleOf(read(patterns, module))).toBe(3);
    expect(scaleOf(read({ ...patterns, use_rslora: true }, module))).toBe(6);
    // A pattern matches whole path components, and the whole rest of the path.
    expect(scaleOf(read({ alpha_pattern: { _proj: 99, self_attn: 99, 'q_proj|k_proj': 32 } }))).toBe(4);
  });

  test('a rank that the configuration denies is refused', () => {
    const { refusals } = read({ r: 16 });
    expect(refusals.map(({ code }) => code)).toEqual(['adapter/shape']);
    expect(refusals[0]!.message).toMatch(/rank 8.*says 16.*restore/);
    expect(read({ rank_pattern: { q_proj: 4 } }).refusals[0]?.code).toBe('adapter/shape');
  });

  test.each([
    { r: 0 },
    { r: -8 },
    { r: 8.5 },
    { r: '8' },
    { lora_alpha: 'auto' },
    { lora_alpha: -1 },
    { rank_pattern: [8] },
    { rank_pattern: { q_proj: null } },
    { alpha_pattern: { '(?=x)': 3 } },
  ])('%j is refused as a configuration', (config) => {
    expect(read(config).refusals.map(({ code }) => code)).toContain('adapter/config');
  });
});

describe('tensor names', () => {
  test.each([
    ['base_model.model.model.layers.0.self_attn.q_proj', 'the usual one'],
    ['base_model.model.model.language_model.layers.0.self_attn.q_proj', 'multimodal, transformers 4.52 and later'],
    ['base_model.model.language_model.model.layers.0.self_attn.q_proj', 'multimodal, before'],
    ['base_model.model.layers.0.self_attn.q_proj', 'a headless model'],
    ['model.layers.0.self_attn.q_proj', 'no prefix'],
    [
      'base_model.model.model._orig_mod.layers.0._checkpoint_wrapped_module.self_attn.q_proj',
      'compiled and checkpointed',
    ],
  ])('%s (%s) changes the same weight', (module) => {
    const plain = only(read({}, { [`${module}.lora_A.weight`]: [8, 32], [`${module}.lora_B.weight`]: [64, 8] }));
    const named = only(
      read({}, { [`${module}.lora_A.default.weight`]: [8, 32], [`${module}.lora_B.default.weight`]: [64, 8] }),
    );
    for (const part of [plain, named]) {
      expect(part).toMatchObject({
        kind: 'lowRank',
        target: 'model.layers.0.self_attn.q_proj.weight',
        layout: 'peftLinear',
        rank: 8,
        scale: 2,
      });
    }
  });

  test.each([
    `${Q_PROJ}.lora_magnitude_vector`,
    `${Q_PROJ}.lora_magnitude_vector.weight`,
    `${Q_PROJ}.lora_magnitude_vector.default`,
    `${Q_PROJ}.lora_magnitude_vector.default.weight`,
  ])('DoRA magnitude as %s', (name) => {
    const adapter = read({ use_dora: true }, { ...ONE_PAIR, [name]: [64] });
    expect(adapter.method).toBe('dora');
    expect(only(adapter)).toMatchObject({ kind: 'lowRank', magnitude: { name }, magnitudeAxis: 'row' });
  });

  test.each([0, 1])('a DoRA magnitude that is saved twice, as PEFT does after a resize, counts once', (first) => {
    const names = [`${Q_PROJ}.lora_magnitude_vector`, `${Q_PROJ}.lora_magnitude_vector.weight`];
    const shapes = { [names[first]!]: [64], [names[1 - first]!]: [64] };
    const adapter = read({ use_dora: true }, { ...ONE_PAIR, ...shapes });
    expect(adapter.refusals).toEqual([]);
    expect(only(adapter)).toMatchObject({ magnitude: { name: names[first] } });
    expect(adapter.withoutEffect).toEqual([names[1 - first]]);
    // Two of other sizes are two adapters.
    const mixed = read({ use_dora: true }, { ...ONE_PAIR, [names[0]!]: [64], [names[1]!]: [32] });
    expect(mixed.refusals[0]?.code).toBe('adapter/unsupported');
  });

  test('LoRA on an embedding, with the base it was trained on', () => {
    const adapter = read(
      {},
      {
        [`${EMBED}.lora_embedding_A`]: [8, 110],
        [`${EMBED}.lora_embedding_B`]: [32, 8],
        [`${EMBED}.base_layer.weight`]: [110, 32],
      },
    );
    expect(adapter.refusals).toEqual([]);
    expect(adapter.parts).toMatchObject([
      { kind: 'base', target: 'model.embed_tokens.weight', source: { shape: [110, 32] } },
      { kind: 'lowRank', target: 'model.embed_tokens.weight', layout: 'peftEmbedding', rank: 8, scale: 2 },
    ]);
  });

  test('DoRA on an embedding has one magnitude a column', () => {
    const adapter = read(
      { use_dora: true },
      {
        [`${EMBED}.lora_embedding_A`]: [8, 100],
        [`${EMBED}.lora_embedding_B`]: [32, 8],
        [`${EMBED}.lora_magnitude_vector`]: [32],
      },
    );
    expect(only(adapter)).toMatchObject({ magnitudeAxis: 'column', magnitude: { shape: [32] } });
  });

  test.each(['lm_head.weight', 'lm_head.modules_to_save.weight', 'lm_head.modules_to_save.default.weight'])(
    'modules_to_save as %s replaces',
    (name) => {
      const adapter = read(
        { modules_to_save: ['lm_head'] },
        { [`base_model.model.${name}`]: [100, 32], 'base_model.model.lm_head.original_module.weight': [100, 32] },
      );
      expect(only(adapter)).toMatchObject({
        kind: 'replace',
        target: 'lm_head.weight',
        source: { name: `base_model.model.${name}` },
      });
    },
  );

  test('a tensor that PEFT saved under both names, after a resize, is one', () => {
    const names = ['base_model.model.lm_head.modules_to_save.weight', 'base_model.model.lm_head.weight'] as const;
    for (const [first, second] of [names, [...names].reverse()] as const) {
      const adapter = read({ modules_to_save: ['lm_head'] }, { [first]: [104, 32], [second]: [104, 32] });
      expect(only(adapter)).toMatchObject({ kind: 'replace', source: { name: 'base_model.model.lm_head.weight' } });
    }
    expect(
      read({ modules_to_save: ['lm_head'] }, { [names[0]]: [104, 32], [names[1]]: [100, 32] }).refusals.map(
        ({ code }) => code,
      ),
    ).toContain('adapter/unsupported');
  });

  test.each([
    ['all', 'bias'],
    ['lora_only', 'base_layer.bias'],
  ])("bias %s replaces the base's (%s)", (bias, name) => {
    const adapter = read({ bias }, { ...ONE_PAIR, [`${Q_PROJ}.${name}`]: [64] });
    expect(adapter.refusals).toEqual([]);
    expect(adapter.parts).toContainEqual(
      expect.objectContaining({ kind: 'replace', target: 'model.layers.0.self_attn.q_proj.bias' }),
    );
  });

  test("lora_bias adds with the module's scale", () => {
    const adapter = read({ lora_bias: true, use_rslora: true }, { ...ONE_PAIR, [`${Q_PROJ}.lora_B.bias`]: [64] });
    expect(adapter.refusals).toEqual([]);
    expect(adapter.parts[1]).toMatchObject({
      kind: 'add',
      target: 'model.layers.0.self_attn.q_proj.bias',
      scale: 16 / Math.sqrt(8),
    });
  });

  test('trainable tokens replace rows in the order of the configuration', () => {
    const name = `${EMBED}.token_adapter.trainable_tokens_delta`;
    for (const trainable_token_indices of [[99, 3], { embed_tokens: [99, 3] }, { 'model.embed_tokens': [99, 3] }]) {
      expect(only(read({ trainable_token_indices }, { [name]: [2, 32] }))).toMatchObject({
        kind: 'replaceRows',
        target: 'model.embed_tokens.weight',
        rows: [99, 3],
      });
    }
    expect(read({ trainable_token_indices: [99] }, { [name]: [2, 32] }).refusals[0]?.code).toBe('adapter/shape');
    expect(read({}, { [name]: [2, 32] }).refusals[0]?.code).toBe('adapter/config');
    expect(read({ trainable_token_indices: [3, 3] }, { [name]: [2, 32] }).refusals[0]?.code).toBe('adapter/config');
    expect(read({ trainable_token_indices: { lm_head: [1, 2] } }, { [name]: [2, 32] }).refusals[0]?.code).toBe(
      'adapter/config',
    );
  });

  test('every tensor is used once, by a part or a refusal', () => {
    const shapes: Shapes = {
      ...ONE_PAIR,
      [`${Q_PROJ}.lora_B.bias`]: [64],
      [`${Q_PROJ}.base_layer.bias`]: [64],
      [`${EMBED}.base_layer.weight`]: [100, 32],
      [`${EMBED}.lora_embedding_A`]: [8, 100],
      [`${EMBED}.lora_embedding_B`]: [32, 8],
      'base_model.model.lm_head.weight': [100, 32],
    };
    const adapter = read({ lora_bias: true, bias: 'all' }, shapes);
    expect(adapter.refusals).toEqual([]);
    expect(consumed(adapter)).toEqual(Object.keys(shapes).sort());
    expect(adapter.targets).toEqual(['embed_tokens', 'lm_head', 'q_proj']);
  });

  test('a weight under its plain name beside factors is what they were trained on', () => {
    const adapter = read(
      {},
      {
        [`${EMBED}.weight`]: [100, 32],
        [`${EMBED}.lora_embedding_A`]: [8, 100],
        [`${EMBED}.lora_embedding_B`]: [32, 8],
      },
    );
    expect(adapter.parts.map(({ kind }) => kind)).toEqual(['base', 'lowRank']);
  });
});

describe('what does not fit is refused and named', () => {
  test.each<[string, string, JsonObject, Shapes, RegExp]>([
    [
      'a missing B',
      'adapter/pair',
      {},
      { [`${Q_PROJ}.lora_A.weight`]: [8, 32] },
      /lora_A\.weight is there, but lora_B/,
    ],
    ['a missing A', 'adapter/pair', {}, { [`${Q_PROJ}.lora_B.weight`]: [64, 8] }, /lora_A of the same module is not/],
    ['a missing embedding factor', 'adapter/pair', {}, { [`${EMBED}.lora_embedding_A`]: [8, 100] }, /lora_embedding_B/],
    ['a bias without factors', 'adapter/pair', {}, { [`${Q_PROJ}.lora_B.bias`]: [64] }, /lora_A/],
    ['DoRA without a magnitude', 'adapter/pair', { use_dora: true }, ONE_PAIR, /lora_magnitude_vector/],
    [
      'a magnitude without factors',
      'adapter/pair',
      { use_dora: true },
      { [`${Q_PROJ}.lora_magnitude_vector`]: [64] },
      /without its factors/,
    ],
    [
      'a magnitude without use_dora',
      'adapter/config',
      {},
      { ...ONE_PAIR, [`${Q_PROJ}.lora_magnitude_vector`]: [64] },
      /does not set use_dora/,
    ],
    [
      'a magnitude of another length',
      'adapter/shape',
      { use_dora: true },
      { ...ONE_PAIR, [`${Q_PROJ}.lora_magnitude_vector`]: [32] },
      /\[32\]/,
    ],
    [
      'ranks that differ',
      'adapter/shape',
      {},
      { [`${Q_PROJ}.lora_A.weight`]: [8, 32], [`${Q_PROJ}.lora_B.weight`]: [64, 4] },
      /ranks differ/,
    ],
    [
      'a convolution',
      'adapter/unsupported',
      {},
      { [`${Q_PROJ}.lora_A.weight`]: [8, 32, 3, 3], [`${Q_PROJ}.lora_B.weight`]: [64, 8, 1, 1] },
      /convolutions/,
    ],
    [
      'an unknown suffix',
      'adapter/unmatched',
      {},
      { ...ONE_PAIR, [`${Q_PROJ}.lora_diag`]: [8] },
      /lora_diag is nothing that a LoRA/,
    ],
    [
      "AdaLoRA's extra tensors",
      'adapter/unmatched',
      {},
      { ...ONE_PAIR, [`${Q_PROJ}.lora_E.default.weight`]: [8, 1] },
      /lora_E/,
    ],
    [
      'empty tensors of DeepSpeed',
      'adapter/empty',
      {},
      { [`${Q_PROJ}.lora_A.weight`]: [0], [`${Q_PROJ}.lora_B.weight`]: [0] },
      /zero_to_fp32/,
    ],
    ['no tensors', 'adapter/empty', {}, {}, /no tensors/],
    [
      'only copies of the base',
      'adapter/empty',
      {},
      { 'base_model.model.lm_head.original_module.weight': [100, 32] },
      /nothing but copies/,
    ],
    [
      'two adapters in one file',
      'adapter/unsupported',
      {},
      { ...ONE_PAIR, [`${Q_PROJ}.lora_A.other.weight`]: [8, 32], [`${Q_PROJ}.lora_B.other.weight`]: [64, 8] },
      /several adapters/,
    ],
    [
      'factors of fused experts without a partner',
      'adapter/pair',
      {},
      { 'base_model.model.model.layers.0.mlp.experts.lora_A.weight': [32, 32] },
      /lora_B of the same experts/,
    ],
    [
      'factors of fused experts that do not divide by the rank',
      'adapter/shape',
      {},
      {
        'base_model.model.model.layers.0.mlp.experts.base_layer.lora_A.weight': [33, 32],
        'base_model.model.model.layers.0.mlp.experts.base_layer.lora_B.weight': [64, 33],
      },
      /on all experts/,
    ],
    [
      'integer factors',
      'model/dtype',
      {},
      { [`${Q_PROJ}.lora_A.weight`]: ['I8', [8, 32]], [`${Q_PROJ}.lora_B.weight`]: ['I8', [64, 8]] },
      /I8/,
    ],
  ])('%s', (_what, code, config, shapes, message) => {
    const { refusals } = read(config, shapes);
    const refusal = refusals.find((one) => one.code === code);
    expect(refusals.map((one) => one.code)).toContain(code);
    expect(refusal?.message).toMatch(message);
    expect(refusal?.path).toBe('outputs/checkpoint-500');
  });
});

describe('variants that base + scale * B A does not describe', () => {
  test.each<[JsonObject, string, RegExp]>([
    [{ peft_type: 'ADALORA' }, 'adapter/unsupported', /ADALORA.*merge_and_unload/],
    [{ peft_type: 'LOHA' }, 'adapter/unsupported', /LOHA/],
    [{ peft_type: 'PROMPT_TUNING' }, 'adapter/unsupported', /PROMPT_TUNING/],
    [
      {
        layer_replication: [
          [0, 16],
          [8, 24],
        ],
      },
      'adapter/unsupported',
      /repeats layers/,
    ],
    [{ alora_invocation_tokens: [1, 2] }, 'adapter/unsupported', /activated LoRA/],
    [{ use_qalora: true }, 'adapter/unsupported', /QA-LoRA/],
    [{ kasa_config: { beta: 1 } }, 'adapter/unsupported', /KaSA/],
    [{ use_bdlora: { nblocks: 2 } }, 'adapter/unsupported', /BD-LoRA/],
    [{ arrow_config: { top_k: 3 } }, 'adapter/unsupported', /Arrow/],
    [{ megatron_config: { tensor_model_parallel_size: 2 } }, 'adapter/unsupported', /Megatron/],
    [{ some_new_lora: true }, 'adapter/unsupported', /"some_new_lora".*not known/],
    [{ init_lora_weights: 'pissa' }, 'adapter/mutated-base', /PiSSA.*path_initial_model_for_weight_conversion/],
    [{ init_lora_weights: 'pissa_niter_16' }, 'adapter/mutated-base', /PiSSA/],
    [{ init_lora_weights: 'olora' }, 'adapter/mutated-base', /OLoRA/],
    [{ init_lora_weights: 'OLoRA' }, 'adapter/mutated-base', /OLoRA/],
    [{ init_lora_weights: 'corda' }, 'adapter/mutated-base', /CorDA/],
    [{ init_lora_weights: 'loftq' }, 'adapter/mutated-base', /LoftQ/],
    [{ init_lora_weights: 'lora_ga' }, 'adapter/mutated-base', /LoRA-GA/],
    [{ init_lora_weights: 'newest_trick' }, 'adapter/unsupported', /newest_trick/],
    [{ bias: 'some' }, 'adapter/config', /bias/],
  ])('%j is refused', (config, code, message) => {
    const [refusal] = read(config).refusals;
    expect(refusal?.code).toBe(code);
    expect(refusal?.message).toMatch(message);
  });

  test('what leaves the base alone is merged', () => {
    for (const init_lora_weights of [true, false, 'gaussian', 'eva', 'orthogonal', 'mica', null]) {
      expect(read({ init_lora_weights }).refusals).toEqual([]);
    }
    const harmless = {
      alora_invocation_tokens: null,
      layer_replication: [],
      use_qalora: false,
      kasa_config: null,
      arrow_config: {},
      some_new_lora: false,
      another: '',
      megatron_core: 'megatron.core',
      qalora_group_size: 16,
      loftq_config: {},
      velora_config: { rank: 1 },
      lora_dropout: 0.1,
      layers_to_transform: [0, 1],
      peft_version: '0.21.0',
      auto_mapping: { parent_library: 'x' },
      revision: 'main',
    };
    expect(read(harmless).refusals).toEqual([]);
  });

  test('a quantised training base is pointed out with the one to pass', () => {
    const { warnings } = read({ base_model_name_or_path: 'unsloth/qwen3-1.7b-unsloth-bnb-4bit' });
    expect(warnings.map(({ code }) => code)).toEqual(['adapter/quantised-base']);
    expect(warnings[0]!.message).toContain('(unsloth/qwen3-1.7b)');
  });
});
