import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { QUANTISED_TYPES, type QuantisedType } from '../../src/core/engine/kernels/kernels';
import { GGML_TYPES } from '../../src/core/formats/gguf/ggmlTypes';
import { compareMixtures, describeDifferences, takesWeights } from './compareMixtures';
import { ggmlOrSkip } from './ggml';
import { Bench } from './instance';
import { SEED } from './seed';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});

/** Of all types together, with and without importance; `npm run test:kernels` takes as many as one likes. */
const BLOCKS = 300_000;

const SPECS = QUANTISED_TYPES.flatMap((type) =>
  takesWeights(type)
    ? [{ type, weighted: false } as const, { type, weighted: true } as const]
    : [{ type, weighted: false } as const],
);

describe('mixtures of values and weights that no model has', () => {
  test.for(SPECS)(
    '$type, importance $weighted: the blocks are those of ggml_quantize_chunk',
    ({ type, weighted }, context) => {
      const wanted = Math.ceil(BLOCKS / SPECS.length);
      const comparison = compareMixtures(ggmlOrSkip(context), bench, type, weighted, wanted, SEED);
      expect(comparison.differing, describeDifferences(type, weighted, comparison)).toBe(0);
      expect(comparison.blocks).toBeGreaterThanOrEqual(wanted);
    },
  );
});

interface StoredBlock {
  readonly type: QuantisedType;
  readonly what: string;
  /** Base64 of 256 f32 values each, little-endian. */
  readonly values: string;
  readonly weights: string;
  /** What ggml makes of them, in hexadecimal. */
  readonly block: string;
}

const floats = (text: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);

const stored = JSON.parse(readFileSync(join(import.meta.dirname, 'blocks.json'), 'utf8')) as StoredBlock[];

describe('blocks that once came out wrong', () => {
  test.for(stored)('$type: $what', ({ type, values, weights, block }) => {
    bench.reset();
    const target = bench.room(GGML_TYPES[type].bytes);
    bench.kernels.quantise(type, bench.put(floats(values)), target, 1, 256, bench.put(floats(weights)));
    expect(Buffer.from(bench.bytes(target, GGML_TYPES[type].bytes)).toString('hex')).toBe(block);
  });
});
