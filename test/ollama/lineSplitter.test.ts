import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, MAX_LINE_BYTES } from '../../src/core/ollama/lineSplitter';
import { parseBlobDigest } from '../../src/core/ollama/blobDigest';

describe('lines of a stream', () => {
  it('are the same however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }).filter((line) => !/[\n\r]/.test(line) && line.trim() !== '')),
        fc.array(fc.nat(7)),
        (texts, cuts) => {
          const bytes = new TextEncoder().encode(texts.map((text) => `${text}\n`).join(''));
          const splitter = new LineSplitter();
          const found: string[] = [];
          let at = 0;
          for (const cut of cuts) {
            found.push(...splitter.push(bytes.slice(at, at + cut)));
            at += cut;
          }
          found.push(...splitter.push(bytes.slice(Math.min(at, bytes.length))));
          expect(splitter.end()).toBe('');
          expect(found).toEqual(texts.map((text) => text.trim()));
        },
      ),
    );
  });

  it('are held up to the limit and no further, whether they end or not', () => {
    const chunk = new Uint8Array(64 * 1024).fill(0x61);
    const splitter = new LineSplitter();
    for (let held = 0; held < MAX_LINE_BYTES; held += chunk.length) {
      expect([...splitter.push(chunk)]).toEqual([]);
    }
    expect(() => [...splitter.push(chunk)]).toThrow(expect.objectContaining({ code: 'ollama/protocol' }));
  });

  it('are text', () => {
    const splitter = new LineSplitter();
    expect(() => [...splitter.push(Uint8Array.of(0xc3, 0x28, 10))]).toThrow(
      expect.objectContaining({ code: 'ollama/protocol' }),
    );
  });
});

describe('digests', () => {
  it('are sha256 and 64 digits, nothing else', () => {
    const digits = 'ab'.repeat(32);
    expect(parseBlobDigest(`sha256:${digits}`)).toBe(`sha256:${digits}`);
    expect(parseBlobDigest(`sha256-${digits.toUpperCase()}`)).toBe(`sha256:${digits}`);
    for (const bad of [
      '',
      'sha256:',
      `sha256:${digits}0`,
      `sha256:${digits.slice(1)}`,
      `md5:${digits}`,
      `sha256:../${digits}`,
      ` sha256:${digits}`,
      `sha256:${digits}\n`,
      `sha256/${digits}`,
      `sha256:${'zz'.repeat(32)}`,
    ]) {
      expect(parseBlobDigest(bad), bad).toBeUndefined();
    }
  });
});
