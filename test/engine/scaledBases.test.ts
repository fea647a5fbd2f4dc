import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli, runCliOk } from '../support/cli';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { errorCode } from '../support/startCli';
import {
  type PlainTensors,
  type RawTensor,
  readTensors,
  type TensorToWrite,
  writePeft,
  writeTensors,
} from '../support/tensors';

const folder = temporaryFolder();
const random = new Random(4);
/** [128, 256]: a matrix whose rows are not as many as its columns. */
const MODULE = 'model.layers.0.self_attn.k_proj';
const ROWS = 128;
const COLUMNS = 256;

let base: string;
let weights: PlainTensors;

beforeAll(() => {
  base = join(makeModel('qwen2', folder), 'base');
  weights = readTensors(base);
});

/** The value of an 8-bit float through the half that has the same bits in other places. */
function float8(bits: number, mantissa: 2 | 3): number {
  const half = ((bits & 0x80) << 8) | ((bits & 0x7f) << (10 - mantissa));
  const view = new DataView(new ArrayBuffer(2)) as DataView & { getFloat16(offset: number): number };
  view.setUint16(0, half);
  return mantissa === 2 ? view.getFloat16(0) : view.getFloat16(0) * 256;
}

const E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];

function randomBytes(count: number, avoid: (byte: number) => boolean = () => false): Uint8Array {
  return Uint8Array.from({ length: count }, () => {
    let byte = random.below(256);
    while (avoid(byte)) {
      byte = random.below(256);
    }
    return byte;
  });
}

const isNaN8 = (byte: number): boolean => (byte & 0x7f) === 0x7f;

function f32Scales(shape: readonly number[]): TensorToWrite & { readonly values: Float32Array } {
  return {
    shape,
    values: Float32Array.from(
      { length: shape.reduce((product, n) => product * n, 1) },
      () => 0.001 + random.next() * 0.01,
    ),
  };
}

/** The base with k_proj of layer 0 in another form. */
function baseWith(
  tensors: Readonly<Record<string, TensorToWrite | RawTensor>>,
  config: Record<string, unknown>,
): string {
  const path = mkdtempSync(join(folder, 'base-'));
  cpSync(base, path, { recursive: true });
  rmSync(join(path, 'model.safetensors'));
  const rest = [...weights].filter(([name]) => name !== `${MODULE}.weight`);
  writeTensors(join(path, 'model.safetensors'), { ...Object.fromEntries(rest), ...tensors });
  const old = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(path, 'config.json'), JSON.stringify({ ...old, ...config }));
  return path;
}

/** An adapter that leaves k_proj alone. */
function otherAdapter(): string {
  return writePeft(
    mkdtempSync(join(folder, 'adapter-')),
    {},
    {
      'base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight': {
        shape: [4, 256],
        values: Float32Array.from({ length: 1024 }, () => random.next()),
      },
      'base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight': {
        shape: [256, 4],
        values: Float32Array.from({ length: 1024 }, () => random.next()),
      },
    },
  );
}

/** k_proj as the engine reads it, in f32. */
async function read(path: string): Promise<Float64Array> {
  const out = join(mkdtempSync(join(folder, 'out-')), 'merged');
  await runCliOk(['fuse', '--base', path, '--adapter', otherAdapter(), '--out', out, '--dtype', 'F32']);
  const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>;
  expect(config, 'the merged model is no longer quantised').not.toHaveProperty('quantization_config');
  const tensors = readTensors(out);
  expect([...tensors.keys()].sort()).toEqual([...weights.keys()].sort());
  return tensors.get(`${MODULE}.weight`)!.values;
}

/** level * scale, rounded to f32. */
function expected(
  value: (row: number, column: number) => number,
  scale: (row: number, column: number) => number,
): Float64Array {
  return Float64Array.from({ length: ROWS * COLUMNS }, (_, index) =>
    Math.fround(
      value(Math.floor(index / COLUMNS), index % COLUMNS) * scale(Math.floor(index / COLUMNS), index % COLUMNS),
    ),
  );
}

const FP8 = { quantization_config: { quant_method: 'fp8', weight_block_size: [48, 80] } };

function compressed(format: string, settings: Record<string, unknown>): Record<string, unknown> {
  return {
    quantization_config: {
      quant_method: 'compressed-tensors',
      format,
      config_groups: { group_0: { targets: ['Linear'], weights: settings } },
    },
  };
}

