import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli, runCliOk } from '../support/cli';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { addLowRank, errorInRoundings, referenceOf } from '../support/reference';
import { errorCode } from '../support/startCli';
import { type PlainTensors, readTensors, type TensorToWrite, writePeft, writeTensors } from '../support/tensors';

const folder = temporaryFolder();
const random = new Random(77);
const EXPERTS = 4;
const HIDDEN = 256;
const ROUNDINGS = 8;

/** Two MoE models, one whose experts are square and one whose are not, under the names of Qwen and of Mixtral. */
const models: Record<string, { base: string; weights: PlainTensors; width: number }> = {};

beforeAll(() => {
  for (const spec of ['qwen3moe', 'mixtral']) {
    const base = join(makeModel(spec, folder), 'base');
    const weights = readTensors(base);
    const gate = weights.get(nameOf(spec, 0, 'gate_proj'))!;
    models[spec] = { base, weights, width: gate.shape[0]! };
  }
});

function nameOf(spec: string, expert: number, projection: 'gate_proj' | 'up_proj' | 'down_proj'): string {
  return spec === 'mixtral'
    ? `model.layers.1.block_sparse_moe.experts.${expert}.${{ gate_proj: 'w1', down_proj: 'w2', up_proj: 'w3' }[projection]}.weight`
    : `model.layers.1.mlp.experts.${expert}.${projection}.weight`;
}

function noise(shape: readonly number[]): TensorToWrite & { readonly values: Float32Array } {
  return {
    shape,
    values: Float32Array.from(
      { length: shape.reduce((product, n) => product * n, 1) },
      () => (random.next() - 0.5) * 0.1,
    ),
  };
}

function fresh(): string {
  return mkdtempSync(join(folder, 'case-'));
}

async function fuse(base: string, adapter: string): Promise<PlainTensors> {
  const out = join(fresh(), 'merged');
  await runCliOk(['fuse', '--base', base, '--adapter', adapter, '--out', out, '--dtype', 'F32']);
  return readTensors(out);
}

type Delta = (expert: number, row: number, k: number) => number;

/** Holds every expert's weight against base + 2 * left @ right in f64. */
function expectMerged(
  spec: string,
  ours: PlainTensors,
  projection: 'gate_proj' | 'up_proj' | 'down_proj',
  rank: number,
  left: Delta,
  right: Delta,
  scale = 2,
): void {
  const { weights } = models[spec]!;
  for (let expert = 0; expert < EXPERTS; expert++) {
    const name = nameOf(spec, expert, projection);
    const wanted = addLowRank(
      referenceOf(weights.get(name)!),
      rank,
      scale,
      (i, k) => left(expert, i, k),
      (k, j) => right(expert, k, j),
    );
    expect(errorInRoundings(ours.get(name)!.values, wanted), name).toBeLessThan(ROUNDINGS);
  }
}

const PREFIX = 'base_model.model.model.layers.1.mlp.experts';

/** What a pattern names, of the two parameters: PEFT's own form for all linear layers, and those that people write. */
const PATTERNS: readonly (readonly [
  string,
  object,
  { gateUp: [rank: number, scale: number]; down: [number, number] },
])[] = [
  [
    'as PEFT writes gate_proj and up_proj',
    { rank_pattern: { '.*\\.gate_up_proj': 6 }, alpha_pattern: { '.*\\.gate_up_proj': 12 } },
    { gateUp: [6, 2], down: [3, 2] },
  ],
  ['alpha of one parameter', { alpha_pattern: { 'experts.down_proj': 24 } }, { gateUp: [3, 2], down: [3, 8] }],
  [
    'rank of one layer and parameter, rsLoRA',
    { use_rslora: true, rank_pattern: { 'layers\\.1\\.mlp\\.experts\\.gate_up_proj': 4, gate_up_proj: 7 } },
    { gateUp: [4, 3], down: [3, 6 / Math.sqrt(3)] },
  ],
  ['of other modules alone', { rank_pattern: { q_proj: 5, experts: 9 } }, { gateUp: [3, 2], down: [3, 2] }],
];

