import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/core/errorCodes';
import { isJsonObject, type JsonObject } from '../../src/core/json';
import { parseStrictJson, type StrictJsonOptions } from '../../src/core/strictJson';
import { expectRefusal, expectTyped } from '../hostile/refusal';

const files = readdirSync('test/fixtures', { recursive: true, encoding: 'utf8' })
  .map((name) => join('test/fixtures', name))
  .filter((path) => path.endsWith('.json'));

function refusal(
  text: string | Uint8Array,
  options?: StrictJsonOptions,
): { readonly code: ErrorCode; readonly line: number | undefined; readonly message: string } {
  try {
    parseStrictJson(text, options);
  } catch (error) {
    return expectTyped(error);
  }
  throw new Error(`accepted: ${String(text).slice(0, 100)}`);
}

/** Element-wise, with prototypes left aside. */
function same(ours: unknown, theirs: unknown): boolean {
  if (typeof ours !== 'object' || ours === null || typeof theirs !== 'object' || theirs === null) {
    return Object.is(ours, theirs);
  }
  const keys = Object.keys(ours);
  return (
    Array.isArray(ours) === Array.isArray(theirs) &&
    keys.join('\0') === Object.keys(theirs).join('\0') &&
    keys.every((key) => same((ours as Record<string, unknown>)[key], (theirs as Record<string, unknown>)[key]))
  );
}

describe('strict JSON', () => {
  it.each(files)('%s: as JSON.parse, in the same order', (path) => {
    const bytes = readFileSync(path);
    expect(same(parseStrictJson(bytes), JSON.parse(bytes.toString('utf8')))).toBe(true);
  });

  it('gives objects without a prototype, in which __proto__ is a key like any other', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    const object = parseStrictJson('{"__proto__":{"polluted":true},"constructor":1,"inner":{}}') as JsonObject;
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(Object.keys(object)).toEqual(['__proto__', 'constructor', 'inner']);
    expect(isJsonObject(object.inner) && 'toString' in object.inner).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });

  it.each<readonly [string, string, number]>([
    ['a key twice', '{"a":1,\n"a":2}', 2],
    ['a key twice, once escaped', String.raw`{"a":1,"\u0061":2}`, 1],
    ['a key twice, both escaped', String.raw`{"\u0061\/":1,"a/":2}`, 1],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 1],
    ['a nested key twice', '{"a":[{"b":1},\n\n{"b":1,"c":2,"b":3}]}', 3],
    ['the empty key twice', '{"":1,"":2}', 1],
  ])('refuses %s', (_what, text, line) => {
    expect(refusal(text, { path: 'config.json' })).toMatchObject({
      code: 'json/duplicate-key',
      line,
      path: 'config.json',
    });
  });

  it.each<readonly [string, number]>([
    ['', 1],
    ['   \n ', 2],
    ['{', 1],
    ['{"a"', 1],
    ['{"a":', 1],
    ['{"a":1', 1],
    ['{"a":1,', 1],
    ['{"a":1,}', 1],
    ['{a:1}', 1],
    ["{'a':1}", 1],
    ['[1,]', 1],
    ['[1 2]', 1],
    ['[', 1],
    [']', 1],
    ['{"a":1}\n{}', 2],
    ['nul', 1],
    ['True', 1],
    ['01', 1],
    ['-', 1],
    ['+1', 1],
    ['.5', 1],
    ['1.', 1],
    ['1e', 1],
    ['0x10', 1],
    ['-01', 1],
    ['1_000', 1],
    ['NaN', 1],
    ['Infinity', 1],
    ['-Infinity', 1],
    ['"a', 1],
    ['"a\nb"', 1],
    ['"\t"', 1],
    [String.raw`"\x41"`, 1],
    [String.raw`"\u12"`, 1],
    [String.raw`"\u12G4"`, 1],
    ['"\\', 1],
    ['// comment\n1', 1],
    ['1 // comment', 1],
    ['\u00a01', 1],
    ['\uFEFF\uFEFF1', 1],
    ['{"a":1}\0', 1],
    ['{\n"a": 1,\n"b": oops\n}', 3],
  ])('refuses %j', (text, line) => {
    expect(refusal(text)).toMatchObject({ code: 'json/syntax', line });
    expect(() => JSON.parse(text.replace(/^\uFEFF/, '')) as unknown, 'the reference refuses it too').toThrow(
      SyntaxError,
    );
  });

  it('says what stands where, and that a text may be cut short', () => {
    expect(refusal('{\n "a": 1;\n}').message).toBe(
      'Line 2 of the JSON text has ";" where "," or "}" was expected. Repair the file or fetch it again.',
    );
    expect(refusal('{"a": [1, 2').message).toContain('cut short');
  });

  it('skips one byte order mark, in text and in bytes', () => {
    expect(parseStrictJson('\uFEFF[1]')).toEqual([1]);
    expect(parseStrictJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31))).toBe(1);
    expect(parseStrictJson('"\uFEFF"')).toBe('\uFEFF');
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(refusal(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ code: 'json/syntax' });
  });

  it('takes NaN and Infinity as Python writes them only when asked', () => {
    expect(parseStrictJson('{"a":NaN,"b":[Infinity,-Infinity]}', { pythonLiterals: true })).toMatchObject({
      a: NaN,
      b: [Infinity, -Infinity],
    });
    expect(refusal('[Infinityx]', { pythonLiterals: true }).code).toBe('json/syntax');
    expect(refusal('[-NaN]', { pythonLiterals: true }).code).toBe('json/syntax');
  });

  it.each([
    '0',
    '-0',
    '1',
    '123456789012345',
    '1234567890123456',
    '9007199254740993',
    '1e400',
    '-1e-400',
    '0.1',
    '1E+2',
    '1e05',
    '123.456e-7',
    '-12',
  ])('reads %s as JSON.parse does', (text) => {
    expect(Object.is(parseStrictJson(text), JSON.parse(text))).toBe(true);
  });

  it('limits depth and size', async () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseStrictJson(nested(200))).toBeInstanceOf(Array);
    expect(refusal(nested(201)).code).toBe('json/syntax');
    expect(refusal('{"a":'.repeat(5), { maxDepth: 4 }).code).toBe('json/syntax');
    await expectRefusal('json/syntax', () => Promise.resolve().then(() => parseStrictJson('['.repeat(10_000_000))));
    await expectRefusal('json/too-large', () =>
      Promise.resolve().then(() => parseStrictJson('[1,2,3]', { maxBytes: 6 })),
    );
    expect(parseStrictJson('[1,2,3]', { maxBytes: 7 })).toEqual([1, 2, 3]);
  });
});

