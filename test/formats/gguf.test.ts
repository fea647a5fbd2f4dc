import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memorySource, type ByteSource } from '../../src/core/bytes';
import { checkGgufMetadata } from '../../src/core/formats/gguf/checkGgufMetadata';
import type { GgmlTypeName } from '../../src/core/formats/gguf/ggmlTypes';
import {
  ggufArrayLength,
  type GgufMetadata,
  type GgufScalarType,
  type GgufValue,
} from '../../src/core/formats/gguf/ggufTypes';
import { describeGguf, readGguf } from '../../src/core/formats/gguf/readGguf';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { arrayKey, buildGguf, join, text, u8, validSpec } from '../hostile/ggufBuilder';
import { expectRefusal, expectTyped, sparseSource } from '../hostile/refusal';
import { llamaGguf } from './llamaGguf';

/** A file as the real tools wrote it (test/golden/README.md). */
interface Golden {
  readonly dataOffset: number;
  readonly fileBytes: number;
  readonly metadata: readonly {
    readonly key: string;
    readonly type: string;
    readonly value?: unknown;
    readonly count?: number;
  }[];
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly type: GgmlTypeName;
    readonly offset: number;
    readonly bytes: number;
  }[];
}

// adapters.json holds digests of GGUF adapters, in a form of its own.
const goldens = readdirSync('test/golden')
  .filter((name) => name.endsWith('.json') && name !== 'adapters.json')
  .map((name) => [name, JSON.parse(readFileSync(`test/golden/${name}`, 'utf8')) as Golden] as const);

function goldenValue({ type, value, count }: Golden['metadata'][number]): GgufValue {
  const elements = /^array<(\w+)>$/.exec(type)?.[1];
  if (elements !== undefined) {
    return {
      type: 'array',
      elements: elements as GgufScalarType,
      value: [],
      skipped: count ?? (value as unknown[]).length,
    };
  }
  return { type, value: type === 'u64' || type === 'i64' ? BigInt(value as number) : value } as GgufValue;
}

describe('files of the real tools', () => {
  it('are many', () => {
    expect(goldens.length).toBeGreaterThan(80);
  });

  it.each(goldens)('%s: the writer places tensors as llama.cpp did, and the known keys pass', (_name, golden) => {
    const encoded = encodeGgufHeader({ metadata: [], tensors: golden.tensors });
    expect(encoded.tensors).toEqual(
      golden.tensors.map(({ name, shape, type, offset, bytes }) => ({ name, shape, type, offset, bytes })),
    );
    expect(encoded.dataBytes).toBe(golden.fileBytes - golden.dataOffset);
    const metadata: GgufMetadata = new Map(golden.metadata.map((entry) => [entry.key, goldenValue(entry)]));
    checkGgufMetadata(metadata, (problem) => {
      throw problem;
    });
    expect([...metadata.values()].some((value) => value.type === 'array' && ggufArrayLength(value) > 100)).toBe(true);
  });
});

