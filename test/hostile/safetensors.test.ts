import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import type { ErrorCode } from '../../src/core/errorCodes';
import { describeSafetensors, readSafetensorsHeader } from '../../src/core/formats/safetensors/readSafetensors';
import { SAFETENSORS_DTYPES } from '../../src/core/formats/tensorRef';
import { join, u64, u8 } from './ggufBuilder';
import { expectBytesRefused, expectRefusal, expectTyped, sparseSource } from './refusal';

const ENCODER = new TextEncoder();

/** A file with this header text and so many data bytes; `length` announces another header length. */
function file(header: string | Uint8Array, dataBytes: number, length?: bigint): Uint8Array {
  const bytes = typeof header === 'string' ? ENCODER.encode(header) : header;
  return join(u64(length ?? BigInt(bytes.length)), bytes, new Uint8Array(dataBytes));
}

function entry(name: string, dtype: string, shape: string, begin: number | string, end: number | string): string {
  return `${name}:{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;
}

const ONE = entry('"a"', 'F32', '[2]', 0, 8);
const one = (header: string, dataBytes = 8): Uint8Array => file(header, dataBytes);

type Row = readonly [id: string, what: string, code: ErrorCode, bytes: Uint8Array];

const ROWS: readonly Row[] = [
  ...[0n, 1n, 100_000_001n, 2n ** 63n, 2n ** 64n - 1n].map((length): Row => [
    'S1',
    `a header of ${length} bytes`,
    'safetensors/header-size',
    file(`{${ONE}}`, 8, length),
  ]),
  ['S1', 'a header one byte longer than the file', 'safetensors/header-size', file('{}', 0, 3n)],
  ['S1', 'a file of seven bytes', 'safetensors/truncated', u8(2, 0, 0, 0, 0, 0, 0)],
  ['S1', 'an empty file', 'input/empty', u8()],
  [
    'S2',
    'ten tensors over one span',
    'safetensors/layout',
    one(`{${Array.from({ length: 10 }, (_, i) => entry(`"t${i}"`, 'F32', '[2]', 0, 8)).join()}}`),
  ],
  [
    'S2',
    'two tensors that overlap by a byte',
    'safetensors/layout',
    one(`{${entry('"a"', 'U8', '[4]', 0, 4)},${entry('"b"', 'U8', '[5]', 3, 8)}}`),
  ],
  [
    'S2',
    'a hole between tensors',
    'safetensors/layout',
    one(`{${entry('"a"', 'U8', '[3]', 0, 3)},${entry('"b"', 'U8', '[4]', 4, 8)}}`),
  ],
  ['S2', 'a hole before the first tensor', 'safetensors/layout', one(`{${entry('"a"', 'U8', '[7]', 1, 8)}}`)],
  ['S2', 'a trailing byte', 'safetensors/layout', one(`{${ONE}}`, 9)],
  [
    'S2',
    'another file behind the last tensor',
    'safetensors/layout',
    join(one(`{${ONE}}`), ENCODER.encode('extra_bogus_data_for_polyglot_file')),
  ],
  ['S2', 'data without any tensor', 'safetensors/layout', one('{}', 1)],
  ['S2', 'an empty tensor far away', 'safetensors/layout', one(`{${ONE},${entry('"b"', 'F32', '[0]', 9000, 9000)}}`)],
  ['S2', 'an end before its begin', 'safetensors/tensor', one(`{${entry('"a"', 'F32', '[2]', 8, 0)}}`)],
  ['S2', 'data that ends one byte early', 'safetensors/truncated', one(`{${ONE}}`, 7)],
  ['S3', 'a tensor twice', 'safetensors/header', one(`{${ONE},${ONE}}`)],
  [
    'S3',
    'a tensor twice, once escaped',
    'safetensors/header',
    one(`{${ONE},${entry(String.raw`"\u0061"`, 'F32', '[2]', 0, 8)}}`),
  ],
  [
    'S3',
    'a field twice',
    'safetensors/header',
    one(`{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}`),
  ],
  [
    'S3',
    'a field twice, once escaped',
    'safetensors/header',
    one(String.raw`{"a":{"dtype":"F32","dtyp\u0065":"F32","shape":[2],"data_offsets":[0,8]}}`),
  ],
  ['S3', '__metadata__ twice', 'safetensors/header', one(`{"__metadata__":{},"__metadata__":{},${ONE}}`)],
  ['S3', 'a metadata key twice', 'safetensors/header', one(`{"__metadata__":{"x":"1","x":"2"},${ONE}}`)],
  ['S3', 'metadata with a number', 'safetensors/header', one(`{"__metadata__":{"x":1},${ONE}}`)],
  ['S3', 'metadata that nests', 'safetensors/header', one(`{"__metadata__":{"x":{}},${ONE}}`)],
  ['S3', 'metadata as an array', 'safetensors/header', one(`{"__metadata__":[],${ONE}}`)],
  ['S3', 'a header that begins with a space', 'safetensors/header', one(` {${ONE}}`)],
  ['S3', 'a header that ends with a newline', 'safetensors/header', one(`{${ONE}}\n`)],
  ['S3', 'a header that ends with NUL', 'safetensors/header', one(`{${ONE}}\0`)],
  ['S3', 'a second object', 'safetensors/header', one(`{${ONE}}{}`)],
  ['S3', 'a header that is an array', 'safetensors/header', one('[]', 0)],
  ['S3', 'a header that is cut short', 'safetensors/header', one(`{${ONE}`)],
  [
    'S3',
    'a header that is not UTF-8',
    'safetensors/header',
    file(join(ENCODER.encode('{"'), u8(0xff), ENCODER.encode('":1}')), 0),
  ],
  ['S3', 'a header nested without end', 'safetensors/header', one(`{"a":{"x":${'['.repeat(200_000)}}}`)],
  ['S4', 'a shape that needs more than its span', 'safetensors/tensor', one(`{${entry('"a"', 'F32', '[3]', 0, 8)}}`)],
  ['S4', 'a shape that needs less than its span', 'safetensors/tensor', one(`{${entry('"a"', 'F32', '[1]', 0, 8)}}`)],
  [
    'S4',
    'a shape whose product wraps around to fit',
    'safetensors/tensor',
    one(`{${entry('"a"', 'F32', '[4294967296,4294967296,2]', 0, 8)}}`),
  ],
  [
    'S4',
    'a shape whose product is beyond all floats',
    'safetensors/tensor',
    one(`{${entry('"a"', 'F32', `[${Array.from({ length: 30 }, () => 2 ** 52).join()}]`, 0, 8)}}`),
  ],
  ['S4', 'five elements of F4', 'safetensors/tensor', one(`{${entry('"a"', 'F4', '[5]', 0, 3)}}`, 3)],
  ['S4', 'three elements of F6', 'safetensors/tensor', one(`{${entry('"a"', 'F6_E2M3', '[3]', 0, 2)}}`, 2)],
  ['S4', 'an unknown dtype', 'safetensors/tensor', one(`{${entry('"a"', 'F33', '[2]', 0, 8)}}`)],
  [
    'S4',
    'a dtype that is a property of all objects',
    'safetensors/tensor',
    one(`{${entry('"a"', 'toString', '[2]', 0, 8)}}`),
  ],
  ['S4', 'a dtype that is no string', 'safetensors/tensor', one('{"a":{"dtype":3,"shape":[2],"data_offsets":[0,8]}}')],
  ...[
    '2.0',
    '2e0',
    '2E+0',
    '-2',
    '-0',
    '"2"',
    'null',
    'true',
    '9007199254740993',
    '99999999999999999999999',
    '[2]',
    '02',
  ].map((number): Row => [
    'S4',
    `a dimension written as ${number}`,
    'safetensors/tensor',
    one(`{${entry('"a"', 'F32', `[${number}]`, 0, 8)}}`),
  ]),
  ...['8.0', '8e0', '-8', '"8"', 'null', '9007199254740993'].map((number): Row => [
    'S4',
    `an end written as ${number}`,
    'safetensors/tensor',
    one(`{${entry('"a"', 'F32', '[2]', 0, number)}}`),
  ]),
  [
    'S4',
    'a wrong tensor with a name of a megabyte',
    'safetensors/tensor',
    one(`{${entry(`"${'\u202e'.repeat(300_000)}"`, 'F32', '[3]', 0, 8)}}`),
  ],
  [
    'S2',
    'an overlap of tensors with names of a megabyte',
    'safetensors/layout',
    one(
      `{${entry(`"${'a'.repeat(1_000_000)}"`, 'F32', '[2]', 0, 8)},${entry(`"${'b'.repeat(1_000_000)}"`, 'F32', '[2]', 0, 8)}}`,
    ),
  ],
  [
    'S3',
    'a name of a megabyte twice',
    'safetensors/header',
    one(
      `{${entry(`"${'a'.repeat(1_000_000)}"`, 'F32', '[2]', 0, 8)},${entry(`"${'a'.repeat(1_000_000)}"`, 'F32', '[2]', 0, 8)}}`,
    ),
  ],
  ['S4', 'one offset', 'safetensors/tensor', one('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}')],
  ['S4', 'three offsets', 'safetensors/tensor', one('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}')],
  ['S4', 'no shape', 'safetensors/tensor', one('{"a":{"dtype":"F32","data_offsets":[0,8]}}')],
  ['S4', '33 dimensions', 'safetensors/tensor', one(`{${entry('"a"', 'F32', `[2${',1'.repeat(32)}]`, 0, 8)}}`)],
];

describe('hostile safetensors files are refused', () => {
  it.each(ROWS)('%s %s: %s', async (_id, _what, code, bytes) => {
    const error = await expectBytesRefused(code, bytes, (source) =>
      readSafetensorsHeader(source, { path: 'x.safetensors' }),
    );
    expect(error.path).toBe('x.safetensors');
  });

  it('S1 a header over the limit is refused before it is read, though the file has it', async () => {
    await expectRefusal('safetensors/header-size', () =>
      readSafetensorsHeader(sparseSource(file('{', 0, 100_000_001n), 2 ** 40)),
    );
  });
});

const TWINS: readonly (readonly [id: string, what: string, bytes: Uint8Array, tensors: number])[] = [
  ['S1', 'the smallest header', file('{}', 0), 0],
  [
    'S2',
    'tensors that lie end to end, listed backwards',
    one(`{${entry('"b"', 'U8', '[4]', 4, 8)},${entry('"a"', 'U8', '[4]', 0, 4)}}`),
    2,
  ],
  [
    'S2',
    'tensors without elements',
    one(`{${entry('"z"', 'F32', '[0,9]', 8, 8)},${ONE},${entry('"y"', 'F32', '[0]', 0, 0)}}`),
    3,
  ],
  [
    'S3',
    'keys that differ in case, and metadata',
    one(`{"__metadata__":{"x":"1","X":"1"},${entry('"A"', 'U8', '[4]', 4, 8)},${entry('"a"', 'U8', '[4]', 0, 4)}}`),
    2,
  ],
  ['S3', 'metadata that is null, as mlx writes it', one(`{"__metadata__":null,${ONE}}`), 1],
  ['S3', 'spaces behind the header', one(`{${ONE}}       `), 1],
  [
    'S3',
    'tensors called __proto__ and constructor',
    one(`{${entry('"__proto__"', 'U8', '[4]', 0, 4)},${entry('"constructor"', 'U8', '[4]', 4, 8)}}`),
    2,
  ],
  ['S4', 'a scalar', one(`{${entry('"a"', 'F64', '[]', 0, 8)}}`), 1],
  [
    'S4',
    'four elements of F6 and two of F4',
    one(`{${entry('"a"', 'F6_E2M3', '[4]', 0, 3)},${entry('"b"', 'F4', '[2]', 3, 4)}}`, 4),
    2,
  ],
  [
    'S4',
    'a field that nobody knows',
    one('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"future":{"x":[1]}}}'),
    1,
  ],
  ...Object.entries(SAFETENSORS_DTYPES).map(
    ([dtype, bits]) => ['S4', `dtype ${dtype}`, one(`{${entry('"a"', dtype, '[8]', 0, bits)}}`, bits), 1] as const,
  ),
];

describe('their valid twins are read', () => {
  it.each(TWINS)('%s %s', async (_id, _what, bytes, count) => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    const header = await readSafetensorsHeader(memorySource(bytes));
    expect(header.tensors.size).toBe(count);
    const ends = [...header.tensors.values()].map((tensor) => tensor.offset + tensor.bytes);
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
    expect((await describeSafetensors(memorySource(bytes))).problems).toEqual([]);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });
});

describe('S1 S2 every prefix of a valid file', () => {
  it('is refused with a typed error, and described once its header is whole', async () => {
    const whole = one(
      `{"__metadata__":{"format":"pt"},${entry('"a"', 'U8', '[3]', 0, 3)},${entry('"b"', 'U8', '[5]', 3, 8)}}   `,
    );
    const { dataOffset } = await readSafetensorsHeader(memorySource(whole));
    for (let length = 0; length < whole.length; length++) {
      const prefix = memorySource(whole.slice(0, length));
      const refused = expectTyped(
        await readSafetensorsHeader(prefix).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
      const described = await describeSafetensors(prefix).catch((error: unknown) => expectTyped(error));
      if (length >= dataOffset) {
        expect(refused.code).toBe('safetensors/truncated');
        expect(described).toMatchObject({
          dataOffset,
          problems: [{ code: 'safetensors/truncated', detail: { missing: whole.length - length } }],
        });
      } else {
        expect(refused.code).toBe(
          length === 0 ? 'input/empty' : length < 8 ? 'safetensors/truncated' : 'safetensors/header-size',
        );
      }
    }
  });

  it('describes misplaced data with its problem', async () => {
    const described = await describeSafetensors(memorySource(one(`{${ONE}}`, 9)));
    expect(described.problems.map(({ code }) => code)).toEqual(['safetensors/layout']);
    expect(described.tensors.get('a')).toMatchObject({ bytes: 8, shape: [2], dtype: 'F32' });
  });
});
