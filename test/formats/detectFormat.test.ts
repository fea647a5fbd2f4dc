import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { DETECTION_BYTES, detectFormat, type FileFormat } from '../../src/core/formats/detectFormat';
import { readGguf } from '../../src/core/formats/gguf/readGguf';
import { parseLfsPointer } from '../../src/core/formats/lfsPointer';
import { readSafetensorsHeader } from '../../src/core/formats/safetensors/readSafetensors';
import { buildGguf } from '../hostile/ggufBuilder';
import { expectRefusal } from '../hostile/refusal';

const ENCODER = new TextEncoder();
const fixtures = readdirSync('test/fixtures', { recursive: true, encoding: 'utf8' }).filter((name) =>
  statSync(join('test/fixtures', name)).isFile(),
);

/** What each fixture is, by its name, which the product does not look at. */
function expected(name: string): FileFormat {
  if (name.endsWith('.safetensors')) {
    return 'safetensors';
  }
  if (/\.(?:pt|pth|bin)$/.test(name)) {
    return 'pickle';
  }
  if (name.endsWith('tokenizer.model')) {
    return 'sentencepiece';
  }
  return /\.jsonl?$/.test(name) ? 'json' : 'unknown';
}

function first(path: string): Uint8Array {
  const bytes = new Uint8Array(DETECTION_BYTES);
  const handle = openSync(path, 'r');
  const got = readSync(handle, bytes);
  closeSync(handle);
  return bytes.subarray(0, got);
}

const OID = '4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393';
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize 12345\n`;

describe('files are told apart by their content', () => {
  it.each(fixtures)('%s', (name) => {
    const path = join('test/fixtures', name);
    expect(detectFormat(first(path), statSync(path).size, 'file')).toBe(expected(name));
    expect(detectFormat(first(path), statSync(path).size, 'file.gguf')).toBe(expected(name));
  });

  it.each<readonly [FileFormat, string, Uint8Array]>([
    ['empty', 'nothing', new Uint8Array(0)],
    ['gguf', 'a GGUF', buildGguf()],
    ['lfs-pointer', 'a Git LFS pointer', ENCODER.encode(POINTER)],
    ['json', 'JSON after white space', ENCODER.encode(' \n{"a": 1}')],
    ['json', 'JSON after a byte order mark', Uint8Array.of(0xef, 0xbb, 0xbf, 0x5b, 0x31, 0x5d)],
    ['json', 'an empty object', ENCODER.encode('{}')],
    ['unknown', 'a Jinja template', ENCODER.encode('{%- if messages %}{{ bos_token }}')],
    ['unknown', 'a Jinja comment', ENCODER.encode('{# hello #}')],
    ['unknown', 'a text', ENCODER.encode('hello')],
    ['unknown', 'zeros', new Uint8Array(2000)],
    ['unknown', 'an HTML page under a name of weights', ENCODER.encode('<!doctype html>')],
  ])('%s: %s', (format, _what, bytes) => {
    expect(detectFormat(bytes.subarray(0, DETECTION_BYTES), bytes.length, 'model.safetensors')).toBe(format);
  });

  it('answers to any first bytes', () => {
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from({ length: i % 40 }, (_, at) => (i * 2654435761 + at * 40503 * i) >>> (at % 24));
      expect(detectFormat(bytes, bytes.length, 'x')).toBeTypeOf('string');
    }
  });
});

describe('a Git LFS pointer', () => {
  it('says which file is missing', () => {
    expect(parseLfsPointer(ENCODER.encode(POINTER), POINTER.length)).toEqual({ oid: OID, size: 12345 });
    const windows = POINTER.replaceAll('\n', '\r\n');
    expect(parseLfsPointer(ENCODER.encode(windows), windows.length)).toEqual({ oid: OID, size: 12345 });
  });

  it.each([
    ['without size', POINTER.replace(/size.*\n/, '')],
    ['with a short hash', POINTER.replace(OID, OID.slice(1))],
    ['of another version', POINTER.replace('/v1', '/v9')],
    ['that is much longer', POINTER + 'x'.repeat(2000)],
    ['with a size beyond all files', POINTER.replace('12345', '1'.repeat(30))],
  ])('is none %s', (_what, text) => {
    expect(parseLfsPointer(ENCODER.encode(text), text.length)).toBeUndefined();
  });

  it('is what the readers say, in place of a damaged file', async () => {
    for (const read of [readGguf, readSafetensorsHeader]) {
      const error = await expectRefusal('input/lfs-pointer', () =>
        read(memorySource(ENCODER.encode(POINTER)), { path: 'model.safetensors' }),
      );
      expect(error.message).toContain('12345');
      expect(error.message).toContain('git lfs pull');
    }
  });
});
