import { encodeRune, firstRunes, isValidRune, RUNE_ERROR, runeCount, type ByteString } from '../../golang/byteString';
import { formatFloat, type FloatFormat } from '../../golang/formatFloat';
import { canBackquote, quote, quoteRune } from '../../golang/quote';
import { isPrint } from '../../golang/unicode';
import type { OutputBuffer } from './outputBuffer';

const MAX_RUNE = 0x10ffffn;
const TWO_64 = 1n << 64n;

/** Flags, width and precision of one printing directive, and the printing of plain values by them: Go's `fmt.fmt`. */
export class Formatter {
  minus = false;
  plus = false;
  sharp = false;
  space = false;
  zero = false;
  /** `%+v` and `%#v`: there the plain flags are off. */
  plusV = false;
  sharpV = false;
  width: number | undefined;
  precision: number | undefined;

  constructor(private readonly out: OutputBuffer) {}

  clear(): void {
    this.minus = this.plus = this.sharp = this.space = this.zero = this.plusV = this.sharpV = false;
    this.width = this.precision = undefined;
  }

  /** For `%v`: plus and sharp get their other meaning. */
  useVerbV(): void {
    this.sharpV = this.sharp;
    this.sharp = false;
    this.plusV = this.plus;
    this.plus = false;
  }

  private padding(count: number, zeros: boolean): void {
    // Zeros are allowed on the left only.
    this.out.repeat(zeros && !this.minus ? '0' : ' ', count);
  }

  pad(bytes: ByteString, zeros = this.zero): void {
    const missing = this.width === undefined || this.width === 0 ? 0 : this.width - runeCount(bytes);
    if (!this.minus) {
      this.padding(missing, zeros);
    }
    this.out.write(bytes);
    if (this.minus) {
      this.padding(missing, zeros);
    }
  }

  boolean(value: boolean): void {
    this.pad(value ? 'true' : 'false');
  }

  private truncated(bytes: ByteString): ByteString {
    return this.precision === undefined ? bytes : firstRunes(bytes, this.precision);
  }

  string(bytes: ByteString): void {
    this.pad(this.truncated(bytes));
  }

  quoted(bytes: ByteString): void {
    const text = this.truncated(bytes);
    this.pad(this.sharp && canBackquote(text) ? `\`${text}\`` : quote(text, this.plus));
  }

