import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { StudioError } from '../../src/core/errors';
import { describeGguf } from '../../src/core/formats/gguf/readGguf';
import { describeSafetensors } from '../../src/core/formats/safetensors/readSafetensors';
import { readForViewing } from '../../src/core/viewer/readForViewing';
import { summarise } from '../../src/core/viewer/summarise';
import { ANSWERS } from '../../src/core/viewer/viewerProtocol';
import { metadataPage } from '../../src/core/viewer/metadataView';
import { numberOf, textOf, type ViewedFile } from '../../src/core/viewer/viewedFile';
import { arrayKey, buildGguf, join, key, text, textKey, u32, u32Key, u64, u8, validSpec } from '../hostile/ggufBuilder';
import { expectTyped, sparseSource } from '../hostile/refusal';
import { Random } from '../support/random';

const ENCODER = new TextEncoder();
const DEADLINE_MS = 2000;

const view = (bytes: Uint8Array, name = 'x.gguf'): Promise<ViewedFile> => readForViewing(memorySource(bytes), name);
const codes = (file: ViewedFile): string[] => file.problems.map(({ code }) => code);
const names = (file: ViewedFile): string[] =>
  Array.from({ length: file.tensors.length }, (_, index) => file.tensors.name(index));

function safetensors(header: string, dataBytes: number, length?: bigint): Uint8Array {
  const bytes = ENCODER.encode(header);
  return join(u64(length ?? BigInt(bytes.length)), bytes, new Uint8Array(dataBytes));
}

/** Everything that the page would show of a file can be made, and has the agreed shape. */
function expectShowable(file: ViewedFile): void {
  const summary = ANSWERS.summary.parse(summarise(file, 'x.gguf'));
  expect(summary.counts.tensors).toBe(file.tensors.length);
  expect(ANSWERS.metadata.parse(metadataPage(file, { filter: '', start: 0, count: 200 })).total).toBe(
    file.metadata.length,
  );
  const shown = JSON.stringify([summary, metadataPage(file, { filter: '', start: 0, count: 200 })]);
  expect(JSON.parse(shown)).toBeDefined();
  // Nothing invisible, and nothing that reorders text, reaches the page.
  expect(shown).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/);
  file.tensors.select({ filter: 'a', sort: 'name', descending: true });
  file.tensors.select({ filter: '', sort: 'size', descending: false, onlyProblems: true });
}

describe('a sound file', () => {
  it('of GGUF shows what the strict reader reads', async () => {
    const bytes = buildGguf(validSpec());
    const [ours, strict] = [
      await readForViewing(memorySource(bytes), 'x.gguf', { arrays: 'keep' }),
      await describeGguf(memorySource(bytes)),
    ];
    expect(new Map(ours.metadata)).toEqual(strict.metadata);
    expect(names(ours)).toEqual(strict.tensors.map(({ name }) => name));
    strict.tensors.forEach((tensor, index) => {
      expect(ours.tensors.row(index)).toMatchObject({
        name: tensor.name,
        type: tensor.type,
        shape: tensor.shape,
        bytes: tensor.bytes,
        offset: strict.dataOffset + tensor.offset,
        problem: undefined,
      });
    });
    expect(ours).toMatchObject({ complete: true, dataOffset: strict.dataOffset, fileBytes: bytes.length, version: 3 });
    expectShowable(ours);
  });

  it('of safetensors shows what the strict reader reads', async () => {
    const bytes = safetensors(
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}',
      10,
    );
    const [ours, strict] = [await view(bytes, 'x.safetensors'), await describeSafetensors(memorySource(bytes))];
    expect(names(ours)).toEqual([...strict.tensors.keys()]);
    [...strict.tensors.values()].forEach((tensor, index) => {
      expect(ours.tensors.row(index)).toMatchObject({
        type: tensor.dtype,
        shape: tensor.shape,
        bytes: tensor.bytes,
        offset: tensor.offset,
        problem: undefined,
      });
    });
    expect(ours.problems).toEqual([]);
    expect(textOf(ours, 'format')).toBe('pt');
    expectShowable(ours);
  });

  it('is known by its content, whatever its name', async () => {
    expect((await view(buildGguf(validSpec()), 'x.safetensors')).format).toBe('gguf');
    expect((await view(safetensors('{}', 0), 'x.gguf')).format).toBe('safetensors');
  });
});

