import { append } from '../../append';
/**
 * A regular expression of a configuration file, matched in time linear in the text: patterns come from strangers, and
 * backtracking engines can be made to hang by them. Understands the part of Python's syntax that module patterns use:
 * literals, `.`, classes, escapes, groups, alternation, `* + ?`, small `{m,n}`, and anchors at the ends.
 */
export interface PythonPattern {
  /** True when the pattern matches the whole of `text`. */
  matches(text: string): boolean;
}

type Test = (code: number) => boolean;

/** Thompson's automaton: consuming states have a test, splits have none and up to two ways on. */
interface State {
  test?: Test;
  next?: State;
  other?: State;
  anchor?: 'start' | 'end';
  mark: number;
}

interface Fragment {
  readonly start: State;
  /** Sets where the fragment goes on. */
  readonly attach: (next: State) => void;
}

/** Repeats are unrolled, so they are bounded. */
const REPEAT_LIMIT = 64;
const STATE_LIMIT = 10_000;

class UnsupportedPattern extends Error {}

/** The pattern, or undefined when it uses syntax that is not understood (look-around, back-references, flags). */
export function compilePythonPattern(source: string): PythonPattern | undefined {
  try {
    return new Compiler(source).compile();
  } catch (error) {
    if (error instanceof UnsupportedPattern || error instanceof RangeError) {
      return undefined;
    }
    throw error;
  }
}

class Compiler {
  private position = 0;
  private states = 0;
  constructor(private readonly source: string) {}

  compile(): PythonPattern {
    const whole = this.alternation();
    if (this.position < this.source.length) {
      throw new UnsupportedPattern();
    }
    const accept = this.state({});
    whole.attach(accept);
    return { matches: (text) => run(whole.start, accept, text) };
  }

  private state(fields: Omit<State, 'mark'>): State {
    this.states += 1;
    if (this.states > STATE_LIMIT) {
      throw new UnsupportedPattern();
    }
    return { ...fields, mark: -1 };
  }

  private peek(): string | undefined {
    return this.source[this.position];
  }

  private take(text: string): boolean {
    if (!this.source.startsWith(text, this.position)) {
      return false;
    }
    this.position += text.length;
    return true;
  }

  private alternation(): Fragment {
    let left = this.sequence();
    while (this.take('|')) {
      left = this.either(left, this.sequence());
    }
    return left;
  }

  private sequence(): Fragment {
    let whole = this.empty();
    for (let next = this.peek(); next !== undefined && next !== '|' && next !== ')'; next = this.peek()) {
      whole = join(whole, this.repeated());
    }
    return whole;
  }

  private repeated(): Fragment {
    const from = this.position;
    let item = this.item();
    const to = this.position;
    const range = this.quantifier();
    if (range === undefined) {
      return item;
    }
    item = this.empty();
    const copy = (): Fragment => this.again(from, to);
    for (let i = 0; i < range.least; i++) {
      item = join(item, copy());
    }
    if (range.most === undefined) {
      return join(item, this.star(copy()));
    }
    for (let i = range.least; i < range.most; i++) {
      item = join(item, this.either(copy(), this.empty()));
    }
    return item;
  }

  /** Compiles the same item of the source once more, for an unrolled repeat. */
  private again(from: number, to: number): Fragment {
    const after = this.position;
    this.position = from;
    const item = this.item();
    if (this.position !== to) {
      throw new UnsupportedPattern();
    }
    this.position = after;
    return item;
  }

  private quantifier(): { least: number; most: number | undefined } | undefined {
    const range = this.range();
    if (range === undefined) {
      return undefined;
    }
    // A lazy quantifier matches the same texts; a possessive or doubled one is not Python's or not ours.
    this.take('?');
    if (/[*+?]/.test(this.peek() ?? '')) {
      throw new UnsupportedPattern();
    }
    return range;
  }

  private range(): { least: number; most: number | undefined } | undefined {
    if (this.take('*')) {
      return { least: 0, most: undefined };
    }
    if (this.take('+')) {
      return { least: 1, most: undefined };
    }
    if (this.take('?')) {
      return { least: 0, most: 1 };
    }
    const braces = /^\{(\d{1,3})(?:(,)(\d{1,3})?)?\}/.exec(this.source.slice(this.position, this.position + 10));
    if (braces === null) {
      return undefined;
    }
    this.position += braces[0].length;
    const least = Number(braces[1]);
    const most = braces[2] === undefined ? least : braces[3] === undefined ? undefined : Number(braces[3]);
    if (least > REPEAT_LIMIT || (most ?? 0) > REPEAT_LIMIT || (most ?? least) < least) {
      throw new UnsupportedPattern();
    }
    return { least, most };
  }

