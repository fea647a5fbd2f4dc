import { isDigit, isLetter, isPrint } from '../../golang/unicode';

/** 1 at the codes of its characters, all of them ASCII. */
export type CharacterSet = Uint8Array;

function characterSet(characters: string): CharacterSet {
  const set = new Uint8Array(128);
  for (const char of characters) {
    set[char.charCodeAt(0)] = 1;
  }
  return set;
}

export const SIGNS = characterSet('+-');
export const DIGITS = characterSet('0123456789_');
export const HEX_DIGITS = characterSet('0123456789abcdefABCDEF_');
export const OCTAL_DIGITS = characterSet('01234567_');
export const BINARY_DIGITS = characterSet('01_');
export const EXPONENTS = characterSet('eE');
export const HEX_EXPONENTS = characterSet('pP');
export const IMAGINARY = characterSet('i');

export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}

export function isAlphaNumeric(rune: number): boolean {
  return rune === 0x5f || isLetter(rune) || isDigit(rune);
}

export function isDecimal(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Go's `%#U`: `U+0041 'A'`. */
export function describeRune(rune: number): string {
  const name = `U+${rune.toString(16).toUpperCase().padStart(4, '0')}`;
  return isPrint(rune) ? `${name} '${String.fromCodePoint(rune)}'` : name;
}
