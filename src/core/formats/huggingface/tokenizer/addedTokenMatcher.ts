import type { AddedToken } from './vocabulary';

/** Finds added tokens in a text: leftmost, then longest, as the tokenizers library does. */
export class AddedTokenMatcher {
  /** By first character, longest first. */
  private readonly byFirst = new Map<string, AddedToken[]>();

  constructor(tokens: readonly AddedToken[]) {
    for (const token of [...tokens].sort((a, b) => b.content.length - a.content.length)) {
      const first = token.content.charAt(0);
      if (first !== '') {
        this.byFirst.set(first, [...(this.byFirst.get(first) ?? []), token]);
      }
    }
  }

  /** The text cut at added tokens: their ids, and the texts between them. */
  split(text: string): (string | number)[] {
    const parts: (string | number)[] = [];
    let from = 0;
    let at = 0;
    while (at < text.length) {
      const token = this.byFirst.get(text.charAt(at))?.find((candidate) => text.startsWith(candidate.content, at));
      if (token === undefined || (token.singleWord && isWithinWord(text, at, token))) {
        at += token?.content.length ?? 1;
        continue;
      }
      const start = token.lstrip ? at - trailingSpace(text.slice(from, at)) : at;
      const end = at + token.content.length;
      const stop = token.rstrip ? end + leadingSpace(text.slice(end)) : end;
      if (start > from) {
        parts.push(text.slice(from, start));
      }
      parts.push(token.id);
      from = stop;
      at = stop;
    }
    if (from < text.length) {
      parts.push(text.slice(from));
    }
    return parts;
  }
}

function isWithinWord(text: string, at: number, token: AddedToken): boolean {
  return (
    /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(text.slice(Math.max(at - 2, 0), at)) ||
    /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u.test(text.slice(at + token.content.length, at + token.content.length + 2))
  );
}

function trailingSpace(text: string): number {
  return /\p{White_Space}*$/u.exec(text)![0].length;
}

function leadingSpace(text: string): number {
  return /^\p{White_Space}*/u.exec(text)![0].length;
}
