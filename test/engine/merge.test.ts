import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli, runCliOk } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { addLora, addLowRank, errorInRoundings, referenceOf, toMagnitudes, type Reference } from '../support/reference';
import { errorCode } from '../support/startCli';
import {
  readTensors,
  writePeft,
  writeTensors,
  type PlainTensor,
  type PlainTensors,
  type TensorToWrite,
} from '../support/tensors';

const folder = temporaryFolder();
const Q0 = 'model.layers.0.self_attn.q_proj';
const EMBED = 'model.embed_tokens';
const random = new Random(20);

let base: string;
let weights: PlainTensors;

beforeAll(() => {
  // Qwen2: tied embeddings, biases on q, k and v.
  base = join(makeModel('qwen2', folder), 'base');
  weights = readTensors(base);
});

function noise(
  shape: readonly number[],
  size = 0.05,
): TensorToWrite & { shape: readonly number[]; values: Float32Array } {
  return {
    shape,
    values: Float32Array.from(
      { length: shape.reduce((product, n) => product * n, 1) },
      () => (random.next() - 0.5) * 2 * size,
    ),
  };
}

function plain(tensor: TensorToWrite): PlainTensor {
  return {
    dtype: 'F32',
    shape: tensor.shape,
    values: Float64Array.from(Float32Array.from(tensor.values)),
    bytes: new Uint8Array(0),
  };
}

function fresh(): string {
  return mkdtempSync(join(folder, 'case-'));
}

/** A LoRA on the first q_proj. */
function lora(
  rank: number,
  config: Record<string, unknown> = {},
): { path: string; a: TensorToWrite; b: TensorToWrite; scale: number } {
  const a = noise([rank, 256]);
  const b = noise([256, rank]);
  const path = writePeft(
    fresh(),
    { r: rank, lora_alpha: 2 * rank, ...config },
    { [`base_model.model.${Q0}.lora_A.weight`]: a, [`base_model.model.${Q0}.lora_B.weight`]: b },
  );
  return { path, a, b, scale: 2 };
}

async function fuse(
  adapters: readonly string[],
  options: { from?: string; dtype?: string } = {},
): Promise<PlainTensors> {
  const out = join(fresh(), 'merged');
  await runCliOk([
    'fuse',
    '--base',
    options.from ?? base,
    ...adapters.flatMap((adapter) => ['--adapter', adapter]),
    '--out',
    out,
    ...(options.dtype === undefined ? [] : ['--dtype', options.dtype]),
  ]);
  return readTensors(out);
}

async function refusal(adapters: readonly string[], from = base): Promise<{ code: string; message: string }> {
  const run = await runCli([
    'build',
    '--base',
    from,
    ...adapters.flatMap((adapter) => ['--adapter', adapter]),
    '--type',
    'F32',
    '--out',
    join(fresh(), 'out.gguf'),
    '--json',
  ]);
  expect(run.code, run.stdout).toBe(1);
  return { code: errorCode(run), message: (run.json['error'] as { message: string }).message };
}

/** f32 sums a handful of terms: some roundings of the operands, no more. */
const ROUNDINGS = 8;

