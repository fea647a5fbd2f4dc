import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './instance';
import { SEED } from './seed';
import { Random } from './values';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});
beforeEach(() => bench.reset());

type ScaleType = 'F32' | 'F16' | 'BF16';

interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

function readSafetensors(path: string): ReadonlyMap<string, Tensor> {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => [name, { dtype, shape, bytes: Uint8Array.from(file.subarray(8 + length + from, 8 + length + to)) }],
      ),
  );
}

const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

function affine(
  source: Uint8Array,
  scales: Uint8Array,
  biases: Uint8Array,
  type: ScaleType,
  rows: number,
  columns: number,
  width: number,
  group: number,
): Float32Array {
  const target = bench.room(rows * columns * 4);
  bench.kernels.widenAffine(
    bench.put(source),
    bench.put(scales),
    bench.put(biases),
    type,
    target,
    rows,
    columns,
    width,
    group,
  );
  expect(bench.untouchedAround(target, rows * columns * 4)).toBe(true);
  return bench.floats(target, rows * columns);
}

/** The value of one element, straight from the definition: bit `i * width` and following of the row's stream. */
function levelOf(row: Uint8Array, index: number, width: number): number {
  let level = 0;
  for (let k = 0; k < width; k++) {
    const bit = index * width + k;
    level |= ((row[bit >> 3]! >> (bit & 7)) & 1) << k;
  }
  return level;
}

const asFloat = (pattern: number): number => new Float32Array(Uint32Array.of(pattern).buffer)[0]!;

/** Bytes of values of a type, and the values themselves. */
function scalesOf(type: ScaleType, count: number, random: Random): { bytes: Uint8Array; values: number[] } {
  if (type === 'F32') {
    const values = Float32Array.from({ length: count }, () => random.normal() * 0.01);
    return { bytes: new Uint8Array(values.buffer), values: [...values] };
  }
  const halves = Uint16Array.from(
    { length: count },
    () => (type === 'BF16' ? 0x3c00 : 0x2000) + random.integer(0x400) + 0x8000 * random.integer(2),
  );
  const value = (h: number): number =>
    type === 'BF16'
      ? asFloat((h << 16) >>> 0)
      : (h >> 15 ? -1 : 1) * 2 ** (((h >> 10) & 31) - 15) * (1 + (h & 1023) / 1024);
  return { bytes: new Uint8Array(halves.buffer), values: [...halves].map(value) };
}

describe('mlx affine', () => {
  test('a model that mlx_lm.convert -q wrote, to the bit', () => {
    const model = readSafetensors('test/fixtures/rugby/base-mlx4/model.safetensors');
    const golden = readSafetensors('test/golden/rugby-base-mlx4.dequantised.safetensors');
    expect(golden.size).toBe(6);
    for (const [name, expected] of golden) {
      bench.reset();
      const stem = name.replace(/\.weight$/, '');
      const [rows, columns] = expected.shape as [number, number];
      const scales = model.get(`${stem}.scales`)!;
      expect(scales.dtype).toBe('BF16');
      const got = affine(
        model.get(name)!.bytes,
        scales.bytes,
        model.get(`${stem}.biases`)!.bytes,
        'BF16',
        rows,
        columns,
        4,
        64,
      );
      expect(Buffer.compare(new Uint8Array(got.buffer), expected.bytes), name).toBe(0);
    }
  });

  const cases = [1, 2, 3, 4, 5, 6, 8].flatMap((width) =>
    [16, 32, 64, 128].flatMap((group) => (['BF16', 'F16', 'F32'] as const).map((type) => ({ width, group, type }))),
  );
  test.for(cases)('$width bits, groups of $group, scales in $type', ({ width, group, type }) => {
    const random = new Random(SEED + width * 1000 + group);
    for (const columns of [128, 384]) {
      bench.reset();
      const rows = 5;
      const rowBytes = (columns * width) / 8;
      const data = Uint8Array.from({ length: rows * rowBytes }, () => random.integer(256));
      const groups = (rows * columns) / group;
      const scales = scalesOf(type, groups, random);
      const biases = scalesOf(type, groups, random);
      const got = affine(data, scales.bytes, biases.bytes, type, rows, columns, width, group);
      const expected = Float32Array.from({ length: rows * columns }, (_, i) => {
        const row = Math.floor(i / columns);
        const g = Math.floor(i / group);
        const level = levelOf(data.subarray(row * rowBytes, (row + 1) * rowBytes), i % columns, width);
        return Math.fround(Math.fround(scales.values[g]! * level) + biases.values[g]!);
      });
      expect(bits(got), `seed ${SEED}`).toEqual(bits(expected));
    }
  });

  test('the last words may end with the memory', async () => {
    const small = await Bench.create(1 << 20);
    const { kernels } = small;
    const end = kernels.memory.buffer.byteLength;
    for (const width of [1, 2, 3, 4, 5, 6, 8]) {
      const bytes = (64 * width) / 8;
      const scales = small.put(Float32Array.of(1));
      const biases = small.put(Float32Array.of(0));
      const target = small.room(256);
      new Uint8Array(kernels.memory.buffer, end - bytes, bytes).fill(255);
      kernels.widenAffine(end - bytes, scales, biases, 'F32', target, 1, 64, width, 64);
      expect([...small.floats(target, 64)]).toEqual(Array.from({ length: 64 }, () => 2 ** width - 1));
    }
  });

  test.for([
    [7, 64, 64],
    [4, 48, 64],
    [4, 4, 64],
    [3, 32, 16],
    [0, 64, 64],
  ] as const)('%i bits in groups of %i with %i columns are refused', ([width, group, columns]) => {
    const { kernels } = bench;
    const at = kernels.heapBase;
    expect(() => kernels.widenAffine(at, at, at, 'F16', at, 1, columns, width, group)).toThrow(
      expect.objectContaining({ code: 'model/quantised' }) as Error,
    );
  });
});

describe('mlx mxfp4', () => {
  const MAGNITUDES = [0, 0.5, 1, 1.5, 2, 3, 4, 6];

  test('every code with every scale', () => {
    const rows = 256;
    const codes = Uint8Array.from({ length: rows * 16 }, (_, i) => (i % 16) | (((i + 5) % 16) << 4));
    const scales = Uint8Array.from({ length: rows }, (_, i) => i);
    const target = bench.room(rows * 32 * 4);
    bench.kernels.widenMxfp4(bench.put(codes), bench.put(scales), target, rows, 32);
    expect(bench.untouchedAround(target, rows * 32 * 4)).toBe(true);
    const expected = Float32Array.from({ length: rows * 32 }, (_, i) => {
      const byte = codes[i >> 1]!;
      const code = i & 1 ? byte >> 4 : byte & 15;
      const scale = scales[i >> 5]!;
      return scale === 255 ? NaN : (code & 8 ? -1 : 1) * MAGNITUDES[code & 7]! * 2 ** (scale - 127);
    });
    const got = bench.floats(target, rows * 32);
    expect(bits(got).subarray(0, 255 * 32)).toEqual(bits(expected).subarray(0, 255 * 32));
    expect(got.subarray(255 * 32).every((value) => Number.isNaN(value))).toBe(true);
    // What the comparison is about was there: denormals, minus zero, and the infinite top of the range.
    expect([got.includes(0.5 * 2 ** -127), got.some((value) => Object.is(value, -0)), got.includes(Infinity)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('columns that do not divide into groups are refused', () => {
    const at = bench.kernels.heapBase;
    expect(() => bench.kernels.widenMxfp4(at, at, at, 1, 48)).toThrow(
      expect.objectContaining({ code: 'model/quantised' }) as Error,
    );
  });
});
