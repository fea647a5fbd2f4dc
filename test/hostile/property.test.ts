import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { GGML_TYPES, type GgmlTypeName } from '../../src/core/formats/gguf/ggmlTypes';
import type { GgufArray, GgufScalarType, GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import { readImatrix } from '../../src/core/formats/gguf/imatrix';
import { describeGguf, readGguf } from '../../src/core/formats/gguf/readGguf';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { listPickleImports } from '../../src/core/formats/pickle/listPickleImports';
import { describeSafetensors, readSafetensorsHeader } from '../../src/core/formats/safetensors/readSafetensors';
import { encodeSafetensorsHeader } from '../../src/core/formats/safetensors/writeSafetensors';
import { SAFETENSORS_DTYPES, type SafetensorsDtype } from '../../src/core/formats/tensorRef';
import { parseStrictJson } from '../../src/core/strictJson';
import { llamaGguf } from '../formats/llamaGguf';
import { buildGguf, validSpec } from './ggufBuilder';
import { buildZip, protocol4Bomb } from './pickleBuilder';
import { expectTyped } from './refusal';

/** FC_SEED repeats a run; MUTATIONS makes it longer (a million for a night). */
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const MUTATIONS = Number(process.env['MUTATIONS'] ?? 10_000);
const DEADLINE_MS = 2000;
const MEMORY_BYTES = 256 * 1024 * 1024;
const RUN = { seed: SEED, numRuns: 300 };
console.log(`property tests: FC_SEED=${SEED}, ${MUTATIONS} mutations of each file`);

const anyText = fc.string({ unit: 'binary', maxLength: 12 });
const anyName = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((name) => !name.includes('\0'));

const SCALARS: Readonly<Record<Exclude<GgufScalarType, 'string' | 'bool' | 'u64' | 'i64'>, fc.Arbitrary<number>>> = {
  u8: fc.integer({ min: 0, max: 255 }),
  i8: fc.integer({ min: -128, max: 127 }),
  u16: fc.integer({ min: 0, max: 65535 }),
  i16: fc.integer({ min: -32768, max: 32767 }),
  u32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  f32: fc.float(),
  f64: fc.double(),
};
const ARRAYS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;
const u64s = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const i64s = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const anyValue: fc.Arbitrary<GgufValue> = fc.oneof(
  ...(Object.keys(SCALARS) as (keyof typeof SCALARS)[]).flatMap((type): fc.Arbitrary<GgufValue>[] => [
    SCALARS[type].map((value) => ({ type, value })),
    fc
      .array(SCALARS[type], { maxLength: 70 })
      .map((values) => ({ type: 'array' as const, elements: type, value: ARRAYS[type].from(values) })),
  ]),
  u64s.map((value) => ({ type: 'u64' as const, value })),
  i64s.map((value) => ({ type: 'i64' as const, value })),
  fc.boolean().map((value) => ({ type: 'bool' as const, value })),
  anyText.map((value) => ({ type: 'string' as const, value })),
  fc
    .array(u64s)
    .map((values) => ({ type: 'array' as const, elements: 'u64' as const, value: BigUint64Array.from(values) })),
  fc
    .array(i64s)
    .map((values) => ({ type: 'array' as const, elements: 'i64' as const, value: BigInt64Array.from(values) })),
  fc.array(fc.boolean()).map((value) => ({ type: 'array' as const, elements: 'bool' as const, value })),
  fc.array(anyText, { maxLength: 70 }).map((value) => ({ type: 'array' as const, elements: 'string' as const, value })),
);

const anyTensor = fc
  .record({
    name: anyName,
    type: fc.constantFrom(...(Object.keys(GGML_TYPES) as GgmlTypeName[])),
    blocks: fc.nat(3),
    rest: fc.array(fc.nat(4), { maxLength: 3 }),
  })
  .map(({ name, type, blocks, rest }) => ({ name, type, shape: [blocks * GGML_TYPES[type].block, ...rest] }));

describe('what is written is read back', () => {
  it('GGUF: every value, shape and type, to the byte', async () => {
    const inputs = fc.record({
      metadata: fc.uniqueArray(fc.tuple(anyName, anyValue), { selector: ([key]) => key, maxLength: 8 }),
      tensors: fc.uniqueArray(anyTensor, { selector: ({ name }) => name, maxLength: 6 }),
      alignment: fc.constantFrom(undefined, 1, 32, 64, 4096),
    });
    await fc.assert(
      fc.asyncProperty(inputs, async ({ metadata, tensors, alignment }) => {
        const pairs =
          alignment === undefined
            ? metadata
            : [...metadata, ['general.alignment', { type: 'u32', value: alignment }] as [string, GgufValue]];
        const encoded = encodeGgufHeader({ metadata: pairs, tensors });
        const whole = new Uint8Array(encoded.header.length + encoded.dataBytes);
        whole.set(encoded.header);
        const file = await readGguf(memorySource(whole));
        expect([...file.metadata]).toEqual(pairs);
        expect(file.tensors).toEqual(encoded.tensors);
        expect(file.tensors.map(({ name, type, shape }) => ({ name, type, shape }))).toEqual(tensors);
        expect(encodeGgufHeader({ metadata: file.metadata, tensors: file.tensors }).header).toEqual(encoded.header);
        if (llamaGguf !== undefined) {
          expect(llamaGguf.tensors(whole)).toEqual(
            encoded.tensors.map(({ name, type, offset, bytes }) => ({
              name,
              type: GGML_TYPES[type].id,
              offset,
              bytes,
            })),
          );
          // Its writer drops trailing dimensions of 0 and 1.
          if (tensors.every(({ shape }) => shape.length === 1 || shape.at(-1)! > 1)) {
            expect(llamaGguf.rewrite(whole)).toEqual(encoded.header);
          }
        }
      }),
      RUN,
    );
  });

  it('GGUF: skipped arrays keep their number, short ones their contents', async () => {
    const arrays = fc.uniqueArray(
      fc.tuple(
        anyName,
        anyValue.filter((value): value is GgufArray => value.type === 'array'),
      ),
      { selector: ([key]) => key },
    );
    await fc.assert(
      fc.asyncProperty(arrays, async (metadata) => {
        const { header } = encodeGgufHeader({ metadata, tensors: [] });
        const file = await readGguf(memorySource(header), { arrays: 'skip' });
        for (const [key, array] of metadata) {
          const read = file.metadata.get(key);
          expect(read).toEqual(
            array.value.length > 64
              ? { type: 'array', elements: array.elements, value: [], skipped: array.value.length }
              : array,
          );
        }
      }),
      RUN,
    );
  });

  it('safetensors: every dtype, shape and name', async () => {
    const tensor = fc
      .record({
        name: anyText.filter((name) => name !== '__metadata__'),
        dtype: fc.constantFrom(...(Object.keys(SAFETENSORS_DTYPES) as SafetensorsDtype[])),
        shape: fc.array(fc.nat(5), { maxLength: 4 }),
      })
      .map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape, 8] }));
    const inputs = fc.record({
      tensors: fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 8 }),
      metadata: fc.uniqueArray(fc.tuple(anyText, anyText), { selector: ([key]) => key, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(inputs, async ({ tensors, metadata }) => {
        const encoded = encodeSafetensorsHeader(tensors, new Map(metadata));
        const whole = new Uint8Array(encoded.fileBytes);
        whole.set(encoded.header);
        expect(encoded.header.length % 8).toBe(0);
        const header = await readSafetensorsHeader(memorySource(whole));
        expect([...header.tensors.values()].sort(byName)).toEqual([...encoded.tensors].sort(byName));
        expect([...header.metadata]).toEqual(metadata);
        expect(header.dataOffset).toBe(encoded.header.length);
      }),
      RUN,
    );
  });

  it('JSON: parsed as JSON.parse does, and refused where it refuses', () => {
    const plain = (value: unknown): unknown =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
        : Array.isArray(value)
          ? value.map(plain)
          : value;
    fc.assert(
      fc.property(fc.json({ maxDepth: 6, stringUnit: 'binary' }), fc.constantFrom(0, 1, 2), (text, indent) => {
        const shown = JSON.stringify(JSON.parse(text), null, indent);
        expect(plain(parseStrictJson(shown))).toEqual(plain(JSON.parse(shown)));
      }),
      RUN,
    );
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom(...Array.from('{}[]",:\\ntf0123456789.eE+- \t\n\r\u0000\u001fNué')),
        (text, place, character) => {
          const at = place % (text.length + 1);
          for (const broken of [
            text.slice(0, at) + character + text.slice(at),
            text.slice(0, at) + character + text.slice(at + 1),
            text.slice(0, at),
          ]) {
            const ours = attempt(() => plain(parseStrictJson(broken)));
            const theirs = attempt(() => plain(JSON.parse(broken)));
            if (ours.error === undefined) {
              expect(ours.value, broken).toEqual(theirs.value);
              expect(theirs.error, broken).toBeUndefined();
            } else if (expectTyped(ours.error).code !== 'json/duplicate-key') {
              expect(theirs.error, broken).toBeInstanceOf(SyntaxError);
            }
          }
        },
      ),
      { seed: SEED, numRuns: 3000 },
    );
  });
});

