import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gemma2 } from '../../src/core/engine/architectures/gemma2';
import { llama } from '../../src/core/engine/architectures/llama';
import { mixtral } from '../../src/core/engine/architectures/mixtral';
import { qwen2 } from '../../src/core/engine/architectures/qwen2';
import { targetOfModel, type AdapterTarget } from '../../src/core/engine/adapterTarget';
import { readTensors, writePeft, writeTensors, type TensorToWrite } from '../support/tensors';
import { convertAdapter, prepareConvertAdapter } from '../../src/node/engine/convertAdapter';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';
import { runAdapterPlan, shapedTarget, writeAdapterGguf } from '../support/adapterGguf';
import { FIXTURES, runCli } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { temporaryFolder } from '../support/models';

const work = temporaryFolder();
const RUGBY = join(FIXTURES, 'rugby');
const PREFIX = 'base_model.model.model';

function zeros(...shape: number[]): TensorToWrite {
  return { shape, values: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5) };
}

function pair(module: string, into: number, out: number, rank = 4): Record<string, TensorToWrite> {
  return {
    [`${PREFIX}.${module}.lora_A.weight`]: zeros(rank, into),
    [`${PREFIX}.${module}.lora_B.weight`]: zeros(out, rank),
  };
}

const Q = pair('layers.0.self_attn.q_proj', 32, 64);
const EMBEDDING = {
  [`${PREFIX}.embed_tokens.lora_embedding_A`]: zeros(4, 100),
  [`${PREFIX}.embed_tokens.lora_embedding_B`]: zeros(32, 4),
};
const HEAD = {
  'base_model.model.lm_head.lora_A.weight': zeros(4, 32),
  'base_model.model.lm_head.lora_B.weight': zeros(100, 4),
};

interface Case {
  readonly reason: string;
  readonly what: string;
  readonly target: AdapterTarget;
  readonly config?: Record<string, unknown>;
  readonly tensors: Record<string, TensorToWrite>;
}

const CASES: readonly Case[] = [
  {
    reason: 'dora',
    what: 'DoRA',
    target: shapedTarget(llama),
    config: { use_dora: true },
    tensors: { ...Q, [`${PREFIX}.layers.0.self_attn.q_proj.lora_magnitude_vector`]: zeros(64) },
  },
  {
    reason: 'trained-bias',
    what: 'trained biases',
    target: shapedTarget(llama),
    config: { bias: 'lora_only' },
    tensors: { ...Q, [`${PREFIX}.layers.0.self_attn.q_proj.base_layer.bias`]: zeros(64) },
  },
  {
    reason: 'lora-bias',
    what: 'lora_bias',
    target: shapedTarget(llama),
    config: { lora_bias: true },
    tensors: { ...Q, [`${PREFIX}.layers.0.self_attn.q_proj.lora_B.bias`]: zeros(64) },
  },
  {
    reason: 'modules-to-save',
    what: 'a norm from modules_to_save',
    target: shapedTarget(llama),
    config: { modules_to_save: ['norm'] },
    tensors: { ...Q, [`${PREFIX}.norm.weight`]: zeros(32) },
  },
  {
    reason: 'modules-to-save',
    what: 'a head from modules_to_save',
    target: shapedTarget(llama),
    config: { modules_to_save: ['lm_head'] },
    tensors: { ...Q, 'base_model.model.lm_head.weight': zeros(100, 32) },
  },
  {
    reason: 'resized-vocabulary',
    what: 'an embedding with more rows',
    target: shapedTarget(llama),
    tensors: {
      ...EMBEDDING,
      [`${PREFIX}.embed_tokens.lora_embedding_A`]: zeros(4, 104),
      [`${PREFIX}.embed_tokens.base_layer.weight`]: zeros(104, 32),
    },
  },
  {
    reason: 'trained-tokens',
    what: 'trained tokens',
    target: shapedTarget(llama),
    config: { trainable_token_indices: { embed_tokens: [3, 4] } },
    tensors: { ...Q, [`${PREFIX}.embed_tokens.token_adapter.trainable_tokens_delta`]: zeros(2, 32) },
  },
  {
    reason: 'tied-embedding',
    what: 'an embedding that is the head too',
    target: shapedTarget(qwen2, { tied: true }),
    tensors: EMBEDDING,
  },
  { reason: 'no-head', what: 'a head where there is none', target: shapedTarget(qwen2, { tied: true }), tensors: HEAD },
  {
    reason: 'no-head',
    what: 'a head where llama.cpp has no place for one',
    target: shapedTarget(gemma2, { tied: true }),
    tensors: HEAD,
  },
  {
    reason: 'transposed',
    what: 'a weight stored as [in, out]',
    target: shapedTarget(llama, { more: { 'model.layers.0.self_attn.q_proj.weight': [32, 64] } }),
    config: { fan_in_fan_out: true },
    tensors: Q,
  },
  {
    reason: 'changed-base',
    what: 'an embedding of its own whose base nobody can look at',
    target: shapedTarget(llama),
    tensors: { ...EMBEDDING, [`${PREFIX}.embed_tokens.base_layer.weight`]: zeros(100, 32) },
  },
];

