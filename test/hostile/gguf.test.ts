import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import type { ErrorCode } from '../../src/core/errorCodes';
import { describeGguf, readGguf } from '../../src/core/formats/gguf/readGguf';
import { LIMITS } from '../../src/core/limits';
import {
  arrayKey,
  buildGguf,
  f32,
  join,
  key,
  text,
  textKey,
  tokensKey,
  u32,
  u32Key,
  u64,
  u8,
  validSpec,
  type GgufSpec,
  type TensorSpec,
} from './ggufBuilder';
import { expectBytesRefused, expectRefusal, expectTyped, sparseSource } from './refusal';

type Row = readonly [id: string, what: string, code: ErrorCode, broken: GgufSpec | Uint8Array];

const tensor = (spec: TensorSpec): GgufSpec => ({ tensors: [spec] });
const keys = (...list: Uint8Array[]): GgufSpec => ({ keys: list });
const llama = (...list: Uint8Array[]): GgufSpec => keys(textKey('general.architecture', 'llama'), ...list);
const floats = (count: number): Uint8Array => join(...Array.from({ length: count }, () => f32(0)));

/** One tensor of each shape that cannot be, in types of different block sizes. */
const OVERFLOWS: readonly Row[] = [
  [2n ** 62n],
  [2n ** 63n - 3n],
  [2n ** 31n, 2n ** 31n, 4n],
  [2n ** 40n, 2n ** 13n],
].flatMap((dimensions) =>
  (['F32', 'Q4_0', 'Q8_0', 'IQ4_XS', 'IQ2_XXS'] as const).map((type): Row => [
    'G5',
    `shape [${dimensions.join(', ')}] of ${type}`,
    'gguf/size',
    tensor({ dimensions, type, offset: 0n }),
  ]),
);