describe('FP8 and scaled integers', () => {
  it('DeepSeek: a scale for a block, blocks that do not divide the weight', async () => {
    const bytes = randomBytes(ROWS * COLUMNS, isNaN8);
    const scales = f32Scales([3, 4]);
    const path = baseWith(
      {
        [`${MODULE}.weight`]: { dtype: 'F8_E4M3', shape: [ROWS, COLUMNS], bytes },
        [`${MODULE}.weight_scale_inv`]: scales,
      },
      FP8,
    );
    expect(await read(path)).toEqual(
      expected(
        (i, j) => float8(bytes[i * COLUMNS + j]!, 3),
        (i, j) => scales.values[Math.floor(i / 48) * 4 + Math.floor(j / 80)]!,
      ),
    );
  });

  it.each([
    ['a row', [ROWS, 1]],
    ['a row, without the second dimension', [ROWS]],
    ['all', [1]],
    ['a block', [2, 4]],
  ] as const)('compressed-tensors: float-quantized with a scale for %s', async (_what, shape) => {
    const bytes = randomBytes(ROWS * COLUMNS, isNaN8);
    const scales = f32Scales(shape);
    const path = baseWith(
      {
        [`${MODULE}.weight`]: { dtype: 'F8_E4M3', shape: [ROWS, COLUMNS], bytes },
        [`${MODULE}.weight_scale`]: scales,
        [`${MODULE}.input_scale`]: f32Scales([1]),
      },
      compressed('float-quantized', { num_bits: 8, type: 'float' }),
    );
    const [rows, columns = 1] = shape;
    expect(await read(path)).toEqual(
      expected(
        (i, j) => float8(bytes[i * COLUMNS + j]!, 3),
        (i, j) => scales.values[Math.floor((i * rows) / ROWS) * columns + Math.floor((j * columns) / COLUMNS)]!,
      ),
    );
  });

  it('E5M2 and int8', async () => {
    const wide = randomBytes(ROWS * COLUMNS, (byte) => (byte & 0x7c) === 0x7c);
    const scales = f32Scales([ROWS, 1]);
    const floats = baseWith(
      {
        [`${MODULE}.weight`]: { dtype: 'F8_E5M2', shape: [ROWS, COLUMNS], bytes: wide },
        [`${MODULE}.weight_scale`]: scales,
      },
      compressed('naive-quantized', { num_bits: 8, type: 'float' }),
    );
    expect(await read(floats)).toEqual(
      expected(
        (i, j) => float8(wide[i * COLUMNS + j]!, 2),
        (i) => scales.values[i]!,
      ),
    );
    const bytes = randomBytes(ROWS * COLUMNS);
    const integers = baseWith(
      { [`${MODULE}.weight`]: { dtype: 'I8', shape: [ROWS, COLUMNS], bytes }, [`${MODULE}.weight_scale`]: scales },
      compressed('int-quantized', { num_bits: 8, type: 'int' }),
    );
    expect(await read(integers)).toEqual(
      expected(
        (i, j) => Int8Array.of(bytes[i * COLUMNS + j]!)[0]!,
        (i) => scales.values[i]!,
      ),
    );
  });

  it.each([4, 8])('compressed-tensors: pack-quantized, %i bits in groups', async (bits) => {
    const group = 32;
    const bytes = randomBytes((ROWS * COLUMNS * bits) / 8);
    const scales = f32Scales([ROWS, COLUMNS / group]);
    const path = baseWith(
      {
        [`${MODULE}.weight_packed`]: { dtype: 'I32', shape: [ROWS, (COLUMNS * bits) / 32], bytes },
        [`${MODULE}.weight_scale`]: scales,
        [`${MODULE}.weight_shape`]: {
          dtype: 'I64',
          shape: [2],
          bytes: new Uint8Array(BigInt64Array.of(BigInt(ROWS), BigInt(COLUMNS)).buffer),
        },
      },
      compressed('pack-quantized', {
        num_bits: bits,
        type: 'int',
        strategy: 'group',
        group_size: group,
        symmetric: true,
      }),
    );
    const level = (i: number, j: number): number => {
      const at = (i * COLUMNS + j) * bits;
      return ((bytes[Math.floor(at / 8)]! >> (at % 8)) & (2 ** bits - 1)) - 2 ** (bits - 1);
    };
    expect(await read(path)).toEqual(
      expected(level, (i, j) => scales.values[i * (COLUMNS / group) + Math.floor(j / group)]!),
    );
  });
});

