import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import type { ErrorCode } from '../../src/core/errorCodes';
import type { GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import { readImatrix } from '../../src/core/formats/gguf/imatrix';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { detectFormat } from '../../src/core/formats/detectFormat';
import { expectRefusal, expectTyped } from '../hostile/refusal';

/*
 * Both files are built here by the definition of the formats (tools/imatrix/imatrix.cpp of llama.cpp), and the
 * expected values follow from what tools/quantize/quantize.cpp does with them.
 */

interface Entry {
  readonly name: string;
  readonly sums: readonly number[];
  readonly counts: readonly number[];
}

const METADATA: readonly (readonly [string, GgufValue])[] = [
  ['general.type', { type: 'string', value: 'imatrix' }],
  ['imatrix.datasets', { type: 'array', elements: 'string', value: ['wiki.txt', 'code.txt'] }],
  ['imatrix.chunk_count', { type: 'u32', value: 12 }],
  ['imatrix.chunk_size', { type: 'u32', value: 512 }],
];

function ggufImatrix(entries: readonly Entry[], metadata = METADATA): Uint8Array {
  const parts = entries
    .flatMap(({ name, sums, counts }) => [
      {
        name: `${name}.in_sum2`,
        shape: [sums.length / Math.max(1, counts.length), Math.max(1, counts.length)],
        values: sums,
      },
      { name: `${name}.counts`, shape: [1, counts.length], values: counts },
    ])
    .map((part) => ({ ...part, type: 'F32' as const }));
  return withData(parts, metadata);
}

function withData(
  parts: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: readonly number[];
    readonly type: 'F32' | 'F16';
  }[],
  metadata: typeof METADATA,
): Uint8Array {
  const { header, tensors, dataBytes } = encodeGgufHeader({ metadata, tensors: parts });
  const file = new Uint8Array(header.length + dataBytes);
  file.set(header);
  parts.forEach(({ values }, i) =>
    file.set(
      new Uint8Array(Float32Array.from(values).buffer).subarray(0, tensors[i]!.bytes),
      header.length + tensors[i]!.offset,
    ),
  );
  return file;
}

interface LegacyEntry {
  readonly name: string;
  readonly calls: number;
  readonly values: readonly number[];
  /** Announced lengths, where they are to lie. */
  readonly nameLength?: number;
  readonly count?: number;
}

function legacyImatrix(
  entries: readonly LegacyEntry[],
  trailer: readonly (number | string)[] = [],
  count = entries.length,
): Uint8Array {
  const parts = [i32(count)];
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    parts.push(
      i32(entry.nameLength ?? name.length),
      name,
      i32(entry.calls),
      i32(entry.count ?? entry.values.length),
      Buffer.from(Float32Array.from(entry.values).buffer),
    );
  }
  return Uint8Array.from(
    Buffer.concat([...parts, ...trailer.map((part) => (typeof part === 'number' ? i32(part) : Buffer.from(part)))]),
  );
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

const f = Math.fround;

describe('an importance matrix in GGUF', () => {
  it('is the sums over the counts, expert by expert, in f32', async () => {
    const imatrix = await readImatrix(
      memorySource(
        ggufImatrix([
          { name: 'blk.0.attn_q.weight', sums: [1, 2, 10], counts: [3] },
          { name: 'blk.0.ffn_up_exps.weight', sums: [7, 14, 5, 6, 9, 9], counts: [7, 0, 2.5] },
        ]),
      ),
    );
    expect(imatrix).toMatchObject({ format: 'gguf', datasets: ['wiki.txt', 'code.txt'], chunkCount: 12 });
    expect([...imatrix.entries.keys()]).toEqual(['blk.0.attn_q.weight', 'blk.0.ffn_up_exps.weight']);
    expect(imatrix.entries.get('blk.0.attn_q.weight')).toEqual(Float32Array.of(f(1 / 3), f(2 / 3), f(10 / 3)));
    // An expert that saw nothing weighs 1; counts are rounded to whole numbers, halves up.
    expect(imatrix.entries.get('blk.0.ffn_up_exps.weight')).toEqual(Float32Array.of(1, 2, 1, 1, 3, 3));
  });

  it.each<readonly [string, ErrorCode, Uint8Array]>([
    ['without entries', 'imatrix/invalid', ggufImatrix([])],
    [
      'with sums that do not divide among the experts',
      'imatrix/invalid',
      withData(
        [
          { name: 'a.in_sum2', shape: [3], values: [1, 2, 3], type: 'F32' },
          { name: 'a.counts', shape: [2], values: [1, 1], type: 'F32' },
        ],
        METADATA,
      ),
    ],
    [
      'without counts',
      'imatrix/invalid',
      withData([{ name: 'a.in_sum2', shape: [1], values: [1], type: 'F32' }], METADATA),
    ],
    [
      'with counts alone',
      'imatrix/invalid',
      withData([{ name: 'a.counts', shape: [1], values: [1], type: 'F32' }], METADATA),
    ],
    ['with no counts in the counts', 'imatrix/invalid', ggufImatrix([{ name: 'a', sums: [1], counts: [] }])],
    [
      'with sums in F16',
      'imatrix/invalid',
      withData(
        [
          { name: 'a.in_sum2', shape: [1], values: [1], type: 'F16' },
          { name: 'a.counts', shape: [1], values: [1], type: 'F32' },
        ],
        METADATA,
      ),
    ],
    ['with NaN', 'imatrix/invalid', ggufImatrix([{ name: 'a', sums: [1, NaN], counts: [1] }])],
    ['with an infinite sum', 'imatrix/invalid', ggufImatrix([{ name: 'a', sums: [1, Infinity], counts: [1] }])],
    ['with a count that is not finite', 'imatrix/invalid', ggufImatrix([{ name: 'a', sums: [1], counts: [NaN] }])],
    [
      'without its metadata',
      'imatrix/invalid',
      ggufImatrix([{ name: 'a', sums: [1], counts: [1] }], METADATA.slice(0, 3)),
    ],
    ['that is cut short', 'gguf/truncated', ggufImatrix([{ name: 'a', sums: [1, 2, 3], counts: [1] }]).slice(0, -40)],
  ])('%s is refused: %s', async (_what, code, bytes) => {
    const error = await expectRefusal(code, () => readImatrix(memorySource(bytes), { path: 'm.imatrix' }));
    expect(error.path).toBe('m.imatrix');
  });
});

