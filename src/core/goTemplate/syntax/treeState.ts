import { quoteText } from '../../golang/quote';
import type { Lexer } from './lexer';
import { describeToken, TokenType, type Token } from './tokens';

/** Go allows this many parentheses within each other. */
const MAX_PAREN_DEPTH = 10_000;

const NO_TOKEN: Token = { type: TokenType.EndOfFile, start: 0, end: 0 };

/** Raised where Go's parser panics; the parser that owns the tree catches it. */
export class SyntaxFailure {
  /**
   * @param text Go's words without the `template: :LINE: ` before them
   * @param at the token on whose line Go reports it: the last one that was read, looking ahead included
   * @param focus the token that is wrong
   */
  constructor(
    readonly text: string,
    readonly at: Token,
    readonly focus: Token,
  ) {}
}

/** What was thrown if it is a failure; anything else is thrown again. */
export function asFailure(thrown: unknown): SyntaxFailure {
  if (thrown instanceof SyntaxFailure) {
    return thrown;
  }
  throw thrown;
}

/** What may be wrong without making the rest unreadable: undefined names. */
export type Report = (failure: SyntaxFailure) => void;

/**
 * The state that Go's parser keeps for one tree: three tokens of look-ahead, the variables in scope, nesting.
 * A `{{define}}` or `{{block}}` gets its own, on the same lexer.
 */
export class TreeState {
  /** Go's `token` array: its first element is the one whose line messages name. */
  private slot0 = NO_TOKEN;
  private slot1 = NO_TOKEN;
  private slot2 = NO_TOKEN;
  private peekCount = 0;
  private readonly variables: string[] = [];
  private readonly counts = new Map<string, number>();
  /** Where the action began whose line an error in it mentions, or undefined. */
  actionStart: number | undefined;
  rangeDepth = 0;
  private parenDepth = 0;

  constructor(
    readonly text: string,
    readonly lexer: Lexer,
    private readonly report: Report,
    private readonly isFunction: (name: string) => boolean,
  ) {
    this.declare('$');
  }

  /** The token that was read from the lexer last. */
  get lastRead(): Token {
    return this.slot0;
  }

  private slot(index: number): Token {
    return index === 0 ? this.slot0 : index === 1 ? this.slot1 : this.slot2;
  }

  next(): Token {
    if (this.peekCount > 0) {
      this.peekCount--;
    } else {
      this.slot0 = this.lexer.next();
    }
    return this.slot(this.peekCount);
  }

  backup(): void {
    this.peekCount++;
  }

  /** Gives back the token before the one last read. */
  backup2(first: Token): void {
    this.slot1 = first;
    this.peekCount = 2;
  }

  backup3(first: Token, second: Token): void {
    this.slot1 = second;
    this.slot2 = first;
    this.peekCount = 3;
  }

  peek(): Token {
    if (this.peekCount > 0) {
      return this.slot(this.peekCount - 1);
    }
    this.peekCount = 1;
    return (this.slot0 = this.lexer.next());
  }

  nextNonSpace(): Token {
    for (;;) {
      const token = this.next();
      if (token.type !== TokenType.Space) {
        return token;
      }
    }
  }

  peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.backup();
    return token;
  }

  expect(type: TokenType, context: string): Token {
    const token = this.nextNonSpace();
    return token.type === type ? token : this.unexpected(token, context);
  }

  /** Forgets the look-ahead, behind an error. */
  dropLookAhead(): void {
    this.peekCount = 0;
    this.parenDepth = 0;
    this.actionStart = undefined;
  }

  value(token: Token): string {
    return this.text.slice(token.start, token.end);
  }

  fail(text: string, focus: Token = this.slot0): never {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- caught in this folder, never seen outside
    throw new SyntaxFailure(text, this.slot0, focus);
  }

  unexpected(token: Token, context: string): never {
    if (token.type !== TokenType.Error) {
      this.fail(`unexpected ${describeToken(token, this.text)} in ${context}`, token);
    }
    const message = token.message ?? '';
    this.fail(message + this.startedAt(token, message), token);
  }

  /** For an error on another line than its action's beginning. */
  private startedAt(token: Token, message: string): string {
    const begin = this.actionStart;
    if (begin === undefined) {
      return '';
    }
    const line = lineAt(this.text, begin);
    if (line === lineAt(this.text, token.start)) {
      return '';
    }
    return `${message.endsWith(' action') ? '' : ' in action'} started at :${line}`;
  }

  openParen(): void {
    if (this.parenDepth >= MAX_PAREN_DEPTH) {
      this.fail('max expression depth exceeded');
    }
    this.parenDepth++;
  }

  closeParen(): void {
    this.parenDepth--;
  }

  declare(name: string): void {
    this.variables.push(name);
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** Pass it to {@link TreeState.popVariables} when the block ends. */
  get variableMark(): number {
    return this.variables.length;
  }

  popVariables(mark: number): void {
    while (this.variables.length > mark) {
      const name = this.variables.pop() ?? '';
      this.counts.set(name, (this.counts.get(name) ?? 1) - 1);
    }
  }

  checkVariable(name: string, token: Token): void {
    if ((this.counts.get(name) ?? 0) === 0) {
      this.report(new SyntaxFailure(`undefined variable ${quoteText(name)}`, this.slot0, token));
    }
  }

  checkFunction(name: string, token: Token): void {
    if (!this.isFunction(name)) {
      this.report(new SyntaxFailure(`function ${quoteText(name)} not defined`, this.slot0, token));
    }
  }
}

/** 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++;
  }
  return line;
}
