/**
 * Translates the regular expressions of tokenizer.json files (Oniguruma's Ruby syntax with Unicode) to JavaScript. Patterns come
 * from files of others, so the translator also bounds what a match can cost: what it cannot translate exactly, or
 * what could backtrack without end, it declines.
 */
export function translateRegex(pattern: string): RegExp | undefined {
  if (pattern.length > 10_000) {
    return undefined;
  }
  try {
    const parser = new Translator(pattern);
    const { source, cost } = parser.parse();
    return cost > MAX_COST ? undefined : new RegExp(source, 'gu');
  } catch (error) {
    if (error instanceof Declined || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

/** Ways to match at one position that we are ready to try: gpt-4o's split, the costliest known, has 1.3 million by this count. */
const MAX_COST = 1_500_000;
/** What a repetition without a bound, or with a bound beyond 3, counts for: the check text has 350 characters. */
const UNBOUNDED = 200;
const MAX_DEPTH = 50;

class Declined extends Error {}

interface Piece {
  readonly source: string;
  readonly cost: number;
  /** Whether it repeats inside: such a piece must not be repeated itself. */
  readonly repeats: boolean;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  S: '\\P{White_Space}',
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  w: '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]',
  W: '[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]',
  n: '\\n',
  r: '\\r',
  t: '\\t',
  f: '\\f',
  v: '\\v',
};
/** Letters that fold to an ASCII letter beyond its own two cases. */
const FOLDS: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a' };

class Translator {
  private at = 0;

  constructor(private readonly pattern: string) {}

  parse(): Piece {
    const piece = this.alternation(false, 0);
    if (this.at < this.pattern.length) {
      throw new Declined();
    }
    return piece;
  }

  private peek(length = 1): string {
    return this.pattern.slice(this.at, this.at + length);
  }

  private accept(text: string): boolean {
    if (!this.pattern.startsWith(text, this.at)) {
      return false;
    }
    this.at += text.length;
    return true;
  }

  private alternation(ignoreCase: boolean, depth: number): Piece {
    if (depth > MAX_DEPTH) {
      throw new Declined();
    }
    const branches = [this.sequence(ignoreCase, depth)];
    while (this.accept('|')) {
      branches.push(this.sequence(ignoreCase, depth));
    }
    return {
      source: branches.map((branch) => branch.source).join('|'),
      cost: branches.reduce((sum, branch) => sum + branch.cost, 0),
      repeats: branches.some((branch) => branch.repeats),
    };
  }

  private sequence(ignoreCase: boolean, depth: number): Piece {
    let source = '';
    let cost = 1;
    let repeats = false;
    while (this.at < this.pattern.length && this.peek() !== '|' && this.peek() !== ')') {
      const piece = this.quantified(ignoreCase, depth);
      source += piece.source;
      cost = Math.min(cost * piece.cost, Number.MAX_SAFE_INTEGER);
      repeats ||= piece.repeats;
    }
    return { source, cost, repeats };
  }

  private quantified(ignoreCase: boolean, depth: number): Piece {
    const atom = this.atom(ignoreCase, depth);
    const quantifier = /^(?:[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}|\{,(\d{1,4})\})/.exec(
      this.pattern.slice(this.at, this.at + 16),
    );
    if (quantifier === null) {
      return atom;
    }
    const text = quantifier[0];
    this.at += text.length;
    const lazy = this.accept('?');
    if (this.peek() === '+' || this.peek() === '*' || this.peek() === '?') {
      throw new Declined(); // possessive, or a quantifier on a quantifier
    }
    const { from, to } = bounds(text, quantifier);
    if (to > 1 && (atom.repeats || atom.source === '')) {
      throw new Declined();
    }
    const choices = to > 3 && to !== from ? UNBOUNDED : to - from + 1;
    const cost = to === 1 ? atom.cost + choices - 1 : atom.cost * choices;
    return {
      source: `${atom.source}{${from},${to === Infinity ? '' : to}}${lazy ? '?' : ''}`,
      cost,
      repeats: atom.repeats || to > 1,
    };
  }

  private atom(ignoreCase: boolean, depth: number): Piece {
    if (this.accept('(')) {
      return this.group(ignoreCase, depth);
    }
    if (this.accept('[')) {
      return single(this.characterClass(ignoreCase));
    }
    if (this.accept('\\')) {
      return single(this.escape(false, ignoreCase));
    }
    if (this.accept('.')) {
      return single('[^\\n]');
    }
    if (this.accept('^')) {
      return single('(?<![^\\n])');
    }
    if (this.accept('$')) {
      return single('(?![^\\n])');
    }
    const char = String.fromCodePoint(this.pattern.codePointAt(this.at)!);
    if ('*+?{'.includes(char)) {
      throw new Declined();
    }
    this.at += char.length;
    return single(literal(char, ignoreCase));
  }

  private group(ignoreCase: boolean, depth: number): Piece {
    const kinds: readonly (readonly [string, string, boolean])[] = [
      ['?i:', '(?:', true],
      ['?:', '(?:', ignoreCase],
      ['?=', '(?=', ignoreCase],
      ['?!', '(?!', ignoreCase],
      ['?<=', '(?<=', ignoreCase],
      ['?<!', '(?<!', ignoreCase],
    ];
    const kind = kinds.find(([text]) => this.accept(text));
    if (kind === undefined && this.peek() === '?') {
      throw new Declined();
    }
    const inner = this.alternation(kind?.[2] ?? ignoreCase, depth + 1);
    if (!this.accept(')')) {
      throw new Declined();
    }
    return { ...inner, source: `${kind?.[1] ?? '(?:'}${inner.source})`, repeats: inner.repeats || inner.cost > 1 };
  }

  private escape(inClass: boolean, ignoreCase: boolean): string {
    const property = /^([pP])\{(\^?)([A-Za-z_]{1,40})\}/.exec(this.pattern.slice(this.at, this.at + 48));
    if (property !== null) {
      this.at += property[0].length;
      return unicodeProperty(property[3]!, (property[1] === 'P') !== (property[2] === '^'));
    }
    const code = /^(?:x([\da-fA-F]{2})|x\{([\da-fA-F]{1,6})\}|u([\da-fA-F]{4}))/.exec(
      this.pattern.slice(this.at, this.at + 9),
    );
    if (code !== null) {
      this.at += code[0].length;
      return `\\u{${code[1] ?? code[2] ?? code[3] ?? ''}}`;
    }
    const char = String.fromCodePoint(this.pattern.codePointAt(this.at) ?? 0);
    this.at += char.length;
    const simple = Object.hasOwn(SIMPLE_ESCAPES, char) ? SIMPLE_ESCAPES[char]! : undefined;
    if (simple !== undefined && !(inClass && (char === 'w' || char === 'W'))) {
      return simple;
    }
    if (/[A-Za-z0-9]/.test(char) || char === '\0') {
      throw new Declined();
    }
    return inClass ? classLiteral(char, ignoreCase) : literal(char, ignoreCase);
  }

  private characterClass(ignoreCase: boolean): string {
    let source = this.accept('^') ? '[^' : '[';
    const start = this.at;
    while (this.peek() !== ']' || this.at === start) {
      const char = String.fromCodePoint(this.pattern.codePointAt(this.at) ?? 0);
      if (this.at >= this.pattern.length || char === '[' || this.peek(2) === '&&') {
        throw new Declined();
      }
      this.at += char.length;
      if (char === '-' && source.length > 1 && this.at - 1 > start && this.peek() !== ']') {
        if (ignoreCase) {
          throw new Declined();
        }
        source += '-';
      } else {
        source += char === '\\' ? this.escape(true, ignoreCase) : classLiteral(char, ignoreCase);
      }
    }
    this.at++;
    return `${source}]`;
  }
}

function bounds(text: string, match: RegExpExecArray): { readonly from: number; readonly to: number } {
  if (text === '*' || text === '+') {
    return { from: text === '+' ? 1 : 0, to: Infinity };
  }
  if (text === '?') {
    return { from: 0, to: 1 };
  }
  const from = Number(match[1] ?? 0);
  const to = match[4] ?? match[3] ?? (match[2] === undefined ? match[1] : undefined);
  if (to !== undefined && Number(to) < from) {
    throw new Declined();
  }
  return { from, to: to === undefined ? Infinity : Number(to) };
}

function single(source: string): Piece {
  return { source, cost: 1, repeats: false };
}

function cases(char: string): string[] {
  const lower = char.toLowerCase();
  const upper = char.toUpperCase();
  if (lower === upper) {
    return [char];
  }
  if (!/^[a-z]$/.test(lower)) {
    throw new Declined(); // full case folding is not reproduced
  }
  return [lower, upper, ...(Object.hasOwn(FOLDS, lower) ? [FOLDS[lower]!] : [])];
}

function literal(char: string, ignoreCase: boolean): string {
  const all = ignoreCase ? cases(char) : [char];
  return all.length > 1 ? `[${all.join('')}]` : char.replace(/[\^$\\.*+?()[\]{}|/]/, '\\$&');
}

function classLiteral(char: string, ignoreCase: boolean): string {
  return (ignoreCase ? cases(char) : [char]).map((one) => one.replace(/[\^$\\.*+?()[\]{}|/-]/, '\\$&')).join('');
}

/** Oniguruma names scripts and general categories alike. */
function unicodeProperty(name: string, negated: boolean): string {
  for (const candidate of [name, `Script=${name}`]) {
    try {
      new RegExp(`\\p{${candidate}}`, 'u');
      return `\\${negated ? 'P' : 'p'}{${candidate}}`;
    } catch {
      continue;
    }
  }
  throw new Declined();
}
