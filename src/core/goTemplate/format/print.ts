import { decodeRune, encodeRune, type ByteString } from '../../golang/byteString';
import type { Value } from '../reflect/value';
import type { ByteMeter } from './outputBuffer';
import { Printer } from './printer';

/** Widths and precisions beyond this are refused. */
const MAX_NUMBER = 1e6;

/** Go's `fmt.Sprint`: a space between two operands of which none is a string. */
export function sprint(values: readonly (Value | undefined)[], meter: ByteMeter): ByteString {
  const printer = new Printer(meter);
  let previousString = false;
  values.forEach((value, index) => {
    const isString = value?.kind === 'string';
    if (index > 0 && !isString && !previousString) {
      printer.out.write(' ');
    }
    printer.printArgument(value, 'v');
    previousString = isString;
  });
  return printer.out.toString();
}

/** Go's `fmt.Sprintln`. */
export function sprintln(values: readonly (Value | undefined)[], meter: ByteMeter): ByteString {
  const printer = new Printer(meter);
  values.forEach((value, index) => {
    printer.out.write(index > 0 ? ' ' : '');
    printer.printArgument(value, 'v');
  });
  printer.out.write('\n');
  return printer.out.toString();
}

/** Go's `fmt.Sprintf("%v", v)` or `%s` for a reflect.Value, as error messages show values. */
export function sprintReflected(value: Value | undefined, verb: 'v' | 's', meter: ByteMeter): ByteString {
  const printer = new Printer(meter);
  printer.printReflected(value, verb);
  return printer.out.toString();
}

/** Go's `fmt.Sprintf`. */
export function sprintf(format: ByteString, values: readonly (Value | undefined)[], meter: ByteMeter): ByteString {
  return new Formatting(format, values, meter).run();
}

class Formatting {
  private readonly printer: Printer;
  private at = 0;
  private argument = 0;
  /** What came last was an index like [3]. */
  private afterIndex = false;
  private reordered = false;
  private goodIndex = true;

  constructor(
    private readonly format: ByteString,
    private readonly values: readonly (Value | undefined)[],
    meter: ByteMeter,
  ) {
    this.printer = new Printer(meter);
  }

  run(): ByteString {
    const { format, printer } = this;
    while (this.at < format.length) {
      this.goodIndex = true;
      const percent = format.indexOf('%', this.at);
      const end = percent < 0 ? format.length : percent;
      printer.out.write(format.slice(this.at, end));
      this.at = end + 1;
      if (percent < 0 || !this.directive()) {
        break;
      }
    }
    if (!this.reordered && this.argument < this.values.length) {
      this.extraArguments();
    }
    return printer.out.toString();
  }

  /** One directive behind its `%`; false at the end of the format. */
  private directive(): boolean {
    const { format } = this.printer;
    format.clear();
    if (this.flags()) {
      return true;
    }
    this.index();
    this.width();
    this.precision();
    if (!this.afterIndex) {
      this.index();
    }
    if (this.at >= this.format.length) {
      this.printer.out.write('%!(NOVERB)');
      return false;
    }
    const { rune, width } = decodeRune(this.format, this.at);
    this.at += width;
    this.verb(encodeRune(rune));
    return true;
  }

  /** Reads flags; true if a plain lower-case verb followed and was printed. */
  private flags(): boolean {
    const { format } = this.printer;
    for (; this.at < this.format.length; this.at++) {
      const char = this.format[this.at] ?? '';
      switch (char) {
        case '#':
          format.sharp = true;
          break;
        case '0':
          format.zero = true;
          break;
        case '+':
          format.plus = true;
          break;
        case '-':
          format.minus = true;
          break;
        case ' ':
          format.space = true;
          break;
        default:
          if (char < 'a' || char > 'z' || this.argument >= this.values.length) {
            return false;
          }
          this.at++;
          this.printNext(char);
          return true;
      }
    }
    return false;
  }

