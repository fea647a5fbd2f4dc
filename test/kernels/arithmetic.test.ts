import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './instance';
import { SEED } from './seed';
import { Random } from './values';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});
beforeEach(() => bench.reset());

const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);
const normals = (count: number, random: Random, scale = 1): Float32Array =>
  Float32Array.from({ length: count }, () => random.normal() * scale);
/** Lengths around the widths of the loops. */
const COUNTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 1000];

describe('addLowRank', () => {
  const shapes = [
    [1, 1, 1],
    [1, 4, 3],
    [2, 5, 4],
    [3, 8, 8],
    [4, 16, 16],
    [5, 17, 7],
    [7, 33, 16],
    [8, 16, 16],
    [9, 23, 16],
    [13, 48, 5],
    [64, 1024, 16],
    [12, 100, 64],
    [33, 96, 128],
    [9, 64, 256],
    [10, 80, 512],
    [9, 40, 513],
    [16, 32, 0],
  ] as const;

  test.for(shapes)(
    '%i rows, %i columns, rank %i: f32 sums in order, scaled once, and near the f64 sum',
    ([rows, columns, rank]) => {
      const random = new Random(SEED + rows + columns + rank);
      const left = normals(rows * rank, random);
      const right = normals(rank * columns, random);
      const before = normals(rows * columns, random, 0.02);
      const scale = Math.fround(0.37);
      const target = bench.put(before);
      bench.kernels.addLowRank(target, bench.put(left), bench.put(right), rows, columns, rank, scale);
      expect(bench.untouchedAround(target, before.byteLength)).toBe(true);
      const got = bench.floats(target, rows * columns);
      const expected = new Float32Array(rows * columns);
      let worst = 0;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          let sum = 0;
          let exact = 0;
          let size = 0;
          for (let k = 0; k < rank; k++) {
            const product = left[i * rank + k]! * right[k * columns + j]!;
            sum = Math.fround(sum + Math.fround(product));
            exact += product;
            size += Math.abs(product);
          }
          const at = i * columns + j;
          expected[at] = Math.fround(before[at]! + Math.fround(scale * sum));
          worst = Math.max(
            worst,
            Math.abs(got[at]! - (before[at]! + scale * exact)) / (Math.abs(before[at]!) + scale * size),
          );
        }
      }
      expect(bits(got), `seed ${SEED}`).toEqual(bits(expected));
      // rank roundings of at most 2^-24 each, of the sum of magnitudes.
      expect(worst).toBeLessThan((rank + 3) * 2 ** -24);
    },
  );

  test('rows cut differently give the same bits', () => {
    const random = new Random(SEED);
    const [rows, columns, rank] = [37, 72, 16];
    const left = normals(rows * rank, random);
    const right = bench.put(normals(rank * columns, random));
    const before = normals(rows * columns, random);
    const whole = bench.put(before);
    const cut = bench.put(before);
    const from = bench.put(left);
    bench.kernels.addLowRank(whole, from, right, rows, columns, rank, 2);
    for (let row = 0, step = 1; row < rows; row += step, step++) {
      bench.kernels.addLowRank(
        cut + row * columns * 4,
        from + row * rank * 4,
        right,
        Math.min(step, rows - row),
        columns,
        rank,
        2,
      );
    }
    expect(bits(bench.floats(cut, rows * columns))).toEqual(bits(bench.floats(whole, rows * columns)));
  });
});

describe('transpose', () => {
  test.for([
    [1, 1],
    [1, 9],
    [9, 1],
    [4, 4],
    [5, 7],
    [64, 64],
    [16, 300],
    [300, 16],
    [67, 131],
  ] as const)('%i x %i', ([rows, columns]) => {
    const values = Float32Array.from({ length: rows * columns }, (_, i) => i);
    const target = bench.room(values.byteLength);
    bench.kernels.transpose(bench.put(values), target, rows, columns);
    expect(bench.untouchedAround(target, values.byteLength)).toBe(true);
    expect(bench.floats(target, values.length)).toEqual(
      Float32Array.from({ length: rows * columns }, (_, i) => (i % rows) * columns + Math.floor(i / rows)),
    );
  });
});

describe('DoRA', () => {
  test.for([
    [3, 1],
    [2, 7],
    [5, 8],
    [4, 64],
    [3, 1027],
  ] as const)('%i rows of %i: norm and factor in f64, one rounding a value', ([rows, columns]) => {
    const random = new Random(SEED + columns);
    const values = normals(rows * columns, random, 0.02);
    const magnitude = Float32Array.from({ length: rows }, () => 1 + random.uniform());
    const at = bench.put(values);
    const norms = bench.room(rows * 8);
    bench.kernels.rowNorms(at, norms, rows, columns);
    const gotNorms = new Float64Array(bench.bytes(norms, rows * 8).slice().buffer);
    bench.kernels.scaleRowsToMagnitude(at, rows, columns, bench.put(magnitude));
    expect(bench.untouchedAround(at, values.byteLength)).toBe(true);
    const got = bench.floats(at, values.length);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let i = 0; i < columns; i++) {
        sum += values[row * columns + i]! ** 2;
      }
      const norm = gotNorms[row]!;
      expect(Math.abs(norm / Math.sqrt(sum) - 1)).toBeLessThan(columns * 2 ** -53);
      const expected = values
        .slice(row * columns, (row + 1) * columns)
        .map((value) => value * (magnitude[row]! / norm));
      expect(bits(got.slice(row * columns, (row + 1) * columns)), `seed ${SEED}`).toEqual(bits(expected));
    }
  });
});

describe('element-wise', () => {
  test.for(COUNTS)('%i values: addScaledDifference, addScaled, addConstant', (count) => {
    const random = new Random(SEED + count);
    const [target, a, b] = [normals(count, random), normals(count, random), normals(count, random)];
    const weight = Math.fround(0.3);
    const run = (work: (at: number) => void): Float32Array => {
      bench.reset();
      const at = bench.put(target, 1);
      work(at);
      expect(bench.untouchedAround(at, count * 4)).toBe(true);
      return bench.floats(at, count);
    };
    expect(run((at) => bench.kernels.addScaledDifference(at, bench.put(a), bench.put(b), count, weight))).toEqual(
      target.map((value, i) => value + Math.fround(weight * Math.fround(a[i]! - b[i]!))),
    );
    expect(run((at) => bench.kernels.addScaled(at, bench.put(a), count, weight))).toEqual(
      target.map((value, i) => value + Math.fround(weight * a[i]!)),
    );
    expect(run((at) => bench.kernels.addConstant(at, count, 1))).toEqual(target.map((value) => value + 1));
  });

  test.for(COUNTS)('%i values: maxAbs and sumSquares', (count) => {
    const random = new Random(SEED + count);
    const values = normals(count, random);
    const at = bench.put(values);
    expect(bench.kernels.maxAbs(at, count)).toBe(Math.max(...values.map(Math.abs)));
    const sum = values.reduce((total, value) => total + value * value, 0);
    expect(Math.abs(bench.kernels.sumSquares(at, count) / sum - 1)).toBeLessThan(count * 2 ** -53);
  });

  test('maxAbs leaves NaN out', () => {
    expect(bench.kernels.maxAbs(bench.put(Float32Array.of(1, NaN, -3, 2, NaN)), 5)).toBe(3);
    expect(bench.kernels.maxAbs(bench.kernels.heapBase, 0)).toBe(0);
  });
});
