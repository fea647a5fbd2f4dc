import { StudioError } from './errors';
import type { Json, JsonObject } from './json';
import { LIMITS } from './limits';
import { cutName, quoteName } from './quoteName';

export interface JsonScannerOptions {
  /** Named in errors. */
  readonly path?: string | undefined;
  /** Deepest nesting of arrays and objects; {@link LIMITS.json.depth} unless given. */
  readonly maxDepth?: number | undefined;
  /** Accepts `NaN`, `Infinity` and `-Infinity`, which Python's json module writes. Default false. */
  readonly pythonLiterals?: boolean | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const ZERO = 0x30;
const NINE = 0x39;

/** Integers of so few digits add up exactly in a number. */
const EXACT_DIGITS = 15;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

/**
 * Walks a JSON text (RFC 8259) from left to right. {@link value} builds what stands there; formats with their own
 * rules, like the safetensors header, take it apart with {@link object}, {@link string} and {@link unsigned} and
 * never build the tree. Refuses duplicate keys, compared after escapes are resolved (`json/duplicate-key`), and
 * everything that is not JSON (`json/syntax`), with the line.
 */
export class JsonScanner {
  private at = 0;
  private readonly maxDepth: number;

  constructor(
    private readonly text: string,
    private readonly options: JsonScannerOptions = {},
  ) {
    this.maxDepth = options.maxDepth ?? LIMITS.json.depth;
  }

  /** The value at the cursor. Objects come without a prototype. */
  value(depth = 0): Json {
    const code = this.peek();
    if (code === QUOTE) {
      return this.string();
    }
    if (code === OPEN_BRACE) {
      const object = Object.create(null) as Record<string, Json>;
      const inner = this.deeper(depth);
      this.members((key, keyAt) => {
        if (key in object) {
          throw this.duplicate(key, keyAt);
        }
        object[key] = this.value(inner);
      });
      return object satisfies JsonObject;
    }
    if (code === OPEN_BRACKET) {
      const array: Json[] = [];
      const inner = this.deeper(depth);
      this.array(() => array.push(this.value(inner)));
      return array;
    }
    return this.literal(code);
  }

  /** Where the cursor stands, in characters from the start. */
  get position(): number {
    return this.at;
  }

  /** An object: `member` is called after each key, with where it begins, and must consume its value. Duplicate keys are refused. */
  object(member: (key: string, keyAt: number) => void): void {
    const seen = new Set<string>();
    this.members((key, keyAt) => {
      if (seen.size === seen.add(key).size) {
        throw this.duplicate(key, keyAt);
      }
      member(key, keyAt);
    });
  }

  /** An array: `element` is called before each element and must consume it. */
  array(element: () => void): void {
    this.peek();
    this.expect(OPEN_BRACKET, '"["');
    if (this.peek() === CLOSE_BRACKET) {
      this.at++;
      return;
    }
    for (;;) {
      element();
      const code = this.peek();
      this.at++;
      if (code === CLOSE_BRACKET) {
        return;
      }
      if (code !== COMMA) {
        throw this.unexpected(this.at - 1, '"," or "]"');
      }
    }
  }

  string(): string {
    this.peek();
    this.expect(QUOTE, 'a string');
    const start = this.at;
    for (let i = start; ; i++) {
      const code = this.text.charCodeAt(i);
      if (code === QUOTE) {
        this.at = i + 1;
        return this.text.slice(start, i);
      }
      if (code === BACKSLASH) {
        return this.escapedString(start, i);
      }
      if (!(code >= 0x20)) {
        throw this.badCharacter(i, start);
      }
    }
  }

  /** A non-negative safe integer written with digits alone; undefined, with the cursor unmoved, for anything else. */
  unsigned(): number | undefined {
    this.peek();
    const start = this.at;
    let end = start;
    while (isDigit(this.text.charCodeAt(end))) {
      end++;
    }
    const digits = this.text.slice(start, Math.min(end, start + 20));
    const number = Number(digits);
    const next = this.text.charCodeAt(end);
    const isPlain =
      end > start &&
      end - start < 20 &&
      (digits.length === 1 || digits[0] !== '0') &&
      next !== 0x2e &&
      (next | 0x20) !== 0x65;
    if (!isPlain || !Number.isSafeInteger(number)) {
      return undefined;
    }
    this.at = end;
    return number;
  }

  /** Fails unless only white space follows. */
  end(): void {
    this.peek();
    if (this.at < this.text.length) {
      throw this.unexpected(this.at, 'the end of the file');
    }
  }