  private printNext(verb: string): void {
    if (verb === 'v' || verb === 'w') {
      this.printer.format.useVerbV();
    }
    this.printer.printArgument(this.values[this.argument], verb);
    this.argument++;
  }

  private verb(verb: string): void {
    if (verb === '%') {
      this.printer.out.write('%');
    } else if (!this.goodIndex) {
      this.printer.out.write(`%!${verb}(BADINDEX)`);
    } else if (this.argument >= this.values.length) {
      this.printer.out.write(`%!${verb}(MISSING)`);
    } else {
      this.printNext(verb);
    }
  }

  /** An explicit argument index such as `[2]`. */
  private index(): void {
    this.afterIndex = false;
    if (this.format[this.at] !== '[') {
      return;
    }
    this.reordered = true;
    const close = this.format.length - this.at < 3 ? -1 : this.format.indexOf(']', this.at + 1);
    if (close < 0) {
      this.goodIndex = false;
      this.at++;
      return;
    }
    const number = parseNumber(this.format, this.at + 1, close);
    this.at = close + 1;
    if (number.value === undefined || number.next !== close) {
      this.goodIndex = false;
      return;
    }
    this.afterIndex = true;
    if (number.value >= 1 && number.value <= this.values.length) {
      this.argument = number.value - 1;
    } else {
      this.goodIndex = false;
    }
  }

  private width(): void {
    const { format, out } = this.printer;
    if (this.format[this.at] === '*') {
      this.at++;
      format.width = this.integerArgument();
      if (format.width === undefined) {
        out.write('%!(BADWIDTH)');
      } else if (format.width < 0) {
        format.width = -format.width;
        format.minus = true;
        format.zero = false;
      }
      this.afterIndex = false;
      return;
    }
    format.width = this.number();
    if (this.afterIndex && format.width !== undefined) {
      this.goodIndex = false;
    }
  }

  private precision(): void {
    const { format, out } = this.printer;
    if (this.at + 1 >= this.format.length || this.format[this.at] !== '.') {
      return;
    }
    this.at++;
    if (this.afterIndex) {
      this.goodIndex = false;
    }
    this.index();
    if (this.format[this.at] !== '*') {
      format.precision = this.number() ?? 0;
      return;
    }
    this.at++;
    const given = this.integerArgument();
    format.precision = given === undefined || given < 0 ? undefined : given;
    if (format.precision === undefined) {
      out.write('%!(BADPREC)');
    }
    this.afterIndex = false;
  }

  private number(): number | undefined {
    const { value, next } = parseNumber(this.format, this.at, this.format.length);
    this.at = next;
    return value;
  }

  /** The next argument as a width or precision, if it is an integer that may be one. */
  private integerArgument(): number | undefined {
    if (this.argument >= this.values.length) {
      return undefined;
    }
    const value = this.values[this.argument];
    this.argument++;
    const number = value?.kind === 'int' || value?.kind === 'uint8' ? Number(value.integer) : undefined;
    return number === undefined || Math.abs(number) > MAX_NUMBER ? undefined : number;
  }

  private extraArguments(): void {
    const { printer } = this;
    printer.format.clear();
    printer.out.write('%!(EXTRA ');
    this.values.slice(this.argument).forEach((value, index) => {
      printer.out.write(index > 0 ? ', ' : '');
      if (value === undefined) {
        printer.out.write('<nil>');
      } else {
        printer.out.write(`${value.type.name}=`);
        printer.printArgument(value, 'v');
      }
    });
    printer.out.write(')');
  }
}

/** Decimal digits from `start`; no value if there are none. A number that is far too large ends the format. */
function parseNumber(
  text: ByteString,
  start: number,
  end: number,
): { readonly value: number | undefined; readonly next: number } {
  let value = 0;
  let next = start;
  for (; next < end; next++) {
    const char = text[next] ?? '';
    if (char < '0' || char > '9') {
      break;
    }
    if (value > MAX_NUMBER) {
      return { value: undefined, next: end };
    }
    value = value * 10 + Number(char);
  }
  return { value: next > start ? value : undefined, next };
}
