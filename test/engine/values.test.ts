import {
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES, runCli, runCliOk, type CliRun } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { temporaryFolder } from '../support/models';
import { errorCode } from '../support/startCli';
import { readTensors, writePeft, writeTensors, type TensorToWrite } from '../support/tensors';

const RUGBY = join(FIXTURES, 'rugby');
const folder = temporaryFolder();
const NAME = 'model.layers.2.mlp.up_proj.weight';

/** The rugby base with one value of a weight changed. */
function baseWith(name: string, index: number, value: number): string {
  const base = join(mkdtempSync(join(folder, 'base-')), 'base');
  cpSync(join(RUGBY, 'base'), base, { recursive: true });
  const path = join(base, 'model.safetensors');
  const data = readFileSync(path);
  const start = 8 + Number(data.readBigUInt64LE(0));
  const header = JSON.parse(data.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>;
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
  data.writeUInt16LE(bits, start + header[name]!.data_offsets[0] + 2 * index);
  writeFileSync(path, data);
  return base;
}

async function build(base: string, type: string, ...more: string[]): Promise<{ run: CliRun; out: string }> {
  const out = join(mkdtempSync(join(folder, 'out-')), 'out.gguf');
  return { run: await runCli(['build', '--base', base, '--type', type, '--out', out, '--json', ...more]), out };
}

describe('NaN and infinity in a base', () => {
  const QUANTISED = [
    'Q8_0',
    'Q4_0',
    'Q4_1',
    'Q5_0',
    'Q5_1',
    'Q2_K',
    'Q3_K_S',
    'Q3_K_M',
    'Q3_K_L',
    'Q4_K_S',
    'Q4_K_M',
    'Q5_K_S',
    'Q5_K_M',
    'Q6_K',
    'IQ4_NL',
    'IQ4_XS',
  ];

  it.each(QUANTISED.map((type, index) => [type, [NaN, Infinity, -Infinity][index % 3]!] as const))(
    '%s refuses %d and names the tensor',
    async (type, value) => {
      const { run, out } = await build(baseWith(NAME, 70_001, value), type);
      expect(errorCode(run), run.stdout).toBe('quantize/values');
      expect((run.json['error'] as { message: string }).message).toContain('blk.2.ffn_up.weight');
      expect(existsSync(out)).toBe(false);
    },
  );

  it.each(['F32', 'F16', 'BF16'])('%s keeps it and warns by name; verify finds it', async (type) => {
    const { run, out } = await build(baseWith(NAME, 70_001, NaN), type);
    expect(run.code, run.stdout).toBe(0);
    expect(JSON.stringify(run.json['warnings'])).toContain('blk.2.ffn_up.weight');
    const verified = await runCli(['verify', out, '--json']);
    expect(verified.code).toBe(1);
    expect(JSON.stringify(verified.json)).toMatch(/gguf\/values.*blk\.2\.ffn_up\.weight/);
  });

  it('in a tensor that a quantised file keeps as F32 it is a warning', async () => {
    const { run } = await build(baseWith('model.norm.weight', 3, NaN), 'Q4_K_M');
    expect(run.code, run.stdout).toBe(0);
    expect(JSON.stringify(run.json['warnings'])).toContain('output_norm.weight');
  });

  it('fuse warns', async () => {
    const out = join(folder, 'fused-nan');
    const run = await runCliOk([
      'fuse',
      '--base',
      baseWith(NAME, 5, NaN),
      '--adapter',
      join(RUGBY, 'lora'),
      '--out',
      out,
    ]);
    expect(JSON.stringify(run['warnings'])).toContain(NAME);
    expect((await runCli(['verify', out, '--json'])).code).toBe(1);
  });
});

describe('NaN and infinity in an adapter', () => {
  const q = 'base_model.model.model.layers.0.self_attn.q_proj';
  const zeros = (shape: readonly number[]): TensorToWrite & { values: Float32Array } => ({
    shape,
    values: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.01),
  });

  it.each(['lora_A', 'lora_B'])('in %s it is refused, whatever the type', async (factor) => {
    for (const type of ['F32', 'Q4_K_M']) {
      const tensors: Record<string, TensorToWrite & { values: Float32Array }> = {
        [`${q}.lora_A.weight`]: zeros([4, 256]),
        [`${q}.lora_B.weight`]: zeros([256, 4]),
      };
      tensors[`${q}.${factor}.weight`]!.values[77] = type === 'F32' ? NaN : Infinity;
      const { run } = await build(
        join(RUGBY, 'base'),
        type,
        '--adapter',
        writePeft(mkdtempSync(join(folder, 'a-')), {}, tensors),
      );
      expect(errorCode(run), run.stdout).toBe('adapter/values');
      expect((run.json['error'] as { message: string }).message).toContain('attn_q');
    }
  });

  it('in a DoRA magnitude or a replaced weight a quantised type refuses it', async () => {
    const magnitude = zeros([256]);
    magnitude.values[9] = NaN;
    const dora = writePeft(
      mkdtempSync(join(folder, 'a-')),
      { use_dora: true },
      {
        [`${q}.lora_A.weight`]: zeros([4, 256]),
        [`${q}.lora_B.weight`]: zeros([256, 4]),
        [`${q}.lora_magnitude_vector`]: magnitude,
      },
    );
    expect(errorCode((await build(join(RUGBY, 'base'), 'Q8_0', '--adapter', dora)).run)).toBe('quantize/values');
    const whole = zeros([640, 256]);
    whole.values[100_000] = Infinity;
    const replaced = writePeft(
      mkdtempSync(join(folder, 'a-')),
      { modules_to_save: ['embed_tokens'] },
      { 'base_model.model.model.embed_tokens.weight': whole },
    );
    const { run } = await build(join(RUGBY, 'base'), 'Q8_0', '--adapter', replaced);
    expect([errorCode(run), (run.json['error'] as { message: string }).message]).toEqual([
      'quantize/values',
      expect.stringContaining('token_embd') as string,
    ]);
  });
});