describe('what no GGUF adapter can hold is refused, and the way that works is named', () => {
  test.each(CASES)('$reason: $what', async ({ reason, what, target, config = {}, tensors }) => {
    const folder = writePeft(join(work, what.replace(/\W/g, '-')), { r: 4, lora_alpha: 8, ...config }, tensors);
    const output = join(folder, 'out.gguf');
    await expect(
      writeAdapterGguf({ adapter: { path: folder, weight: 1 }, base: target, type: 'F16', output }),
    ).rejects.toMatchObject({
      code: 'adapter/no-gguf-form',
      path: folder,
      detail: { reason },
      message: expect.stringMatching(/Fuse it into its base instead: modelfile-studio create/) as string,
    });
    expect(existsSync(output)).toBe(false);
  });

  test('experts: some of a layer, or of different ranks', async () => {
    const base = shapedTarget(mixtral, {
      more: Object.fromEntries(
        [0, 1, 2, 3].map((expert) => [`model.layers.0.mlp.experts.${expert}.gate_proj.weight`, [48, 32]]),
      ),
    });
    const target = { ...base, config: { ...base.config, experts: 4 } };
    const experts = (ranks: readonly number[]): Record<string, TensorToWrite> =>
      Object.assign(
        {},
        ...ranks.map((rank, expert) => pair(`layers.0.block_sparse_moe.experts.${expert}.w1`, 32, 48, rank)),
      ) as Record<string, TensorToWrite>;
    for (const [name, ranks, patterns] of [
      ['some', [4, 4, 4], {}],
      ['ranks', [4, 4, 4, 8], { 'experts.3.w1': 8 }],
    ] as const) {
      const folder = writePeft(
        join(work, `experts-${name}`),
        { r: 4, lora_alpha: 8, rank_pattern: patterns },
        experts(ranks),
      );
      await expect(
        prepareConvertAdapter({
          adapter: { path: folder, weight: 1 },
          base: target,
          type: 'F16',
          output: join(folder, 'out.gguf'),
        }),
      ).rejects.toMatchObject({ code: 'adapter/no-gguf-form', detail: { reason: 'experts' } });
    }
    const whole = writePeft(join(work, 'experts-all'), { r: 4, lora_alpha: 8 }, experts([4, 4, 4, 4]));
    await writeAdapterGguf({
      adapter: { path: whole, weight: 1 },
      base: target,
      type: 'F32',
      output: join(whole, 'out.gguf'),
    });
    expect(describeGguf(join(whole, 'out.gguf')).tensors.map(({ name, shape }) => [name, shape])).toEqual([
      ['blk.0.ffn_gate_exps.weight.lora_a', [32, 4, 4]],
      ['blk.0.ffn_gate_exps.weight.lora_b', [4, 48, 4]],
    ]);
  });

  test("a carried embedding passes where it is the base's own, and not where one value differs", async () => {
    const base = join(work, 'untied');
    const source = readTensors(join(RUGBY, 'base'));
    const embedding = source.get('model.embed_tokens.weight')!;
    const untied = { ...targetOfModel(await loadHuggingFaceModel(join(RUGBY, 'base'))), tied: false };
    const rows = embedding.shape[0]!;
    const columns = embedding.shape[1]!;
    for (const [name, change] of [
      ['same', 0],
      ['changed', 1],
    ] as const) {
      const values = Float64Array.from(embedding.values);
      values[values.length - 1] = values.at(-1)! + change;
      const folder = writePeft(
        join(base, name),
        { r: 4, lora_alpha: 8 },
        {
          [`${PREFIX}.embed_tokens.lora_embedding_A`]: zeros(4, rows),
          [`${PREFIX}.embed_tokens.lora_embedding_B`]: zeros(columns, 4),
          [`${PREFIX}.embed_tokens.base_layer.weight`]: { shape: [rows, columns], values },
        },
      );
      const planned = prepareConvertAdapter({
        adapter: { path: folder, weight: 1 },
        base: untied,
        type: 'F16',
        output: join(folder, 'out.gguf'),
      });
      await (name === 'same'
        ? expect(planned).resolves.toMatchObject({ carried: [{ target: 'model.embed_tokens.weight' }] })
        : expect(planned).rejects.toMatchObject({ code: 'adapter/no-gguf-form', detail: { reason: 'changed-base' } }));
    }
  });

  test('a scale that no f32 holds', async () => {
    const folder = writePeft(join(work, 'huge-scale'), { r: 4, lora_alpha: 1e300 }, Q);
    await expect(
      prepareConvertAdapter({
        adapter: { path: folder, weight: 1 },
        base: shapedTarget(llama),
        type: 'F16',
        output: join(folder, 'out.gguf'),
      }),
    ).rejects.toMatchObject({ code: 'adapter/config' });
  });

  test('a GGUF adapter is one already', async () => {
    const folder = writePeft(join(work, 'twice'), { r: 4, lora_alpha: 8 }, Q);
    const gguf = join(folder, 'out.gguf');
    await writeAdapterGguf({
      adapter: { path: folder, weight: 1 },
      base: shapedTarget(llama),
      type: 'F16',
      output: gguf,
    });
    await expect(
      prepareConvertAdapter({
        adapter: { path: gguf, weight: 1 },
        base: shapedTarget(llama),
        type: 'F16',
        output: join(folder, 'again.gguf'),
      }),
    ).rejects.toMatchObject({ code: 'adapter/unsupported' });
  });

  test('another base: the refusal of every merge', async () => {
    const folder = writePeft(
      join(work, 'other-base'),
      { r: 4, lora_alpha: 8 },
      pair('layers.0.self_attn.q_proj', 48, 64),
    );
    await expect(
      prepareConvertAdapter({
        adapter: { path: folder, weight: 1 },
        base: shapedTarget(llama),
        type: 'F16',
        output: join(folder, 'out.gguf'),
      }),
    ).rejects.toMatchObject({ code: 'adapter/base-mismatch' });
  });
});

