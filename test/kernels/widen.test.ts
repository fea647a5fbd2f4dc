import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QUANTISED_TYPES, type QuantisedType } from '../../src/core/engine/kernels/kernels';
import { GGML_TYPES } from '../../src/core/formats/gguf/ggmlTypes';
import { ggmlOrSkip } from './ggml';
import { Bench } from './instance';
import { SEED } from './seed';
import { joinRows, makeRows, NOISE, Random, UGLY } from './values';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});
beforeEach(() => bench.reset());

const BLOCK_TYPES = QUANTISED_TYPES.filter((type) => GGML_TYPES[type].block > 1);

/** Where the halves of a block lie. */
const HALVES: Readonly<Partial<Record<QuantisedType, readonly number[]>>> = {
  Q8_0: [0],
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  IQ4_NL: [0],
  IQ4_XS: [0],
};

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Indices at which the bits differ. NaN counts as NaN, whatever its bits: their payload is the processor's affair. */
function differing(got: Float32Array, expected: Float32Array): number[] {
  const a = bitsOf(got);
  const b = bitsOf(expected);
  const found: number[] = [];
  for (let i = 0; i < b.length; i++) {
    if (a[i] !== b[i] && !(Number.isNaN(got[i]) && Number.isNaN(expected[i]))) {
      found.push(i);
    }
  }
  return found;
}

function widened(
  type: Parameters<Bench['kernels']['widen']>[0],
  bytes: Uint8Array,
  count: number,
  shift = 0,
): Float32Array {
  const source = bench.put(bytes, shift);
  const target = bench.room(count * 4, shift);
  bench.kernels.widen(type, source, target, count);
  expect(bench.untouchedAround(target, count * 4)).toBe(true);
  return bench.floats(target, count);
}

describe('blocks widened to f32', () => {
  test.for(BLOCK_TYPES)('%s: random blocks as ggml reads them', (type, context) => {
    const ggml = ggmlOrSkip(context);
    const random = new Random(SEED);
    const { block, bytes } = GGML_TYPES[type];
    const blocks = 4099;
    const data = Uint8Array.from({ length: blocks * bytes }, () => random.integer(256));
    // A quarter of the scales as models have them; the others are any bits, infinite and NaN ones among them.
    for (let b = 0; b < blocks; b += 4) {
      for (const at of HALVES[type]!) {
        data[b * bytes + at + 1] = (data[b * bytes + at + 1]! & 0x80) | 0x1c;
      }
    }
    const count = blocks * block;
    expect(differing(widened(type, data, count), ggml.widen(type, data, count)), `seed ${SEED}`).toEqual([]);
  });

  test.for(BLOCK_TYPES)('%s: what quantising weights gave', (type, context) => {
    const ggml = ggmlOrSkip(context);
    const random = new Random(SEED + 1);
    const rows = joinRows(makeRows(1024, UGLY, 1, random), makeRows(1024, NOISE, 20, random));
    const blocks = ggml.quantise(type, rows.values, rows.kinds.length, 1024, undefined);
    expect(
      differing(widened(type, blocks, rows.values.length, 3), ggml.widen(type, blocks, rows.values.length)),
      `seed ${SEED}`,
    ).toEqual([]);
  });

  test('counts that do not divide into blocks, and types that are not read, are refused', () => {
    expect(() => bench.kernels.widen('Q4_K', bench.kernels.heapBase, bench.kernels.heapBase, 128)).toThrow(
      expect.objectContaining({ code: 'quantize/shape' }) as Error,
    );
    expect(() => bench.kernels.widen('IQ2_XXS', bench.kernels.heapBase, bench.kernels.heapBase, 256)).toThrow(
      expect.objectContaining({ code: 'model/dtype' }) as Error,
    );
  });
});