const ROWS: readonly Row[] = [
  ...[2n ** 63n, 2n ** 64n - 1n, 10n ** 9n, 100_001n].flatMap((count): Row[] => [
    ['G1', `${count} keys in a small file`, 'gguf/count', { keyCount: count, dataBytes: 8 }],
    ['G1', `${count} tensors in a small file`, 'gguf/count', { tensorCount: count, dataBytes: 8 }],
  ]),
  ['G2', 'a key of 2^64-1 bytes', 'gguf/length', keys(key('a', 'u8', u8(1), 2n ** 64n - 1n))],
  ['G2', 'a key one byte longer than the file', 'gguf/length', keys(key('aaaa', 'u8', u8(1), 10n))],
  ['G2', 'a key over the limit', 'gguf/length', keys(key('a'.repeat(LIMITS.gguf.keyBytes + 1), 'u8', u8(1)))],
  ['G2', 'a value of 2^64-1 bytes', 'gguf/length', keys(key('a', 'string', text('value', 2n ** 64n - 1n)))],
  ['G2', 'a value one byte longer than the file', 'gguf/length', keys(key('a', 'string', text('value', 6n)))],
  ['G2', 'an array of 2^64-1 elements', 'gguf/length', keys(arrayKey('a', 'u32', 2n ** 64n - 1n, u32(1)))],
  [
    'G2',
    'an array of 2^61 u64, whose bytes wrap around',
    'gguf/length',
    keys(arrayKey('a', 'u64', 2n ** 61n, u64(1n))),
  ],
  ['G2', 'an array one element longer than the file', 'gguf/length', keys(arrayKey('a', 'u32', 2n, u32(1)))],
  ['G2', 'an array of strings of which none can be there', 'gguf/length', keys(arrayKey('a', 'string', 3n, text('x')))],
  [
    'G2',
    'a string of 2^64-1 bytes in an array',
    'gguf/length',
    keys(arrayKey('a', 'string', 2n, join(text('x'), text('y', 2n ** 64n - 1n)))),
  ],
  [
    'G2',
    'a string one byte longer than the file in an array',
    'gguf/length',
    keys(arrayKey('a', 'string', 2n, join(text('x'), text('y', 2n)))),
  ],
  ['G2', 'a tensor name of 2^64-1 bytes', 'gguf/tensor-name', tensor({ nameLength: 2n ** 64n - 1n })],
  ['G2', 'a tensor name of 64 bytes', 'gguf/tensor-name', tensor({ name: 'n'.repeat(64) })],
  ['G3', 'an array of arrays', 'gguf/type', keys(arrayKey('a', 'array', 1n, join(u32(4), u64(0n))))],
  [
    'G3',
    'arrays in 100,000 levels',
    'gguf/type',
    keys(arrayKey('a', 'array', 1n, join(...Array.from({ length: 100_000 }, () => join(u32(9), u64(1n)))))),
  ],
  ['G3', 'value type 13', 'gguf/type', keys(key('a', 13, u64(0n)))],
  ['G3', 'value type 2^32-1', 'gguf/type', keys(key('a', 0xffffffff, u64(0n)))],
  ['G3', 'element type 13', 'gguf/type', keys(arrayKey('a', 13, 1n, u64(0n)))],
  ['G3', 'tensor type 43', 'gguf/type', tensor({ typeId: 43 })],
  ['G3', 'tensor type 4, which was removed', 'gguf/type', tensor({ typeId: 4 })],
  ['G3', 'tensor type 2^32-1', 'gguf/type', tensor({ typeId: 0xffffffff })],
  ['G4', '5 dimensions', 'gguf/dimensions', tensor({ dimensions: [1n, 1n, 1n, 1n, 1n] })],
  ['G4', '2^32-1 dimensions', 'gguf/dimensions', tensor({ rank: 0xffffffff })],
  ['G4', 'a dimension of 2^63', 'gguf/dimensions', tensor({ dimensions: [2n ** 63n], offset: 0n })],
  ['G4', 'a dimension of 2^64-1', 'gguf/dimensions', tensor({ dimensions: [1n, 2n ** 64n - 1n], offset: 0n })],
  ...OVERFLOWS,
  [
    'G5',
    'rows that do not divide into blocks',
    'gguf/size',
    { ...tensor({ dimensions: [33n, 2n], type: 'Q8_0' }), dataBytes: 128 },
  ],
  ...[-1n, 1n, 31n, 32n, 2n ** 63n, 2n ** 64n - 1n].map((offset): Row => [
    'G6',
    `a first offset of ${offset}`,
    'gguf/offset',
    { ...tensor({ offset }), dataBytes: 256 },
  ]),
  ['G6', 'two tensors over the same bytes', 'gguf/offset', { tensors: [{ name: 'a' }, { name: 'b', offset: 0n }] }],
  [
    'G6',
    'swapped tensors',
    'gguf/offset',
    {
      tensors: [
        { name: 'a', offset: 32n },
        { name: 'b', offset: 0n },
      ],
    },
  ],
  ['G6', 'a hole', 'gguf/offset', { tensors: [{ name: 'a' }, { name: 'b', offset: 64n }], dataBytes: 128 }],
  ['G6', 'data that ends one byte early', 'gguf/truncated', { ...tensor({}), dataBytes: 15 }],
  ['G6', 'no data at all', 'gguf/truncated', { ...tensor({ dimensions: [2n ** 20n] }), dataBytes: 0 }],
  ...[0, 3, 2 ** 31, 2 ** 21, 2 ** 32 - 1].map((alignment): Row => [
    'G7',
    `alignment ${alignment}`,
    'gguf/alignment',
    { ...keys(u32Key('general.alignment', alignment)), ...tensor({}) },
  ]),
  ['G7', 'alignment as u64', 'gguf/alignment', keys(key('general.alignment', 'u64', u64(32n)))],
  ['G7', 'alignment as a string', 'gguf/alignment', keys(textKey('general.alignment', '32'))],
  ['G8', 'a key twice', 'gguf/key', keys(u32Key('a', 1), u32Key('a', 1))],
  ['G8', '__proto__ twice', 'gguf/key', keys(u32Key('__proto__', 1), u32Key('__proto__', 1))],
  ['G8', 'an empty key', 'gguf/key', keys(u32Key('', 1))],
  ['G8', 'a tensor twice', 'gguf/tensor-name', { tensors: [{ name: 'a' }, { name: 'a' }] }],
  ['G8', 'a tensor without a name', 'gguf/tensor-name', tensor({ name: '' })],
  ['G9', 'scores as i8', 'gguf/metadata', keys(tokensKey(['a']), arrayKey('tokenizer.ggml.scores', 'i8', 1n, u8(0)))],
  [
    'G9',
    'fewer scores than tokens',
    'gguf/metadata',
    keys(tokensKey(['a', 'b']), arrayKey('tokenizer.ggml.scores', 'f32', 1n, f32(0))),
  ],
  [
    'G9',
    'more token types than tokens',
    'gguf/metadata',
    keys(tokensKey(['a']), arrayKey('tokenizer.ggml.token_type', 'i32', 2n, u64(0n))),
  ],
  [
    'G9',
    'token types as u8',
    'gguf/metadata',
    keys(tokensKey(['a']), arrayKey('tokenizer.ggml.token_type', 'u8', 1n, u8(0))),
  ],
  ['G9', 'tokens as u32', 'gguf/metadata', keys(arrayKey('tokenizer.ggml.tokens', 'u32', 1n, u32(1)))],
  ['G9', 'merges as a string', 'gguf/metadata', keys(textKey('tokenizer.ggml.merges', 'a b'))],
  ['G9', 'no blocks', 'gguf/metadata', llama(u32Key('llama.block_count', 0))],
  ['G9', '2^32-1 blocks', 'gguf/metadata', llama(u32Key('llama.block_count', 2 ** 32 - 1))],
  ['G9', 'blocks as a string', 'gguf/metadata', llama(textKey('llama.block_count', '2'))],
  ['G9', 'blocks as f32', 'gguf/metadata', llama(key('llama.block_count', 'f32', f32(2)))],
  ['G9', 'an embedding length of 0', 'gguf/metadata', llama(u32Key('llama.embedding_length', 0))],
  [
    'G9',
    'a negative number of heads',
    'gguf/metadata',
    llama(key('llama.attention.head_count', 'i32', u32(0xffffffff))),
  ],
  ['G9', 'heads a layer as f32', 'gguf/metadata', llama(arrayKey('llama.attention.head_count', 'f32', 2n, floats(2)))],
  ['G9', 'an infinite rope base', 'gguf/metadata', llama(key('llama.rope.freq_base', 'f32', f32(Infinity)))],
  ['G9', 'the architecture as a number', 'gguf/metadata', keys(u32Key('general.architecture', 1))],
  ['G9', 'a chat template as an array', 'gguf/metadata', keys(arrayKey('tokenizer.chat_template', 'u8', 1n, u8(1)))],
  ['G9', 'a token id as a string', 'gguf/metadata', keys(textKey('tokenizer.ggml.bos_token_id', '1'))],
  ['G9', 'a switch as a number', 'gguf/metadata', keys(u32Key('tokenizer.ggml.add_bos_token', 1))],
  ['G10', 'an empty file', 'input/empty', u8()],
  ['G10', 'the magic alone', 'gguf/truncated', join(u32(0x46554747))],
  ['G10', 'half the magic', 'gguf/truncated', u8(0x47, 0x47)],
  ['G10', 'another magic', 'gguf/magic', { magic: 'GGML' }],
  ['G10', 'version 0', 'gguf/version', { version: 0 }],
  ['G10', 'version 1', 'gguf/version', { version: 1 }],
  ['G10', 'version 4', 'gguf/version', { version: 4 }],
  ['G10', 'garbage after the magic', 'gguf/magic', { version: 1_953_849_888 }],
  ['G10', 'zeros and garbage after the magic', 'gguf/magic', { version: 0x74750000 }],
  ['G10', 'big endian', 'gguf/endianness', { version: 0x03000000 }],
  ['G11', 'a key that is not UTF-8', 'gguf/encoding', keys(key(u8(0x61, 0xff), 'u8', u8(1)))],
  ['G11', 'a value that is not UTF-8', 'gguf/encoding', keys(key('a', 'string', text(u8(0xc3, 0x28))))],
  [
    'G11',
    'a token that is not UTF-8',
    'gguf/encoding',
    keys(arrayKey('a', 'string', 3n, join(text('x'), text(u8(0xe2, 0x82)), text('y')))),
  ],
  [
    'G11',
    'a character split over two tokens',
    'gguf/encoding',
    keys(arrayKey('a', 'string', 2n, join(text(u8(0xc3)), text(u8(0xbc))))),
  ],
  ['G11', 'a tensor name that is not UTF-8', 'gguf/encoding', tensor({ name: u8(0x80) })],
  ['G11', 'a tensor name with NUL', 'gguf/tensor-name', tensor({ name: 'a\0b' })],
  [
    'G11',
    'a long key of control characters, twice',
    'gguf/key',
    keys(u32Key('\u202e\u001b[2J'.repeat(5000), 1), u32Key('\u202e\u001b[2J'.repeat(5000), 1)),
  ],
  ['G11', 'a key with NUL', 'gguf/key', keys(u32Key('a\0b', 1))],
];

