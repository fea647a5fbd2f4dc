import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QUANTISED_TYPES, type QuantisedType } from '../../src/core/engine/kernels/kernels';
import { GGML_TYPES } from '../../src/core/formats/gguf/ggmlTypes';
import { ggmlOrSkip, type Ggml } from './ggml';
import { Bench } from './instance';
import { SEED } from './seed';
import { joinRows, makeRows, NOISE, NOT_FINITE, Random, UGLY, WEIGHTS, type Rows } from './values';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});
beforeEach(() => bench.reset());

/** Whether the type searches for its scales. Those that do not turn NaN into levels as the processor happens to, and nothing feeds them NaN. */
function searches(type: QuantisedType, weighted: boolean): boolean {
  return type !== 'Q8_0' && (weighted || !['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1'].includes(type));
}

/** Types whose blocks have 32 values take rows of these widths, the others multiples of 256. */
const NARROW_WIDTHS = [32, 96, 288, 576, 896, 2048];
const WIDE_WIDTHS = [256, 768, 1024, 2048];

function ours(type: QuantisedType, rows: Rows, importance: Float32Array | undefined): Uint8Array {
  const { block, bytes } = GGML_TYPES[type];
  const size = (rows.values.length / block) * bytes;
  const source = bench.put(rows.values);
  const target = bench.room(size);
  const weights = importance === undefined ? 0 : bench.put(importance);
  bench.kernels.quantise(type, source, target, rows.kinds.length, rows.columns, weights);
  expect(bench.untouchedAround(target, size)).toBe(true);
  return bench.bytes(target, size);
}

/** Compares block by block; returns the number of blocks. */
function compare(ggml: Ggml, type: QuantisedType, rows: Rows, importance: Float32Array | undefined): number {
  bench.reset();
  const theirs = ggml.quantise(type, rows.values, rows.kinds.length, rows.columns, importance);
  const mine = ours(type, rows, importance);
  const { block, bytes } = GGML_TYPES[type];
  const perRow = rows.columns / block;
  const differing: Record<string, number> = {};
  let first = '';
  for (let b = 0; b < theirs.length / bytes; b++) {
    const expected = theirs.subarray(b * bytes, (b + 1) * bytes);
    const got = mine.subarray(b * bytes, (b + 1) * bytes);
    if (Buffer.compare(expected, got) !== 0) {
      const kind = rows.kinds[Math.floor(b / perRow)]!;
      differing[kind] = (differing[kind] ?? 0) + 1;
      first ||= `${kind}, block ${b % perRow}: ${Buffer.from(got).toString('hex')} instead of ${Buffer.from(expected).toString('hex')}, values ${rows.values.slice(b * block, (b + 1) * block).join(' ')}`;
    }
  }
  expect(differing, `${type}, rows of ${rows.columns}, seed ${SEED}; ${first}`).toEqual({});
  return theirs.length / bytes;
}

const BLOCK_TYPES = QUANTISED_TYPES.filter((type) => GGML_TYPES[type].block > 1);

describe.each(BLOCK_TYPES)('%s blocks are those of ggml_quantize_chunk', (type) => {
  const widths = GGML_TYPES[type].block === 32 ? NARROW_WIDTHS : WIDE_WIDTHS;

  test.for(['none', ...Object.keys(WEIGHTS)])('importance %s', (weights, context) => {
    const ggml = ggmlOrSkip(context);
    const random = new Random(SEED);
    let blocks = 0;
    for (const columns of widths) {
      const each = Math.max(1, Math.round(1024 / columns));
      const kinds = searches(type, weights !== 'none') ? { ...UGLY, ...NOT_FINITE } : UGLY;
      const rows = joinRows(makeRows(columns, kinds, each, random), makeRows(columns, NOISE, each * 8, random));
      const kind = WEIGHTS[weights];
      const importance = kind === undefined ? undefined : makeRows(columns, { kind }, 1, random).values;
      blocks += compare(ggml, type, rows, importance);
    }
    expect(blocks).toBeGreaterThanOrEqual(1000);
  });
});