describe('mlx forms with float levels', () => {
  const words = (bytes: Uint8Array, perRow: number): RawTensor => ({ dtype: 'U32', shape: [ROWS, perRow / 4], bytes });

  it('mxfp8', async () => {
    const bytes = randomBytes(ROWS * COLUMNS, isNaN8);
    const scales = Uint8Array.from({ length: (ROWS * COLUMNS) / 32 }, () => 110 + random.below(20));
    const path = baseWith(
      {
        [`${MODULE}.weight`]: words(bytes, COLUMNS),
        [`${MODULE}.scales`]: { dtype: 'U8', shape: [ROWS, COLUMNS / 32], bytes: scales },
      },
      { quantization: { group_size: 32, bits: 8, mode: 'mxfp8' } },
    );
    expect(await read(path)).toEqual(
      expected(
        (i, j) => float8(bytes[i * COLUMNS + j]!, 3),
        (i, j) => 2 ** (scales[i * (COLUMNS / 32) + Math.floor(j / 32)]! - 127),
      ),
    );
  });

  it('nvfp4', async () => {
    const bytes = randomBytes((ROWS * COLUMNS) / 2);
    const scales = randomBytes((ROWS * COLUMNS) / 16, isNaN8);
    const path = baseWith(
      {
        [`${MODULE}.weight`]: words(bytes, COLUMNS / 2),
        [`${MODULE}.scales`]: { dtype: 'U8', shape: [ROWS, COLUMNS / 16], bytes: scales },
      },
      { quantization: { mode: 'nvfp4' } },
    );
    const level = (i: number, j: number): number =>
      E2M1[(bytes[(i * COLUMNS + j) >> 1]! >> (j % 2 === 0 ? 0 : 4)) & 15]!;
    expect(await read(path)).toEqual(
      expected(level, (i, j) => float8(scales[i * (COLUMNS / 16) + Math.floor(j / 16)]!, 3)),
    );
  });
});

describe('what is refused', () => {
  async function refusal(path: string): Promise<{ code: string; message: string }> {
    const run = await runCli([
      'build',
      '--base',
      path,
      '--type',
      'F32',
      '--out',
      join(mkdtempSync(join(folder, 'out-')), 'x.gguf'),
      '--json',
    ]);
    expect(run.code, run.stdout).toBe(1);
    return { code: errorCode(run), message: (run.json['error'] as { message: string }).message };
  }
  const levels = (): RawTensor => ({ dtype: 'I32', shape: [ROWS, 32], bytes: randomBytes(ROWS * 128) });

  it.each<[string, () => Record<string, TensorToWrite | RawTensor>, RegExp]>([
    [
      'a zero point',
      () => ({
        [`${MODULE}.weight_packed`]: levels(),
        [`${MODULE}.weight_scale`]: f32Scales([ROWS, 8]),
        [`${MODULE}.weight_zero_point`]: { dtype: 'I32', shape: [16, 8], bytes: new Uint8Array(512) },
      }),
      /weight_zero_point/,
    ],
    ['levels without scales', () => ({ [`${MODULE}.weight_packed`]: levels() }), /no weight_scale/],
    [
      'scales that do not fit',
      () => ({
        [`${MODULE}.weight`]: { dtype: 'F8_E4M3', shape: [ROWS, COLUMNS], bytes: new Uint8Array(ROWS * COLUMNS) },
        [`${MODULE}.weight_scale`]: f32Scales([ROWS, 7]),
      }),
      /do not fit/,
    ],
    [
      'padded rows',
      () => ({ [`${MODULE}.weight_packed`]: levels(), [`${MODULE}.weight_scale`]: f32Scales([ROWS, 9]) }),
      /padding/,
    ],
  ])('%s', async (_what, tensors, message) => {
    const { code, message: text } = await refusal(
      baseWith(
        tensors(),
        compressed('pack-quantized', { num_bits: 4, type: 'int', strategy: 'group', group_size: 32 }),
      ),
    );
    expect(code).toBe('model/quantised');
    expect(text).toMatch(message);
  });

  it('NaN among the levels is found', async () => {
    const bytes = new Uint8Array(ROWS * COLUMNS);
    bytes[777] = 0x7f;
    const path = baseWith(
      {
        [`${MODULE}.weight`]: { dtype: 'F8_E4M3', shape: [ROWS, COLUMNS], bytes },
        [`${MODULE}.weight_scale_inv`]: f32Scales([3, 4]),
      },
      FP8,
    );
    const run = await runCli([
      'build',
      '--base',
      path,
      '--type',
      'Q8_0',
      '--out',
      join(mkdtempSync(join(folder, 'out-')), 'x.gguf'),
      '--json',
    ]);
    expect(errorCode(run)).toBe('quantize/values');
  });
});