describe('hostile GGUF files are refused', () => {
  it.each(ROWS)('%s %s: %s', async (_id, _what, code, broken) => {
    const bytes = broken instanceof Uint8Array ? broken : buildGguf(broken);
    const strict = await expectBytesRefused(code, bytes, (source) => readGguf(source, { path: 'x.gguf' }));
    expect(strict.path).toBe('x.gguf');
    await expectBytesRefused(code, bytes, (source) => readGguf(source, { arrays: 'skip' }));
  });

  it.each([
    ['G1', '100,000 keys made of zeros', 'gguf/key', { keyCount: 100_000n }],
    [
      'G2',
      'a value over the limit in a large file',
      'gguf/length',
      keys(key('a', 'string', text('', BigInt(LIMITS.gguf.stringBytes + 1)))),
    ],
    [
      'G2',
      'an array over the limit in a large file',
      'gguf/length',
      keys(arrayKey('a', 'u8', BigInt(LIMITS.gguf.arrayElements + 1), u8())),
    ],
    [
      'G2',
      'arrays that together outgrow every header',
      'gguf/length',
      keys(arrayKey('a', 'u64', BigInt(LIMITS.gguf.headerBytes / 8), u8())),
    ],
  ] as const)('%s %s (sparse file of a terabyte)', async (_id, _what, code, broken) => {
    await expectRefusal(code, () => readGguf(sparseSource(buildGguf(broken), 2 ** 40)));
  });
});