describe('an importance matrix in the legacy format', () => {
  const entries: readonly LegacyEntry[] = [
    { name: 'blk.0.attn_q.weight', calls: 3, values: [1, 2, 10] },
    { name: 'output.weight', calls: 0, values: [5, 6] },
  ];

  it('is the stored sums over the calls, or as they are without calls', async () => {
    const bytes = legacyImatrix(entries, [40, 8, 'wiki.txt']);
    const imatrix = await readImatrix(memorySource(bytes));
    expect(imatrix).toMatchObject({ format: 'legacy', datasets: ['wiki.txt'], chunkCount: 40 });
    expect([...imatrix.entries]).toEqual([
      ['blk.0.attn_q.weight', Float32Array.of(f(1 / 3), f(2 / 3), f(10 / 3))],
      ['output.weight', Float32Array.of(5, 6)],
    ]);
    expect(detectFormat(bytes, bytes.length, 'imatrix.dat')).toBe('imatrix-legacy');
  });

  it.each([
    ['nothing', []],
    ['the chunks alone', [40]],
    ['no name', [40, 0]],
    ['half a name', [40, 8, 'wiki']],
    ['half a number', ['ab']],
  ] as const)('may end with %s', async (_what, trailer) => {
    const imatrix = await readImatrix(memorySource(legacyImatrix(entries, trailer)));
    expect(imatrix.entries.size).toBe(2);
    expect(imatrix.datasets).toEqual([]);
    expect(imatrix.chunkCount).toBe(trailer[0] === 40 ? 40 : 0);
  });

  it.each<readonly [string, Uint8Array]>([
    ['no entries', legacyImatrix([])],
    ['a negative number of entries', legacyImatrix(entries, [], -1)],
    ['2^31-1 entries', legacyImatrix(entries, [], 2 ** 31 - 1)],
    ['more entries than there are', legacyImatrix(entries, [], 3)],
    ['a name without end', legacyImatrix([{ name: 'a', calls: 1, values: [1], nameLength: 2 ** 31 - 1 }])],
    ['an empty name', legacyImatrix([{ name: '', calls: 1, values: [1, 2, 3] }])],
    ['a negative number of values', legacyImatrix([{ name: 'a', calls: 1, values: [1], count: -1 }])],
    ['no values', legacyImatrix([{ name: 'aaaa', calls: 1, values: [] }])],
    ['more values than there are', legacyImatrix([{ name: 'a', calls: 1, values: [1, 2], count: 3 }])],
    ['2^31-1 values', legacyImatrix([{ name: 'a', calls: 1, values: [1, 2], count: 2 ** 31 - 1 }])],
    ['NaN', legacyImatrix([{ name: 'a', calls: 1, values: [NaN] }])],
    ['infinite values', legacyImatrix([{ name: 'a', calls: 1, values: [-Infinity] }])],
    ['something else altogether', new TextEncoder().encode('This is a text and no importance matrix.')],
  ])('is refused with %s', async (_what, bytes) => {
    await expectRefusal('imatrix/invalid', () => readImatrix(memorySource(bytes)));
  });

  it('is a typed error at every prefix that lacks an entry', async () => {
    const whole = legacyImatrix(entries);
    for (let length = 0; length < whole.length; length++) {
      const error = expectTyped(
        await readImatrix(memorySource(whole.slice(0, length))).catch((thrown: unknown) => thrown),
      );
      expect(error.code).toBe(length === 0 ? 'input/empty' : 'imatrix/invalid');
    }
  });
});