describe('finite values that a half cannot hold', () => {
  const TYPES = [
    'F16',
    'Q8_0',
    'Q4_0',
    'Q4_1',
    'Q5_0',
    'Q5_1',
    'Q2_K',
    'Q3_K_M',
    'Q4_K_M',
    'Q5_K_M',
    'Q6_K',
    'IQ4_NL',
    'IQ4_XS',
  ];

  const CASES = [
    ...TYPES.map((type) => [type, -1e20] as const),
    ['Q6_K', 1e9],
    ['Q4_K_M', 1e9],
    ['IQ4_XS', 1e38],
  ] as const;

  it.each(CASES)('as %s %d is refused: made neither infinite nor zero', async (type, value) => {
    const { run } = await build(baseWith(NAME, 70_001, value), type, '--pure');
    expect(errorCode(run), run.stdout).toBe('quantize/values');
    expect((run.json['error'] as { message: string }).message).toMatch(/blk\.2\.ffn_up\.weight.*65504/);
  });

  it('70000 is too large for F16 and fine for Q8_0, BF16 and F32', async () => {
    const base = baseWith(NAME, 70_001, 70_144);
    expect(errorCode((await build(base, 'F16')).run)).toBe('quantize/values');
    for (const type of ['Q8_0', 'BF16', 'F32']) {
      expect((await build(base, type)).run.code).toBe(0);
    }
    const fused = await runCli([
      'fuse',
      '--base',
      base,
      '--adapter',
      join(RUGBY, 'mlx-full'),
      '--dtype',
      'F16',
      '--out',
      join(folder, 'half'),
      '--json',
    ]);
    expect(errorCode(fused)).toBe('quantize/values');
    expect(existsSync(join(folder, 'half'))).toBe(false);
  });

  it('65504 itself is kept by F16', async () => {
    const base = baseWith(NAME, 70_001, 65_280);
    const { run } = await build(base, 'F16');
    expect(run.code, run.stdout).toBe(0);
  });
});

