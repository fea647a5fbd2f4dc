import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adapterScales } from '../../src/core/engine/adapterScales';
import { llama } from '../../src/core/engine/architectures/llama';
import { qwen2 } from '../../src/core/engine/architectures/qwen2';
import { appliedDeltas, shapedTarget, writeAdapterGguf } from '../support/adapterGguf';
import { describeGguf } from '../support/describeGguf';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { readTensors, writePeft, writeTensors, type PlainTensor, type TensorToWrite } from '../support/tensors';
import { mkdirSync, writeFileSync } from 'node:fs';

const work = temporaryFolder();

/** Factors of a module, PEFT's way round, with values that no type rounds. */
function factors(module: string, rank: number, into: number, out: number, seed: number): Record<string, TensorToWrite> {
  const random = new Random(seed);
  const values = (count: number): number[] =>
    Array.from({ length: count }, () => Math.round((random.next() - 0.5) * 64) / 64);
  return {
    [`base_model.model.${module}.lora_A.weight`]: { shape: [rank, into], values: values(rank * into) },
    [`base_model.model.${module}.lora_B.weight`]: { shape: [out, rank], values: values(out * rank) },
  };
}

/** scale * B @ A in doubles. */
function product(a: PlainTensor, b: PlainTensor, scale: number): Float64Array {
  const [rank, columns, rows] = [a.shape[0]!, a.shape[1]!, b.shape[0]!];
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) {
        sum += b.values[i * rank + k]! * a.values[k * columns + j]!;
      }
      out[i * columns + j] = scale * sum;
    }
  }
  return out;
}

/** Row r of [heads, 2, half] in the place that [heads, half, 2] gives it: reshape, swap the two inner axes, reshape. */
function permuted(values: Float64Array, columns: number, heads: number): Float64Array {
  const rows = values.length / columns;
  const half = rows / heads / 2;
  const out = new Float64Array(values.length);
  let target = 0;
  for (let head = 0; head < heads; head++) {
    for (let pair = 0; pair < half; pair++) {
      for (let part = 0; part < 2; part++) {
        const source = (head * 2 + part) * half + pair;
        out.set(values.subarray(source * columns, (source + 1) * columns), target++ * columns);
      }
    }
  }
  return out;
}