/** One to four changes: bytes overwritten, 64-bit extremes, parts cut out, doubled or cut off. */
const mutation = fc.array(
  fc.record({
    kind: fc.constantFrom('byte', 'bit', 'extreme', 'remove', 'repeat', 'cut'),
    place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    value: fc.nat(2 ** 16),
  }),
  { minLength: 1, maxLength: 4 },
);

const EXTREMES = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];

function mutate(
  bytes: Uint8Array,
  changes: readonly { readonly kind: string; readonly place: number; readonly value: number }[],
): Uint8Array {
  let result = Array.from(bytes);
  for (const { kind, place, value } of changes) {
    const at = Math.floor(place * result.length);
    switch (kind) {
      case 'byte':
        result[at] = value % 256;
        break;
      case 'bit':
        result[at] = (result[at] ?? 0) ^ (1 << (value % 8));
        break;
      case 'extreme': {
        const extreme = EXTREMES[value % EXTREMES.length]!;
        for (let i = 0; i < 8 && at + i < result.length; i++) {
          result[at + i] = Number((extreme >> BigInt(8 * i)) & 255n);
        }
        break;
      }
      case 'remove':
        result.splice(at, 1 + (value % 16));
        break;
      case 'repeat':
        result.splice(at, 0, ...result.slice(at, at + 1 + (value % 64)));
        break;
      default:
        result = result.slice(0, at);
    }
  }
  return Uint8Array.from(result);
}