describe('verify', () => {
  let good: string;
  beforeAll(async () => {
    const { run, out } = await build(join(RUGBY, 'base'), 'Q4_K_M', '--adapter', join(RUGBY, 'lora'));
    expect(run.code, run.stdout).toBe(0);
    good = out;
  });

  async function verify(path: string): Promise<{ code: number | null; problems: string[] }> {
    const run = await runCli(['verify', path, '--json']);
    const files = run.json['files'] as { problems: { code: string }[] }[];
    return { code: run.code, problems: files.flatMap(({ problems }) => problems.map(({ code }) => code)) };
  }

  function damaged(change: (path: string, file: number, size: number) => void): string {
    const path = join(mkdtempSync(join(folder, 'v-')), 'x.gguf');
    cpSync(good, path);
    const file = openSync(path, 'r+');
    change(path, file, readFileSync(path).length);
    closeSync(file);
    return path;
  }

  it('passes what build, fuse and convert write', async () => {
    expect(await verify(good)).toEqual({ code: 0, problems: [] });
    const merged = join(folder, 'verified');
    await runCliOk(['fuse', '--base', join(RUGBY, 'base'), '--adapter', join(RUGBY, 'lora'), '--out', merged]);
    expect(await verify(merged)).toEqual({ code: 0, problems: [] });
    for (const type of ['F32', 'F16', 'BF16', 'Q8_0', 'Q2_K', 'IQ4_XS']) {
      expect(await verify((await build(join(RUGBY, 'base'), type)).out), type).toEqual({ code: 0, problems: [] });
    }
  });

  it('tells a file that is cut, at any place, and one that is too long', async () => {
    const size = readFileSync(good).length;
    for (const length of [0, 3, 4, 24, 1000, 20_000, Math.floor(size / 2), size - 4096, size - 33]) {
      const result = await verify(damaged((path) => truncateSync(path, length)));
      expect(result.code, `${length} bytes`).toBe(1);
      expect(result.problems[0], `${length} bytes`).toMatch(/^(gguf|input)\//);
    }
  });

  it('tells a scale that became NaN or infinite in any block type', async () => {
    for (const [type, tensor, at] of [
      ['Q4_K_M', 'blk.0.attn_q.weight', 0],
      ['Q4_K_M', 'blk.0.attn_q.weight', 2],
      ['Q8_0', 'blk.1.ffn_up.weight', 0],
      ['Q6_K', 'blk.0.attn_q.weight', 208],
      ['F16', 'blk.0.attn_q.weight', 0],
    ] as const) {
      const { out } = await build(join(RUGBY, 'base'), type);
      const described = describeGguf(out);
      const place = described.tensors.find(({ name }) => name === tensor)!;
      const file = openSync(out, 'r+');
      writeSync(file, Uint8Array.of(0x00, 0x7c), 0, 2, described.dataOffset + place.offset + at);
      closeSync(file);
      expect(await verify(out), `${type} ${tensor}`).toEqual({ code: 1, problems: ['gguf/values'] });
    }
  });

  it('several paths: every one gets its answer', async () => {
    const run = await runCli(['verify', good, join(folder, 'nobody.gguf'), join(RUGBY, 'base'), '--json']);
    expect(run.code).toBe(1);
    expect((run.json['files'] as { ok: boolean }[]).map(({ ok }) => ok)).toEqual([true, false, true]);
  });

  it('safetensors with NaN, and cut ones', async () => {
    const path = join(mkdtempSync(join(folder, 'v-')), 'x.safetensors');
    writeTensors(path, { a: { shape: [4], values: [1, NaN, 3, 4] }, b: { shape: [2], values: [0, 1] } });
    const result = await verify(path);
    expect(result.code).toBe(1);
    expect(result.problems).toHaveLength(1);
    expect(readTensors(path).get('a')!.values[1]).toBeNaN();
    truncateSync(path, readFileSync(path).length - 1);
    expect((await verify(path)).problems[0]).toMatch(/^safetensors\//);
    rmSync(path);
  });
});