  private item(): Fragment {
    if (this.take('(')) {
      if (this.peek() === '?' && !this.take('?:')) {
        throw new UnsupportedPattern();
      }
      const inner = this.alternation();
      if (!this.take(')')) {
        throw new UnsupportedPattern();
      }
      return inner;
    }
    if (this.take('^')) {
      return this.single({ anchor: 'start' });
    }
    if (this.take('$')) {
      return this.single({ anchor: 'end' });
    }
    return this.single({ test: this.atom() });
  }

  private atom(): Test {
    if (this.take('[')) {
      return this.characterClass();
    }
    if (this.take('.')) {
      return (code) => code !== 10;
    }
    if (this.take('\\')) {
      return this.escape();
    }
    const literal = this.source.codePointAt(this.position);
    if (literal === undefined || '*+?{'.includes(String.fromCodePoint(literal))) {
      throw new UnsupportedPattern();
    }
    this.position += literal > 0xffff ? 2 : 1;
    return (code) => code === literal;
  }

  private escape(): Test {
    const letter = this.source[this.position] ?? '';
    this.position += 1;
    const known = CLASSES[letter];
    if (known !== undefined) {
      return known;
    }
    if (!/[^A-Za-z0-9]/.test(letter)) {
      throw new UnsupportedPattern();
    }
    const code = letter.charCodeAt(0);
    return (other) => other === code;
  }

  private characterClass(): Test {
    const negated = this.take('^');
    const tests: Test[] = [];
    while (tests.length === 0 || this.peek() !== ']') {
      const low = this.classCharacter();
      if (typeof low === 'function') {
        tests.push(low);
        continue;
      }
      if (this.peek() === '-' && this.source[this.position + 1] !== ']') {
        this.position += 1;
        const high = this.classCharacter();
        if (typeof high === 'function') {
          throw new UnsupportedPattern();
        }
        tests.push((code) => code >= low && code <= high);
      } else {
        tests.push((code) => code === low);
      }
    }
    this.position += 1;
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  private classCharacter(): number | Test {
    if (this.take('\\')) {
      const known = CLASSES[this.peek() ?? ''];
      if (known !== undefined) {
        this.position += 1;
        return known;
      }
      if (/[A-Za-z0-9]/.test(this.peek() ?? 'a')) {
        throw new UnsupportedPattern();
      }
    }
    const code = this.source.codePointAt(this.position);
    if (code === undefined) {
      throw new UnsupportedPattern();
    }
    this.position += code > 0xffff ? 2 : 1;
    return code;
  }

  private single(fields: Omit<State, 'mark'>): Fragment {
    const state = this.state(fields);
    return {
      start: state,
      attach: (next) => {
        state.next = next;
      },
    };
  }

  private empty(): Fragment {
    return this.single({});
  }

  private either(a: Fragment, b: Fragment): Fragment {
    const split = this.state({ next: a.start, other: b.start });
    return {
      start: split,
      attach: (next) => {
        a.attach(next);
        b.attach(next);
      },
    };
  }

  private star(inner: Fragment): Fragment {
    const split = this.state({ next: inner.start });
    inner.attach(split);
    return {
      start: split,
      attach: (next) => {
        split.other = next;
      },
    };
  }
}

const digit: Test = (code) => code >= 48 && code <= 57;
const word: Test = (code) => digit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const space: Test = (code) => code === 32 || (code >= 9 && code <= 13);
const CLASSES: Readonly<Record<string, Test | undefined>> = Object.assign(Object.create(null) as Record<string, Test>, {
  d: digit,
  D: (code: number) => !digit(code),
  w: word,
  W: (code: number) => !word(code),
  s: space,
  S: (code: number) => !space(code),
});

function join(a: Fragment, b: Fragment): Fragment {
  a.attach(b.start);
  return { start: a.start, attach: b.attach };
}

let generation = 0;

/** Steps through the text with the set of states that are alive; each state is in the set once. */
function run(start: State, accept: State, text: string): boolean {
  const codes = Array.from(text, (character) => character.codePointAt(0)!);
  let alive = reach([start], 0, codes.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    alive = reach(
      alive.flatMap((state) => (state.test?.(code) === true ? [state.next!] : [])),
      i + 1,
      codes.length,
    );
    if (alive.length === 0) {
      return false;
    }
  }
  return alive.includes(accept);
}

function reach(from: readonly State[], position: number, length: number): State[] {
  generation += 1;
  const found: State[] = [];
  const open = [...from];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (state.mark === generation) {
      continue;
    }
    state.mark = generation;
    found.push(state);
    const held = (state.anchor === 'start' && position !== 0) || (state.anchor === 'end' && position !== length);
    if (state.test !== undefined || held) {
      continue;
    }
    append(
      open,
      [state.next, state.other].filter((next) => next !== undefined),
    );
  }
  return found;
}