function worst(found: Float64Array, wanted: Float64Array): number {
  expect(found.length).toBe(wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return found.reduce((most, value, index) => Math.max(most, Math.abs(value - wanted[index]!)), 0) / size;
}

const Q0 = 'model.layers.0.self_attn.q_proj';
const V0 = 'model.layers.0.self_attn.v_proj';
const D1 = 'model.layers.1.mlp.down_proj';

interface Case {
  readonly name: string;
  readonly config: Record<string, unknown>;
  /** Rank of q, v and down. */
  readonly ranks: readonly [number, number, number];
  readonly scales: readonly [number, number, number];
  readonly weight?: number;
  readonly alpha: number;
}

const CASES: readonly Case[] = [
  { name: 'plain', config: { r: 4, lora_alpha: 8 }, ranks: [4, 4, 4], scales: [2, 2, 2], alpha: 8 },
  {
    name: 'alpha that is no whole number',
    config: { r: 4, lora_alpha: 6.5 },
    ranks: [4, 4, 4],
    scales: [1.625, 1.625, 1.625],
    alpha: 6.5,
  },
  {
    name: 'rsLoRA',
    config: { r: 8, lora_alpha: 16, use_rslora: true },
    ranks: [8, 8, 8],
    scales: [16 / Math.sqrt(8), 16 / Math.sqrt(8), 16 / Math.sqrt(8)],
    alpha: 16 * Math.sqrt(8),
  },
  {
    name: 'rank pattern',
    config: { r: 4, lora_alpha: 8, rank_pattern: { down_proj: 2 } },
    ranks: [4, 4, 2],
    scales: [2, 2, 4],
    alpha: 8,
  },
  {
    name: 'alpha pattern',
    config: { r: 4, lora_alpha: 8, alpha_pattern: { down_proj: 3 } },
    ranks: [4, 4, 4],
    scales: [2, 2, 0.75],
    alpha: 8,
  },
  {
    name: 'rank and alpha pattern with rsLoRA',
    config: { r: 4, lora_alpha: 8, use_rslora: true, rank_pattern: { down_proj: 16 }, alpha_pattern: { down_proj: 5 } },
    ranks: [4, 4, 16],
    scales: [4, 4, 1.25],
    alpha: 16,
  },
  {
    name: 'a weight',
    config: { r: 4, lora_alpha: 8 },
    ranks: [4, 4, 4],
    scales: [1.4, 1.4, 1.4],
    weight: 0.7,
    alpha: 5.6,
  },
  {
    name: 'a negative weight',
    config: { r: 4, lora_alpha: 8 },
    ranks: [4, 4, 4],
    scales: [-1, -1, -1],
    weight: -0.5,
    alpha: -4,
  },
  {
    name: 'alpha 0 for one module',
    config: { r: 4, lora_alpha: 8, alpha_pattern: { down_proj: 0 } },
    ranks: [4, 4, 4],
    scales: [2, 2, 0],
    alpha: 8,
  },
  { name: 'alpha 0 throughout', config: { r: 4, lora_alpha: 0 }, ranks: [4, 4, 4], scales: [0, 0, 0], alpha: 1 },
];

describe('what llama.cpp applies is what was trained, to the precision of f32', () => {
  test.each(CASES)('$name', async ({ name, config, ranks, scales, weight = 1, alpha }) => {
    const folder = writePeft(
      join(work, name.replace(/\W/g, '-')),
      { ...config, target_modules: ['q_proj', 'v_proj', 'down_proj'] },
      {
        ...factors(Q0, ranks[0], 32, 64, 1),
        ...factors(V0, ranks[1], 32, 32, 2),
        ...factors(D1, ranks[2], 48, 32, 3),
      },
    );
    const output = join(folder, 'out.gguf');
    const report = await writeAdapterGguf({
      adapter: { path: folder, weight },
      base: shapedTarget(llama),
      type: 'F32',
      output,
    });
    expect(report.alpha).toBe(Math.fround(alpha));
    const source = readTensors(folder);
    const deltas = appliedDeltas(output);
    expect([...deltas.keys()].sort()).toEqual(['blk.0.attn_q.weight', 'blk.0.attn_v.weight', 'blk.1.ffn_down.weight']);
    const wanted = [
      [Q0, 'blk.0.attn_q.weight'],
      [V0, 'blk.0.attn_v.weight'],
      [D1, 'blk.1.ffn_down.weight'],
    ] as const;
    for (const [index, [module, tensor]] of wanted.entries()) {
      const plain = product(
        source.get(`base_model.model.${module}.lora_A.weight`)!,
        source.get(`base_model.model.${module}.lora_B.weight`)!,
        scales[index]!,
      );
      const expected = tensor.includes('attn_q') ? permuted(plain, 32, 4) : plain;
      if (scales[index] === 0) {
        expect(deltas.get(tensor)!.values.every((value) => value === 0)).toBe(true);
      } else {
        expect(worst(deltas.get(tensor)!.values, expected)).toBeLessThan(3e-7);
      }
    }
  });

  test('mlx: its scale as it is, its factors the other way round', async () => {
    const random = new Random(7);
    const values = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.next() - 0.5);
    const folder = join(work, 'mlx');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'adapter_config.json'),
      JSON.stringify({
        fine_tune_type: 'lora',
        lora_parameters: { rank: 4, scale: 20, dropout: 0 },
        model: 'base',
        num_layers: -1,
      }),
    );
    writeTensors(join(folder, 'adapters.safetensors'), {
      'model.layers.0.self_attn.q_proj.lora_a': { shape: [32, 4], values: values(128) },
      'model.layers.0.self_attn.q_proj.lora_b': { shape: [4, 64], values: values(256) },
    });
    const output = join(folder, 'out.gguf');
    const report = await writeAdapterGguf({
      adapter: { path: folder, weight: 1 },
      base: shapedTarget(llama),
      type: 'F32',
      output,
    });
    expect(report.alpha).toBe(80);
    const [a, b] = ['lora_a', 'lora_b'].map((name) =>
      readTensors(folder).get(`model.layers.0.self_attn.q_proj.${name}`)!,
    ) as [PlainTensor, PlainTensor];
    const turned = ({ shape, values: from }: PlainTensor): PlainTensor => ({
      dtype: 'F32',
      bytes: new Uint8Array(),
      shape: [shape[1]!, shape[0]!],
      values: Float64Array.from(
        from,
        (_, index) => from[(index % shape[0]!) * shape[1]! + Math.floor(index / shape[0]!)]!,
      ),
    });
    expect(
      worst(
        appliedDeltas(output).get('blk.0.attn_q.weight')!.values,
        permuted(product(turned(a), turned(b), 20), 32, 4),
      ),
    ).toBeLessThan(3e-7);
  });

  test('an embedding of a model with its own head: A is looked up by row', async () => {
    const random = new Random(9);
    const values = (count: number): number[] => Array.from({ length: count }, () => random.next() - 0.5);
    const module = 'base_model.model.model.embed_tokens';
    const folder = writePeft(
      join(work, 'embedding'),
      { target_modules: ['embed_tokens'] },
      {
        [`${module}.lora_embedding_A`]: { shape: [4, 100], values: values(400) },
        [`${module}.lora_embedding_B`]: { shape: [32, 4], values: values(128) },
      },
    );
    const output = join(folder, 'out.gguf');
    await writeAdapterGguf({ adapter: { path: folder, weight: 1 }, base: shapedTarget(qwen2), type: 'F32', output });
    expect(describeGguf(output).tensors.map(({ name, shape }) => [name, shape])).toEqual([
      ['token_embd.weight.lora_a', [4, 100]],
      ['token_embd.weight.lora_b', [4, 32]],
    ]);
    const source = readTensors(folder);
    const [a, b] = [source.get(`${module}.lora_embedding_A`)!, source.get(`${module}.lora_embedding_B`)!];
    const delta = product(a, b, 2);
    const byToken = Float64Array.from(delta, (_, index) => delta[(index % 32) * 100 + Math.floor(index / 32)]!);
    expect(worst(appliedDeltas(output).get('token_embd.weight')!.values, byToken)).toBeLessThan(3e-7);
  });
});

