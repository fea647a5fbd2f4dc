import { looksLikeToken } from '../chatTemplate/turnMarkers';

/** Several stop texts that somebody wrote as one value, and the comment behind them. */
export interface StopList {
  readonly texts: readonly string[];
  /** From `#` on. */
  readonly comment?: string | undefined;
  /** Beyond doubt: every text is in quotes or a marker, or there is one text and a comment behind it. */
  readonly isSure: boolean;
}

interface Item {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** A value longer than this is nobody's list. */
const LONGEST = 2000;

/**
 * Reads a value of `PARAMETER stop` as it was probably meant: `["a", "b"]`, `'a', 'b'`, `<|a|>, <|b|>`, `"a" # comment`.
 * @param source the value as it stands in the file, quotes included
 * @returns undefined where the value is one text, as Ollama takes it
 */
export function readStopList(source: string): StopList | undefined {
  if (source.length > LONGEST || /[\r\n]/.test(source)) {
    return undefined;
  }
  const { value, comment } = withoutComment(source);
  const inner = /^\[(.*)\]$/s.exec(value)?.[1];
  const list = inner === undefined ? undefined : readItems(inner);
  const isBracketed = list !== undefined && list.length > 0 && list.every(isCertain);
  const items = isBracketed ? list : (readItems(value) ?? [{ text: value, isQuoted: false }]);
  const [first] = items;
  if (first === undefined || items.some(({ text }) => text.trim() === '' && !/\n/.test(text))) {
    return undefined;
  }
  if (items.length === 1 && !isBracketed) {
    return comment === undefined ? undefined : { texts: [first.text], comment, isSure: isCertain(first) };
  }
  if (!isBracketed && !items.every((item) => isCertain(item) || /^\S+:$/.test(item.text))) {
    return undefined;
  }
  return { texts: [...new Set(items.map(({ text }) => text))], comment, isSure: items.every(isCertain) };
}

const isCertain = ({ text, isQuoted }: Item): boolean => isQuoted || looksLikeToken(text);

/** A comment begins at a `#` after white space, outside of quotes, before a word; `###` and a `#` within a text are texts. */
function withoutComment(source: string): { value: string; comment?: string } {
  let quote = '';
  for (let at = 0; at < source.length; at += 1) {
    const char = source[at] ?? '';
    if (quote !== '') {
      if (char === '\\') {
        at += 1;
      } else if (char === quote) {
        quote = '';
      }
    } else if ((char === '"' || char === "'") && /^[\s,[]?$/.test(source[at - 1] ?? '')) {
      quote = char;
    } else if (at > 0 && /\s/.test(source[at - 1] ?? '') && /^#\s*[^\s#]/.test(source.slice(at, at + 40))) {
      return { value: source.slice(0, at).trimEnd(), comment: source.slice(at) };
    }
  }
  return { value: source };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/** Texts between commas, or markers and quoted texts between spaces; undefined for what is no such sequence. */
function readItems(value: string): Item[] | undefined {
  const items: Item[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s,"'][^,"']*?))\s*(,|$|(?=["'<[]))/uy;
  while (pattern.lastIndex < value.length) {
    const match = pattern.exec(value);
    if (match === null) {
      return undefined;
    }
    const [, double, single, bare, separator] = match;
    const isQuoted = bare === undefined;
    const isLast = pattern.lastIndex >= value.length;
    // Without a comma only quoted texts and markers follow one another.
    if (!isLast && separator === '' && !(isQuoted || (looksLikeToken(bare) && /\s$/.test(match[0])))) {
      return undefined;
    }
    const text = (double ?? single ?? bare ?? '').replace(/\\(.)/gs, (_, char: string) =>
      isQuoted ? (ESCAPES[char] ?? (char === '\\' || char === '"' || char === "'" ? char : `\\${char}`)) : `\\${char}`,
    );
    items.push({ text, isQuoted });
  }
  return items;
}