/** The valid twins of the rows above: what is refused there must not be refused for another reason. */
const TWINS: readonly (readonly [string, string, GgufSpec])[] = [
  ['G1', 'as many keys and tensors as announced', { ...keys(u32Key('a', 1)), ...tensor({}) }],
  ['G1', 'nothing at all', {}],
  ['G2', 'the longest key', keys(key('a'.repeat(LIMITS.gguf.keyBytes), 'u8', u8(1)))],
  [
    'G2',
    'a value and arrays that end with the file',
    keys(arrayKey('b', 'string', 2n, join(text('x'), text('y'))), key('a', 'string', text('value'))),
  ],
  ['G2', 'a tensor name of 63 bytes', tensor({ name: 'n'.repeat(63) })],
  [
    'G3',
    'arrays of every element type',
    keys(
      ...(['u8', 'i8', 'bool'] as const).map((type) => arrayKey(type, type, 1n, u8(1))),
      ...(['u16', 'i16'] as const).map((type) => arrayKey(type, type, 1n, u8(1, 0))),
      ...(['u32', 'i32', 'f32'] as const).map((type) => arrayKey(type, type, 1n, u32(1))),
      ...(['u64', 'i64', 'f64'] as const).map((type) => arrayKey(type, type, 1n, u64(1n))),
      arrayKey('string', 'string', 1n, text('x')),
    ),
  ],
  ['G4', 'four dimensions', tensor({ dimensions: [2n, 2n, 2n, 2n] })],
  ['G4', 'no dimensions: a scalar', tensor({ dimensions: [] })],
  [
    'G4',
    'no elements',
    {
      tensors: [
        { name: 'a', dimensions: [0n] },
        { name: 'b', dimensions: [32n, 0n], type: 'Q8_0' },
        { name: 'c', dimensions: [0n, 2n ** 40n] },
        { name: 'd' },
      ],
    },
  ],
  ['G5', 'rows that divide into blocks', tensor({ dimensions: [64n, 2n], type: 'Q8_0' })],
  ['G6', 'tensors one after the other', { tensors: [{ name: 'a' }, { name: 'b', dimensions: [9n] }, { name: 'c' }] }],
  ['G6', 'a last tensor without padding', { ...tensor({}), dataBytes: 16 }],
  ...[1, 2, 64, 2 ** 20].map((alignment): [string, string, GgufSpec] => [
    'G7',
    `alignment ${alignment}`,
    { ...keys(u32Key('general.alignment', alignment)), tensors: [{ name: 'a' }, { name: 'b' }], alignment },
  ]),
  [
    'G8',
    '__proto__, constructor and prototype as keys',
    keys(arrayKey('__proto__', 'u32', 1n, u32(1)), u32Key('constructor', 1), u32Key('prototype', 1)),
  ],
  [
    'G9',
    'known keys in their types',
    llama(
      tokensKey(['a']),
      arrayKey('tokenizer.ggml.scores', 'f32', 1n, f32(0)),
      u32Key('llama.block_count', 1),
      arrayKey('llama.attention.head_count', 'i32', 1n, u32(4)),
      u32Key('other.block_count', 0),
    ),
  ],
  ['G10', 'version 2', { ...tensor({}), version: 2 }],
  [
    'G11',
    'control and bidirectional characters',
    { ...keys(textKey('a\u202e', '\u001b[2J\0')), ...tensor({ name: '\u202e\u0007' }) },
  ],
  ['G11', 'a byte order mark kept', keys(textKey('general.name', '\uFEFFx'))],
];