describe('a damaged GGUF shows what can be shown', () => {
  const spec = validSpec();
  it.each([
    [
      'a tensor beyond the end of the file',
      { ...spec, tensors: [...spec.tensors, { name: 'far', offset: 999_999n }] },
      'gguf/truncated',
      'far',
    ],
    [
      'a tensor at an offset that no file has',
      { ...spec, tensors: [...spec.tensors, { name: 'far', offset: 2n ** 64n - 1n }] },
      'gguf/offset',
      'far',
    ],
    [
      'a tensor a byte off',
      {
        ...spec,
        tensors: [
          { name: 'moved', offset: 32n },
          { name: 'next', offset: 64n },
        ],
        dataBytes: 96,
      },
      'gguf/offset',
      'moved',
    ],
    ['an unknown type', { ...spec, tensors: [...spec.tensors, { name: 'odd', typeId: 77 }] }, 'gguf/type', 'odd'],
    [
      'an impossible size',
      { ...spec, tensors: [...spec.tensors, { name: 'huge', dimensions: [2n ** 62n, 4n] }] },
      'gguf/size',
      'huge',
    ],
    [
      'rows that do not divide into blocks',
      { ...spec, tensors: [...spec.tensors, { name: 'bent', type: 'Q4_K' as const, dimensions: [100n] }] },
      'gguf/size',
      'bent',
    ],
    [
      'five dimensions',
      { ...spec, tensors: [...spec.tensors, { name: 'deep', dimensions: [1n, 1n, 1n, 1n, 1n] }] },
      'gguf/dimensions',
      'deep',
    ],
    ['a name twice', { ...spec, tensors: [{ name: 'twin' }, { name: 'twin' }] }, 'gguf/tensor-name', 'twin'],
    ['a long name', { ...spec, tensors: [{ name: 'n'.repeat(200) }] }, 'gguf/tensor-name', 'n'.repeat(200)],
  ])('%s is a row with a problem, and the others are rows without', async (_what, broken, code, name) => {
    const file = await view(buildGguf(broken));
    expect(file.complete).toBe(true);
    expect(codes(file)).toContain(code);
    const marked = file.tensors.select({ filter: '', sort: 'file', descending: false, onlyProblems: true });
    expect(Array.from(marked, (index) => file.tensors.name(index))).toContain(name);
    expect(file.tensors.length).toBe(broken.tensors.length);
    expect(file.metadata.length).toBe(spec.keys.length);
    expectShowable(file);
  });

  it('keeps a key that stands twice, and shows both', async () => {
    const file = await view(buildGguf({ keys: [u32Key('a', 1), u32Key('a', 2)] }));
    expect(file.metadata.map(([, value]) => value.value)).toEqual([1, 2]);
    expect(codes(file)).toContain('gguf/key');
    expect(numberOf(file, 'a')).toBe(1);
  });

  it('does not believe counts', async () => {
    for (const count of [10n ** 9n, 2n ** 63n, 2n ** 64n - 1n]) {
      const file = await view(buildGguf({ ...spec, tensorCount: count }));
      expect(codes(file)).toContain('gguf/count');
      expect(file.complete).toBe(false);
      expect(file.metadata.length).toBe(spec.keys.length);
    }
  });

  it('shows keys before the one that breaks', async () => {
    for (const broken of [
      key('bad', 99, u8(0)),
      arrayKey('bad', 'array', 1n, u8(0, 0, 0, 0)),
      textKey('', 'x'),
      key('bad', 'string', text('x', 2n ** 40n)),
    ]) {
      const file = await view(buildGguf({ keys: [u32Key('one', 1), broken, u32Key('two', 2)] }));
      expect(file.metadata.map(([name]) => name)).toEqual(['one']);
      expect(file.complete).toBe(false);
      expect(file.problems.length).toBeGreaterThan(0);
      expectShowable(file);
    }
  });

  it('leaves the prototype of objects alone', async () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    const file = await view(buildGguf({ keys: [textKey('__proto__', 'x'), textKey('constructor', 'y')] }));
    expect(file.metadata.map(([name]) => name)).toEqual(['__proto__', 'constructor']);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });

  it.each([
    ['big endian', join(ENCODER.encode('GGUF'), u8(0, 0, 0, 3), new Uint8Array(64)), 'gguf/endianness'],
    ['version 1', join(ENCODER.encode('GGUF'), u32(1), new Uint8Array(64)), 'gguf/version'],
    ['no GGUF at all', ENCODER.encode('hello world, this is text'), 'gguf/magic'],
  ])('%s says so', async (_what, bytes, code) => {
    const file = await view(bytes);
    expect(codes(file)).toContain(code);
    expect(file.complete).toBe(false);
    expectShowable(file);
  });

  it('of every length shows something or is refused with a code', async () => {
    const bytes = buildGguf(spec);
    for (let length = 0; length <= bytes.length; length++) {
      try {
        const file = await view(bytes.subarray(0, length));
        expect(length === bytes.length || file.problems.length > 0, `${length} bytes`).toBe(true);
        expectShowable(file);
      } catch (error) {
        expectTyped(error);
        expect(length, String(error)).toBeLessThan(24);
      }
    }
  });
});

