import { decodeRune, RUNE_ERROR, type ByteString } from './byteString';

/** What Go calls a pattern that is none (`filepath.ErrBadPattern`). */
export const BAD_PATTERN = 'syntax error in pattern';

/** `filepath.Match` said that the pattern is malformed. */
export class BadPatternError extends Error {
  constructor() {
    super(BAD_PATTERN);
  }
}

/** How the system of the pattern writes paths: on Windows a backslash is a separator and escapes nothing. */
export interface PatternSystem {
  readonly isWindows: boolean;
}

/** Whether a path holds what Go's `filepath.Glob` takes for part of a pattern. */
export function hasMeta(path: ByteString, { isWindows }: PatternSystem): boolean {
  return isWindows ? /[*?[]/.test(path) : /[*?[\\]/.test(path);
}

/**
 * Go's `filepath.Match` to the letter: `*`, `?`, `[a-z]`, `[^a]` and escapes, on UTF-8 bytes; it matches whole names, and no `*`
 * or `?` matches a separator.
 * @throws BadPatternError where Go finds the pattern malformed, which it need not notice before it comes there
 */
export function matchPath(pattern: ByteString, name: ByteString, system: PatternSystem): boolean {
  const separator = system.isWindows ? '\\' : '/';
  let rest = pattern;
  let left = name;
  while (rest !== '') {
    const { star, chunk, after } = scanChunk(rest, system);
    rest = after;
    if (star && chunk === '') {
      return !left.includes(separator);
    }
    const here = matchChunk(chunk, left, system);
    if (here !== undefined && (here === '' || rest !== '')) {
      left = here;
      continue;
    }
    const later = star ? matchBehindStar(chunk, left, rest === '', system) : undefined;
    if (later === undefined) {
      return false;
    }
    left = later;
  }
  return left === '';
}

/** The rest behind the first place at which the chunk fits, after one or more bytes that are no separator. */
function matchBehindStar(
  chunk: ByteString,
  name: ByteString,
  isLast: boolean,
  system: PatternSystem,
): ByteString | undefined {
  const separator = system.isWindows ? '\\' : '/';
  for (let i = 0; i < name.length && name[i] !== separator; i += 1) {
    const rest = matchChunk(chunk, name.slice(i + 1), system);
    if (rest !== undefined && !(isLast && rest !== '')) {
      return rest;
    }
  }
  return undefined;
}

/** The part up to the next `*` outside brackets, and whether stars stood before it. */
function scanChunk(
  pattern: ByteString,
  { isWindows }: PatternSystem,
): { readonly star: boolean; readonly chunk: ByteString; readonly after: ByteString } {
  let start = 0;
  while (pattern[start] === '*') {
    start += 1;
  }
  let isInRange = false;
  for (let i = start; i < pattern.length; i += 1) {
    const character = pattern[i];
    if (character === '\\' && !isWindows && i + 1 < pattern.length) {
      i += 1;
    } else if (character === '[') {
      isInRange = true;
    } else if (character === ']') {
      isInRange = false;
    } else if (character === '*' && !isInRange) {
      return { star: start > 0, chunk: pattern.slice(start, i), after: pattern.slice(i) };
    }
  }
  return { star: start > 0, chunk: pattern.slice(start), after: '' };
}

/** What is left of the text behind the chunk; undefined where it does not fit. The chunk is checked to its end all the same. */
function matchChunk(chunk: ByteString, text: ByteString, system: PatternSystem): ByteString | undefined {
  const separator = system.isWindows ? '\\' : '/';
  let failed = false;
  let at = 0;
  let place = 0;
  while (at < chunk.length) {
    failed ||= place >= text.length;
    if (chunk[at] === '[') {
      const { rune, width } = failed ? { rune: 0, width: 0 } : decodeRune(text, place);
      place += width;
      const range = readClass(chunk, at + 1, rune, system);
      at = range.end;
      failed ||= !range.matches;
      continue;
    }
    if (chunk[at] === '?') {
      if (!failed) {
        failed = text[place] === separator;
        place += decodeRune(text, place).width;
      }
      at += 1;
      continue;
    }
    const literal = chunk[at] === '\\' && !system.isWindows ? at + 1 : at;
    if (literal >= chunk.length) {
      throw new BadPatternError();
    }
    if (!failed) {
      failed = chunk[literal] !== text[place];
      place += 1;
    }
    at = literal + 1;
  }
  return failed ? undefined : text.slice(place);
}

/** A character class from behind its `[`: whether it takes the rune, and where it ends. */
function readClass(
  chunk: ByteString,
  start: number,
  rune: number,
  system: PatternSystem,
): { readonly matches: boolean; readonly end: number } {
  const isNegated = chunk[start] === '^';
  let at = isNegated ? start + 1 : start;
  let isInside = false;
  for (let ranges = 0; ; ranges += 1) {
    if (chunk[at] === ']' && ranges > 0) {
      return { matches: isInside !== isNegated, end: at + 1 };
    }
    const low = readCharacter(chunk, at, system);
    const high = chunk[low.end] === '-' ? readCharacter(chunk, low.end + 1, system) : low;
    isInside ||= low.rune <= rune && rune <= high.rune;
    at = high.end;
  }
}

/** One character of a class, escaped or not; something must follow it. */
function readCharacter(
  chunk: ByteString,
  start: number,
  { isWindows }: PatternSystem,
): { readonly rune: number; readonly end: number } {
  if (start >= chunk.length || chunk[start] === '-' || chunk[start] === ']') {
    throw new BadPatternError();
  }
  const at = chunk[start] === '\\' && !isWindows ? start + 1 : start;
  const { rune, width } = decodeRune(chunk, at);
  if ((rune === RUNE_ERROR && width < 2) || at + width >= chunk.length) {
    throw new BadPatternError();
  }
  return { rune, end: at + width };
}
