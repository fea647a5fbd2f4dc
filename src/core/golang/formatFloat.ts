/** How a number is laid out: the verbs of Go's strconv.FormatFloat. */
export type FloatFormat = 'b' | 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X';

interface Digits {
  /** Decimal digits without leading or trailing zeros; empty for zero. */
  readonly digits: string;
  /** Where the decimal point is: value = 0.digits * 10^point. */
  readonly point: number;
}

interface Binary {
  readonly negative: boolean;
  /** value = mantissa * 2^exponent */
  readonly mantissa: bigint;
  readonly exponent: number;
}

function decompose(value: number): Binary {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { negative: bits >> 63n === 1n, mantissa, exponent: Math.max(biased, 1) - 1075 };
}

function trimmed(digits: string, point: number): Digits {
  const text = digits.replace(/0+$/, '');
  return text === '' ? { digits: '', point: 0 } : { digits: text, point };
}

/** The fewest digits that read back as the same double, nearest to it: what JavaScript prints too. */
function shortestDigits(value: number): Digits {
  const [mantissa, exponent] = Math.abs(value).toExponential().split('e');
  return trimmed((mantissa ?? '').replace('.', ''), Number(exponent) + 1);
}

function exactDigits({ mantissa, exponent }: Binary): Digits {
  if (exponent >= 0) {
    const text = (mantissa << BigInt(exponent)).toString();
    return trimmed(text, text.length);
  }
  const text = (mantissa * 5n ** BigInt(-exponent)).toString();
  return trimmed(text, text.length + exponent);
}

/** The first `count` digits, rounded to nearest, ties to even. */
function rounded({ digits, point }: Digits, count: number): Digits {
  if (count < 0) {
    return { digits: '', point: 0 };
  }
  if (count >= digits.length) {
    return { digits, point };
  }
  const kept = digits.slice(0, count);
  const next = digits[count] ?? '0';
  const tie = next === '5' && count + 1 === digits.length;
  const up = tie ? count > 0 && Number(kept.at(-1)) % 2 === 1 : next >= '5';
  if (!up) {
    return trimmed(kept, point);
  }
  const text = (BigInt(`0${kept}`) + 1n).toString();
  return text.length > count ? trimmed(text, point + 1) : trimmed(text.padStart(count, '0'), point);
}

function exponential(sign: string, { digits, point }: Digits, precision: number, letter: string): string {
  const exponent = digits === '' ? 0 : point - 1;
  const first = digits === '' ? '0' : (digits[0] ?? '0');
  const fraction = precision > 0 ? `.${digits.slice(1, precision + 1).padEnd(precision, '0')}` : '';
  return `${sign}${first}${fraction}${letter}${exponent < 0 ? '-' : '+'}${Math.abs(exponent).toString().padStart(2, '0')}`;
}

function positional(sign: string, { digits, point }: Digits, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (precision <= 0) {
    return sign + whole;
  }
  const after = point >= 0 ? digits.slice(point) : '0'.repeat(Math.min(-point, precision)) + digits;
  return `${sign}${whole}.${after.slice(0, precision).padEnd(precision, '0')}`;
}

function general(sign: string, value: Digits, precision: number, shortest: boolean, letter: string): string {
  const count = value.digits.length;
  const threshold = shortest ? 6 : precision > count && count >= value.point ? count : precision;
  const exponent = value.point - 1;
  if (exponent < -4 || exponent >= threshold) {
    return exponential(sign, value, Math.min(precision, count) - 1, letter);
  }
  const shown = precision > value.point ? count : precision;
  return positional(sign, value, Math.max(shown - value.point, 0));
}

function hexadecimal({ negative, mantissa, exponent }: Binary, precision: number, upper: boolean): string {
  let bits = mantissa << 8n;
  let power = mantissa === 0n ? 0 : exponent + 52;
  while (bits !== 0n && bits >> 60n === 0n) {
    bits <<= 1n;
    power--;
  }
  if (precision >= 0 && precision < 15) {
    const shift = BigInt(60 - precision * 4);
    const unit = 1n << shift;
    const rest = bits % unit;
    let kept = bits >> shift;
    if (rest * 2n > unit || (rest * 2n === unit && kept % 2n === 1n)) {
      kept++;
    }
    bits = kept << shift;
    if (bits >> 61n !== 0n) {
      bits >>= 1n;
      power++;
    }
  }
  const all = (bits & ((1n << 60n) - 1n)).toString(16).padStart(15, '0');
  const fraction = precision < 0 ? all.replace(/0+$/, '') : all.slice(0, precision).padEnd(precision, '0');
  const tail = `p${power < 0 ? '-' : '+'}${Math.abs(power).toString().padStart(2, '0')}`;
  const text = `0x${(bits >> 60n).toString()}${fraction === '' ? '' : `.${fraction}`}${tail}`;
  return (negative ? '-' : '') + (upper ? text.toUpperCase() : text);
}

/**
 * Go's `strconv.FormatFloat(value, format, precision, 64)`: exact at every precision. A negative precision means
 * the fewest digits that read back as the same number.
 */
export function formatFloat(value: number, format: FloatFormat, precision: number): string {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  }
  const binary = decompose(value);
  const sign = binary.negative ? '-' : '';
  if (format === 'b') {
    return `${sign}${binary.mantissa.toString()}p${binary.exponent >= 0 ? '+' : ''}${binary.exponent}`;
  }
  if (format === 'x' || format === 'X') {
    return hexadecimal(binary, precision, format === 'X');
  }
  return precision < 0 ? formatShortest(value, sign, format) : formatFixed(binary, sign, format, precision);
}

function formatShortest(value: number, sign: string, format: Exclude<FloatFormat, 'b' | 'x' | 'X'>): string {
  const digits = value === 0 ? { digits: '', point: 0 } : shortestDigits(value);
  // Zero keeps the negative precision, as in Go: it has no digits to count.
  const count = value === 0 ? -1 : digits.digits.length;
  switch (format) {
    case 'e':
    case 'E':
      return exponential(sign, digits, count - 1, format);
    case 'f':
      return positional(sign, digits, count - digits.point);
    case 'g':
    case 'G':
      return general(sign, digits, count, true, format === 'g' ? 'e' : 'E');
  }
}

function formatFixed(
  binary: Binary,
  sign: string,
  format: Exclude<FloatFormat, 'b' | 'x' | 'X'>,
  precision: number,
): string {
  const exact = binary.mantissa === 0n ? { digits: '', point: 0 } : exactDigits(binary);
  switch (format) {
    case 'e':
    case 'E':
      return exponential(sign, rounded(exact, precision + 1), precision, format);
    case 'f':
      return positional(sign, rounded(exact, exact.point + precision), precision);
    case 'g':
    case 'G': {
      const count = Math.max(precision, 1);
      return general(sign, rounded(exact, count), count, false, format === 'g' ? 'e' : 'E');
    }
  }
}