describe('low-rank deltas against f64', () => {
  it.each([1, 2, 3, 5, 8, 16, 33, 64])('rank %i', async (rank) => {
    const { path, a, b, scale } = lora(rank);
    const ours = await fuse([path], { dtype: 'F32' });
    const wanted = addLora(referenceOf(weights.get(`${Q0}.weight`)!), plain(a), plain(b), scale);
    expect(errorInRoundings(ours.get(`${Q0}.weight`)!.values, wanted)).toBeLessThan(ROUNDINGS);
  });

  it("several adapters with weights add up, in any order and over each other's ranks", async () => {
    const adapters = [lora(4), lora(8), lora(1)];
    const factors = [1, 0.25, -1.5];
    const named = adapters.map(({ path }, i) => `${path}=${factors[i]!}`);
    let wanted: Reference = referenceOf(weights.get(`${Q0}.weight`)!);
    adapters.forEach(({ a, b, scale }, i) => (wanted = addLora(wanted, plain(a), plain(b), scale * factors[i]!)));
    for (const order of [named, [...named].reverse()]) {
      const ours = await fuse(order, { dtype: 'F32' });
      expect(errorInRoundings(ours.get(`${Q0}.weight`)!.values, wanted)).toBeLessThan(ROUNDINGS);
    }
  });

  it('the same adapter with 1 and -1 gives the base back, within rounding', async () => {
    const { path, a, b } = lora(8);
    const ours = await fuse([path, `${path}=-1`], { dtype: 'F32' });
    const terms = addLora(
      addLora(referenceOf(weights.get(`${Q0}.weight`)!), plain(a), plain(b), 2),
      plain(a),
      plain(b),
      -2,
    );
    expect(errorInRoundings(ours.get(`${Q0}.weight`)!.values, terms)).toBeLessThan(ROUNDINGS);
  });

  it('a weight of 0 changes nothing at all', async () => {
    const ours = await fuse([`${lora(8).path}=0`]);
    expect(Buffer.from(ours.get(`${Q0}.weight`)!.bytes).equals(weights.get(`${Q0}.weight`)!.bytes)).toBe(true);
  });

  it('DoRA, alone and beside a LoRA with a weight', async () => {
    const { a, b } = lora(4);
    const m = { shape: [256], values: Float32Array.from({ length: 256 }, () => 0.5 + random.next()) };
    const path = writePeft(
      fresh(),
      { r: 4, lora_alpha: 8, use_dora: true },
      {
        [`base_model.model.${Q0}.lora_A.weight`]: a,
        [`base_model.model.${Q0}.lora_B.weight`]: b,
        [`base_model.model.${Q0}.lora_magnitude_vector`]: m,
      },
    );
    const start = referenceOf(weights.get(`${Q0}.weight`)!);
    const dora = toMagnitudes(addLora(start, plain(a), plain(b), 2), m.values);
    const alone = await fuse([path], { dtype: 'F32' });
    expect(errorInRoundings(alone.get(`${Q0}.weight`)!.values, dora)).toBeLessThan(ROUNDINGS);
    const other = lora(8);
    // base + 0.5 * (dora - base) + 0.25 * delta
    const mixed = addLora(start, plain(other.a), plain(other.b), 2 * 0.25);
    mixed.values.forEach((_, i) => {
      mixed.values[i]! += 0.5 * (dora.values[i]! - start.values[i]!);
      mixed.magnitudes[i]! += 0.5 * (dora.magnitudes[i]! + start.magnitudes[i]!);
    });
    const ours = await fuse([`${path}=0.5`, `${other.path}=0.25`], { dtype: 'F32' });
    expect(errorInRoundings(ours.get(`${Q0}.weight`)!.values, mixed)).toBeLessThan(ROUNDINGS);
  });

  it('fan_in_fan_out: a base stored [in, out] takes the delta transposed', async () => {
    // k_proj is [128, 256]; stored the other way round it is [256, 128].
    const K0 = 'model.layers.0.self_attn.k_proj';
    const from = fresh();
    cpSync(base, from, { recursive: true });
    const turned: Record<string, TensorToWrite> = {};
    for (const [name, { shape, values }] of weights) {
      const swap = name === `${K0}.weight`;
      turned[name] = {
        shape: swap ? [256, 128] : shape,
        dtype: 'BF16',
        values: swap ? values.map((_, i) => values[(i % 128) * 256 + Math.floor(i / 128)]!) : values,
      };
    }
    writeTensors(join(from, 'model.safetensors'), turned);
    const a = noise([4, 256]);
    const b = noise([128, 4]);
    const tensors = { [`base_model.model.${K0}.lora_A.weight`]: a, [`base_model.model.${K0}.lora_B.weight`]: b };
    const ours = await fuse([writePeft(fresh(), { fan_in_fan_out: true }, tensors)], { from, dtype: 'F32' });
    const straight = addLora(referenceOf(weights.get(`${K0}.weight`)!), plain(a), plain(b), 2);
    const back = ours.get(`${K0}.weight`)!.values.map((_, i, all) => all[(i % 256) * 128 + Math.floor(i / 256)]!);
    expect(errorInRoundings(back, straight)).toBeLessThan(ROUNDINGS);
    const dora = { ...tensors, [`base_model.model.${K0}.lora_magnitude_vector`]: noise([128], 1) };
    const refused = await runCli([
      'fuse',
      '--base',
      from,
      '--adapter',
      writePeft(fresh(), { fan_in_fan_out: true, use_dora: true }, dora),
      '--out',
      join(fresh(), 'x'),
      '--json',
    ]);
    expect(errorCode(refused)).toBe('adapter/unsupported');
  });

  it('an embedding LoRA of PEFT, and of mlx-lm, whose factors lie the other way round', async () => {
    const a = noise([4, 640]);
    const b = noise([256, 4]);
    const start = referenceOf(weights.get(`${EMBED}.weight`)!);
    const wanted = addLowRank(
      start,
      4,
      2,
      (i, k) => a.values[k * 640 + i]!,
      (k, j) => b.values[j * 4 + k]!,
    );
    const peft = writePeft(
      fresh(),
      {},
      { [`base_model.model.${EMBED}.lora_embedding_A`]: a, [`base_model.model.${EMBED}.lora_embedding_B`]: b },
    );
    expect(
      errorInRoundings((await fuse([peft], { dtype: 'F32' })).get(`${EMBED}.weight`)!.values, wanted),
    ).toBeLessThan(ROUNDINGS);
    const mlx = fresh();
    writeFileSync(
      join(mlx, 'adapter_config.json'),
      JSON.stringify({
        fine_tune_type: 'lora',
        lora_parameters: { rank: 4, scale: 2, dropout: 0 },
        model: 'x',
        num_layers: 2,
      }),
    );
    writeTensors(join(mlx, 'adapters.safetensors'), {
      [`${EMBED}.lora_a`]: {
        shape: [640, 4],
        values: Float32Array.from({ length: 2560 }, (_, i) => a.values[(i % 4) * 640 + Math.floor(i / 4)]!),
      },
      [`${EMBED}.lora_b`]: {
        shape: [4, 256],
        values: Float32Array.from({ length: 1024 }, (_, i) => b.values[(i % 256) * 4 + Math.floor(i / 256)]!),
      },
    });
    expect(errorInRoundings((await fuse([mlx], { dtype: 'F32' })).get(`${EMBED}.weight`)!.values, wanted)).toBeLessThan(
      ROUNDINGS,
    );
  });

  it('a square mlx weight is told by the format, not by its shape', async () => {
    const a = noise([256, 4]);
    const b = noise([4, 256]);
    const mlx = fresh();
    writeFileSync(
      join(mlx, 'adapter_config.json'),
      JSON.stringify({
        fine_tune_type: 'lora',
        lora_parameters: { rank: 4, scale: 3, dropout: 0 },
        model: 'x',
        num_layers: -1,
      }),
    );
    writeTensors(join(mlx, 'adapters.safetensors'), { [`${Q0}.lora_a`]: a, [`${Q0}.lora_b`]: b });
    // W + scale * (a b) transposed; the scale is not divided by the rank.
    const wanted = addLowRank(
      referenceOf(weights.get(`${Q0}.weight`)!),
      4,
      3,
      (i, k) => b.values[k * 256 + i]!,
      (k, j) => a.values[j * 4 + k]!,
    );
    expect(errorInRoundings((await fuse([mlx], { dtype: 'F32' })).get(`${Q0}.weight`)!.values, wanted)).toBeLessThan(
      ROUNDINGS,
    );
  });
});