describe.each(['qwen3moe', 'mixtral'])('rank and alpha patterns on experts of %s', (spec) => {
  it.each(PATTERNS)('%s', async (_name, patterns, { gateUp, down }) => {
    const { base, width } = models[spec]!;
    const [gateUpRank, gateUpScale] = gateUp;
    const [downRank, downScale] = down;
    const factors = {
      gateUp: { a: noise([EXPERTS * gateUpRank, HIDDEN]), b: noise([2 * width, gateUpRank * EXPERTS]) },
      down: { a: noise([EXPERTS * downRank, width]), b: noise([HIDDEN, downRank * EXPERTS]) },
    };
    const adapter = writePeft(
      fresh(),
      {
        r: 3,
        lora_alpha: 6,
        peft_version: '0.21.2',
        target_modules: ['q_proj'],
        target_parameters: ['gate_up_proj', 'down_proj'],
        ...patterns,
      },
      {
        [`${PREFIX}.base_layer.lora_A.weight`]: factors.gateUp.a,
        [`${PREFIX}.base_layer.lora_B.weight`]: factors.gateUp.b,
        [`${PREFIX}.lora_A.weight`]: factors.down.a,
        [`${PREFIX}.lora_B.weight`]: factors.down.b,
      },
    );
    const ours = await fuse(base, adapter);
    for (const [projection, first, rank, scale, { a, b }, columns] of [
      ['gate_proj', 0, gateUpRank, gateUpScale, factors.gateUp, HIDDEN],
      ['up_proj', width, gateUpRank, gateUpScale, factors.gateUp, HIDDEN],
      ['down_proj', 0, downRank, downScale, factors.down, width],
    ] as const) {
      expectMerged(
        spec,
        ours,
        projection,
        rank,
        (expert, row, k) => b.values[(first + row) * rank * EXPERTS + k * EXPERTS + expert]!,
        (expert, k, column) => a.values[(expert * rank + k) * columns + column]!,
        scale,
      );
    }
  });

  it('the router as a parameter: its patterns name the weight', async () => {
    const { base, weights } = models[spec]!;
    const module = `model.layers.1.${spec === 'mixtral' ? 'block_sparse_moe' : 'mlp'}.gate`;
    const [a, b] = [noise([5, HIDDEN]), noise([EXPERTS, 5])];
    const prefix = 'base_model.model.model.layers.1.mlp.gate';
    const adapter = writePeft(
      fresh(),
      {
        r: 3,
        lora_alpha: 6,
        target_parameters: ['gate.weight'],
        rank_pattern: { 'gate.weight': 5 },
        alpha_pattern: { 'mlp.gate': 99 },
      },
      { [`${prefix}.lora_A.weight`]: a, [`${prefix}.lora_B.weight`]: b },
    );
    const ours = await fuse(base, adapter);
    const wanted = addLowRank(
      referenceOf(weights.get(`${module}.weight`)!),
      5,
      6 / 5,
      (i, k) => b.values[i * 5 + k]!,
      (k, j) => a.values[k * HIDDEN + j]!,
    );
    expect(errorInRoundings(ours.get(`${module}.weight`)!.values, wanted)).toBeLessThan(ROUNDINGS);
  });
});

