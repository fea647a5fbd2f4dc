/** Why Go's strconv refused a number: not one at all, or one that the type cannot hold. */
export type NumberFault = 'syntax' | 'range';
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: NumberFault; readonly value: T };

const MAX_UINT64 = (1n << 64n) - 1n;
const MAX_INT64 = (1n << 63n) - 1n;
const MIN_INT64 = -(1n << 63n);

/** Go's rule for `_` in numbers: between digits, or after a base prefix. */
function underscoresInPlace(text: string): boolean {
  const body = text.replace(/^[+-]/, '');
  const prefixed = /^0[bBoOxX]/.test(body);
  const digit = /^0[xX]/.test(body) ? '[0-9a-fA-F]' : '[0-9]';
  // A base prefix counts as a digit, so that one underscore may follow it.
  const rest = prefixed ? `0${body.slice(2)}` : body;
  return !new RegExp(`(?<!${digit})_|_(?!${digit})`).test(rest);
}

const PREFIXES: ReadonlyMap<string, number> = new Map([
  ['b', 2],
  ['o', 8],
  ['x', 16],
]);

/** Go's `strconv.ParseUint(text, 0, 64)`: decimal, 0x, 0o, 0b, a leading 0 for octal, `_` between digits. */
export function parseUint(text: string): Parsed<bigint> {
  let digits = text;
  let base = 10;
  if (text.startsWith('0')) {
    const prefixed = text.length >= 3 ? PREFIXES.get((text[1] ?? '').toLowerCase()) : undefined;
    base = prefixed ?? 8;
    digits = text.slice(prefixed === undefined ? 1 : 2);
  }
  return text === '' ? { ok: false, fault: 'syntax', value: 0n } : parseDigits(text, digits, base);
}

function parseDigits(text: string, digits: string, base: number): Parsed<bigint> {
  let value = 0n;
  let underscores = false;
  for (const char of digits) {
    if (char === '_') {
      underscores = true;
      continue;
    }
    const digit = /^[0-9a-zA-Z]$/.test(char) ? parseInt(char, 36) : 99;
    if (digit >= base) {
      return { ok: false, fault: 'syntax', value: 0n };
    }
    value = value * BigInt(base) + BigInt(digit);
    if (value > MAX_UINT64) {
      return { ok: false, fault: 'range', value: MAX_UINT64 };
    }
  }
  return underscores && !underscoresInPlace(text) ? { ok: false, fault: 'syntax', value: 0n } : { ok: true, value };
}

/** Go's `strconv.ParseInt(text, 0, 64)`. */
export function parseInteger(text: string): Parsed<bigint> {
  const negative = text.startsWith('-');
  const parsed = parseUint(negative || text.startsWith('+') ? text.slice(1) : text);
  if (!parsed.ok && parsed.fault === 'syntax') {
    return { ok: false, fault: 'syntax', value: 0n };
  }
  const value = negative ? -parsed.value : parsed.value;
  if (value > MAX_INT64) {
    return { ok: false, fault: 'range', value: MAX_INT64 };
  }
  return value < MIN_INT64 ? { ok: false, fault: 'range', value: MIN_INT64 } : { ok: true, value };
}

const DECIMAL = /^[+-]?(?=[0-9_.]*[0-9])[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?$/;
const HEXADECIMAL =
  /^([+-]?)0[xX](?=[0-9a-fA-F_.]*[0-9a-fA-F])([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9][0-9_]*)$/;

/** Go's `strconv.ParseFloat(text, 64)`: decimal or hexadecimal, `_` between digits, inf and nan in any case. */
export function parseFloat64(text: string): Parsed<number> {
  if (/^[+-]?inf(inity)?$/i.test(text)) {
    return { ok: true, value: text.startsWith('-') ? -Infinity : Infinity };
  }
  if (/^nan$/i.test(text)) {
    return { ok: true, value: NaN };
  }
  const hexadecimal = HEXADECIMAL.exec(text);
  if ((hexadecimal === null && !DECIMAL.test(text)) || (text.includes('_') && !underscoresInPlace(text))) {
    return { ok: false, fault: 'syntax', value: 0 };
  }
  const plain = text.replaceAll('_', '');
  const value = hexadecimal === null ? Number(plain) : hexadecimalValue(hexadecimal);
  return Number.isFinite(value) ? { ok: true, value } : { ok: false, fault: 'range', value };
}

function hexadecimalValue(match: RegExpExecArray): number {
  const whole = (match[2] ?? '').replaceAll('_', '');
  const fraction = (match[3] ?? '').replaceAll('_', '');
  const mantissa = BigInt(`0x0${whole}${fraction}`);
  const exponent = Number((match[4] ?? '0').replaceAll('_', '')) - 4 * fraction.length;
  const size = scale(mantissa, exponent);
  return match[1] === '-' ? -size : size;
}

/** mantissa * 2^exponent, rounded once to the nearest double, ties to even; Infinity where it is too large. */
function scale(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) {
    return 0;
  }
  const bits = mantissa.toString(2).length;
  if (bits + exponent > 1024) {
    return Infinity;
  }
  if (bits + exponent < -1080) {
    return 0;
  }
  // The weight of the last bit that a double of this size keeps; -1074 is that of the smallest denormal.
  const last = Math.max(bits + exponent - 53, -1074);
  const shift = last - exponent;
  if (shift <= 0) {
    return Number(mantissa) * 2 ** exponent;
  }
  const kept = mantissa >> BigInt(shift);
  const rest = mantissa - (kept << BigInt(shift));
  const half = 1n << BigInt(shift - 1);
  const rounded = rest > half || (rest === half && kept % 2n === 1n) ? kept + 1n : kept;
  // Two steps, for 2 ** last alone can be below the smallest double although the product is not.
  return last < -1000 ? Number(rounded) * 2 ** (last + 100) * 2 ** -100 : Number(rounded) * 2 ** last;
}