describe('a damaged safetensors file shows what can be shown', () => {
  const good = '"good":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
  it.each([
    ['an unknown dtype', `{${good},"bad":{"dtype":"F33","shape":[2],"data_offsets":[8,16]}}`, 'safetensors/tensor'],
    [
      'a shape that does not fit',
      `{${good},"bad":{"dtype":"F32","shape":[3],"data_offsets":[8,16]}}`,
      'safetensors/tensor',
    ],
    [
      'a product that wraps around',
      `{${good},"bad":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[8,16]}}`,
      'safetensors/tensor',
    ],
    ['an entry that is a number', `{${good},"bad":5}`, 'safetensors/tensor'],
    [
      'a dimension that is a fraction',
      `{${good},"bad":{"dtype":"F32","shape":[2.5],"data_offsets":[8,16]}}`,
      'safetensors/tensor',
    ],
    ['offsets as text', `{${good},"bad":{"dtype":"F32","shape":[2],"data_offsets":["8","16"]}}`, 'safetensors/tensor'],
    [
      'data beyond the end',
      `{${good},"bad":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`,
      'safetensors/truncated',
    ],
    ['an overlap', `{${good},"bad":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 'safetensors/layout'],
  ])('%s is a row with a problem', async (_what, header, code) => {
    const file = await view(safetensors(header, 8), 'x.safetensors');
    expect(file.complete).toBe(true);
    expect([...names(file)].sort()).toEqual(['bad', 'good']);
    expect(codes(file)).toContain(code);
    expect(file.tensors.row(names(file).indexOf('bad')).problem).toContain('"bad"');
    expect(file.tensors.row(names(file).indexOf('good')).problem).toBeUndefined();
    expectShowable(file);
  });

  it('cut inside its header shows the tensors before the cut', async () => {
    const bytes = safetensors(`{${good},"second":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16);
    const file = await view(bytes.subarray(0, 8 + 100), 'x.safetensors');
    expect(names(file)).toEqual(['good']);
    expect(codes(file)).toEqual(expect.arrayContaining(['safetensors/truncated', 'safetensors/header']));
    expect(file.complete).toBe(false);
  });

  it('with bytes after its end says so', async () => {
    expect(codes(await view(safetensors(`{${good}}`, 40), 'x.safetensors'))).toEqual(['safetensors/layout']);
  });

  it('nested without end, or of a header that no file can have, is bounded', async () => {
    const started = performance.now();
    for (const bytes of [
      safetensors(`{"a":${'['.repeat(300_000)}`, 0),
      safetensors('{}', 0, 2n ** 64n - 1n),
      safetensors('{}', 0, 99_999_999n),
    ]) {
      expectShowable(await view(bytes, 'x.safetensors'));
    }
    const huge = sparseSource(safetensors('{}', 0, 100_000_001n), 10 ** 11);
    expect(codes(await readForViewing(huge, 'x.safetensors'))).toEqual(['safetensors/header-size']);
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS);
  });
});

describe('other files are refused with the reason', () => {
  it.each([
    ['an empty file', new Uint8Array(0), 'input/empty'],
    ['a pickle', join(u8(0x80, 2), ENCODER.encode('}q\u0000.'), new Uint8Array(20)), 'input/pickle'],
    [
      'an LFS pointer',
      ENCODER.encode(
        'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n',
      ),
      'input/lfs-pointer',
    ],
  ])('%s', async (_what, bytes, code) => {
    await expect(view(bytes, 'x.safetensors')).rejects.toMatchObject({ code });
    await expect(view(bytes)).rejects.toBeInstanceOf(StudioError);
  });
});

describe('whatever stands in a file', () => {
  it.each(['gguf', 'safetensors'])('%s: thousands of random damages never break the reader', async (format) => {
    const bytes =
      format === 'gguf'
        ? buildGguf(validSpec())
        : safetensors(
            '{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"y":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]}}',
            24,
          );
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    const started = performance.now();
    for (let round = 0; round < 3000; round++) {
      const damaged = bytes.slice(0, random.below(20) === 0 ? random.below(bytes.length) : bytes.length);
      for (let change = 0; change <= random.below(4); change++) {
        damaged[random.below(Math.max(1, damaged.length))] = random.below(256);
      }
      try {
        expectShowable(await view(damaged, `x.${format}`));
      } catch (error) {
        if (!(error instanceof StudioError)) {
          throw new Error(`seed ${seed}, round ${round}`, { cause: error });
        }
        expectTyped(error);
      }
    }
    expect(performance.now() - started, `seed ${seed}`).toBeLessThan(30_000);
  });
});