describe('one alpha for a file', () => {
  test("is the one that most modules ask for, and the others' B takes the rest", () => {
    const { alpha, modules, folded } = adapterScales([
      { module: 'a', rank: 8, scale: 2 },
      { module: 'b', rank: 16, scale: 1 },
      { module: 'c', rank: 4, scale: 1 },
    ]);
    expect(alpha).toBe(16);
    expect(modules.map(({ factor }) => factor)).toEqual([1, 1, 0.25]);
    expect(folded).toBe(1);
  });

  test('never is 0, which llama.cpp takes for no scale at all', () => {
    expect(adapterScales([{ module: 'a', rank: 8, scale: 0 }])).toMatchObject({ alpha: 1, modules: [{ factor: 0 }] });
    expect(adapterScales([{ module: 'a', rank: 8, scale: 1e-50 }]).alpha).toBe(1);
    expect(adapterScales([])).toMatchObject({ alpha: 1, modules: [] });
  });
});

test('a GGUF of the base tells as much as its folder', async () => {
  const folder = makeModel('llama3', work);
  const { runCliOk } = await import('../support/cli');
  const gguf = join(work, 'llama3.gguf');
  await runCliOk(['convert', '--base', join(folder, 'base'), '--type', 'F16', '--out', gguf]);
  const outputs = [join(work, 'from-folder.gguf'), join(work, 'from-gguf.gguf')] as const;
  await writeAdapterGguf({
    adapter: { path: join(folder, 'lora'), weight: 1 },
    base: join(folder, 'base'),
    type: 'F16',
    output: outputs[0],
  });
  await writeAdapterGguf({
    adapter: { path: join(folder, 'lora'), weight: 1 },
    base: gguf,
    type: 'F16',
    output: outputs[1],
  });
  expect(describeGguf(outputs[1]).fileSha256).toBe(describeGguf(outputs[0]).fileSha256);
});
