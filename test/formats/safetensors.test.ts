import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { describeSafetensors, readSafetensorsHeader } from '../../src/core/formats/safetensors/readSafetensors';
import { readShardIndex } from '../../src/core/formats/safetensors/shardIndex';
import {
  encodeSafetensorsHeader,
  type SafetensorsTensorInput,
} from '../../src/core/formats/safetensors/writeSafetensors';
import { SAFETENSORS_DTYPES } from '../../src/core/formats/tensorRef';
import { openFileSource } from '../../src/node/files/fileSource';
import { expectRefusal, expectTyped } from '../hostile/refusal';

const files = ['test/fixtures', 'test/golden'].flatMap((root) =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => join(root, name))
    .filter((path) => path.endsWith('.safetensors')),
);

interface RawEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The header as JSON.parse sees it: enough for files that are known to be sound. */
function rawHeader(bytes: Buffer): {
  readonly length: number;
  readonly entries: ReadonlyMap<string, RawEntry>;
  readonly metadata: Readonly<Record<string, string>>;
} {
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...entries } = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<
    string,
    unknown
  >;
  return {
    length,
    entries: new Map(Object.entries(entries as Record<string, RawEntry>)),
    metadata: (metadata ?? {}) as Record<string, string>,
  };
}

describe('all safetensors files of PEFT, mlx and transformers', () => {
  it('are many', () => {
    expect(files.length).toBeGreaterThan(10);
  });

  it.each(files)('%s', async (path) => {
    const raw = rawHeader(readFileSync(path));
    const source = await openFileSource(path);
    const header = await readSafetensorsHeader(source, { path });
    await source.close();
    expect(header).toMatchObject({ dataOffset: 8 + raw.length, fileBytes: source.size });
    expect(Object.fromEntries(header.metadata)).toEqual(raw.metadata);
    expect(header.tensors.size).toBe(raw.entries.size);
    let at = header.dataOffset;
    for (const tensor of header.tensors.values()) {
      const entry = raw.entries.get(tensor.name)!;
      expect(tensor).toEqual({
        name: tensor.name,
        dtype: entry.dtype,
        shape: entry.shape,
        offset: header.dataOffset + entry.data_offsets[0],
        bytes: entry.data_offsets[1] - entry.data_offsets[0],
      });
      expect(tensor.offset).toBe(at);
      at += tensor.bytes;
    }
    expect(at).toBe(source.size);
  });

  it.each(files.filter((_path, index) => index % 4 === 0))(
    '%s cut anywhere is a typed error, or described with what is missing',
    async (path) => {
      const bytes = readFileSync(path);
      const { length } = rawHeader(bytes);
      for (let step = 0; step < 200; step++) {
        const cut =
          step < 100
            ? Math.floor((step / 100) * (8 + length))
            : 8 + length + Math.floor(((step - 100) / 100) * (bytes.length - 8 - length));
        const prefix = memorySource(bytes.subarray(0, cut));
        expectTyped(await readSafetensorsHeader(prefix, { path }).catch((error: unknown) => error));
        const described = await describeSafetensors(prefix, { path }).catch((error: unknown) => expectTyped(error));
        if (cut >= 8 + length) {
          expect(described).toMatchObject({
            problems: [{ code: 'safetensors/truncated', path, detail: { missing: bytes.length - cut } }],
          });
        }
      }
    },
  );
});

describe('a shard index', () => {
  it('of a real folder names its file for each tensor', async () => {
    const index = readShardIndex(readFileSync('test/fixtures/rugby/base-mlx4/model.safetensors.index.json'));
    const source = await openFileSource('test/fixtures/rugby/base-mlx4/model.safetensors');
    const header = await readSafetensorsHeader(source);
    await source.close();
    expect([...new Set(index.values())]).toEqual(['model.safetensors']);
    expect([...index.keys()].sort()).toEqual([...header.tensors.keys()].sort());
  });
});

