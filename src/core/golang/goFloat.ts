/** What Go's number parsers give: a value, or nothing where they report an error of whatever kind. */

/** Go's `strconv.ParseBool`. */
export function parseGoBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) {
    return true;
  }
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined;
}

const INT64_MAX = 2n ** 63n - 1n;

/** Go's `strconv.ParseInt(text, 10, 64)`. */
export function parseGoInt(text: string): bigint | undefined {
  const match = /^([+-]?)0*([0-9]+)$/.exec(text);
  const digits = match?.[2];
  if (match === null || digits === undefined || digits.length > 19) {
    return undefined;
  }
  const value = match[1] === '-' ? -BigInt(digits) : BigInt(digits);
  return value > INT64_MAX || value < -INT64_MAX - 1n ? undefined : value;
}

const DECIMAL = /^([+-]?)([0-9_]*)(?:\.([0-9_]*))?(?:e([+-]?)([0-9][0-9_]*))?$/i;
const HEX = /^([+-]?)0x([0-9a-f_]*)(?:\.([0-9a-f_]*))?p([+-]?)([0-9][0-9_]*)$/i;
/** An underscore stands between digits; a base prefix counts as one. */
const MISPLACED_UNDERSCORE = /(?:^|[^0-9])_|_(?:$|[^0-9])/;
const MISPLACED_UNDERSCORE_HEX = /(?:^|[^0-9a-fx])_|_(?:$|[^0-9a-f])/i;

/**
 * Go's `strconv.ParseFloat(text, 32)` as a float32 value: rounded once from the text, never through a double.
 * Undefined for what Go refuses, a finite number beyond the range included; `inf` and `nan` in any case are values.
 */
export function parseGoFloat32(text: string): number | undefined {
  const special = /^(?:nan|([+-]?)inf(?:inity)?)$/i.exec(text);
  if (special !== null) {
    return text.length === 3 && /^nan$/i.test(text) ? NaN : special[1] === '-' ? -Infinity : Infinity;
  }
  const hex = HEX.exec(text);
  const match = hex ?? DECIMAL.exec(text);
  const whole = (match?.[2] ?? '').replaceAll('_', '');
  const fraction = (match?.[3] ?? '').replaceAll('_', '');
  if (
    match === null ||
    whole + fraction === '' ||
    (hex === null ? MISPLACED_UNDERSCORE : MISPLACED_UNDERSCORE_HEX).test(text)
  ) {
    return undefined;
  }
  const exponent = (match[4] === '-' ? -1 : 1) * cappedExponent((match[5] ?? '0').replaceAll('_', ''));
  const size = hex === null ? decimalToFloat32(whole, fraction, exponent) : hexToFloat32(whole, fraction, exponent);
  if (size === Infinity) {
    return undefined;
  }
  return match[1] === '-' ? -size : size;
}

/** Go stops reading an exponent once it is 10000 or more. */
function cappedExponent(digits: string): number {
  let exponent = 0;
  for (const digit of digits) {
    if (exponent < 10000) {
      exponent = exponent * 10 + Number(digit);
    }
  }
  return exponent;
}

function decimalToFloat32(whole: string, fraction: string, exponent: number): number {
  const double = Number(`${whole === '' ? '0' : whole}.${fraction === '' ? '0' : fraction}e${exponent}`);
  const single = Math.fround(double);
  if (single === double && single !== Infinity) {
    return single;
  }
  const below = single <= double && single !== Infinity ? single : float32Below(single);
  const above = float32Above(below);
  // 2^128 stands for the float32 after the largest.
  const middle = (below + (above === Infinity ? 2 ** 128 : above)) / 2;
  if (double !== middle) {
    return single;
  }
  const order = compareWithDouble(whole + fraction, exponent - fraction.length, middle);
  return order < 0 ? below : order > 0 ? above : single;
}

const view = new DataView(new ArrayBuffer(4));

function float32Below(value: number): number {
  view.setFloat32(0, value);
  view.setUint32(0, view.getUint32(0) - 1);
  return view.getFloat32(0);
}

function float32Above(value: number): number {
  view.setFloat32(0, value);
  view.setUint32(0, view.getUint32(0) + 1);
  return view.getFloat32(0);
}

/** The sign of digits * 10^exponent - double, exactly, for a positive double within the range of float32. */
function compareWithDouble(digits: string, exponent: number, double: number): number {
  let left = BigInt(digits);
  // Every midpoint of float32 values is a multiple of 2^-151.
  let right = BigInt(double < 1 ? double * 2 ** 151 : Math.floor(double));
  if (double < 1) {
    left *= 2n ** 151n;
  } else {
    const rest = double - Math.floor(double);
    right = right * 2n ** 60n + BigInt(rest * 2 ** 60);
    left *= 2n ** 60n;
  }
  if (exponent >= 0) {
    left *= 10n ** BigInt(exponent);
  } else {
    right *= 10n ** BigInt(-exponent);
  }
  return left < right ? -1 : left > right ? 1 : 0;
}

/** mantissa * 2^exponent, rounded once to float32, ties to even; Infinity where it is too large. */
function hexToFloat32(whole: string, fraction: string, exponent: number): number {
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') {
    return 0;
  }
  // Sixteen digits and whether anything follows them decide the rounding.
  const kept = digits.slice(0, 16);
  const sticky = /[^0]/.test(digits.slice(16)) ? 1n : 0n;
  const mantissa = (BigInt(`0x${kept}`) << 1n) | sticky;
  const power = exponent - 4 * fraction.length + 4 * (digits.length - kept.length) - 1;
  const bits = mantissa.toString(2).length;
  const last = Math.max(bits + power - 24, -149);
  const shift = last - power;
  if (shift > bits + 1) {
    return 0;
  }
  const rounded = shift <= 0 ? mantissa << BigInt(-shift) : roundShift(mantissa, BigInt(shift));
  const top = rounded.toString(2).length + last;
  return top > 128 ? Infinity : Number(rounded) * 2 ** last;
}

function roundShift(mantissa: bigint, shift: bigint): bigint {
  const kept = mantissa >> shift;
  const rest = mantissa - (kept << shift);
  const half = 1n << (shift - 1n);
  return rest > half || (rest === half && kept % 2n === 1n) ? kept + 1n : kept;
}

/**
 * The shortest decimal that reads back as the same float32, as a double: what `encoding/json` prints for a float32,
 * when it is printed by JavaScript.
 */
export function shortestFloat32(value: number): number {
  if (!Number.isFinite(value) || value === 0) {
    return value;
  }
  for (let digits = 1; digits < 9; digits += 1) {
    const nearest = Number(roundedToEven(value, digits));
    if (Math.fround(nearest) === value) {
      return nearest;
    }
  }
  return Number(roundedToEven(value, 9));
}

/** `value` with that many significant digits; half way between two, the one with the even last digit. */
function roundedToEven(value: number, digits: number): string {
  const rounded = value.toExponential(digits - 1);
  const [mantissa = '', exponent = ''] = value.toExponential(60).split('e');
  const tail = mantissa.slice(mantissa.indexOf('.') + digits);
  if (!/^50*$/.test(tail) || /[02468](?:e|$)/.test(rounded.slice(0, rounded.indexOf('e')))) {
    return rounded;
  }
  // JavaScript rounded up to an odd digit: the even one is the one below, which is what cutting off gives.
  return `${mantissa.slice(0, mantissa.length - tail.length)}e${exponent}`;
}
