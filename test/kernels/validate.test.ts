import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QUANTISED_TYPES } from '../../src/core/engine/kernels/kernels';
import { GGML_TYPES } from '../../src/core/formats/gguf/ggmlTypes';
import { ggmlOrSkip } from './ggml';
import { Bench } from './instance';
import { SEED } from './seed';
import { Random } from './values';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});
beforeEach(() => bench.reset());

const BAD = [NaN, Infinity, -Infinity];

describe('firstNonFinite', () => {
  test('finds one bad value at any place of any length', () => {
    for (const count of [1, 3, 15, 16, 17, 64, 100]) {
      const values = Float32Array.from({ length: count }, (_, i) =>
        i % 3 === 0 ? 3.4028234663852886e38 : i % 3 === 1 ? -1e-45 : -0,
      );
      bench.reset();
      const at = bench.put(values, 1);
      expect(bench.kernels.firstNonFinite(at, count)).toBe(-1);
      for (let place = 0; place < count; place++) {
        const copy = values.slice();
        copy.fill(BAD[place % 3]!, place, Math.min(count, place + 2));
        bench.bytes(at, count * 4).set(new Uint8Array(copy.buffer));
        expect(bench.kernels.firstNonFinite(at, count)).toBe(place);
        expect(bench.kernels.firstInvalidBlock('F32', at, count)).toBe(place);
      }
    }
  });

  test('looks no further than told', () => {
    const at = bench.put(Float32Array.of(1, 2, NaN));
    expect(bench.kernels.firstNonFinite(at, 2)).toBe(-1);
    expect(bench.kernels.firstNonFinite(at, 0)).toBe(-1);
  });
});

describe('largest', () => {
  test('is the largest magnitude at any place of any length, Infinity where a value is not finite', () => {
    for (const count of [1, 3, 15, 16, 17, 64, 100]) {
      const random = new Random(SEED + count);
      const values = Float32Array.from({ length: count }, () => random.normal());
      bench.reset();
      const at = bench.put(values, 1);
      expect(bench.kernels.largest(at, count)).toBe(Math.max(...values.map(Math.abs)));
      for (let place = 0; place < count; place++) {
        for (const value of [100, -100, 3.4028234663852886e38, ...BAD]) {
          const copy = values.slice();
          copy[place] = value;
          bench.bytes(at, count * 4).set(new Uint8Array(copy.buffer));
          const expected = Number.isFinite(value) ? Math.abs(value) : Infinity;
          expect(bench.kernels.largest(at, count), `${value} at ${place} of ${count}`).toBe(expected);
        }
      }
    }
    expect(bench.kernels.largest(bench.put(Float32Array.of(1e-45, -0)), 2)).toBe(Math.fround(1e-45));
    expect(bench.kernels.largest(bench.put(Float32Array.of(1, 7)), 1)).toBe(1);
    expect(bench.kernels.largest(bench.kernels.heapBase, 0)).toBe(0);
  });
});

/** Bit patterns of NaN and infinity, and the bytes of a value. */
const PLAIN = {
  F16: { bytes: 2, bad: [0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff], good: [0x7bff, 0xfbff, 0x0001, 0x8000] },
  BF16: { bytes: 2, bad: [0x7f80, 0xff80, 0x7fc0, 0x7f81, 0xffff], good: [0x7f7f, 0xff7f, 0x0001, 0x7c00] },
  F8_E4M3: { bytes: 1, bad: [0x7f, 0xff], good: [0x7e, 0xfe, 0x78, 0x00] },
  F8_E5M2: { bytes: 1, bad: [0x7c, 0xfc, 0x7d, 0xff], good: [0x7b, 0xfb, 0x01, 0x80] },
} as const;

describe('firstInvalidBlock', () => {
  test.for(['F16', 'BF16', 'F8_E4M3', 'F8_E5M2'] as const)('%s values', (type) => {
    const { bytes, bad, good } = PLAIN[type];
    for (const count of [1, 5, 31, 32, 33, 70]) {
      for (let place = 0; place < count; place++) {
        const values = Array.from({ length: count }, (_, i) =>
          i === place ? bad[place % bad.length]! : good[i % good.length]!,
        );
        bench.reset();
        const at = bench.put(bytes === 2 ? Uint16Array.from(values) : Uint8Array.from(values), 1);
        expect(bench.kernels.firstInvalidBlock(type, at, count)).toBe(place);
        expect(bench.kernels.firstInvalidBlock(type, at, place)).toBe(-1);
      }
    }
  });

  test('F64 values', () => {
    const at = bench.put(Float64Array.of(1e308, -5e-324, 0, -Infinity, NaN));
    expect(bench.kernels.firstInvalidBlock('F64', at, 5)).toBe(3);
    expect(bench.kernels.firstInvalidBlock('F64', at, 3)).toBe(-1);
  });

  test.for(QUANTISED_TYPES)('%s: one bad byte at any place, as ggml_validate_row_data judges', (type, context) => {
    const ggml = ggmlOrSkip(context);
    const { block, bytes } = GGML_TYPES[type];
    const blocks = 6;
    const at = bench.room(blocks * bytes);
    let refused = 0;
    for (let place = 0; place < bytes; place++) {
      for (const value of [0x7c, 0xff, 0x7f, 0x80]) {
        const data = new Uint8Array(blocks * bytes);
        const wrong = place % blocks;
        data.fill(value, wrong * bytes + place, wrong * bytes + Math.min(bytes, place + 2));
        bench.bytes(at, data.length).set(data);
        const got = bench.kernels.firstInvalidBlock(type, at, blocks * block);
        const valid = ggml.isValid(type, data.subarray(wrong * bytes, (wrong + 1) * bytes));
        expect(got, `byte ${place} = ${value}`).toBe(valid ? -1 : wrong);
        refused += valid ? 0 : 1;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });

  test('random blocks of every type: the same verdict as ggml', (context) => {
    const ggml = ggmlOrSkip(context);
    const random = new Random(SEED);
    for (const type of QUANTISED_TYPES) {
      const { block, bytes } = GGML_TYPES[type];
      for (let round = 0; round < 40; round++) {
        bench.reset();
        const data = Uint8Array.from({ length: 8 * bytes }, () => random.integer(256));
        const at = bench.put(data);
        const first =
          Array.from({ length: 8 }, (_, i) => i).find(
            (i) => !ggml.isValid(type, data.subarray(i * bytes, (i + 1) * bytes)),
          ) ?? -1;
        expect(bench.kernels.firstInvalidBlock(type, at, 8 * block), `${type}, seed ${SEED}`).toBe(first);
      }
    }
  });
});