  /** Code of the next character that is not white space, which becomes the cursor; NaN at the end. */
  peek(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) {
        return code;
      }
      this.at++;
    }
  }

  private members(member: (key: string, keyAt: number) => void): void {
    this.peek();
    this.expect(OPEN_BRACE, '"{"');
    if (this.peek() === CLOSE_BRACE) {
      this.at++;
      return;
    }
    for (;;) {
      this.peek();
      const keyAt = this.at;
      const key = this.string();
      this.peek();
      this.expect(COLON, '":"');
      member(key, keyAt);
      const code = this.peek();
      this.at++;
      if (code === CLOSE_BRACE) {
        return;
      }
      if (code !== COMMA) {
        throw this.unexpected(this.at - 1, '"," or "}"');
      }
    }
  }

  private deeper(depth: number): number {
    if (depth >= this.maxDepth) {
      throw this.syntax(this.at, `is nested deeper than ${this.maxDepth} levels`);
    }
    return depth + 1;
  }

  private escapedString(start: number, from: number): string {
    for (let i = from; ; i++) {
      const code = this.text.charCodeAt(i);
      if (code === BACKSLASH) {
        i++;
      } else if (code === QUOTE) {
        this.at = i + 1;
        return this.unescape(start, i);
      } else if (!(code >= 0x20)) {
        throw this.badCharacter(i, start);
      }
    }
  }

  private unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.text.slice(start - 1, end + 1)) as string;
    } catch (cause) {
      throw this.syntax(start, 'has an invalid escape in a string', cause);
    }
  }

  private literal(code: number): Json {
    switch (code) {
      case 0x74:
        return this.word('true', true);
      case 0x66:
        return this.word('false', false);
      case 0x6e:
        return this.word('null', null);
      default:
        return this.number(code);
    }
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) {
      throw this.unexpected(this.at, 'a value');
    }
    this.at += word.length;
    return value;
  }

  private number(first: number): number {
    const start = this.at;
    let end = start;
    let sum = 0;
    let code = first;
    while (isDigit(code)) {
      sum = sum * 10 + (code - ZERO);
      code = this.text.charCodeAt(++end);
    }
    const isShort = end > start && end - start <= EXACT_DIGITS && (first !== ZERO || end === start + 1);
    if (isShort && code !== 0x2e && (code | 0x20) !== 0x65) {
      this.at = end;
      return sum;
    }
    NUMBER.lastIndex = start;
    const match = NUMBER.exec(this.text);
    if (match === null) {
      return this.pythonLiteral(start);
    }
    this.at = NUMBER.lastIndex;
    return Number(match[0]);
  }

  private pythonLiteral(start: number): number {
    if (this.options.pythonLiterals === true) {
      for (const [word, value] of [
        ['NaN', NaN],
        ['Infinity', Infinity],
        ['-Infinity', -Infinity],
      ] as const) {
        if (this.text.startsWith(word, start)) {
          this.at = start + word.length;
          return value;
        }
      }
    }
    throw this.unexpected(start, 'a value');
  }

  private expect(code: number, what: string): void {
    if (this.text.charCodeAt(this.at) !== code) {
      throw this.unexpected(this.at, what);
    }
    this.at++;
  }

  private badCharacter(at: number, start: number): StudioError {
    return at >= this.text.length
      ? this.syntax(start, 'ends inside a string that begins there')
      : this.syntax(at, 'has a control character inside a string');
  }

  private unexpected(at: number, wanted: string): StudioError {
    if (at >= this.text.length) {
      return this.syntax(this.text.length, `ends where ${wanted} was expected: it may be cut short`);
    }
    return this.syntax(
      at,
      `has ${quoteName(String.fromCodePoint(this.text.codePointAt(at)!))} where ${wanted} was expected`,
    );
  }

  /** A `json/syntax` error about the place `at`. */
  private syntax(at: number, what: string, cause?: unknown): StudioError {
    const line = this.lineOf(at);
    return new StudioError('json/syntax', `Line ${line} of the JSON text ${what}. Repair the file or fetch it again.`, {
      path: this.options.path,
      line,
      detail: { position: at },
      cause,
    });
  }

  private duplicate(key: string, at: number): StudioError {
    const line = this.lineOf(at);
    return new StudioError(
      'json/duplicate-key',
      `Line ${line} of the JSON text repeats the key ${quoteName(key)}: programs would disagree on which value counts. Remove one of the two.`,
      {
        path: this.options.path,
        line,
        detail: { position: at, key: cutName(key) },
      },
    );
  }

  private lineOf(at: number): number {
    let line = 1;
    for (let i = this.text.indexOf('\n'); i !== -1 && i < at; i = this.text.indexOf('\n', i + 1)) {
      line++;
    }
    return line;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}