describe('their valid twins are read', () => {
  it.each(TWINS)('%s %s', async (_id, _what, spec) => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    const file = await readGguf(memorySource(buildGguf(spec)));
    expect(file.tensors).toHaveLength(spec.tensors?.length ?? 0);
    expect(file.metadata.size).toBe(spec.keys?.length ?? 0);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
    expect((await describeGguf(memorySource(buildGguf(spec)))).problems).toEqual([]);
  });

  it('G11 keeps a byte order mark and odd characters as they are', async () => {
    const file = await readGguf(
      memorySource(buildGguf(keys(textKey('a', '\uFEFFx\u202e'), arrayKey('b', 'string', 1n, text('\uFEFFy'))))),
    );
    expect(file.metadata.get('a')?.value).toBe('\uFEFFx\u202e');
    expect(file.metadata.get('b')?.value).toEqual(['\uFEFFy']);
  });
});

describe('G10 every prefix of a valid file', () => {
  const whole = buildGguf(validSpec());
  const codes = new Set<string>();

  it('is refused with a typed error, and described once its header is whole', async () => {
    const { dataOffset, tensors } = await readGguf(memorySource(whole));
    const last = tensors.at(-1)!;
    const end = dataOffset + last.offset + last.bytes;
    for (let length = 0; length < end; length++) {
      const prefix = memorySource(whole.slice(0, length));
      const refused = expectTyped(
        await readGguf(prefix).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
      codes.add(refused.code);
      const described = await describeGguf(prefix).catch((error: unknown) => expectTyped(error));
      if (length >= dataOffset) {
        expect(described).toMatchObject({ dataOffset, problems: [{ code: 'gguf/truncated' }] });
        expect(refused.code).toBe('gguf/truncated');
      }
    }
    for (let length = end; length <= whole.length; length++) {
      await readGguf(memorySource(whole.slice(0, length)));
    }
    expect([...codes].sort()).toEqual(['gguf/count', 'gguf/length', 'gguf/truncated', 'input/empty']);
  });
});