describe('values', () => {
  function withValue(name: string, value: number, config: Record<string, unknown> = {}): string {
    const tensors = {
      ...Q,
      [`${PREFIX}.layers.0.self_attn.q_proj.lora_B.weight`]: {
        shape: [64, 4],
        values: new Float32Array(256).fill(0.25).fill(value, 17, 18),
      },
    };
    return writePeft(join(work, name), { r: 4, lora_alpha: 8, ...config }, tensors);
  }

  test.each([
    ['NaN', Number.NaN],
    ['infinity', Infinity],
  ])('%s is refused, and nothing is left', async (name, value) => {
    const folder = withValue(name, value);
    await expect(
      writeAdapterGguf({
        adapter: { path: folder, weight: 1 },
        base: shapedTarget(llama),
        type: 'F32',
        output: join(folder, 'out.gguf'),
      }),
    ).rejects.toMatchObject({ code: 'adapter/values' });
    expect(readdirSync(folder).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });

  test('what F16 cannot hold is refused there and written as BF16', async () => {
    const folder = withValue('large', 70_000);
    const request = {
      adapter: { path: folder, weight: 1 },
      base: shapedTarget(llama),
      output: join(folder, 'out.gguf'),
    };
    await expect(writeAdapterGguf({ ...request, type: 'F16' })).rejects.toMatchObject({
      code: 'quantize/values',
      message: expect.stringContaining('--type F32 or BF16') as string,
    });
    await expect(writeAdapterGguf({ ...request, type: 'BF16' })).resolves.toMatchObject({ warnings: [] });
  });

  test('factors that F16 flushes to zero are told of', async () => {
    const tiny = { shape: [64, 4], values: new Float32Array(256).fill(1e-9) };
    const folder = writePeft(
      join(work, 'tiny'),
      { r: 4, lora_alpha: 8 },
      { ...Q, [`${PREFIX}.layers.0.self_attn.q_proj.lora_B.weight`]: tiny },
    );
    const report = await writeAdapterGguf({
      adapter: { path: folder, weight: 1 },
      base: shapedTarget(llama),
      type: 'F16',
      output: join(folder, 'out.gguf'),
    });
    expect(report.warnings).toMatchObject([
      { code: 'adapter/coarse', message: expect.stringContaining('100 %') as string },
    ]);
  });

  test('an untrained adapter is told of', async () => {
    const folder = writePeft(
      join(work, 'untrained'),
      { r: 4, lora_alpha: 8 },
      {
        ...Q,
        [`${PREFIX}.layers.0.self_attn.q_proj.lora_B.weight`]: { shape: [64, 4], values: new Float32Array(256) },
      },
    );
    const report = await writeAdapterGguf({
      adapter: { path: folder, weight: 1 },
      base: shapedTarget(llama),
      type: 'F16',
      output: join(folder, 'out.gguf'),
    });
    expect(report.warnings.map(({ code }) => code)).toEqual(['adapter/no-effect']);
  });
});

describe('the output', () => {
  const request = {
    adapter: { path: join(RUGBY, 'lora'), weight: 1 },
    base: join(RUGBY, 'base'),
    type: 'F16' as const,
  };

  test('is not written over without force, nor while another run writes it', async () => {
    const output = join(work, 'kept.gguf');
    writeFileSync(output, 'mine');
    await expect(writeAdapterGguf({ ...request, output }, false)).rejects.toMatchObject({ code: 'output/exists' });
    expect(readFileSync(output, 'utf8')).toBe('mine');
    writeFileSync(
      `${output}.lock`,
      JSON.stringify({ marker: 'modelfile-studio lock', pid: process.pid, started: startOf(process.pid) }),
    );
    await expect(writeAdapterGguf({ ...request, output }, true)).rejects.toMatchObject({ code: 'output/busy' });
    expect(readFileSync(output, 'utf8')).toBe('mine');
  });

  test('is never one of the inputs', async () => {
    const folder = join(work, 'input');
    writePeft(folder, { r: 4, lora_alpha: 8 }, Q);
    await expect(
      prepareConvertAdapter({
        adapter: { path: folder, weight: 1 },
        base: shapedTarget(llama),
        type: 'F16',
        output: join(folder, 'adapter_model.safetensors'),
      }),
    ).rejects.toMatchObject({ code: 'output/is-input' });
  });

  test('a cancel, or an input that changes, leaves nothing', async () => {
    const folder = writePeft(join(work, 'changing'), { r: 4, lora_alpha: 8 }, Q);
    const output = join(folder, 'out.gguf');
    const abort = new AbortController();
    const cancelled = convertAdapter(
      await prepareConvertAdapter({
        adapter: { path: folder, weight: 1 },
        base: shapedTarget(llama),
        type: 'F16',
        output,
      }),
      { force: false, signal: abort.signal },
    );
    await cancelled.next();
    await cancelled.next();
    abort.abort();
    await expect(cancelled.next()).rejects.toMatchObject({ code: 'run/cancelled' });
    const plan = await prepareConvertAdapter({
      adapter: { path: folder, weight: 1 },
      base: shapedTarget(llama),
      type: 'F16',
      output,
    });
    writeTensors(join(folder, 'adapter_model.safetensors'), Q, { format: 'another' });
    await expect(runAdapterPlan(plan, false)).rejects.toMatchObject({ code: 'input/changed' });
    expect(readdirSync(folder).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });

  test('the command line says what it did, as text and as JSON', async () => {
    const output = join(work, 'cli.gguf');
    const args = [
      'convert-adapter',
      '--adapter',
      join(RUGBY, 'rslora'),
      '--base',
      join(RUGBY, 'base'),
      '--out',
      output,
    ];
    const dry = await runCli([...args, '--dry-run', '--json']);
    expect(dry.json).toMatchObject({ ok: true, type: 'F16', folded: 5, alpha: Math.fround(8 * Math.sqrt(8)) });
    expect(dry.json['tensors']).toHaveLength(56);
    expect(existsSync(output)).toBe(false);
    const { code, json } = await runCli([...args, '--json']);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      ok: true,
      output,
      tensors: 56,
      type: 'F16',
      architecture: 'qwen3',
      folded: 5,
      warnings: [],
      adapters: [{ path: join(RUGBY, 'rslora'), weight: 1 }],
    });
    expect(json['bytes']).toBe(readFileSync(output).length);
    const again = await runCli([...args, '--force', '--type', 'q8_0']);
    expect(again.stdout).toContain('the rest multiplied into B of 5 of 28 modules');
    expect((await runCli([...args, '--force', '--type', 'Q4_K_M', '--json'])).code).toBe(2);
    const refused = await runCli([
      'convert-adapter',
      '--adapter',
      join(RUGBY, 'dora'),
      '--base',
      join(RUGBY, 'base'),
      '--out',
      join(work, 'no.gguf'),
      '--json',
    ]);
    expect([refused.code, refused.json['ok']]).toEqual([1, false]);
    expect(refused.json['error']).toMatchObject({ code: 'adapter/no-gguf-form' });
  });
});

/** When a process started, as the lock notes it: on Linux the 22nd field of its stat file. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
