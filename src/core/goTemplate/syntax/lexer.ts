import { isPrint } from '../../golang/unicode';
import { quoteText } from '../../golang/quote';
import {
  BINARY_DIGITS,
  DIGITS,
  describeRune,
  EXPONENTS,
  HEX_DIGITS,
  HEX_EXPONENTS,
  IMAGINARY,
  isAlphaNumeric,
  isDecimal,
  isSpace,
  OCTAL_DIGITS,
  SIGNS,
  type CharacterSet,
} from './characterClasses';
import { KEYWORDS, TokenType, type Token } from './tokens';

const EOF = -1;
const NEWLINE = 0x0a;
const DASH = 0x2d;
const BACKSLASH = 0x5c;
const RIGHT_BRACE = 0x7d;
/** The trim marker is a dash with one space on its inner side. */
const TRIM_MARKER_LENGTH = 2;

/** A comment: where its `/*` begins and its closing mark ends. */
export interface CommentSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Go's template lexer, one token at a call. It looks at every character a bounded number of times. After an
 * error it gives only ends of file, unless {@link Lexer.resume} says where to go on.
 */
export class Lexer {
  private position = 0;
  private insideAction = false;
  private parenDepth = 0;
  private failed = false;

  /** @param comments where spans of comments are collected, if anybody wants them. */
  constructor(
    private readonly text: string,
    private readonly comments?: CommentSpan[],
  ) {}

  /** Where the next token will be looked for. */
  get offset(): number {
    return this.position;
  }

  /** Goes on behind an error, outside of any action. */
  resume(offset: number): void {
    this.position = offset;
    this.insideAction = false;
    this.failed = false;
  }

  next(): Token {
    if (this.failed) {
      return { type: TokenType.EndOfFile, start: this.position, end: this.position };
    }
    return this.insideAction ? this.inAction() : this.inText();
  }

  private code(at: number): number {
    return at < this.text.length ? this.text.charCodeAt(at) : EOF;
  }

  private rune(at: number): number {
    return this.text.codePointAt(at) ?? EOF;
  }

  private width(rune: number): number {
    return rune > 0xffff ? 2 : rune === EOF ? 0 : 1;
  }

  private emit(type: TokenType, end: number): Token {
    const start = this.position;
    this.position = end;
    return { type, start, end };
  }

  private error(message: string, end: number): Token {
    this.failed = true;
    const start = this.position;
    this.position = end;
    return { type: TokenType.Error, start, end, message };
  }

  private isLeftTrim(at: number): boolean {
    return this.code(at) === DASH && isSpace(this.code(at + 1));
  }

  private isRightTrim(at: number): boolean {
    return this.code(at + 1) === DASH && isSpace(this.code(at)) && this.isRightDelim(at + TRIM_MARKER_LENGTH);
  }

  private isRightDelim(at: number): boolean {
    return this.code(at) === RIGHT_BRACE && this.code(at + 1) === RIGHT_BRACE;
  }

  private skipSpaces(at: number): number {
    let end = at;
    while (isSpace(this.code(end))) {
      end++;
    }
    return end;
  }

  private inText(): Token {
    for (;;) {
      const open = this.text.indexOf('{{', this.position);
      if (open < 0) {
        const end = this.text.length;
        return this.emit(end > this.position ? TokenType.Text : TokenType.EndOfFile, end);
      }
      let end = open;
      if (this.isLeftTrim(open + 2)) {
        while (end > this.position && isSpace(this.code(end - 1))) {
          end--;
        }
      }
      if (end > this.position) {
        const text = this.emit(TokenType.Text, end);
        this.position = open;
        return text;
      }
      this.position = open;
      const token = this.leftDelim();
      if (token !== undefined) {
        return token;
      }
    }
  }

  /** The left delimiter, or undefined behind a comment. */
  private leftDelim(): Token | undefined {
    const open = this.position;
    const inner = open + 2 + (this.isLeftTrim(open + 2) ? TRIM_MARKER_LENGTH : 0);
    if (this.text.startsWith('/*', inner)) {
      this.position = inner;
      return this.comment();
    }
    this.insideAction = true;
    this.parenDepth = 0;
    this.position = inner;
    return { type: TokenType.LeftDelim, start: open, end: open + 2 };
  }