  /** Every byte as two hexadecimal digits. */
  hexString(bytes: ByteString, upper: boolean): void {
    const shown = this.precision === undefined ? bytes : bytes.slice(0, this.precision);
    if (shown.length === 0) {
      this.padding(this.width ?? 0, this.zero);
      return;
    }
    const prefix = this.sharp ? (upper ? '0X' : '0x') : '';
    const pairs = Array.from(shown, (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0'));
    const digits = (this.space ? pairs.join(` ${prefix}`) : pairs.join('')).replace(/[a-f]/g, (c) =>
      upper ? c.toUpperCase() : c,
    );
    const text = prefix + digits;
    // What is hexadecimal has no runes to count: its width is its length.
    const missing = (this.width ?? 0) - text.length;
    if (!this.minus) {
      this.padding(missing, this.zero);
    }
    this.out.write(text);
    if (this.minus) {
      this.padding(missing, this.zero);
    }
  }

  /** An integer in base 2, 8, 10 or 16; `verb` is O for a leading 0o. */
  integer(value: bigint, base: number, verb: string, upper = false): void {
    const negative = value < 0n;
    const magnitude = negative ? -value : value;
    let digits = 0;
    if (this.precision !== undefined) {
      digits = this.precision;
      if (digits === 0 && magnitude === 0n) {
        this.padding(this.width ?? 0, false);
        return;
      }
    } else if (this.zero && !this.minus && this.width !== undefined) {
      digits = this.width - (negative || this.plus || this.space ? 1 : 0);
    }
    const plain = magnitude.toString(base).padStart(digits, '0');
    const prefix = (verb === 'O' ? '0o' : '') + this.basePrefix(base, plain);
    const sign = negative ? '-' : this.plus ? '+' : this.space ? ' ' : '';
    this.pad(sign + (upper ? (prefix + plain).toUpperCase() : prefix + plain), false);
  }

  private basePrefix(base: number, digits: string): string {
    if (!this.sharp) {
      return '';
    }
    switch (base) {
      case 2:
        return '0b';
      case 8:
        return digits.startsWith('0') ? '' : '0';
      case 16:
        return '0x';
      default:
        return '';
    }
  }

  /** With or without 0x, whatever the flags say. */
  hex0x(value: bigint, leading0x: boolean): void {
    const { sharp } = this;
    this.sharp = leading0x;
    this.integer(value, 16, 'v');
    this.sharp = sharp;
  }

  private static toRune(value: bigint): number {
    return value < 0n || value > MAX_RUNE ? RUNE_ERROR : Number(value);
  }

  character(value: bigint): void {
    this.pad(encodeRune(Formatter.toRune(value)));
  }

  quotedCharacter(value: bigint): void {
    this.pad(quoteRune(Formatter.toRune(value), this.plus));
  }

  /** `U+0078`, with sharp `U+0078 'x'`. */
  unicode(value: bigint): void {
    const unsigned = value < 0n ? value + TWO_64 : value;
    const digits = unsigned
      .toString(16)
      .toUpperCase()
      .padStart(Math.max(4, this.precision ?? 0), '0');
    const rune = unsigned <= MAX_RUNE ? Number(unsigned) : -1;
    const shown = this.sharp && isValidRune(rune) && isPrint(rune) ? ` '${encodeRune(rune)}'` : '';
    this.pad(`U+${digits}${shown}`, false);
  }

  float(value: number, format: FloatFormat, defaultPrecision: number): void {
    const precision = this.precision ?? defaultPrecision;
    const text = formatFloat(value, format, precision);
    const signed = text.startsWith('-') || text.startsWith('+');
    const sign = signed ? (text[0] ?? '+') : '+';
    const shownSign = this.space && sign === '+' && !this.plus ? ' ' : sign;
    const body = signed ? text.slice(1) : text;
    if (!Number.isFinite(value)) {
      const bare = Number.isNaN(value) && !this.space && !this.plus;
      this.pad(bare ? body : shownSign + body, false);
      return;
    }
    this.signedFloat(shownSign, this.sharp && format !== 'b' ? this.withPoint(body, format, precision) : body);
  }

  private signedFloat(sign: string, body: string): void {
    if (!this.plus && sign === '+') {
      this.pad(body);
      return;
    }
    const length = body.length + 1;
    if (this.zero && !this.minus && this.width !== undefined && this.width > length) {
      // The sign comes before the zeros.
      this.out.write(sign);
      this.padding(this.width - length, true);
      this.out.write(body);
      return;
    }
    this.pad(sign + body);
  }

  /** The sharp flag: always a decimal point, and the zeros that %g leaves away. */
  private withPoint(body: string, format: FloatFormat, precision: number): string {
    const hexadecimal = format === 'x' || format === 'X';
    let digits = format === 'g' || format === 'G' || format === 'x' ? (precision === -1 ? 6 : precision) : 0;
    const at = body.search(hexadecimal ? /[pP]/ : /[eE]/);
    const head = at < 0 ? body : body.slice(0, at);
    const tail = at < 0 ? '' : body.slice(at);
    let sawNonzero = false;
    for (const char of head) {
      if (char !== '.') {
        sawNonzero ||= char !== '0';
        digits -= sawNonzero ? 1 : 0;
      }
    }
    if (!head.includes('.') && head === '0') {
      digits--;
    }
    return head + (head.includes('.') ? '' : '.') + '0'.repeat(Math.max(digits, 0)) + tail;
  }
}