describe('what else adapters carry', () => {
  const bias = `${Q0}.bias`;

  it.each(['lora_only', 'all'])("trained biases (bias: %s) replace the base's", async (kind) => {
    const { a, b } = lora(4);
    const trained = noise([256], 1);
    const named = kind === 'all' ? { 'base_model.model.model.layers.1.self_attn.v_proj.bias': noise([128], 1) } : {};
    const path = writePeft(
      fresh(),
      { bias: kind },
      {
        [`base_model.model.${Q0}.lora_A.weight`]: a,
        [`base_model.model.${Q0}.lora_B.weight`]: b,
        [`base_model.model.${Q0}.base_layer.bias`]: trained,
        ...named,
      },
    );
    const ours = await fuse([path], { dtype: 'F32' });
    expect([...ours.get(bias)!.values]).toEqual([...trained.values]);
    expect([...weights.get(bias)!.values]).not.toEqual([...trained.values]);
    for (const [name, { values }] of Object.entries(named)) {
      expect([...ours.get(name.replace('base_model.model.', ''))!.values]).toEqual([...values]);
    }
  });

  it('lora_bias adds scale * bias to a bias of the base, and is refused where there is none', async () => {
    const { a, b } = lora(4);
    const added = noise([256], 1);
    const tensors = {
      [`base_model.model.${Q0}.lora_A.weight`]: a,
      [`base_model.model.${Q0}.lora_B.weight`]: b,
      [`base_model.model.${Q0}.lora_B.bias`]: added,
    };
    const ours = await fuse([`${writePeft(fresh(), { lora_bias: true }, tensors)}=0.5`], { dtype: 'F32' });
    const wanted = [...weights.get(bias)!.values].map((value, i) =>
      Math.fround(value + Math.fround(added.values[i]! * 1)),
    );
    expect([...ours.get(bias)!.values]).toEqual(wanted);
    const o = 'model.layers.0.self_attn.o_proj';
    const without = {
      [`base_model.model.${o}.lora_A.weight`]: noise([4, 256]),
      [`base_model.model.${o}.lora_B.weight`]: noise([256, 4]),
      [`base_model.model.${o}.lora_B.bias`]: added,
    };
    expect((await refusal([writePeft(fresh(), { lora_bias: true }, without)])).code).toBe('adapter/unmatched');
  });

  it('modules_to_save replace a norm; with a weight they go part of the way', async () => {
    const norm = 'model.layers.1.input_layernorm';
    const trained = noise([256], 1);
    const path = writePeft(
      fresh(),
      { modules_to_save: ['input_layernorm'] },
      { [`base_model.model.${norm}.weight`]: trained },
    );
    expect([...(await fuse([path], { dtype: 'F32' })).get(`${norm}.weight`)!.values]).toEqual([...trained.values]);
    const half = (await fuse([`${path}=0.5`], { dtype: 'F32' })).get(`${norm}.weight`)!.values;
    const start = referenceOf(weights.get(`${norm}.weight`)!);
    const wanted = {
      ...start,
      values: start.values.map((value, i) => value + 0.5 * (trained.values[i]! - value)),
      magnitudes: start.magnitudes.map((value, i) => value + Math.abs(trained.values[i]!)),
    };
    expect(errorInRoundings(half, wanted)).toBeLessThan(ROUNDINGS);
  });

  it('trained tokens take the place of their rows, in the order of the configuration', async () => {
    const rows = [631, 5, 600];
    const trained = noise([3, 256], 1);
    const path = writePeft(
      fresh(),
      { trainable_token_indices: { embed_tokens: rows } },
      { [`base_model.model.${EMBED}.token_adapter.trainable_tokens_delta`]: trained },
    );
    const ours = (await fuse([path], { dtype: 'F32' })).get(`${EMBED}.weight`)!.values;
    const wanted = weights.get(`${EMBED}.weight`)!.values.slice();
    rows.forEach((row, i) => {
      wanted.set(trained.values.subarray(i * 256, (i + 1) * 256), row * 256);
    });
    expect([...ours]).toEqual([...wanted]);
  });

  it('a head trained apart from a tied embedding gets its own output.weight; the embedding stays', async () => {
    const head = noise([640, 256], 1);
    const path = writePeft(fresh(), { modules_to_save: ['lm_head'] }, { 'base_model.model.lm_head.weight': head });
    const out = join(fresh(), 'merged');
    await runCliOk(['fuse', '--base', base, '--adapter', path, '--out', out, '--dtype', 'F32']);
    const ours = readTensors(out);
    expect([...ours.get('lm_head.weight')!.values]).toEqual([...head.values]);
    expect([...ours.get(`${EMBED}.weight`)!.values]).toEqual([...weights.get(`${EMBED}.weight`)!.values]);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ tie_word_embeddings: false });
    const gguf = await buildF32([path]);
    expect(gguf.tensors.map(({ name }) => name)).toContain('output.weight');
  });

  /** The base with a head in its files, which its configuration calls tied. */
  function withHead(change: (values: Float64Array) => Float64Array): string {
    const stored = fresh();
    cpSync(base, stored, { recursive: true });
    const all: Record<string, TensorToWrite> = Object.fromEntries(
      [...weights].map(([name, { shape, values }]) => [name, { shape, values, dtype: 'BF16' as const }]),
    );
    const { shape, values } = weights.get(`${EMBED}.weight`)!;
    const head = { shape, values: change(values), dtype: 'BF16' as const };
    writeTensors(join(stored, 'model.safetensors'), { ...all, 'lm_head.weight': head });
    return stored;
  }

  it.each([false, true])(
    'a LoRA on a tied embedding changes the look-ups alone, and the head as well only with ensure_weight_tying: %s',
    async (ties) => {
      const { path, wanted } = embeddingLora(ties);
      const start = weights.get(`${EMBED}.weight`)!.values;
      // A copy of the embedding beside it makes no difference.
      for (const from of [base, withHead((values) => values)]) {
        const ours = await fuse([path], { from, dtype: 'F32' });
        expect(errorInRoundings(ours.get(`${EMBED}.weight`)!.values, wanted)).toBeLessThan(ROUNDINGS);
        const head = ours.get('lm_head.weight')?.values;
        expect(head === undefined ? 'tied' : [...head]).toEqual(ties ? 'tied' : [...start]);
      }
      const options = ['--adapter', path, '--type', 'F32', '--out', join(fresh(), 'x.gguf')];
      const plan = await runCliOk(['plan', '--base', base, ...options]);
      expect(JSON.stringify(plan['warnings']).includes('as in training')).toBe(ties);
      expect(JSON.stringify(plan['warnings'])).toContain(ties ? 'adapter/tied-embedding' : 'adapter/head-untied');
    },
  );

  it('a stored head that differs from the embedding stays what it is, and the folder says so', async () => {
    const { path, wanted } = embeddingLora(false);
    const doubled = weights.get(`${EMBED}.weight`)!.values.map((value) => value * 2);
    const from = withHead(() => doubled);
    const out = join(fresh(), 'merged');
    await runCliOk(['fuse', '--base', from, '--adapter', path, '--out', out, '--dtype', 'F32']);
    const ours = readTensors(out);
    expect([...ours.get('lm_head.weight')!.values]).toEqual([...doubled]);
    expect(errorInRoundings(ours.get(`${EMBED}.weight`)!.values, wanted)).toBeLessThan(ROUNDINGS);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ tie_word_embeddings: false });
  });

  it('copies that PEFT saved of a tied embedding are one matrix; trained apart they are two', async () => {
    const [embedding, other] = [noise([640, 256], 1), noise([640, 256], 1)];
    const both = (head: TensorToWrite): string =>
      writePeft(
        fresh(),
        { modules_to_save: ['embed_tokens', 'lm_head'] },
        { [`base_model.model.${EMBED}.weight`]: embedding, 'base_model.model.lm_head.weight': head },
      );
    const tied = await fuse([both(embedding)], { dtype: 'F32' });
    expect(tied.has('lm_head.weight')).toBe(false);
    expect([...tied.get(`${EMBED}.weight`)!.values]).toEqual([...embedding.values]);
    const apart = await fuse([both(other)], { dtype: 'F32' });
    expect([...apart.get('lm_head.weight')!.values]).toEqual([...other.values]);
    expect((await buildF32([both(embedding)])).tensors.map(({ name }) => name)).not.toContain('output.weight');
    expect((await buildF32([both(other)])).tensors.map(({ name }) => name)).toContain('output.weight');
  });

  it('a head or embedding that was saved resized alone is refused', async () => {
    const [a, b] = [noise([4, 256]), noise([643, 4])];
    const head = writePeft(
      fresh(),
      { modules_to_save: ['lm_head'] },
      { 'base_model.model.lm_head.weight': noise([643, 256], 1) },
    );
    const lora = writePeft(
      fresh(),
      {},
      {
        'base_model.model.lm_head.lora_A.weight': a,
        'base_model.model.lm_head.lora_B.weight': b,
        'base_model.model.lm_head.base_layer.weight': noise([643, 256], 1),
      },
    );
    const untied = withHead((values) => values.map((value) => value * 2));
    for (const [path, from] of [
      [head, base],
      [head, untied],
      [lora, untied],
    ] as const) {
      const out = join(fresh(), 'merged');
      const run = await runCli(['fuse', '--base', from, '--adapter', path, '--out', out, '--json']);
      expect(run.json).toMatchObject({ error: { code: 'adapter/shape', detail: { head: [643, 256] } } });
    }
    // On a tied base the matrix that the head's factors were saved with is the embedding too.
    const merged = await fuse([lora], { dtype: 'F32' });
    expect([merged.get(`${EMBED}.weight`)!.shape, merged.get('lm_head.weight')!.shape]).toEqual([
      [643, 256],
      [643, 256],
    ]);
  });

  it('one adapter on the tied embedding and one on the head: the head has both', async () => {
    const { path, wanted } = embeddingLora(true);
    const head = noise([640, 256], 1);
    const other = writePeft(fresh(), { modules_to_save: ['lm_head'] }, { 'base_model.model.lm_head.weight': head });
    const start = weights.get(`${EMBED}.weight`)!.values;
    const both = {
      ...wanted,
      values: wanted.values.map((value, i) => value + head.values[i]! - start[i]!),
      magnitudes: wanted.magnitudes.map((value, i) => value + Math.abs(head.values[i]!)),
    };
    for (const order of [
      [path, other],
      [other, path],
    ]) {
      const ours = await fuse(order, { dtype: 'F32' });
      expect(errorInRoundings(ours.get('lm_head.weight')!.values, both)).toBeLessThan(ROUNDINGS);
      expect(errorInRoundings(ours.get(`${EMBED}.weight`)!.values, wanted)).toBeLessThan(ROUNDINGS);
    }
  });

  function embeddingLora(ties: boolean): { path: string; wanted: Reference } {
    const a = noise([4, 640]);
    const b = noise([256, 4]);
    return {
      path: writePeft(
        fresh(),
        { ensure_weight_tying: ties },
        { [`base_model.model.${EMBED}.lora_embedding_A`]: a, [`base_model.model.${EMBED}.lora_embedding_B`]: b },
      ),
      wanted: addLowRank(
        referenceOf(weights.get(`${EMBED}.weight`)!),
        4,
        2,
        (i, k) => a.values[k * 640 + i]!,
        (k, j) => b.values[j * 4 + k]!,
      ),
    };
  }
});

