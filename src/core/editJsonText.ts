import type { Json } from './json';
import type { JsonScanner } from './jsonScanner';
import { strictScanner } from './strictJson';

/** A key by its path, and the value that it gets; undefined removes it. */
export interface JsonEdit {
  readonly path: readonly string[];
  readonly value: Json | undefined;
}

interface Member {
  readonly key: string;
  readonly keyAt: number;
  readonly valueAt: number;
  readonly end: number;
}

const OPEN_BRACE = 0x7b;

/**
 * Changes keys of the objects of a JSON text and leaves all else as it was written: order, spacing, the spelling of numbers
 * (`30.0`, `1e-05`) and Python's `NaN`. An edit whose parent is no object of the text changes nothing, nor does the removal
 * of a key that is not there.
 * @throws StudioError json/… for what is no JSON
 */
export function editJsonText(text: string, edits: readonly JsonEdit[]): string {
  return edits.reduce((current, { path, value }) => edited(current, 0, path, value), text);
}

function edited(text: string, at: number, path: readonly string[], value: Json | undefined): string {
  const [key, ...rest] = path;
  const members = membersOf(text, at);
  const index = members?.findIndex((member) => member.key === key) ?? -1;
  if (key === undefined || members === undefined) {
    return text;
  }
  if (rest.length > 0) {
    return index < 0 ? text : edited(text, members[index]!.valueAt, rest, value);
  }
  if (value === undefined) {
    return index < 0 ? text : without(text, members, index);
  }
  if (index >= 0) {
    const { valueAt, end } = members[index]!;
    return text.slice(0, valueAt) + JSON.stringify(value) + text.slice(end);
  }
  return withMember(text, at, members, `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
}

/** The members of the object that begins at `at`, white space apart; undefined where something else stands there. */
function membersOf(text: string, at: number): Member[] | undefined {
  const scanner = scannerAt(text, at);
  if (scanner.peek() !== OPEN_BRACE) {
    return undefined;
  }
  const members: Member[] = [];
  scanner.object((key, keyAt) => {
    scanner.peek();
    const valueAt = at + scanner.position;
    scanner.value();
    members.push({ key, keyAt: at + keyAt, valueAt, end: at + scanner.position });
  });
  return members;
}

function scannerAt(text: string, at: number): JsonScanner {
  return strictScanner(text.slice(at), { pythonLiterals: true });
}

function without(text: string, members: readonly Member[], index: number): string {
  const [from, to] =
    index > 0
      ? [members[index - 1]!.end, members[index]!.end]
      : [members[0]!.keyAt, members[1]?.keyAt ?? members[0]!.end];
  return text.slice(0, from) + text.slice(to);
}

/** Behind the last one, with the space that stands before that. */
function withMember(text: string, at: number, members: readonly Member[], member: string): string {
  const last = members.at(-1);
  if (last === undefined) {
    const inside = text.indexOf('{', at) + 1;
    return text.slice(0, inside) + member + text.slice(inside);
  }
  const before = members.at(-2)?.end ?? text.indexOf('{', at);
  const space = /\s*$/.exec(text.slice(before, last.keyAt))?.[0] ?? '';
  return `${text.slice(0, last.end)},${space}${member}${text.slice(last.end)}`;
}
