import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRune, fromByteString, isValidUtf8, runeCount, toByteString } from '../../src/core/golang/byteString';
import { formatFloat } from '../../src/core/golang/formatFloat';
import { parseFloat64, parseInteger, parseUint } from '../../src/core/golang/parseNumber';
import { quote } from '../../src/core/golang/quote';
import { unquote } from '../../src/core/golang/unquote';

const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe("Go's strings", () => {
  it('are UTF-8, as Node encodes it, and come back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(toByteString(text)).toBe(bytes(text));
        expect(fromByteString(toByteString(text))).toBe(text);
        expect(runeCount(toByteString(text))).toBe(Array.from(text).length);
      }),
    );
  });

  it('may be any bytes: each that is not UTF-8 is one U+FFFD', () => {
    expect(fromByteString('a\xffb')).toBe('a\ufffdb');
    expect(fromByteString('\xe2\x82')).toBe('\ufffd\ufffd');
    expect(fromByteString('\xed\xa0\x80')).toBe('\ufffd\ufffd\ufffd');
    expect(fromByteString('\xf4\x90\x80\x80\xc0\x80')).toBe('\ufffd'.repeat(6));
    expect(decodeRune('\xe2\x82\xac', 0)).toEqual({ rune: 0x20ac, width: 3 });
    expect([isValidUtf8('\xe2\x82\xac'), isValidUtf8('\xe2\x82'), isValidUtf8('\xff')]).toEqual([true, false, false]);
  });

  it('are quoted so that they can be read back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.boolean(), (data, asciiOnly) => {
        const string = Buffer.from(data).toString('latin1');
        expect(unquote(quote(string, asciiOnly))).toBe(string);
      }),
    );
  });
});

describe("Go's numbers", () => {
  it('are the shortest that read back, in every form', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        for (const format of ['e', 'f', 'g', 'x', 'G', 'E'] as const) {
          const parsed = parseFloat64(formatFloat(value, format, -1));
          expect(parsed).toEqual({ ok: true, value });
        }
      }),
    );
  });

  it('round exactly, ties to even, at any precision', () => {
    expect(formatFloat(2.5, 'f', 0)).toBe('2');
    expect(formatFloat(0.5, 'f', 0)).toBe('0');
    expect(formatFloat(1.5, 'f', 0)).toBe('2');
    expect(formatFloat(0.1, 'f', 30)).toBe('0.100000000000000005551115123126');
    expect(formatFloat(5e-324, 'e', 20)).toBe('4.94065645841246544177e-324');
    expect(formatFloat(1e21, 'g', -1)).toBe('1e+21');
    expect(formatFloat(123456789, 'g', 3)).toBe('1.23e+08');
    expect(formatFloat(1, 'b', -1)).toBe('4503599627370496p-52');
    expect(formatFloat(1.9999, 'x', 2)).toBe('0x1.00p+01');
    expect(formatFloat(-0, 'f', 1)).toBe('-0.0');
  });

  it('are read in the spellings of Go only', () => {
    expect(parseUint('0x_1F')).toEqual({ ok: true, value: 31n });
    expect(parseUint('017')).toEqual({ ok: true, value: 15n });
    expect(parseUint('18446744073709551616')).toMatchObject({ ok: false, fault: 'range' });
    expect(parseInteger('-9223372036854775808')).toEqual({ ok: true, value: -(2n ** 63n) });
    expect(parseInteger('9223372036854775808')).toMatchObject({ ok: false, fault: 'range' });
    for (const wrong of ['', '1_', '_1', '1__0', '08', '0x', '1e3', ' 1', '１']) {
      expect(parseInteger(wrong), wrong).toMatchObject({ ok: false, fault: 'syntax' });
    }
    for (const wrong of ['', '.', 'e1', '1e', '0x1', '0x.p1', '1._5', '1_.5', 'infin', '+nan', ' 1']) {
      expect(parseFloat64(wrong), wrong).toMatchObject({ ok: false, fault: 'syntax' });
    }
    expect(parseFloat64('0x1.8p1')).toEqual({ ok: true, value: 3 });
    expect(parseFloat64('0x1p-1074')).toEqual({ ok: true, value: 5e-324 });
    expect(parseFloat64('0x1.fffffffffffff8p0')).toEqual({ ok: true, value: 2 });
    expect(parseFloat64('1e400')).toEqual({ ok: false, fault: 'range', value: Infinity });
    expect(parseFloat64('0x1p1024')).toMatchObject({ ok: false, fault: 'range' });
  });
});