describe('G13 no mutation does more than fail with a typed error', () => {
  const safetensors = (): Uint8Array => {
    const { header, fileBytes } = encodeSafetensorsHeader(
      [
        { name: 'a', dtype: 'F32', shape: [2, 3] },
        { name: 'b', dtype: 'BF16', shape: [4] },
      ],
      new Map([['format', 'pt']]),
    );
    const whole = new Uint8Array(fileBytes);
    whole.set(header);
    return whole;
  };
  const gguf = buildGguf(validSpec());

  /** Reads `count` mutations of `valid`; `onRead` sees those that are taken. */
  async function survive(
    valid: Uint8Array,
    read: (bytes: Uint8Array) => Promise<unknown>,
    onRead?: (bytes: Uint8Array) => void,
  ): Promise<void> {
    let taken = 0;
    let slowest = 0;
    const before = process.memoryUsage.rss();
    await fc.assert(
      fc.asyncProperty(mutation, async (changes) => {
        const bytes = mutate(valid, changes);
        const start = performance.now();
        const error: unknown = await read(bytes).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        slowest = Math.max(slowest, performance.now() - start);
        if (error === undefined) {
          taken++;
          onRead?.(bytes);
        } else {
          expectTyped(error);
        }
      }),
      { seed: SEED, numRuns: MUTATIONS },
    );
    expect(slowest).toBeLessThan(DEADLINE_MS);
    expect(process.memoryUsage.rss() - before).toBeLessThan(MEMORY_BYTES);
    // Mutations that are all refused, or all taken, would test nothing.
    expect(taken).toBeGreaterThan(MUTATIONS / 1000);
    expect(taken).toBeLessThan(MUTATIONS);
  }

  it('GGUF; and whatever is taken, llama.cpp takes too', async () => {
    await survive(
      gguf,
      (bytes) => readGguf(memorySource(bytes)),
      (bytes) => {
        if (llamaGguf !== undefined) {
          expect(llamaGguf.accepts(bytes), Buffer.from(bytes).toString('base64')).toBe(true);
        }
      },
    );
  }, 600_000);

  it('GGUF, described', async () => {
    await survive(gguf, (bytes) => describeGguf(memorySource(bytes), { arrays: 'skip' }));
  }, 600_000);

  it('safetensors', async () => {
    await survive(safetensors(), (bytes) => readSafetensorsHeader(memorySource(bytes)));
  }, 600_000);

  it('safetensors, described', async () => {
    await survive(safetensors(), (bytes) => describeSafetensors(memorySource(bytes)));
  }, 600_000);

  it('archives of pickles', async () => {
    const archive = buildZip({
      files: [
        { name: 'archive/data.pkl', bytes: protocol4Bomb('true') },
        { name: 'x', bytes: new Uint8Array(20), zip64: true },
      ],
      end64Entries: 2n,
    });
    await survive(archive, (bytes) => listPickleImports(memorySource(bytes), 'x.pt'));
  }, 600_000);

  it('importance matrices', async () => {
    const legacy = Buffer.concat([
      i32(1),
      i32(12),
      Buffer.from('blk.0.weight'),
      i32(2),
      i32(3),
      Buffer.from(Float32Array.of(1, 2, 3).buffer),
      i32(7),
      i32(4),
      Buffer.from('text'),
    ]);
    await survive(Uint8Array.from(legacy), (bytes) => readImatrix(memorySource(bytes)));
  }, 600_000);
});

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function attempt(work: () => unknown): { readonly value?: unknown; readonly error?: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}
