import { fromByteString, toByteString } from '../../golang/byteString';
import { parseFloat64, parseInteger, parseUint } from '../../golang/parseNumber';
import { quote, quoteText } from '../../golang/quote';
import { unquoteChar } from '../../golang/unquote';
import type { NumberValue } from './nodes';
import { TokenType } from './tokens';

/** A constant's value, or Go's words for why it has none. */
export type ConstantResult =
  { readonly ok: true; readonly value: NumberValue } | { readonly ok: false; readonly error: string };

const INVALID = 'invalid syntax';

/** 2^63 and 2^64 as doubles: where conversion to int64 and uint64 stops being exact. */
const TWO_63 = 2 ** 63;
const TWO_64 = 2 ** 64;

/** The integers that equal a float, if there are any: Go converts, converts back and compares. */
function integersOf(float: number): NumberValue {
  if (!Number.isInteger(float)) {
    return {};
  }
  return {
    ...(float >= -TWO_63 && float < TWO_63 ? { int: BigInt(float) } : {}),
    ...(float >= 0 && float < TWO_64 ? { uint: BigInt(float) } : {}),
  };
}

function characterConstant(text: string): ConstantResult {
  const bytes = toByteString(text);
  const char = unquoteChar(bytes, 1, "'");
  if (char === undefined) {
    return { ok: false, error: INVALID };
  }
  if (bytes.slice(char.next) !== "'") {
    return { ok: false, error: `malformed character constant: ${text}` };
  }
  const value = BigInt(char.value);
  return { ok: true, value: { int: value, uint: value, float: char.value } };
}

/** A complex number also stands for what its real part is, if the imaginary part is zero. */
function complexValue(real: number, imaginary: number): NumberValue {
  const complex = { real, imaginary };
  return imaginary === 0 ? { complex, float: real, ...integersOf(real) } : { complex };
}

/** Go's `fmt` scanner reads this much of a float (an i for what might become Inf); strconv then judges it. */
const FLOAT_TOKEN =
  /^[+-]?[iI]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eEp][+-]?[0-9_]*)?)/;

/** `1.5p4` without 0x is read by fmt, though not by strconv: decimal digits times a power of two. */
function scannedFloat(text: string): { readonly value: number } | { readonly error: string } {
  const failure = (fault: string): { error: string } => ({
    error: `strconv.ParseFloat: parsing ${fromByteString(quote(toByteString(text)))}: ${fault === 'range' ? 'value out of range' : INVALID}`,
  });
  const power = text.indexOf('p');
  if (power >= 0 && !/x/i.test(text)) {
    const mantissa = parseFloat64(text.slice(0, power));
    if (!mantissa.ok) {
      return failure(mantissa.fault);
    }
    const exponent = text.slice(power + 1);
    return /^[+-]?[0-9]{1,18}$/.test(exponent)
      ? { value: mantissa.value === 0 ? mantissa.value : mantissa.value * 2 ** Number(exponent) }
      : {
          error: `strconv.Atoi: parsing ${quoteText(text)}: ${/^[+-]?[0-9]+$/.test(exponent) ? 'value out of range' : INVALID}`,
        };
  }
  const parsed = parseFloat64(text);
  return parsed.ok ? { value: parsed.value } : failure(parsed.fault);
}

function complexConstant(text: string): ConstantResult {
  const malformed = { ok: false, error: 'syntax error scanning complex number' } as const;
  const realText = FLOAT_TOKEN.exec(text)?.[0] ?? '';
  const sign = text[realText.length];
  if (sign !== '+' && sign !== '-') {
    return malformed;
  }
  const rest = text.slice(realText.length + 1);
  const imaginaryText = FLOAT_TOKEN.exec(rest)?.[0] ?? '';
  if (rest[imaginaryText.length] !== 'i') {
    return malformed;
  }
  const real = scannedFloat(realText);
  if ('error' in real) {
    return { ok: false, error: real.error };
  }
  const imaginary = scannedFloat(sign + imaginaryText);
  return 'error' in imaginary
    ? { ok: false, error: imaginary.error }
    : { ok: true, value: complexValue(real.value, imaginary.value) };
}

/** What needs no care: a few decimal digits. */
const SHORT_DECIMAL = /^(?:0|[1-9][0-9]{0,14})$/;

function plainNumber(text: string): ConstantResult {
  if (SHORT_DECIMAL.test(text)) {
    const float = Number(text);
    const int = BigInt(float);
    return { ok: true, value: { int, uint: int, float } };
  }
  if (text.endsWith('i')) {
    const imaginary = parseFloat64(text.slice(0, -1));
    if (imaginary.ok) {
      return { ok: true, value: complexValue(0, imaginary.value) };
    }
  }
  const unsigned = parseUint(text);
  const signed = parseInteger(text);
  if (signed.ok) {
    // A zero of any spelling, -0 too, is an unsigned zero.
    const uint = unsigned.ok ? unsigned.value : signed.value === 0n ? 0n : undefined;
    return {
      ok: true,
      value: { int: signed.value, ...(uint === undefined ? {} : { uint }), float: Number(signed.value) },
    };
  }
  if (unsigned.ok) {
    return { ok: true, value: { uint: unsigned.value, float: Number(unsigned.value) } };
  }
  const float = parseFloat64(text);
  if (!float.ok) {
    return { ok: false, error: `illegal number syntax: ${quoteText(text)}` };
  }
  return /[.eEpP]/.test(text)
    ? { ok: true, value: { float: float.value, ...integersOf(float.value) } }
    : { ok: false, error: `integer overflow: ${quoteText(text)}` };
}

/** The value of a number, complex or character constant, as Go's template parser takes it. */
export function numberConstant(text: string, type: TokenType): ConstantResult {
  switch (type) {
    case TokenType.CharConstant:
      return characterConstant(text);
    case TokenType.Complex:
      return complexConstant(text);
    default:
      return plainNumber(text);
  }
}
