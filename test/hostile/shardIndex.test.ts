import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/core/errorCodes';
import { checkShards, isPlainFileName, readShardIndex } from '../../src/core/formats/safetensors/shardIndex';
import type { SafetensorsHeader } from '../../src/core/formats/safetensors/safetensorsTypes';
import { expectRefusal } from './refusal';

const UNSAFE = [
  '',
  '.',
  '..',
  '../x.safetensors',
  '../../etc/passwd',
  'a/b.safetensors',
  './x.safetensors',
  '/x.safetensors',
  '/etc/passwd',
  '//host/share/x',
  String.raw`..\x.safetensors`,
  String.raw`a\b`,
  String.raw`\\host\share\x`,
  String.raw`\\?\C:\x`,
  'C:x.safetensors',
  'C:\\x',
  'c:/x',
  'x.safetensors:stream',
  'x\0.safetensors',
  'x\n.safetensors',
  '\u001b[2J',
  'x\u202e.safetensors',
  'x\u200b',
  'NUL',
  'nul.safetensors',
  'CON',
  'com1.safetensors',
  'LPT9',
  'COM¹',
  'CONIN$',
  'x.',
  'x ',
  'x?',
  'x*',
  'x|y',
  'x"',
  '<x>',
  'x'.repeat(256),
];
const SAFE = [
  'model.safetensors',
  'model-00001-of-00002.safetensors',
  'a b.safetensors',
  '-model',
  '.hidden',
  'modèle-中.safetensors',
  'null.safetensors',
  'common.bin',
  'com10',
  'x'.repeat(255),
];

function index(weightMap: Readonly<Record<string, unknown>> | string): string {
  return typeof weightMap === 'string'
    ? weightMap
    : JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap });
}

describe('S5 names in a shard index', () => {
  it.each(UNSAFE)('refuses %j on every system', async (name) => {
    expect(isPlainFileName(name)).toBe(false);
    const error = await expectRefusal('index/unsafe-name', () =>
      Promise.resolve().then(() => readShardIndex(index({ w: name }), 'i.json')),
    );
    expect(error.path).toBe('i.json');
  });

  it.each(SAFE)('takes %j', (name) => {
    expect([...readShardIndex(index({ w: name }))]).toEqual([['w', name]]);
  });

  it.each<readonly [string, ErrorCode, string]>([
    ['a shard that is a number', 'index/unsafe-name', index({ w: 1 })],
    ['a shard that is an object', 'index/unsafe-name', index({ w: {} })],
    ['no weight_map', 'index/mismatch', '{}'],
    ['a weight_map that is an array', 'index/mismatch', '{"weight_map":[]}'],
    ['an index that is an array', 'index/mismatch', '[]'],
    ['a tensor twice', 'json/duplicate-key', '{"weight_map":{"w":"a","w":"b"}}'],
    ['a tensor twice, once escaped', 'json/duplicate-key', String.raw`{"weight_map":{"w":"a","\u0077":"b"}}`],
    ['half an index', 'json/syntax', '{"weight_map":{"w":"a"'],
  ])('refuses %s', async (_what, code, text) => {
    await expectRefusal(code, () => Promise.resolve().then(() => readShardIndex(text)));
  });

  it('refuses more than 10,000 shards, not 10,000', async () => {
    const shards = (count: number): string =>
      index(Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, `s${i}`])));
    expect(readShardIndex(shards(10_000)).size).toBe(10_000);
    const tooMany = shards(10_001);
    await expectRefusal('index/limit', () => Promise.resolve().then(() => readShardIndex(tooMany)));
  });

  it('refuses a million shards without reading on', async () => {
    const million = `{"weight_map":{${Array.from({ length: 1_000_000 }, (_, i) => `"w${i}":"s${i}"`).join()}}}`;
    await expectRefusal('index/limit', () => Promise.resolve().then(() => readShardIndex(million)));
  });

  it('keeps a tensor called __proto__', () => {
    expect([...readShardIndex('{"weight_map":{"__proto__":"a.safetensors"}}')]).toEqual([
      ['__proto__', 'a.safetensors'],
    ]);
  });
});

describe('S5 shards against their index', () => {
  const shard = (...names: string[]): SafetensorsHeader => ({
    metadata: new Map(),
    dataOffset: 8,
    fileBytes: 8,
    tensors: new Map(names.map((name) => [name, { name, dtype: 'U8' as const, shape: [0], offset: 8, bytes: 0 }])),
  });
  const twoShards = new Map([
    ['x', 'one'],
    ['y', 'two'],
  ]);

  it('takes shards that hold what the index says', () => {
    checkShards(
      twoShards,
      new Map([
        ['one', shard('x')],
        ['two', shard('y')],
      ]),
    );
  });

  it.each<readonly [string, ErrorCode, ReadonlyMap<string, SafetensorsHeader>]>([
    ['a missing shard', 'index/missing', new Map([['one', shard('x')]])],
    [
      'a tensor in two shards',
      'index/mismatch',
      new Map([
        ['one', shard('x', 'y')],
        ['two', shard('y')],
      ]),
    ],
    [
      'a tensor in the other shard',
      'index/mismatch',
      new Map([
        ['one', shard('x', 'y')],
        ['two', shard()],
      ]),
    ],
    [
      'a tensor in no shard',
      'index/mismatch',
      new Map([
        ['one', shard('x')],
        ['two', shard()],
      ]),
    ],
    [
      'a tensor that the index does not name',
      'index/mismatch',
      new Map([
        ['one', shard('x')],
        ['two', shard('y', 'z')],
      ]),
    ],
  ])('refuses %s', async (_what, code, headers) => {
    await expectRefusal(code, () => Promise.resolve().then(() => checkShards(twoShards, headers, 'i.json')));
  });
});
