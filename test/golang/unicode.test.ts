import { describe, expect, it } from 'vitest';
import { isDigit, isLetter, isPrint } from '../../src/core/golang/unicode';
import { GO_UNICODE_VERSION } from '../../src/core/golang/unicodeTables';

describe("Go's Unicode tables", () => {
  it('are those of Unicode 15.0: what came later is not in them', () => {
    expect(GO_UNICODE_VERSION).toBe('15.0.0');
    // Nag Mundari came with 15.0, CJK extension I with 15.1, Garay with 16.0.
    expect([0x1e4d0, 0x2ebf0, 0x10d50].map(isLetter)).toEqual([true, false, false]);
    expect([0x1e4f0, 0x10d40].map(isDigit)).toEqual([true, false]);
  });

  it('know letters and digits of many scripts', () => {
    expect(Array.from('aZéßжあ日ªʰ', (c) => isLetter(c.codePointAt(0) ?? 0))).toEqual(Array(9).fill(true));
    expect(Array.from('0_٣́½😀 -', (c) => isLetter(c.codePointAt(0) ?? 0))).not.toContain(true);
    expect(Array.from('09٣९', (c) => isDigit(c.codePointAt(0) ?? 0))).toEqual(Array(4).fill(true));
    expect(Array.from('aª½Ⅷ²', (c) => isDigit(c.codePointAt(0) ?? 0))).not.toContain(true);
  });

  it('print what can be seen, and of spaces the ASCII one only', () => {
    expect([0x20, 0x7e, 0xa1, 0x300, 0x65e5, 0xfffd, 0x1f600].map(isPrint)).toEqual(Array(7).fill(true));
    expect(
      [0, 9, 0x1f, 0x7f, 0x85, 0xa0, 0xad, 0x378, 0x200b, 0x2028, 0x3000, 0xd800, 0xe000, 0xfeff, 0xffff, 0x10ffff].map(
        isPrint,
      ),
    ).toEqual(Array(16).fill(false));
  });

  // Counted by a loop in Go 1.26 over unicode.IsLetter, IsDigit and IsPrint.
  it('have as many members as in Go', () => {
    let letters = 0;
    let digits = 0;
    let printable = 0;
    for (let rune = 0; rune <= 0x10ffff; rune++) {
      letters += isLetter(rune) ? 1 : 0;
      digits += isDigit(rune) ? 1 : 0;
      printable += isPrint(rune) ? 1 : 0;
    }
    expect([letters, digits, printable]).toEqual([136_104, 680, 148_998]);
  });
});