describe.each(['qwen3moe', 'mixtral'])('target_parameters on %s', (spec) => {
  const rank = 3;

  it.each([
    ['0.19.0', false],
    ['0.18.1', true],
  ] as const)('gate_up_proj and down_proj, PEFT %s', async (version, transposed) => {
    const { base, width } = models[spec]!;
    const gateUp = transposed
      ? { a: noise([EXPERTS * rank, 2 * width]), b: noise([HIDDEN, rank * EXPERTS]) }
      : { a: noise([EXPERTS * rank, HIDDEN]), b: noise([2 * width, rank * EXPERTS]) };
    const down = transposed
      ? { a: noise([EXPERTS * rank, HIDDEN]), b: noise([width, rank * EXPERTS]) }
      : { a: noise([EXPERTS * rank, width]), b: noise([HIDDEN, rank * EXPERTS]) };
    const adapter = writePeft(
      fresh(),
      {
        r: rank,
        lora_alpha: 2 * rank,
        peft_version: version,
        target_modules: [],
        target_parameters: ['mlp.experts.gate_up_proj', 'mlp.experts.down_proj'],
      },
      {
        [`${PREFIX}.base_layer.lora_A.weight`]: gateUp.a,
        [`${PREFIX}.base_layer.lora_B.weight`]: gateUp.b,
        [`${PREFIX}.lora_A.weight`]: down.a,
        [`${PREFIX}.lora_B.weight`]: down.b,
      },
    );
    const ours = await fuse(base, adapter);
    // A holds the experts one after the other, B has them in turn.
    const fromA =
      (factor: typeof gateUp, columns: number) =>
      (expert: number, k: number, column: number): number =>
        factor.a.values[(expert * rank + k) * columns + column]!;
    const fromB =
      (factor: typeof gateUp) =>
      (expert: number, row: number, k: number): number =>
        factor.b.values[row * rank * EXPERTS + k * EXPERTS + expert]!;
    for (const [projection, first] of [
      ['gate_proj', 0],
      ['up_proj', width],
    ] as const) {
      if (transposed) {
        expectMerged(
          spec,
          ours,
          projection,
          rank,
          (e, i, k) => fromA(gateUp, 2 * width)(e, k, first + i),
          (e, k, j) => fromB(gateUp)(e, j, k),
        );
      } else {
        expectMerged(spec, ours, projection, rank, (e, i, k) => fromB(gateUp)(e, first + i, k), fromA(gateUp, HIDDEN));
      }
    }
    if (transposed) {
      expectMerged(
        spec,
        ours,
        'down_proj',
        rank,
        (e, i, k) => fromA(down, HIDDEN)(e, k, i),
        (e, k, j) => fromB(down)(e, j, k),
      );
    } else {
      expectMerged(spec, ours, 'down_proj', rank, (e, i, k) => fromB(down)(e, i, k), fromA(down, width));
    }
  });

  it('only one of the two: its shape tells which', async () => {
    const { base, width } = models[spec]!;
    const a = noise([EXPERTS * rank, HIDDEN]);
    const b = noise([2 * width, rank * EXPERTS]);
    const adapter = writePeft(
      fresh(),
      { r: rank, lora_alpha: 2 * rank, target_parameters: ['mlp.experts.gate_up_proj'] },
      { [`${PREFIX}.lora_A.weight`]: a, [`${PREFIX}.lora_B.weight`]: b },
    );
    const ours = await fuse(base, adapter);
    expectMerged(
      spec,
      ours,
      'up_proj',
      rank,
      (e, i, k) => b.values[(width + i) * rank * EXPERTS + k * EXPERTS + e]!,
      (e, k, j) => a.values[(e * rank + k) * HIDDEN + j]!,
    );
    for (let expert = 0; expert < EXPERTS; expert++) {
      const name = nameOf(spec, expert, 'down_proj');
      expect(ours.get(name)!.values).toEqual(models[spec]!.weights.get(name)!.values);
    }
  });

  it('rank and alpha by patterns on the parameters, as transformers 5 writes them for gate and up in one', async () => {
    const { base, width } = models[spec]!;
    const [wide, narrow] = [6, 3];
    const gateUp = { a: noise([EXPERTS * wide, HIDDEN]), b: noise([2 * width, wide * EXPERTS]) };
    const down = { a: noise([EXPERTS * narrow, width]), b: noise([HIDDEN, narrow * EXPERTS]) };
    const adapter = writePeft(
      fresh(),
      {
        r: narrow,
        lora_alpha: 99,
        peft_version: '0.21.0',
        target_modules: [],
        target_parameters: ['gate_up_proj', 'down_proj'],
        rank_pattern: { '.*\\.gate_up_proj': wide },
        alpha_pattern: { '.*\\.gate_up_proj': 2 * wide, 'experts.down_proj': 2 * narrow },
      },
      {
        [`${PREFIX}.base_layer.lora_A.weight`]: gateUp.a,
        [`${PREFIX}.base_layer.lora_B.weight`]: gateUp.b,
        [`${PREFIX}.lora_A.weight`]: down.a,
        [`${PREFIX}.lora_B.weight`]: down.b,
      },
    );
    const ours = await fuse(base, adapter);
    for (const [projection, first] of [
      ['gate_proj', 0],
      ['up_proj', width],
    ] as const) {
      expectMerged(
        spec,
        ours,
        projection,
        wide,
        (e, i, k) => gateUp.b.values[(first + i) * wide * EXPERTS + k * EXPERTS + e]!,
        (e, k, j) => gateUp.a.values[(e * wide + k) * HIDDEN + j]!,
      );
    }
    expectMerged(
      spec,
      ours,
      'down_proj',
      narrow,
      (e, i, k) => down.b.values[i * narrow * EXPERTS + k * EXPERTS + e]!,
      (e, k, j) => down.a.values[(e * narrow + k) * width + j]!,
    );
  });

  it('mlx: factors of all experts in one', async () => {
    const { base, width } = models[spec]!;
    const module = spec === 'mixtral' ? 'block_sparse_moe' : 'mlp';
    const a = noise([EXPERTS, rank, HIDDEN]);
    const b = noise([EXPERTS, width, rank]);
    const adapter = fresh();
    writeFileSync(
      join(adapter, 'adapter_config.json'),
      JSON.stringify({ fine_tune_type: 'lora', lora_parameters: { rank, scale: 2, dropout: 0 } }),
    );
    writeTensors(join(adapter, 'adapters.safetensors'), {
      [`model.layers.1.${module}.switch_mlp.up_proj.lora_a`]: a,
      [`model.layers.1.${module}.switch_mlp.up_proj.lora_b`]: b,
    });
    const ours = await fuse(base, adapter);
    expectMerged(
      spec,
      ours,
      'up_proj',
      rank,
      (e, i, k) => b.values[(e * width + i) * rank + k]!,
      (e, k, j) => a.values[(e * rank + k) * HIDDEN + j]!,
    );
  });
});

