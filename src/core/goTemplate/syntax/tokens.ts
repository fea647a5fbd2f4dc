import { toByteString, fromByteString, firstRunes } from '../../golang/byteString';
import { quote } from '../../golang/quote';

/** The kinds of token of Go's template lexer. Keywords come after {@link TokenType.Keyword}. */
export enum TokenType {
  Error,
  Bool,
  /** A printable ASCII character that means nothing by itself, such as a comma. */
  Char,
  CharConstant,
  Complex,
  Assign,
  Declare,
  EndOfFile,
  Field,
  Identifier,
  LeftDelim,
  LeftParen,
  Number,
  Pipe,
  RawString,
  RightDelim,
  RightParen,
  Space,
  String,
  Text,
  Variable,
  Keyword,
  Block,
  Break,
  Continue,
  Dot,
  Define,
  Else,
  End,
  If,
  Nil,
  Range,
  Template,
  With,
}

/** One token; offsets are UTF-16 code units of the template's text. */
export interface Token {
  readonly type: TokenType;
  readonly start: number;
  readonly end: number;
  /** Of an error token: what is wrong, in Go's words. */
  readonly message?: string;
}

export const KEYWORDS: ReadonlyMap<string, TokenType> = new Map([
  ['block', TokenType.Block],
  ['break', TokenType.Break],
  ['continue', TokenType.Continue],
  ['define', TokenType.Define],
  ['else', TokenType.Else],
  ['end', TokenType.End],
  ['if', TokenType.If],
  ['range', TokenType.Range],
  ['nil', TokenType.Nil],
  ['template', TokenType.Template],
  ['with', TokenType.With],
]);

/** How Go's messages show a token: `EOF`, `<end>`, or its text quoted and cut after ten runes. */
export function describeToken(token: Token, text: string): string {
  if (token.type === TokenType.EndOfFile) {
    return 'EOF';
  }
  if (token.type === TokenType.Error) {
    return token.message ?? '';
  }
  const value = text.slice(token.start, token.end);
  if (token.type > TokenType.Keyword) {
    return `<${value}>`;
  }
  // Eleven code units suffice to know whether the text has more than ten bytes, and which ten runes come first.
  const bytes = toByteString(value.slice(0, 22));
  return bytes.length > 10 ? `${fromByteString(quote(firstRunes(bytes, 10)))}...` : fromByteString(quote(bytes));
}