/** IEEE-like small floats, by their definition. */
function smallFloat(bits: number, exponentBits: number, mantissaBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >> (exponentBits + mantissaBits) ? -1 : 1;
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

describe('floats widened to f32', () => {
  const every = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);
  const bytes = new Uint8Array(every.buffer);

  test('F16: every half', () => {
    const got = widened('F16', bytes, 65_536);
    const expected = Float32Array.from(every, (h) =>
      (h & 0x7c00) === 0x7c00 ? ((h & 0x3ff) === 0 ? (h >> 15 ? -1 : 1) * Infinity : NaN) : smallFloat(h, 5, 10),
    );
    expect(differing(got, expected)).toEqual([]);
  });

  test('BF16: every value', () => {
    const got = bitsOf(widened('BF16', bytes, 65_536));
    expect(got).toEqual(Uint32Array.from(every, (h) => (h << 16) >>> 0));
  });

  test.for(['F16', 'BF16'] as const)('%s: as ggml, at any length and address', (type, context) => {
    const ggml = ggmlOrSkip(context);
    for (const [count, shift] of [
      [65_536, 0],
      [1, 1],
      [7, 2],
      [8, 5],
      [9, 1],
      [31, 3],
      [1000, 7],
    ] as const) {
      bench.reset();
      const part = bytes.slice(65_536, 65_536 + count * 2);
      const all = count === 65_536 ? bytes : part;
      expect(differing(widened(type, all, count, shift), ggml.widen(type, all, count))).toEqual([]);
    }
  });

  test('F8_E4M3: every byte', () => {
    const expected = Float32Array.from(everyByte, (b) => ((b & 0x7f) === 0x7f ? NaN : smallFloat(b, 4, 3)));
    expect(differing(widened('F8_E4M3', everyByte, 256), expected)).toEqual([]);
  });

  test('F8_E5M2: every byte', () => {
    const expected = Float32Array.from(everyByte, (b) =>
      (b & 0x7c) === 0x7c ? ((b & 3) === 0 ? (b >> 7 ? -1 : 1) * Infinity : NaN) : smallFloat(b, 5, 2),
    );
    expect(differing(widened('F8_E5M2', everyByte, 256), expected)).toEqual([]);
  });

  test('F64: rounded once, to nearest even', () => {
    const random = new Random(SEED);
    const values = Float64Array.from({ length: 5000 }, (_, i) =>
      i % 5 === 0 ? 1 + random.integer(4096) * 2 ** -25 : random.normal() * 10 ** (random.integer(90) - 45),
    );
    values.set(
      [
        0,
        -0,
        Infinity,
        -Infinity,
        NaN,
        3.4028235677973366e38,
        3.4028235677973362e38,
        7.006492321624085e-46,
        7.006492321624086e-46,
      ],
      0,
    );
    const got = widened('F64', new Uint8Array(values.buffer), values.length);
    expect(differing(got, Float32Array.from(values))).toEqual([]);
  });

  test('F32: as it is', () => {
    const random = new Random(SEED);
    const values = Uint32Array.from({ length: 1000 }, () => random.bits());
    expect(bitsOf(widened('F32', new Uint8Array(values.buffer), 1000, 1))).toEqual(values);
  });
});

describe('f32 narrowed', () => {
  /** All exponents, ties and their neighbours, and any bits. */
  function interesting(seed: number): Float32Array {
    const random = new Random(seed);
    const bits: number[] = [];
    for (let exponent = 0; exponent < 256; exponent++) {
      for (let k = 0; k < 400; k++) {
        const mantissa =
          k < 200
            ? (random.integer(1024) * 8192 + [0, 1, 4095, 4096, 4097, 8191][k % 6]!) & 0x7fffff
            : k < 300
              ? (random.integer(128) * 65_536 + [0, 1, 32_767, 32_768, 32_769, 65_535][k % 6]!) & 0x7fffff
              : random.integer(0x800000);
        bits.push(((k & 1) * 0x80000000 + exponent * 0x800000 + mantissa) >>> 0);
      }
    }
    return new Float32Array(Uint32Array.from(bits).buffer);
  }

  test.for(['F16', 'BF16'] as const)('%s: as ggml, NaN and denormals included', (type, context) => {
    const ggml = ggmlOrSkip(context);
    const values = interesting(SEED);
    for (const [count, shift] of [
      [values.length, 0],
      [1, 1],
      [7, 2],
      [15, 5],
      [17, 1],
      [33, 3],
    ] as const) {
      bench.reset();
      const part = values.slice(values.length - count);
      const source = bench.put(part, shift);
      const target = bench.room(count * 2, shift);
      bench.kernels.quantise(type, source, target, 1, count);
      expect(bench.untouchedAround(target, count * 2)).toBe(true);
      expect(
        Buffer.compare(bench.bytes(target, count * 2), ggml.quantise(type, part, 1, count, undefined)),
        `seed ${SEED}`,
      ).toBe(0);
    }
  });

  test('BF16: nearest, ties to even, denormals kept', () => {
    const bits = Uint32Array.from([
      0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x00000001, 0x00008000, 0x00018000, 0x00008001, 0x007fffff,
      0x7f7fffff, 0x80008001, 0x7f800000,
    ]);
    const source = bench.put(new Float32Array(bits.buffer));
    const target = bench.room(24);
    bench.kernels.quantise('BF16', source, target, 1, 12);
    const got = new Uint16Array(bench.bytes(target, 24).slice().buffer);
    expect([...got]).toEqual([
      0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x0000, 0x0000, 0x0002, 0x0001, 0x0080, 0x7f80, 0x8001, 0x7f80,
    ]);
  });

  test('F32: as it is', () => {
    const values = interesting(SEED + 1).subarray(0, 999);
    const source = bench.put(values);
    const target = bench.room(999 * 4);
    bench.kernels.quantise('F32', source, target, 3, 333);
    expect(bitsOf(bench.floats(target, 999))).toEqual(bitsOf(values));
  });
});
