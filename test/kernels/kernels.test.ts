import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Kernels, QUANTISED_TYPES } from '../../src/core/engine/kernels/kernels';
import { GGML_TYPES } from '../../src/core/formats/gguf/ggmlTypes';
import { Bench } from './instance';
import { SEED } from './seed';
import { makeRows, NOISE, Random } from './values';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});
beforeEach(() => bench.reset());

describe('the memory', () => {
  test('has the size asked for, rounded up to pages, and keeps it', async () => {
    const kernels = await Kernels.instantiate(1_000_000);
    expect(kernels.memory.buffer.byteLength).toBe(16 * 65_536);
    const { buffer } = kernels.memory;
    kernels.quantise('Q4_K', kernels.heapBase, kernels.heapBase + 8192, 1, 1024);
    expect(kernels.memory.buffer).toBe(buffer);
  });

  test('the kernels keep less than 128 KiB for themselves, and what is free begins at a multiple of 64', () => {
    expect(bench.kernels.heapBase).toBeLessThan(128 * 1024);
    expect(bench.kernels.heapBase % 64).toBe(0);
  });

  test.for([0, -1, NaN, 5 * 2 ** 30, 1000])('%d bytes are refused', async (bytes) => {
    // 1000 bytes are one page, which is less than the kernels themselves need.
    await expect(Kernels.instantiate(bytes)).rejects.toMatchObject({ code: 'engine/memory' });
  });
});

describe('quantise', () => {
  test('refuses rows that do not divide and types that are not written', () => {
    const { kernels } = bench;
    const at = kernels.heapBase;
    expect(() => kernels.quantise('Q4_K', at, at, 1, 128)).toThrow(
      expect.objectContaining({ code: 'quantize/shape' }) as Error,
    );
    expect(() => kernels.quantise('Q8_0', at, at, 1, 40)).toThrow(
      expect.objectContaining({ code: 'quantize/shape' }) as Error,
    );
    expect(() => kernels.quantise('IQ2_XXS', at, at, 1, 256)).toThrow(
      expect.objectContaining({ code: 'quantize/type' }) as Error,
    );
    expect(() => kernels.quantise('I32', at, at, 1, 256)).toThrow(
      expect.objectContaining({ code: 'quantize/type' }) as Error,
    );
  });

  test.for(QUANTISED_TYPES)('%s: rows one by one are the rows together, with and without importance', (type) => {
    const { block, bytes } = GGML_TYPES[type];
    for (const columns of block === 256 ? [256, 768] : [96, 288]) {
      for (const weighted of [false, true]) {
        bench.reset();
        const random = new Random(SEED);
        const rows = makeRows(columns, NOISE, 3, random);
        const importance = weighted
          ? bench.put(makeRows(columns, { uniform: () => random.uniform() }, 1, random).values)
          : 0;
        const rowBytes = (columns / block) * bytes;
        const source = bench.put(rows.values, 4);
        const together = bench.room(rows.kinds.length * rowBytes);
        const single = bench.room(rows.kinds.length * rowBytes, 2);
        bench.kernels.quantise(type, source, together, rows.kinds.length, columns, importance);
        for (let row = 0; row < rows.kinds.length; row++) {
          bench.kernels.quantise(type, source + row * columns * 4, single + row * rowBytes, 1, columns, importance);
        }
        const size = rows.kinds.length * rowBytes;
        expect(Buffer.compare(bench.bytes(single, size), bench.bytes(together, size)), `seed ${SEED}`).toBe(0);
      }
    }
  });

  test.for(QUANTISED_TYPES)('%s: NaN and infinities neither trap nor write elsewhere', (type) => {
    const { block, bytes } = GGML_TYPES[type];
    const columns = 768;
    const kinds = {
      nan: () => NaN,
      infinite: () => Infinity,
      minusInfinite: () => -Infinity,
      some: (i: number, _row: number, r: Random) =>
        i % 37 === 5 ? NaN : i % 41 === 7 ? Infinity : i % 43 === 9 ? -Infinity : r.normal(),
    };
    const random = new Random(SEED);
    const rows = makeRows(columns, kinds, 2, random);
    const weights = makeRows(
      columns,
      { weights: (i) => (i % 3 === 0 ? NaN : i % 5 === 0 ? Infinity : i) },
      1,
      random,
    ).values;
    for (const importance of [0, bench.put(weights), bench.put(weights.fill(1))]) {
      const size = ((rows.kinds.length * columns) / block) * bytes;
      const target = bench.room(size);
      bench.kernels.quantise(type, bench.put(rows.values), target, rows.kinds.length, columns, importance);
      expect(bench.untouchedAround(target, size)).toBe(true);
    }
  });
});

describe('the end of the memory', () => {
  test.for(QUANTISED_TYPES)('%s: values and blocks may end with it', async (type) => {
    const kernels = await Kernels.instantiate(1 << 20);
    const { block, bytes } = GGML_TYPES[type];
    const columns = block === 256 ? 768 : 288;
    const size = (columns / block) * bytes;
    const end = kernels.memory.buffer.byteLength;
    const values = makeRows(columns, { values: (_i, _row, r) => r.normal() }, 1, new Random(SEED)).values;
    const middle = kernels.heapBase + 65_536;
    for (const weighted of [false, true]) {
      new Float32Array(kernels.memory.buffer, middle, columns).set(values);
      new Float32Array(kernels.memory.buffer, middle + 8192, columns).fill(1);
      kernels.quantise(type, middle, end - size, 1, columns, weighted ? middle + 8192 : 0);
      const blocks = new Uint8Array(kernels.memory.buffer, end - size, size).slice();
      kernels.widen(type, end - size, middle + 16_384, columns);
      const wide = new Float32Array(kernels.memory.buffer, middle + 16_384, columns).slice();
      new Float32Array(kernels.memory.buffer, end - columns * 4, columns).set(values);
      kernels.quantise(type, end - columns * 4, middle + 32_768, 1, columns, weighted ? middle + 8192 : 0);
      expect(new Uint8Array(kernels.memory.buffer, middle + 32_768, size)).toEqual(blocks);
      kernels.widen(type, middle + 32_768, end - columns * 4, columns);
      expect(new Float32Array(kernels.memory.buffer, end - columns * 4, columns)).toEqual(wide);
    }
  });
});