describe('reading a GGUF', () => {
  const bytes = buildGguf(validSpec());

  it('gives every value in its type, in file order', async () => {
    const file = await readGguf(memorySource(bytes));
    const value = (key: string): unknown => file.metadata.get(key)?.value;
    expect([...file.metadata.keys()].slice(0, 3)).toEqual([
      'general.architecture',
      'general.name',
      'llama.block_count',
    ]);
    expect(file.metadata.get('general.name')).toEqual({ type: 'string', value: 'Prüfung' });
    expect([value('x.u8'), value('x.i8'), value('x.u16'), value('x.i16'), value('x.i32')]).toEqual([
      255, -1, 65535, -1, -1,
    ]);
    expect([value('x.u64'), value('x.i64'), value('x.f64')]).toEqual([2n ** 64n - 1n, -1n, 1]);
    expect(value('tokenizer.ggml.tokens')).toEqual(['<s>', 'Ġthe', '🙂', '']);
    expect(value('tokenizer.ggml.scores')).toEqual(Float32Array.of(0, -1, -2, -3));
    expect(value('tokenizer.ggml.token_type')).toEqual(Int32Array.of(3, 1, 1, 1));
    expect(value('x.bools')).toEqual([false, true, true]);
    expect(value('x.u64s')).toEqual(BigUint64Array.of(1n, 2n ** 63n));
    expect(file.metadata.get('x.empty')).toEqual({ type: 'array', elements: 'i16', value: new Int16Array(0) });
    expect(file).toMatchObject({ version: 3, alignment: 32, fileBytes: bytes.length });
  });

  it('gives tensors with shape, type, offset and bytes', async () => {
    const file = await readGguf(memorySource(bytes));
    expect(file.dataOffset % 32).toBe(0);
    expect(file.tensors).toEqual([
      { name: 'token_embd.weight', shape: [32, 4], type: 'Q8_0', offset: 0, bytes: 136 },
      { name: 'blk.0.attn_q.weight', shape: [256, 2], type: 'Q4_K', offset: 160, bytes: 288 },
      { name: 'empty', shape: [0, 7], type: 'F32', offset: 448, bytes: 0 },
      { name: 'output_norm.weight', shape: [3], type: 'F32', offset: 448, bytes: 12 },
      { name: 'scalar', shape: [], type: 'F32', offset: 480, bytes: 4 },
    ]);
  });

  it('reads version 2 as version 3', async () => {
    const second = await readGguf(memorySource(buildGguf({ ...validSpec(), version: 2 })));
    const third = await readGguf(memorySource(bytes));
    expect(second.version).toBe(2);
    expect({ ...second, version: 3 }).toEqual(third);
  });

  it.skipIf(llamaGguf === undefined)('agrees with llama.cpp about it', async () => {
    const file = await readGguf(memorySource(bytes));
    expect(llamaGguf!.dataOffset(bytes)).toBe(file.dataOffset);
    expect(llamaGguf!.tensors(bytes).map(({ name, offset, bytes: size }) => ({ name, offset, bytes: size }))).toEqual(
      file.tensors.map(({ name, offset, bytes: size }) => ({ name, offset, bytes: size })),
    );
  });

  it('reads a header that straddles every window, byte by byte from a slow disk', async () => {
    const long = buildGguf({
      keys: [
        arrayKey(
          'a',
          'string',
          9000n,
          join(...Array.from({ length: 9000 }, (_, i) => text(`token ${i} ${'é'.repeat(i % 40)}`))),
        ),
        arrayKey('b', 'u8', 5n, u8(1, 2, 3, 4, 5)),
      ],
    });
    const source: ByteSource = {
      size: long.length,
      read: (offset, target) => memorySource(long).read(offset, target.subarray(0, 997)),
    };
    const file = await readGguf(source);
    expect(file.metadata.get('a')?.value).toEqual(
      Array.from({ length: 9000 }, (_, i) => `token ${i} ${'é'.repeat(i % 40)}`),
    );
    expect(file.metadata.get('b')?.value).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
  });

  it('reads little of a large file', async () => {
    const header = encodeGgufHeader({ metadata: [], tensors: [{ name: 'a', shape: [2 ** 36], type: 'F16' }] });
    const inner = sparseSource(header.header, header.header.length + header.dataBytes);
    let read = 0;
    const file = await readGguf({
      size: inner.size,
      read: (offset, target) => {
        read += target.length;
        return inner.read(offset, target);
      },
    });
    expect(file.tensors[0]!.bytes).toBe(2 ** 37);
    expect(read).toBeLessThanOrEqual(64 * 1024);
  });

  it('stops with its signal', async () => {
    const controller = new AbortController();
    controller.abort();
    await expectRefusal('run/cancelled', () => readGguf(memorySource(bytes), { signal: controller.signal }));
  });
});