describe('a tokenizer.json of a large vocabulary', () => {
  const vocab: Record<string, number> = {};
  const merges: string[][] = [];
  for (let i = 0; i < 150_000; i++) {
    const token = `${i % 2 === 0 ? 'Ġ' : ''}${(i * 7919).toString(36)}${i % 5 === 0 ? 'é"中\\' : ''}`;
    vocab[token] = i;
    merges.push([token.slice(0, 2), token.slice(2)]);
  }
  const bytes = new TextEncoder().encode(
    JSON.stringify({ version: '1.0', model: { type: 'BPE', vocab, merges } }, null, 2),
  );

  it('is parsed in at most 2.5 times what JSON.parse takes', () => {
    let ratio = Infinity;
    for (let attempt = 0; attempt < 8 && ratio >= 1.5; attempt++) {
      const start = performance.now();
      const ours = parseStrictJson(bytes) as JsonObject;
      const middle = performance.now();
      JSON.parse(new TextDecoder().decode(bytes));
      ratio = Math.min(ratio, (middle - start) / (performance.now() - middle));
      const model = ours.model as JsonObject;
      expect(Object.keys(model.vocab as JsonObject)).toHaveLength(150_000);
    }
    console.log(`tokenizer.json of ${(bytes.length / 1e6).toFixed(1)} MB, against JSON.parse: ${ratio.toFixed(2)}`);
    expect(ratio).toBeLessThan(2.5);
  });
});