describe('what cannot be told apart or does not fit', () => {
  const rank = 2;

  async function refusal(config: Record<string, unknown>, a: readonly number[], b: readonly number[]): Promise<string> {
    const adapter = writePeft(
      fresh(),
      { r: rank, lora_alpha: 4, ...config },
      { [`${PREFIX}.lora_A.weight`]: noise(a), [`${PREFIX}.lora_B.weight`]: noise(b) },
    );
    const run = await runCli([
      'build',
      '--base',
      models['qwen3moe']!.base,
      '--adapter',
      adapter,
      '--type',
      'F32',
      '--out',
      join(fresh(), 'x.gguf'),
      '--json',
    ]);
    expect(run.code).toBe(1);
    return errorCode(run);
  }

  it('square experts without a version', async () => {
    const { width } = models['qwen3moe']!;
    expect(width, 'this test needs a square down_proj').toBe(HIDDEN);
    const square = [EXPERTS * rank, HIDDEN];
    expect(await refusal({ target_parameters: ['mlp.experts.down_proj'] }, square, [HIDDEN, rank * EXPERTS])).toBe(
      'adapter/unsupported',
    );
  });

  it('other widths, other numbers of experts', async () => {
    expect(await refusal({}, [EXPERTS * rank, 128], [512, rank * EXPERTS])).toBe('adapter/base-mismatch');
    expect(await refusal({}, [8 * rank, HIDDEN], [512, rank * 8])).toBe('adapter/base-mismatch');
  });
});

describe('a base as mlx stores it', () => {
  it('with its experts as one tensor converts to the same file', async () => {
    const { base, weights } = models['qwen3moe']!;
    const stacked = fresh();
    cpSync(base, stacked, { recursive: true });
    rmSync(join(stacked, 'model.safetensors'));
    const tensors: Record<string, { shape: readonly number[]; dtype: string; bytes: Uint8Array }> = {};
    for (const [name, tensor] of weights) {
      const expert = /^(.*\.mlp)\.experts\.(\d+)\.(\w+\.weight)$/.exec(name);
      if (expert === null) {
        tensors[name] = tensor;
      } else if (expert[2] === '0') {
        const all = Array.from({ length: EXPERTS }, (_, index) =>
          weights.get(name.replace('.experts.0.', `.experts.${index}.`))!,
        );
        tensors[`${expert[1]!}.switch_mlp.${expert[3]!}`] = {
          dtype: tensor.dtype,
          shape: [EXPERTS, ...tensor.shape],
          bytes: Buffer.concat(all.map(({ bytes }) => bytes)),
        };
      }
    }
    writeTensors(join(stacked, 'model.safetensors'), tensors, { format: 'mlx' });
    const outputs = [];
    for (const from of [base, stacked]) {
      const out = join(fresh(), 'merged');
      const adapter = writePeft(
        fresh(),
        {},
        {
          'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': {
            shape: [4, HIDDEN],
            values: new Float32Array(4 * HIDDEN),
          },
          'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': {
            shape: [256, 4],
            values: new Float32Array(1024),
          },
        },
      );
      await runCliOk(['fuse', '--base', from, '--adapter', adapter, '--out', out]);
      outputs.push(readTensors(out));
    }
    expect([...outputs[1]!.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [name, { bytes }] of outputs[0]!) {
      expect(Buffer.from(outputs[1]!.get(name)!.bytes).equals(bytes), name).toBe(true);
    }
  });
});