describe('describing a GGUF', () => {
  it('lists all that is wrong, and keeps what can be read', async () => {
    const spec = validSpec();
    const keys = [
      ...spec.keys,
      arrayKey('llama.attention.head_count', 'f32', 0n, u8()),
      arrayKey('texts', 'string', 2n, join(text('ok'), text(u8(0xff)))),
    ];
    const broken = buildGguf({
      keys,
      tensors: [
        { name: 'a', dimensions: [8n] },
        { name: 'b', offset: 64n },
      ],
      dataBytes: 70,
    });
    const described = await describeGguf(memorySource(broken), { path: 'broken.gguf' });
    expect(described.problems.map(({ code, path }) => [code, path])).toEqual([
      ['gguf/encoding', 'broken.gguf'],
      ['gguf/offset', 'broken.gguf'],
      ['gguf/truncated', 'broken.gguf'],
      ['gguf/metadata', 'broken.gguf'],
    ]);
    expect(described.metadata.get('texts')?.value).toEqual(['ok', '\uFFFD']);
    expect(described.tensors.map(({ name, offset }) => [name, offset])).toEqual([
      ['a', 0],
      ['b', 64],
    ]);
    expectTyped(await readGguf(memorySource(broken)).catch((error: unknown) => error));
  });

  it('names the first tensor that is cut, and how much is missing', async () => {
    const described = await describeGguf(
      memorySource(
        buildGguf({ tensors: [{ name: 'a' }, { name: 'b', dimensions: [1000n] }, { name: 'c' }], dataBytes: 100 }),
      ),
    );
    expect(described.problems).toHaveLength(1);
    expect(described.problems[0]).toMatchObject({
      code: 'gguf/truncated',
      detail: { name: 'b', tensors: 2, missing: 32 + 4000 + 16 - 100 },
    });
    expect(described.problems[0]!.message).toContain('"b"');
  });
});

describe('a vocabulary of 262,144 tokens and as many merges', () => {
  const tokens = Array.from(
    { length: 262_144 },
    (_, i) => `${i % 3 === 0 ? 'Ġ' : ''}${i.toString(36)}${i % 7 === 0 ? 'é中🙂' : 'tion'}`,
  );
  const merges = tokens.map((token) => `${token.slice(0, 2)} ${token.slice(2)}`);
  const { header } = encodeGgufHeader({
    metadata: [
      ['tokenizer.ggml.tokens', { type: 'array', elements: 'string', value: tokens }],
      ['tokenizer.ggml.merges', { type: 'array', elements: 'string', value: merges }],
      ['tokenizer.ggml.scores', { type: 'array', elements: 'f32', value: new Float32Array(tokens.length) }],
    ],
    tensors: [],
  });

  it.each([
    ['keep', 300],
    ['skip', 60],
  ] as const)('arrays: %s, in under %d ms', async (arrays, limit) => {
    let best = Infinity;
    for (let attempt = 0; attempt < 6 && best >= limit / 2; attempt++) {
      const start = performance.now();
      const file = await readGguf(memorySource(header), { arrays });
      best = Math.min(best, performance.now() - start);
      const read = file.metadata.get('tokenizer.ggml.tokens');
      expect(read?.type === 'array' && ggufArrayLength(read)).toBe(tokens.length);
      if (arrays === 'keep') {
        // Element-wise, as a deep comparison of so many would take longer than the reading.
        expect((read!.value as string[]).every((token, i) => token === tokens[i])).toBe(true);
        expect(
          (file.metadata.get('tokenizer.ggml.merges')!.value as string[]).every((merge, i) => merge === merges[i]),
        ).toBe(true);
      }
    }
    expect(best).toBeLessThan(limit);
  });
});