describe('a resized vocabulary', () => {
  /** An adapter that brings `rows` embedding rows (and a head), with a tokenizer of three tokens more. */
  function resized(
    rows: number,
    more: Record<string, TensorToWrite> = {},
    withTokenizer = true,
  ): { path: string; values: Float32Array } {
    const embedding = noise([rows, 256], 1);
    const path = writePeft(
      fresh(),
      { modules_to_save: ['embed_tokens'], ensure_weight_tying: true },
      { [`base_model.model.${EMBED}.weight`]: embedding, ...more },
    );
    if (withTokenizer) {
      const tokenizer = JSON.parse(readFileSync(join(base, 'tokenizer.json'), 'utf8')) as {
        added_tokens: { id: number; content: string; special: boolean }[];
      };
      const added = tokenizer.added_tokens[0]!;
      for (let id = 640; id < rows; id++) {
        tokenizer.added_tokens.push({ ...added, id, content: `<|new${id}|>`, special: true });
      }
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(tokenizer));
      cpSync(join(base, 'tokenizer_config.json'), join(path, 'tokenizer_config.json'));
    }
    return { path, values: embedding.values };
  }

  it('brings its own tokenizer, and both GGUF and merged folder count its rows', async () => {
    const { path, values } = resized(643);
    const gguf = await buildF32([path]);
    expect(gguf.tensors.find(({ name }) => name === 'token_embd.weight')!.shape).toEqual([256, 643]);
    const tokens = gguf.metadata.find(({ key }) => key === 'tokenizer.ggml.tokens')!;
    expect(tokens.count).toBe(643);
    expect((tokens.value as string[]).slice(640)).toEqual(['<|new640|>', '<|new641|>', '<|new642|>']);
    const out = join(fresh(), 'merged');
    await runCliOk(['fuse', '--base', base, '--adapter', path, '--out', out, '--dtype', 'F32']);
    expect([...readTensors(out).get(`${EMBED}.weight`)!.values]).toEqual([...values]);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ vocab_size: 643 });
    expect(readFileSync(join(out, 'tokenizer.json'), 'utf8')).toBe(readFileSync(join(path, 'tokenizer.json'), 'utf8'));
    await runCliOk(['build', '--base', out, '--type', 'F32', '--out', join(fresh(), 'again.gguf')]);
  });

  it('with a head of the same rows on a model that had none', async () => {
    const head = noise([643, 256], 1);
    const { path } = resized(643, { 'base_model.model.lm_head.weight': head });
    const gguf = await buildF32([path]);
    for (const name of ['token_embd.weight', 'output.weight']) {
      expect(gguf.tensors.find((tensor) => tensor.name === name)!.shape, name).toEqual([256, 643]);
    }
  });

  it('base_layer of an embedding LoRA is the base that was trained on', async () => {
    const [a, b, own] = [noise([4, 643]), noise([256, 4]), noise([643, 256], 1)];
    const { path } = resized(643);
    writeTensors(join(path, 'adapter_model.safetensors'), {
      [`base_model.model.${EMBED}.lora_embedding_A`]: a,
      [`base_model.model.${EMBED}.lora_embedding_B`]: b,
      [`base_model.model.${EMBED}.base_layer.weight`]: own,
    });
    const wanted = addLowRank(
      referenceOf(plain(own)),
      4,
      2,
      (i, k) => a.values[k * 643 + i]!,
      (k, j) => b.values[j * 4 + k]!,
    );
    expect(
      errorInRoundings((await fuse([path], { dtype: 'F32' })).get(`${EMBED}.weight`)!.values, wanted),
    ).toBeLessThan(ROUNDINGS);
  });

  it('more tokens than rows are refused; rows without names are padded', async () => {
    const { path } = resized(643);
    writeTensors(join(path, 'adapter_model.safetensors'), { [`base_model.model.${EMBED}.weight`]: noise([641, 256]) });
    expect((await refusal([path])).code).toBe('tokenizer/vocabulary');
    const unnamed = await buildF32([resized(643, {}, false).path]);
    expect((unnamed.metadata.find(({ key }) => key === 'tokenizer.ggml.tokens')!.value as string[]).slice(640)).toEqual(
      ['[PAD640]', '[PAD641]', '[PAD642]'],
    );
  });

  it("is neither weighted nor added to another adapter's embedding", async () => {
    const { path } = resized(643);
    expect((await refusal([`${path}=0.5`])).code).toBe('adapter/shape');
    expect((await refusal([path, resized(643).path])).code).toBe('adapter/shape');
    const small = writePeft(
      fresh(),
      {},
      {
        [`base_model.model.${EMBED}.lora_embedding_A`]: noise([4, 640]),
        [`base_model.model.${EMBED}.lora_embedding_B`]: noise([256, 4]),
      },
    );
    expect((await refusal([path, small])).code).toBe('adapter/shape');
    expect((await refusal([small, path])).code).toBe('adapter/shape');
    // Beside an adapter of other weights it is fine.
    expect((await fuse([path, lora(4).path])).get(`${EMBED}.weight`)!.shape).toEqual([643, 256]);
  });
});

