import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES, runCli, runCliOk } from '../support/cli';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { addLora, errorInRoundings, referenceOf } from '../support/reference';
import { errorCode } from '../support/startCli';
import { readTensors, writePeft, writeTensors, type PlainTensors, type TensorToWrite } from '../support/tensors';

/** Mistakes that other routes make without a word: each must be right here, or refused with its reason. */

const RUGBY = join(FIXTURES, 'rugby');
const BASE = join(RUGBY, 'base');
const folder = temporaryFolder();
const Q0 = 'model.layers.0.self_attn.q_proj';
const fresh = (): string => mkdtempSync(join(folder, 'case-'));
const random = new Random(7);
const noise = (shape: readonly number[]): TensorToWrite => ({
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (random.next() - 0.5) / 10),
});

let base: PlainTensors;
beforeAll(() => {
  base = readTensors(BASE);
});

function pair(module: string, rows: number, columns: number, rank = 4): Record<string, TensorToWrite> {
  return {
    [`base_model.model.${module}.lora_A.weight`]: noise([rank, columns]),
    [`base_model.model.${module}.lora_B.weight`]: noise([rows, rank]),
  };
}

async function plan(adapter: string, from = BASE, type = 'F32'): Promise<Awaited<ReturnType<typeof runCli>>> {
  return await runCli([
    'plan',
    '--base',
    from,
    '--adapter',
    adapter,
    '--type',
    type,
    '--out',
    join(folder, 'never.gguf'),
    '--json',
  ]);
}

async function refused(adapter: string, code: string, words: RegExp, from = BASE): Promise<void> {
  const run = await plan(adapter, from);
  expect(errorCode(run), run.stdout.slice(0, 300)).toBe(code);
  expect((run.json['error'] as { message: string }).message).toMatch(words);
}

function copyOfBase(change: (path: string, config: Record<string, unknown>) => void): string {
  const path = join(fresh(), 'base');
  cpSync(BASE, path, { recursive: true });
  const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as Record<string, unknown>;
  change(path, config);
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  return path;
}

describe('the scale of an adapter', () => {
  const SCALES: readonly (readonly [string, Record<string, unknown>, number])[] = [
    ['alpha / r', { r: 4, lora_alpha: 6 }, 1.5],
    ['alpha / sqrt(r) with rsLoRA', { r: 4, lora_alpha: 6, use_rslora: true }, 3],
    ['alpha of a pattern', { r: 4, lora_alpha: 6, alpha_pattern: { 'layers.0.self_attn.q_proj': 32 } }, 8],
    [
      'rank and alpha of patterns, with rsLoRA',
      { r: 64, lora_alpha: 1, rank_pattern: { q_proj: 4 }, alpha_pattern: { '.*q_proj': 5 }, use_rslora: true },
      2.5,
    ],
    [
      'the first pattern that matches',
      { r: 4, lora_alpha: 6, alpha_pattern: { q_proj: 4, 'layers.0.self_attn.q_proj': 400 } },
      1,
    ],
    ["PEFT's defaults", { r: undefined, lora_alpha: undefined, rank_pattern: { q_proj: 4 } }, 2],
    ['a fraction', { r: 4, lora_alpha: 0.5 }, 0.125],
  ];

  it.each(SCALES)('%s', async (_what, config, scale) => {
    const adapter = writePeft(fresh(), config, pair(Q0, 256, 256));
    const out = join(fresh(), 'merged');
    await runCliOk(['fuse', '--base', BASE, '--adapter', adapter, '--out', out, '--dtype', 'F32']);
    const tensors = readTensors(adapter);
    const wanted = addLora(
      referenceOf(base.get(`${Q0}.weight`)!),
      tensors.get(`base_model.model.${Q0}.lora_A.weight`)!,
      tensors.get(`base_model.model.${Q0}.lora_B.weight`)!,
      scale,
    );
    expect(errorInRoundings(readTensors(out).get(`${Q0}.weight`)!.values, wanted)).toBeLessThan(8);
  });

  it('a rank in the file other than in the configuration is refused', () =>
    refused(writePeft(fresh(), { r: 8 }, pair(Q0, 256, 256)), 'adapter/shape', /rank 4.*says 8/));
});

