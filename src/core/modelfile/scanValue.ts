import { isPrint } from '../golang/unicode';
import { isBlank, isNewline, unitsAt } from './characters';
import type { ModelfileValue, QuoteStyle, Span } from './modelfileTypes';

export interface ScannedValue {
  readonly value: ModelfileValue;
  /** Past the newline that ended the value, or `limit`. */
  readonly end: number;
  /** `\r` and `\n` up to `end`. */
  readonly newlines: number;
}

const QUOTE = 0x22;

/** 1 for printable, 2 for not, 0 for not asked yet; the planes above are asked each time. */
const printable = new Uint8Array(0x20000);

/** Go's `strconv.IsPrint`, remembered. */
export function isPrintable(rune: number): boolean {
  if (rune >= printable.length) {
    return isPrint(rune);
  }
  const known = printable[rune];
  if (known === 0) {
    const answer = isPrint(rune);
    printable[rune] = answer ? 1 : 2;
    return answer;
  }
  return known === 1;
}

/**
 * Reads one value as Ollama does: it ends at the first newline at which what was collected, trimmed, either does
 * not begin with a quote or ends with the same one (`"` or `"""`). Unprintable characters are dropped.
 * @param start the first unit after the space that follows keyword or name
 * @param limit where the text counts as ended
 */
export function scanValue(text: string, start: number, limit: number): ScannedValue {
  const state = new ValueState();
  let newlines = 0;
  let at = start;
  while (at < limit) {
    const unit = text.charCodeAt(at);
    if (unit > QUOTE && unit < 0x7f) {
      const begin = at;
      at = endOfPlain(text, at, limit);
      state.plain(begin, at);
    } else if (unit === QUOTE) {
      state.quote(at);
      at += 1;
    } else if (isBlank(unit)) {
      state.space();
      at += 1;
    } else if (isNewline(unit)) {
      newlines += 1;
      at += 1;
      if (state.complete()) {
        break;
      }
      state.space();
    } else {
      const size = unit < 0x80 ? 1 : unitsAt(text, at);
      if (isPrintable(size === 1 ? unit : (text.codePointAt(at) ?? 0))) {
        state.plain(at, at + size);
      } else {
        state.drop(at, at + size);
      }
      at += size;
    }
  }
  return { value: state.value(text, start), end: at, newlines };
}

/** The end of a run of ASCII characters that are neither quotes nor white space. */
function endOfPlain(text: string, start: number, limit: number): number {
  let at = start + 1;
  while (at < limit) {
    const unit = text.charCodeAt(at);
    if (unit <= QUOTE || unit >= 0x7f) {
      break;
    }
    at += 1;
  }
  return at;
}

/** What must be known of the characters so far to tell in constant time whether a newline ends the value. */
class ValueState {
  private first = -1;
  private last = -1;
  /** Units from the first to the last character that is no white space. */
  private kept = 0;
  private spaces = 0;
  /** Quotes at the very beginning. */
  private head = 0;
  /** Quotes at the very end. */
  private run = 0;
  private dropped: number[] | undefined;

  space(): void {
    this.spaces += 1;
  }

  drop(start: number, end: number): void {
    const dropped = (this.dropped ??= []);
    if (dropped[dropped.length - 1] === start) {
      dropped[dropped.length - 1] = end;
    } else {
      dropped.push(start, end);
    }
  }

  plain(start: number, end: number): void {
    this.keep(start, end);
    this.run = 0;
  }

  quote(at: number): void {
    const { spaces } = this;
    if (this.head === this.kept && (spaces === 0 || this.kept === 0)) {
      this.head += 1;
    }
    this.run = spaces === 0 ? this.run + 1 : 1;
    this.keep(at, at + 1);
  }

  private keep(start: number, end: number): void {
    if (this.first < 0) {
      this.first = start;
      this.spaces = 0;
      this.dropped = undefined;
    }
    this.kept += this.spaces + end - start;
    this.spaces = 0;
    this.last = end;
  }

  complete(): boolean {
    if (this.head >= 3) {
      return this.kept >= 6 && this.run >= 3;
    }
    return this.head === 0 || (this.kept >= 2 && this.run >= 1);
  }