  private comment(): Token | undefined {
    const close = this.text.indexOf('*/', this.position + 2);
    if (close < 0) {
      return this.error('unclosed comment', this.text.length);
    }
    const end = close + 2;
    const trimmed = this.isRightTrim(end);
    if (!trimmed && !this.isRightDelim(end)) {
      return this.error('comment ends before closing delimiter', end);
    }
    this.comments?.push({ start: this.position, end });
    this.position = trimmed ? this.skipSpaces(end + TRIM_MARKER_LENGTH + 2) : end + 2;
    return undefined;
  }

  private rightDelim(): Token {
    const trimmed = this.isRightTrim(this.position);
    const start = this.position + (trimmed ? TRIM_MARKER_LENGTH : 0);
    this.position = trimmed ? this.skipSpaces(start + 2) : start + 2;
    this.insideAction = false;
    return { type: TokenType.RightDelim, start, end: start + 2 };
  }

  private inAction(): Token {
    const at = this.position;
    if (this.isRightDelim(at) || this.isRightTrim(at)) {
      return this.parenDepth === 0 ? this.rightDelim() : this.error('unclosed left paren', at);
    }
    const code = this.code(at);
    if (code === EOF) {
      return this.error('unclosed action', at);
    }
    if (isSpace(code)) {
      return this.space();
    }
    return this.punctuation(at, code) ?? this.word(at);
  }

  private space(): Token {
    const end = this.skipSpaces(this.position);
    // The last space may belong to a trim marker.
    if (this.isRightTrim(end - 1)) {
      return end - 1 === this.position ? this.rightDelim() : this.emit(TokenType.Space, end - 1);
    }
    return this.emit(TokenType.Space, end);
  }

  private punctuation(at: number, code: number): Token | undefined {
    switch (code) {
      case 0x2e: // .
        return at + 1 < this.text.length && !isDecimal(this.code(at + 1))
          ? this.fieldOrVariable(TokenType.Field)
          : this.number();
      case 0x24: // $
        return this.fieldOrVariable(TokenType.Variable);
      case 0x22: // "
        return this.quoted('"', TokenType.String, 'unterminated quoted string');
      case 0x27: // '
        return this.quoted("'", TokenType.CharConstant, 'unterminated character constant');
      case 0x60: // `
        return this.rawString();
      case 0x3d: // =
        return this.emit(TokenType.Assign, at + 1);
      case 0x3a: // :
        return this.code(at + 1) === 0x3d ? this.emit(TokenType.Declare, at + 2) : this.error('expected :=', at + 1);
      case 0x7c: // |
        return this.emit(TokenType.Pipe, at + 1);
      case 0x28: // (
        this.parenDepth++;
        return this.emit(TokenType.LeftParen, at + 1);
      case 0x29: // )
        this.parenDepth--;
        return this.parenDepth < 0
          ? this.error('unexpected right paren', at + 1)
          : this.emit(TokenType.RightParen, at + 1);
      default:
        return code === 0x2b || code === DASH || isDecimal(code) ? this.number() : undefined;
    }
  }

  private word(at: number): Token {
    const first = this.rune(at);
    if (!isAlphaNumeric(first)) {
      const known = first < 0x80 && isPrint(first);
      const end = at + this.width(first);
      return known
        ? this.emit(TokenType.Char, end)
        : this.error(`unrecognized character in action: ${describeRune(first)}`, end);
    }
    const end = this.skipAlphaNumeric(at);
    if (!this.isTerminator(end)) {
      return this.badCharacter(end);
    }
    const word = this.text.slice(at, end);
    return this.emit(
      KEYWORDS.get(word) ?? (word === 'true' || word === 'false' ? TokenType.Bool : TokenType.Identifier),
      end,
    );
  }

  private skipAlphaNumeric(at: number): number {
    let end = at;
    for (;;) {
      const code = this.code(end);
      if (code < 0x80 && code !== EOF) {
        if (!isAlphaNumeric(code)) {
          return end;
        }
        end++;
        continue;
      }
      const rune = this.rune(end);
      if (rune === EOF || !isAlphaNumeric(rune)) {
        return end;
      }
      end += this.width(rune);
    }
  }