describe('every tensor of an adapter is used, or it is refused', () => {
  it('names that drifted are found', async () => {
    for (const prefix of ['model.language_model.layers', 'language_model.model.layers']) {
      const run = await plan(writePeft(fresh(), {}, pair(Q0.replace('model.layers', prefix), 256, 256)));
      expect(run.code, `${prefix}: ${run.stdout.slice(0, 200)}`).toBe(0);
    }
  });
  it("names that are none of the base's", () =>
    refused(
      writePeft(fresh(), {}, { ...pair(Q0, 256, 256), ...pair('model.layers.0.self_attn.q_projection', 256, 256) }),
      'adapter/unmatched',
      /q_projection.*q_proj/,
    ));
  it('a layer that the base does not have', () =>
    refused(
      writePeft(fresh(), {}, pair('model.layers.4.self_attn.q_proj', 256, 256)),
      'adapter/base-mismatch',
      /5 layers; base has 4/,
    ));
  it('tensors of an unknown kind', () =>
    refused(
      writePeft(fresh(), {}, { ...pair(Q0, 256, 256), [`base_model.model.${Q0}.lora_C.weight`]: noise([4, 4]) }),
      'adapter/unmatched',
      /lora_C/,
    ));
  it('one factor without the other', () =>
    refused(
      writePeft(fresh(), {}, { [`base_model.model.${Q0}.lora_A.weight`]: noise([4, 256]) }),
      'adapter/pair',
      /lora_B/,
    ));
  it('a magnitude where use_dora is not set, and the reverse', async () => {
    await refused(
      writePeft(fresh(), {}, { ...pair(Q0, 256, 256), [`base_model.model.${Q0}.lora_magnitude_vector`]: noise([256]) }),
      'adapter/config',
      /use_dora/,
    );
    await refused(writePeft(fresh(), { use_dora: true }, pair(Q0, 256, 256)), 'adapter/pair', /lora_magnitude_vector/);
  });
  it('a magnitude of another length', () =>
    refused(
      writePeft(
        fresh(),
        { use_dora: true },
        { ...pair(Q0, 256, 256), [`base_model.model.${Q0}.lora_magnitude_vector`]: noise([255]) },
      ),
      'adapter/shape',
      /magnitude/,
    ));
});

describe('the wrong base', () => {
  it('another hidden size', () =>
    refused(
      writePeft(fresh(), { base_model_name_or_path: 'Qwen/Qwen3-1.7B' }, pair(Q0, 512, 512)),
      'adapter/base-mismatch',
      /hidden size 512; base has 256.*Qwen\/Qwen3-1\.7B/,
    ));
  it("an adapter's folder as base, and a model's as adapter", async () => {
    await refused(join(RUGBY, 'lora'), 'model/incomplete', /adapter/, join(RUGBY, 'lora'));
    await refused(BASE, 'adapter/missing', /model/);
  });
  it('an adapter of PiSSA and its like on the original base', async () => {
    for (const name of ['pissa', 'pissa_niter_16', 'olora', 'corda', 'loftq', 'lora_ga']) {
      await refused(
        writePeft(fresh(), { init_lora_weights: name }, pair(Q0, 256, 256)),
        'adapter/mutated-base',
        /base/,
      );
    }
  });
  it('kinds that base + scale B A does not describe', async () => {
    const kinds: Record<string, unknown>[] = [
      {
        layer_replication: [
          [0, 4],
          [2, 4],
        ],
      },
      { alora_invocation_tokens: [1, 2] },
      { kasa_config: { x: 1 } },
      { arrow_config: { x: 1 } },
      { use_bdlora: { x: 1 } },
      { use_qalora: true },
      { peft_type: 'LOHA' },
      { something_new: true },
    ];
    for (const config of kinds) {
      await refused(writePeft(fresh(), config, pair(Q0, 256, 256)), 'adapter/unsupported', /merge/i);
    }
  });
  it('a base in bitsandbytes or GPTQ form', async () => {
    for (const [suffix, config] of [
      ['weight.absmax', { quant_method: 'bitsandbytes', load_in_4bit: true }],
      ['qweight', { quant_method: 'gptq', bits: 4 }],
    ] as const) {
      const from = copyOfBase((path, json) => {
        json['quantization_config'] = config;
        const all = Object.fromEntries(
          [...base].map(([name, { shape, values }]) => [name, { shape, values, dtype: 'BF16' as const }]),
        );
        writeTensors(join(path, 'model.safetensors'), { ...all, [`${Q0}.${suffix}`]: noise([8]) });
      });
      await refused(join(RUGBY, 'lora'), 'model/quantised', /16-bit/, from);
    }
  });
});

