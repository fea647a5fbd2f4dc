/** White space and invisible characters that look like a space, or like nothing, with the names that people find them by. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x00a0, 'no-break space'],
  [0x00ad, 'soft hyphen'],
  [0x1680, 'Ogham space mark'],
  [0x2007, 'figure space'],
  [0x200b, 'zero-width space'],
  [0x200c, 'zero-width non-joiner'],
  [0x200d, 'zero-width joiner'],
  [0x200e, 'left-to-right mark'],
  [0x200f, 'right-to-left mark'],
  [0x2028, 'line separator'],
  [0x2029, 'paragraph separator'],
  [0x202f, 'narrow no-break space'],
  [0x205f, 'medium mathematical space'],
  [0x2060, 'word joiner'],
  [0x3000, 'ideographic space'],
  [0xfeff, 'byte order mark'],
]);

/** Characters that stand where a space should, or are not seen at all. */
export const LOOK_ALIKE_SPACES = /[\u00a0\u00ad\u1680\u2000-\u200f\u2028\u2029\u202a-\u202f\u205f-\u2064\u3000\ufeff]/u;

/** `no-break space (U+00A0)`; the number alone where there is no name that people use. */
export function characterName(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const number = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const name = NAMES.get(code) ?? (code >= 0x2000 && code <= 0x200a ? 'typographic space' : undefined);
  return name === undefined ? number : `${name} (${number})`;
}

/** Cyrillic and Greek capitals that look like Latin ones. */
const LATIN: ReadonlyMap<string, string> = new Map(
  Array.from('АВЕЅІЈКМНОРСТХУаеорсухіѕ', (char, at) => [char, 'ABESIJKMHOPCTXYaeopcyxis'[at] ?? char] as const).concat(
    Array.from('ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο', (char, at) => [char, 'ABEZHIKMNOPTYXo'[at] ?? char] as const),
  ),
);

/** A word with letters that only look like ASCII (full width, Cyrillic, Greek) as ASCII. */
export function asAscii(word: string): string {
  return Array.from(word.normalize('NFKC'), (char) => LATIN.get(char) ?? char).join('');
}