  value(text: string, start: number): ModelfileValue {
    if (this.first < 0) {
      return new SourceValue(text, start, start, start, start, '', true, NOTHING);
    }
    const { first, last, head } = this;
    const dropped = within(this.dropped ?? NOTHING, first, last);
    const quote: QuoteStyle = head >= 3 ? '"""' : head > 0 ? '"' : '';
    const closed = this.complete();
    const from = skipForward(first, quote.length, dropped);
    const to = closed ? skipBackward(last, quote.length, dropped) : last;
    return new SourceValue(text, first, last, from, to, quote, closed, within(dropped, from, to));
  }
}

const NOTHING: readonly number[] = [];

/** The stretches that lie between `from` and `to`. */
function within(holes: readonly number[], from: number, to: number): readonly number[] {
  if (holes.length === 0) {
    return holes;
  }
  let begin = 0;
  let end = holes.length;
  while (begin < end && (holes[begin] ?? 0) < from) {
    begin += 2;
  }
  while (end > begin && (holes[end - 1] ?? 0) > to) {
    end -= 2;
  }
  return begin === 0 && end === holes.length ? holes : holes.slice(begin, end);
}

/** A value as offsets; its text is cut out when somebody asks. */
class SourceValue implements ModelfileValue {
  constructor(
    private readonly source: string,
    private readonly first: number,
    private readonly last: number,
    private readonly from: number,
    private readonly to: number,
    readonly quote: QuoteStyle,
    readonly closed: boolean,
    readonly dropped: readonly number[],
  ) {}

  get span(): Span {
    return { start: this.first, end: this.last };
  }

  get content(): Span {
    return { start: this.from, end: this.to };
  }

  get text(): string {
    const { source, dropped } = this;
    if (dropped.length === 0) {
      return source.slice(this.from, this.to);
    }
    const units = new Uint16Array(this.to - this.from);
    let count = 0;
    let at = this.from;
    const keep = (end: number): void => {
      for (; at < end; at += 1) {
        units[count] = source.charCodeAt(at);
        count += 1;
      }
    };
    for (let i = 0; i < dropped.length; i += 2) {
      keep(dropped[i] ?? at);
      at = dropped[i + 1] ?? at;
    }
    keep(this.to);
    return textOf(units.subarray(0, count));
  }
}

/** The offset after `count` kept units from `start`, holes not counted. */
function skipForward(start: number, count: number, holes: readonly number[]): number {
  let at = start;
  let left = count;
  for (let i = 0; i < holes.length && left > 0; i += 2) {
    const hole = holes[i] ?? 0;
    if (hole >= at + left) {
      break;
    }
    left -= hole - at;
    at = holes[i + 1] ?? at;
  }
  return at + left;
}

function skipBackward(end: number, count: number, holes: readonly number[]): number {
  let at = end;
  let left = count;
  for (let i = holes.length - 2; i >= 0 && left > 0; i -= 2) {
    const holeEnd = holes[i + 1] ?? 0;
    if (holeEnd <= at - left) {
      break;
    }
    left -= at - holeEnd;
    at = holes[i] ?? at;
  }
  return at - left;
}

/** The offset in the document of the character at `index` of `value.text`. */
export function offsetInDocument(value: ModelfileValue, index: number): number {
  return Math.min(skipForward(value.content.start, Math.max(index, 0), value.dropped), value.content.end);
}

/** The index in `value.text` of the character at `offset` of the document, clamped to the value. */
export function indexInValue(value: ModelfileValue, offset: number): number {
  const { start, end } = value.content;
  const at = Math.min(Math.max(offset, start), end);
  let removed = 0;
  for (let i = 0; i < value.dropped.length; i += 2) {
    const hole = value.dropped[i] ?? 0;
    if (hole >= at) {
      break;
    }
    removed += Math.min(value.dropped[i + 1] ?? hole, at) - hole;
  }
  return at - start - removed;
}

/** A call takes only so many arguments. */
const UNITS_A_CALL = 8192;

/** UTF-16 units as they are, lone surrogates included. */
function textOf(units: Uint16Array): string {
  let text = '';
  for (let at = 0; at < units.length; at += UNITS_A_CALL) {
    text += Reflect.apply(String.fromCharCode, undefined, units.subarray(at, at + UNITS_A_CALL)) as string;
  }
  return text;
}
