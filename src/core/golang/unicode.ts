import { DIGIT_RUNS, LETTER_RUNS, PRINT_RUNS } from './unicodeTables';

/** Ascending code points at which membership flips, starting outside the set. */
type Boundaries = Uint32Array;

function expand(runs: string): Boundaries {
  const lengths = runs.split(' ');
  const boundaries = new Uint32Array(lengths.length);
  let at = 0;
  lengths.forEach((length, index) => {
    at += parseInt(length, 36);
    boundaries[index] = at;
  });
  return boundaries;
}

/** How many boundaries are at or below the rune decides: an odd number is inside. */
function contains(boundaries: Boundaries, rune: number): boolean {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((boundaries[middle] ?? Infinity) <= rune) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low % 2 === 1;
}

let letters: Boundaries | undefined;
let digits: Boundaries | undefined;
let printable: Boundaries | undefined;

/** Go's `unicode.IsLetter` (Unicode 15.0, as Go 1.26 has it). */
export function isLetter(rune: number): boolean {
  if (rune < 0x80) {
    return (rune >= 0x61 && rune <= 0x7a) || (rune >= 0x41 && rune <= 0x5a);
  }
  letters ??= expand(LETTER_RUNS);
  return contains(letters, rune);
}

/** Go's `unicode.IsDigit`. */
export function isDigit(rune: number): boolean {
  if (rune < 0x80) {
    return rune >= 0x30 && rune <= 0x39;
  }
  digits ??= expand(DIGIT_RUNS);
  return contains(digits, rune);
}

/** Go's `strconv.IsPrint` and `unicode.IsPrint`, which are the same set. */
export function isPrint(rune: number): boolean {
  if (rune < 0x80) {
    return rune >= 0x20 && rune < 0x7f;
  }
  printable ??= expand(PRINT_RUNS);
  return contains(printable, rune);
}