  /** Whether what follows may follow a name: it separates `.X.Y`, and forbids `$x+2`. */
  private isTerminator(at: number): boolean {
    switch (this.code(at)) {
      case EOF:
      case 0x20:
      case 0x09:
      case 0x0d:
      case NEWLINE:
      case 0x2e: // .
      case 0x2c: // ,
      case 0x7c: // |
      case 0x3a: // :
      case 0x29: // )
      case 0x28: // (
        return true;
      default:
        return this.isRightDelim(at);
    }
  }

  private badCharacter(at: number): Token {
    const rune = this.rune(at);
    return this.error(`bad character ${describeRune(rune)}`, at + this.width(rune));
  }

  private fieldOrVariable(type: TokenType.Field | TokenType.Variable): Token {
    const after = this.position + 1;
    if (this.isTerminator(after)) {
      return this.emit(type === TokenType.Field ? TokenType.Dot : type, after);
    }
    const end = this.skipAlphaNumeric(after);
    return this.isTerminator(end) ? this.emit(type, end) : this.badCharacter(end);
  }

  private quoted(mark: string, type: TokenType, message: string): Token {
    for (let at = this.position + 1; ; at++) {
      const code = this.code(at);
      if (code === BACKSLASH) {
        at++;
        if (this.code(at) !== EOF && this.code(at) !== NEWLINE) {
          continue;
        }
      }
      if (this.code(at) === EOF || this.code(at) === NEWLINE) {
        return this.error(message, Math.min(at, this.text.length));
      }
      if (this.text[at] === mark) {
        return this.emit(type, at + 1);
      }
    }
  }

  private rawString(): Token {
    const close = this.text.indexOf('`', this.position + 1);
    return close < 0
      ? this.error('unterminated raw quoted string', this.text.length)
      : this.emit(TokenType.RawString, close + 1);
  }

  private number(): Token {
    const start = this.position;
    const first = this.scanNumber(start);
    if (!first.ok) {
      return this.error(`bad number syntax: ${quoteText(this.text.slice(start, first.end))}`, first.end);
    }
    const sign = this.text[first.end];
    if (sign !== '+' && sign !== '-') {
      return this.emit(TokenType.Number, first.end);
    }
    const second = this.scanNumber(first.end);
    if (!second.ok || this.text[second.end - 1] !== 'i') {
      return this.error(`bad number syntax: ${quoteText(this.text.slice(start, second.end))}`, second.end);
    }
    return this.emit(TokenType.Complex, second.end);
  }

  private skip(at: number, set: CharacterSet, limit = Infinity): number {
    let end = at;
    while (end - at < limit && end < this.text.length && set[this.text.charCodeAt(end)] === 1) {
      end++;
    }
    return end;
  }

  /** A number as loosely as Go scans it; the parser finds out whether it is one. */
  private scanNumber(start: number): { readonly ok: boolean; readonly end: number } {
    let at = this.skip(start, SIGNS, 1);
    let digits = DIGITS;
    let exponent: CharacterSet | undefined = EXPONENTS;
    if (this.text[at] === '0') {
      at++;
      const prefix = (this.text[at] ?? '').toLowerCase();
      if (prefix === 'x' || prefix === 'o' || prefix === 'b') {
        at++;
        digits = prefix === 'x' ? HEX_DIGITS : prefix === 'o' ? OCTAL_DIGITS : BINARY_DIGITS;
        exponent = prefix === 'x' ? HEX_EXPONENTS : undefined;
      }
    }
    at = this.skip(at, digits);
    if (this.text[at] === '.') {
      at = this.skip(at + 1, digits);
    }
    if (exponent !== undefined && this.skip(at, exponent, 1) > at) {
      at = this.skip(this.skip(at + 1, SIGNS, 1), DIGITS);
    }
    at = this.skip(at, IMAGINARY, 1);
    const next = this.rune(at);
    return next !== EOF && isAlphaNumeric(next) ? { ok: false, end: at + this.width(next) } : { ok: true, end: at };
  }
}
