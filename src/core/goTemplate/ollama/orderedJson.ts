import { StudioError } from '../../errors';

/** Parsed JSON whose objects keep the order of their keys, numbers among them included. */
export type OrderedJson = null | boolean | number | string | readonly OrderedJson[] | ReadonlyMap<string, OrderedJson>;

/** Deeper than any message or tool; Go itself stops at ten thousand. */
const MAX_DEPTH = 1_000;

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  read(): OrderedJson {
    const value = this.value(0);
    this.take(SPACE);
    if (this.at < this.text.length) {
      this.fail('something follows the value');
    }
    return value;
  }

  private fail(what: string): never {
    const line = this.text.slice(0, this.at).split('\n').length;
    throw new StudioError('json/syntax', `Not valid JSON at line ${line}: ${what}. Correct the file and try again.`, {
      line,
    });
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text)?.[0];
    this.at += match?.length ?? 0;
    return match;
  }

  private accept(mark: string): boolean {
    this.take(SPACE);
    if (!this.text.startsWith(mark, this.at)) {
      return false;
    }
    this.at += mark.length;
    return true;
  }

  private value(depth: number): OrderedJson {
    if (depth > MAX_DEPTH) {
      this.fail(`nested more than ${MAX_DEPTH} deep`);
    }
    if (this.accept('{')) {
      return this.object(depth);
    }
    if (this.accept('[')) {
      return this.array(depth);
    }
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.accept(word)) {
        return value;
      }
    }
    return this.text[this.at] === '"' ? this.string() : this.number();
  }

  private string(): string {
    const start = this.at;
    if (this.text[start] !== '"') {
      this.fail('a key in quotes is missing');
    }
    for (this.at++; this.text[this.at] !== '"';) {
      const code = this.text.charCodeAt(this.at);
      // Not a number at the end of the text.
      if (!(code >= 0x20) || (code === 0x5c && this.take(ESCAPE) === undefined)) {
        this.fail('a string is not closed or has a wrong escape');
      }
      this.at += code === 0x5c ? 0 : 1;
    }
    this.at++;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  private number(): number {
    const value = Number(this.take(NUMBER) ?? this.fail('a value is missing'));
    return Number.isFinite(value) ? value : this.fail('a number is too large');
  }

  private array(depth: number): OrderedJson {
    const items: OrderedJson[] = [];
    if (this.accept(']')) {
      return items;
    }
    do {
      items.push(this.value(depth + 1));
    } while (this.accept(','));
    return this.accept(']') ? items : this.fail('a comma or ] is missing');
  }

  private object(depth: number): OrderedJson {
    const members = new Map<string, OrderedJson>();
    if (this.accept('}')) {
      return members;
    }
    do {
      this.take(SPACE);
      const key = this.string();
      if (!this.accept(':')) {
        this.fail('a colon is missing');
      }
      members.set(key, this.value(depth + 1));
    } while (this.accept(','));
    return this.accept('}') ? members : this.fail('a comma or } is missing');
  }
}

/** Parses JSON text, keeping the order of keys; of a key that is there twice the last value counts. Throws `json/syntax`. */
export function parseOrderedJson(text: string): OrderedJson {
  return new Reader(text).read();
}