describe('an adapter without effect', () => {
  it('all B zero: a warning, and a result that is the base', async () => {
    const tensors = {
      ...pair(Q0, 256, 256),
      [`base_model.model.${Q0}.lora_B.weight`]: { shape: [256, 4], values: new Float32Array(1024) },
    };
    const run = await plan(writePeft(fresh(), {}, tensors));
    expect(JSON.stringify(run.json['warnings'])).toContain('adapter/no-effect');
  });
  it('a delta larger than the weights is warned about; a usual one is shown', async () => {
    const large = await plan(writePeft(fresh(), { lora_alpha: 4000 }, pair(Q0, 256, 256)));
    expect(JSON.stringify(large.json['warnings'])).toContain('adapter/large-delta');
    const usual = await plan(join(RUGBY, 'lora'));
    expect(JSON.stringify(usual.json['warnings'])).not.toContain('adapter/');
    expect(JSON.stringify(usual.json['checks'])).toContain('|ΔW|/|W|');
  });
});

describe('weights and config.json of different models', () => {
  it.each([
    ['hidden_size', 512],
    ['num_attention_heads', 8],
    ['num_key_value_heads', 4],
    ['intermediate_size', 512],
    ['head_dim', 32],
  ])('%s %i', async (key, value) => {
    const from = copyOfBase((_path, config) => (config[key] = value));
    const run = await plan(join(RUGBY, 'lora'), from);
    expect(errorCode(run), run.stdout.slice(0, 300)).toBe('model/tensor-shape');
  });
  it('more layers than weights, and weights of more layers', async () => {
    const more = await plan(
      join(RUGBY, 'lora'),
      copyOfBase((_path, config) => (config['num_hidden_layers'] = 5)),
    );
    expect(errorCode(more)).toBe('model/tensor-missing');
    const fewer = await plan(
      join(RUGBY, 'lora'),
      copyOfBase((_path, config) => (config['num_hidden_layers'] = 3)),
    );
    expect(errorCode(fewer)).toBe('model/tensor-unknown');
  });
  it('a shard that is cut, and one that is missing', async () => {
    const cut = await plan(
      join(RUGBY, 'lora'),
      copyOfBase((path) => truncateSync(join(path, 'model.safetensors'), 6_000_000)),
    );
    expect(errorCode(cut)).toBe('safetensors/truncated');
    const from = join(makeModel('llama3', fresh()), 'base');
    rmSync(join(from, 'model-00002-of-00003.safetensors'));
    const missing = await plan(join(RUGBY, 'lora'), from);
    expect([errorCode(missing), (missing.json['error'] as { message: string }).message]).toEqual([
      'model/incomplete',
      expect.stringContaining('model-00002-of-00003') as string,
    ]);
  });
});

describe('pieces that change on the way to a GGUF', () => {
  it.each([
    ['that differs from the embedding is written', 2, true],
    ['that is a copy of it is not', 1, false],
  ])('a head that is stored although the embeddings are tied and %s', async (_what, factor, written) => {
    const from = copyOfBase((path) => {
      const all = Object.fromEntries(
        [...base].map(([name, { shape, values }]) => [name, { shape, values, dtype: 'BF16' as const }]),
      );
      const { shape, values } = base.get('model.embed_tokens.weight')!;
      const head = { shape, values: values.map((value) => value * factor), dtype: 'BF16' as const };
      writeTensors(join(path, 'model.safetensors'), { ...all, 'lm_head.weight': head });
    });
    const run = await plan(join(RUGBY, 'lora'), from);
    expect(JSON.stringify(run.json['tensors']).includes('"output.weight"')).toBe(written);
  });
  it('rows that do not divide into blocks are told in the plan', async () => {
    const from = join(makeModel('qwen2-narrow', fresh()), 'base');
    const run = await runCli(['plan', '--base', from, '--type', 'Q4_K_M', '--out', join(folder, 'x.gguf'), '--json']);
    expect(JSON.stringify(run.json['warnings'])).toContain('quantize/fallback');
  });
  it('there is one rounding: BF16 of base + delta is the nearest to the f32 sum', async () => {
    const adapter = writePeft(fresh(), {}, pair(Q0, 256, 256));
    const [wide, narrow] = [join(fresh(), 'w'), join(fresh(), 'n')];
    await runCliOk(['fuse', '--base', BASE, '--adapter', adapter, '--out', wide, '--dtype', 'F32']);
    await runCliOk(['fuse', '--base', BASE, '--adapter', adapter, '--out', narrow]);
    const f32 = readTensors(wide).get(`${Q0}.weight`)!.values;
    const bf16 = readTensors(narrow).get(`${Q0}.weight`)!.values;
    for (const [i, value] of f32.entries()) {
      // Half a unit of a 16-bit float with eight bits of precision.
      expect(Math.abs(bf16[i]! - value)).toBeLessThanOrEqual(2 ** (Math.floor(Math.log2(Math.abs(value))) - 8));
    }
  });
});