describe('writing a GGUF refuses what the reader would', () => {
  const metadata = (value: GgufValue, key = 'a'): Parameters<typeof encodeGgufHeader>[0] => ({
    metadata: [[key, value]],
    tensors: [],
  });
  const tensor = (
    name: string,
    shape: readonly number[],
    type: GgmlTypeName = 'F32',
  ): Parameters<typeof encodeGgufHeader>[0] => ({ metadata: [], tensors: [{ name, shape, type }] });

  it.each([
    [
      'a key twice',
      'gguf/key',
      {
        metadata: [
          ['a', { type: 'u8', value: 1 }],
          ['a', { type: 'u8', value: 1 }],
        ],
        tensors: [],
      },
    ],
    ['an empty key', 'gguf/key', metadata({ type: 'u8', value: 1 }, '')],
    ['a key with NUL', 'gguf/key', metadata({ type: 'u8', value: 1 }, 'a\0')],
    ['a key that is too long', 'gguf/key', metadata({ type: 'u8', value: 1 }, 'é'.repeat(40_000))],
    ['half a character in a key', 'gguf/key', metadata({ type: 'u8', value: 1 }, '\ud800')],
    ['half a character in a value', 'gguf/encoding', metadata({ type: 'string', value: 'a\udc00b' })],
    [
      'half a character in an array',
      'gguf/encoding',
      metadata({ type: 'array', elements: 'string', value: ['x', '\ud800'] }),
    ],
    ['a number out of range', 'gguf/metadata', metadata({ type: 'u8', value: 256 })],
    ['a fraction as an integer', 'gguf/metadata', metadata({ type: 'i32', value: 1.5 })],
    ['a bigint out of range', 'gguf/metadata', metadata({ type: 'u64', value: -1n })],
    ['an element out of range', 'gguf/metadata', metadata({ type: 'array', elements: 'u32', value: [1, -1] })],
    [
      'a typed array of another type',
      'gguf/metadata',
      metadata({ type: 'array', elements: 'u32', value: Int32Array.of(-1) }),
    ],
    ['strings in a number array', 'gguf/metadata', metadata({ type: 'array', elements: 'f32', value: ['1'] })],
    [
      'an array whose contents were skipped',
      'gguf/metadata',
      metadata({ type: 'array', elements: 'u8', value: [], skipped: 100 }),
    ],
    ['a known key of the wrong type', 'gguf/metadata', metadata({ type: 'u32', value: 1 }, 'general.architecture')],
    ['an alignment of 3', 'gguf/alignment', metadata({ type: 'u32', value: 3 }, 'general.alignment')],
    ['an alignment without its key', 'gguf/alignment', { ...tensor('a', [1]), alignment: 64 }],
    [
      'a tensor twice',
      'gguf/tensor-name',
      {
        metadata: [],
        tensors: [
          { name: 'a', shape: [1], type: 'F32' },
          { name: 'a', shape: [1], type: 'F32' },
        ],
      },
    ],
    ['a tensor name of 64 bytes', 'gguf/tensor-name', tensor('n'.repeat(64), [1])],
    ['a tensor without a name', 'gguf/tensor-name', tensor('', [1])],
    ['five dimensions', 'gguf/dimensions', tensor('a', [1, 1, 1, 1, 1])],
    ['a negative dimension', 'gguf/dimensions', tensor('a', [-1])],
    ['a fraction of a dimension', 'gguf/dimensions', tensor('a', [1.5])],
    ['rows that do not divide into blocks', 'gguf/size', tensor('a', [33], 'Q8_0')],
    ['more elements than any tensor has', 'gguf/size', tensor('a', [2 ** 40, 2 ** 40])],
  ] as const)('%s: %s', async (_what, code, input) => {
    await expectRefusal(code, () =>
      Promise.resolve().then(() => encodeGgufHeader(input as Parameters<typeof encodeGgufHeader>[0])),
    );
  });

  it('and takes plain arrays of numbers as well as typed ones', () => {
    const plain = encodeGgufHeader(metadata({ type: 'array', elements: 'i16', value: [1, -2] }));
    const typed = encodeGgufHeader(metadata({ type: 'array', elements: 'i16', value: Int16Array.of(1, -2) }));
    expect(plain.header).toEqual(typed.header);
    expect(plain.header.length % 32).toBe(0);
  });
});