describe('writing a safetensors header', () => {
  it('gives back what was read, but for the order of keys and the padding', async () => {
    for (const path of files) {
      const source = await openFileSource(path);
      const header = await readSafetensorsHeader(source);
      await source.close();
      const encoded = encodeSafetensorsHeader([...header.tensors.values()], header.metadata);
      const again = await readSafetensorsHeader({
        size: encoded.fileBytes,
        read: (offset, target) => memorySource(encoded.header).read(offset, target),
      });
      expect(again.metadata).toEqual(header.metadata);
      expect(
        [...again.tensors.values()].map(({ name, dtype, shape, bytes }) => ({ name, dtype, shape, bytes })),
      ).toEqual([...header.tensors.values()].map(({ name, dtype, shape, bytes }) => ({ name, dtype, shape, bytes })));
      expect(encoded.header.length % 8).toBe(0);
    }
  });

  it('is what the reference writer makes of the same tensors', () => {
    // safetensors.torch.save_file wrote this adapter: its header, with the tensors in the order of their data.
    const bytes = readFileSync('test/fixtures/rugby/lora/adapter_model.safetensors');
    const raw = rawHeader(bytes);
    const inputs = [...raw.entries]
      .sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
      .map(([name, entry]) => ({ name, dtype: entry.dtype, shape: entry.shape }) as SafetensorsTensorInput);
    const encoded = encodeSafetensorsHeader(inputs, new Map(Object.entries(raw.metadata)));
    expect(Buffer.from(encoded.header).toString('utf8')).toBe(bytes.subarray(0, 8 + raw.length).toString('utf8'));
    expect(encoded.fileBytes).toBe(bytes.length);
  });

  it.each<readonly [string, 'safetensors/header' | 'safetensors/tensor', readonly SafetensorsTensorInput[]]>([
    [
      'a tensor twice',
      'safetensors/header',
      [
        { name: 'a', dtype: 'U8', shape: [1] },
        { name: 'a', dtype: 'U8', shape: [1] },
      ],
    ],
    ['the reserved name', 'safetensors/header', [{ name: '__metadata__', dtype: 'U8', shape: [1] }]],
    ['half a character', 'safetensors/header', [{ name: '\ud800', dtype: 'U8', shape: [1] }]],
    ['half a byte', 'safetensors/tensor', [{ name: 'a', dtype: 'F4', shape: [3] }]],
    ['a negative dimension', 'safetensors/tensor', [{ name: 'a', dtype: 'U8', shape: [-1] }]],
    ['a fraction', 'safetensors/tensor', [{ name: 'a', dtype: 'U8', shape: [1.5] }]],
    ['more than any file holds', 'safetensors/tensor', [{ name: 'a', dtype: 'U8', shape: [2 ** 50, 2 ** 50] }]],
    [
      'more than any file holds, together',
      'safetensors/tensor',
      [
        { name: 'a', dtype: 'U8', shape: [2 ** 52] },
        { name: 'b', dtype: 'U8', shape: [2 ** 52] },
      ],
    ],
  ])('refuses %s', async (_what, code, inputs) => {
    await expectRefusal(code, () => Promise.resolve().then(() => encodeSafetensorsHeader(inputs)));
  });
});

describe('a header of a hundred thousand tensors', () => {
  const inputs = Array.from({ length: 100_000 }, (_, i): SafetensorsTensorInput => ({
    name: `model.layers.${i}.mlp.experts.down_proj.weight`,
    dtype: 'BF16',
    shape: [2, 3],
  }));
  const encoded = encodeSafetensorsHeader(inputs);
  const source = {
    size: encoded.fileBytes,
    read: (offset: number, target: Uint8Array): Promise<number> => memorySource(encoded.header).read(offset, target),
  };

  it('is read no slower than four times what JSON.parse alone takes', async () => {
    const text = new TextDecoder().decode(encoded.header.subarray(8));
    let ratio = Infinity;
    for (let attempt = 0; attempt < 6 && ratio >= 2; attempt++) {
      const start = performance.now();
      const header = await readSafetensorsHeader(source);
      const middle = performance.now();
      JSON.parse(text);
      ratio = Math.min(ratio, (middle - start) / (performance.now() - middle));
      expect(header.tensors.size).toBe(inputs.length);
    }
    console.log(
      `safetensors header of ${(encoded.header.length / 1e6).toFixed(1)} MB, against JSON.parse: ${ratio.toFixed(2)}`,
    );
    expect(ratio).toBeLessThan(4);
  });

  it('takes white space wherever JSON has it, as the reference reader does', async () => {
    const header = {
      __metadata__: { format: 'pt' },
      a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
      b: { dtype: 'U8', shape: [], data_offsets: [24, 25] },
    };
    for (const text of [
      JSON.stringify(header),
      JSON.stringify(header, null, 1),
      JSON.stringify(header, null, '\t').replaceAll('\n', '\r\n'),
      JSON.stringify(header).replaceAll(/[:,]/g, '$& '),
    ]) {
      const json = Buffer.from(text);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(json.length));
      const { tensors, metadata } = await readSafetensorsHeader(
        memorySource(Buffer.concat([length, json, Buffer.alloc(25)])),
      );
      expect([...metadata]).toEqual([['format', 'pt']]);
      expect([...tensors.values()].map(({ name, shape, bytes }) => [name, shape, bytes])).toEqual([
        ['a', [2, 3], 24],
        ['b', [], 1],
      ]);
    }
  });

  it('knows all dtypes of the format', () => {
    expect(Object.keys(SAFETENSORS_DTYPES)).toHaveLength(20);
  });
});