async function buildF32(adapters: readonly string[], from = base): Promise<ReturnType<typeof describeGguf>> {
  const out = join(fresh(), 'out.gguf');
  await runCliOk([
    'build',
    '--base',
    from,
    ...adapters.flatMap((adapter) => ['--adapter', adapter]),
    '--type',
    'F32',
    '--out',
    out,
  ]);
  return describeGguf(out);
}

describe('one pass', () => {
  it('fusing to F32 and building from that gives the same file as building at once', async () => {
    // The name of the folder is part of the metadata: both bases have the same.
    const at = fresh();
    const merged = join(at, 'base');
    const { path } = lora(8);
    await runCliOk(['fuse', '--base', base, '--adapter', path, '--out', merged, '--dtype', 'F32']);
    for (const type of ['F32', 'Q8_0', 'Q4_K_M']) {
      const [direct, twice] = [join(at, `direct-${type}.gguf`), join(at, `twice-${type}.gguf`)];
      await runCliOk(['build', '--base', base, '--adapter', path, '--type', type, '--out', direct]);
      await runCliOk(['build', '--base', merged, '--type', type, '--out', twice]);
      expect(readFileSync(twice).equals(readFileSync(direct)), type).toBe(true);
    }
  });

  it("fuse leaves untouched tensors as they were, to the bit, and keeps the base's type", async () => {
    const ours = await fuse([lora(8).path]);
    expect([...ours.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [name, { dtype, bytes }] of ours) {
      expect(dtype, name).toBe('BF16');
      expect(Buffer.from(bytes).equals(weights.get(name)!.bytes), name).toBe(name !== `${Q0}.weight`);
    }
  });

  it('NAME=2 is a weight only where no such folder exists', async () => {
    const at = fresh();
    const [plainly, named] = [join(at, 'x'), join(at, 'x=2')];
    const [first, second] = [lora(4), lora(4)];
    cpSync(first.path, plainly, { recursive: true });
    const start = referenceOf(weights.get(`${Q0}.weight`)!);
    const doubled = await fuse([named], { dtype: 'F32' });
    expect(
      errorInRoundings(doubled.get(`${Q0}.weight`)!.values, addLora(start, plain(first.a), plain(first.b), 4)),
    ).toBeLessThan(ROUNDINGS);
    mkdirSync(named);
    cpSync(second.path, named, { recursive: true });
    const other = await fuse([named], { dtype: 'F32' });
    expect(
      errorInRoundings(other.get(`${Q0}.weight`)!.values, addLora(start, plain(second.a), plain(second.b), 2)),
    ).toBeLessThan(ROUNDINGS);
    const halved = await fuse([`${named}=5e-1`], { dtype: 'F32' });
    expect(
      errorInRoundings(halved.get(`${Q0}.weight`)!.values, addLora(start, plain(second.a), plain(second.b), 1)),
    ).toBeLessThan(ROUNDINGS);
  });
});
