import { edit, fix, type Fix } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import { offsetInDocument } from '../scanValue';
import { instruction } from '../writeModelfile';

/** Texts that say something else than was meant: escapes written out, and paths in place of what the file holds. */
export function literalTextRules(context: LintContext): void {
  for (const entry of context.entries) {
    const { keyword } = entry.instruction;
    if (keyword === 'SYSTEM' || keyword === 'MESSAGE' || keyword === 'TEMPLATE') {
      escapes(context, entry);
    }
    if (keyword === 'SYSTEM' || keyword === 'TEMPLATE' || keyword === 'LICENSE') {
      path(context, entry);
    }
  }
}

/** A backslash and a letter where a newline, a tab or a quote was meant. */
const ESCAPE = /\\[ntr"]/g;
/** Longer texts have their newlines, and what is written in them is meant. */
const LONGEST = 64 * 1024;
/** Of more escapes than this nobody wrote one by mistake. */
const MOST = 500;

function escapes(context: LintContext, entry: Entry): void {
  const { value, instruction: owner } = entry;
  const { text } = value;
  if (text.length > LONGEST || !text.includes('\\') || /[\r\n]/.test(text)) {
    // A text with lines of its own speaks of escapes, where it has any; templates are looked at all the same.
    if (owner.keyword !== 'TEMPLATE' || text.length > LONGEST || !text.includes('\\n')) {
      return;
    }
  }
  const isTemplate = owner.keyword === 'TEMPLATE';
  const found = firstMatches(text).filter(({ index }) =>
    isTemplate ? !withinAction(text, index) : isMeantAsEscape(text, index),
  );
  if (found.length > MOST) {
    return;
  }
  const [first] = found;
  if (first === undefined || !found.some(([escape]) => escape !== '\\"')) {
    return;
  }
  const start = offsetInDocument(value, first.index);
  context.report(
    'modelfile/literal-escape',
    { start, end: offsetInDocument(value, first.index + 2) },
    { escape: first[0], advice: value.quote === '"""' ? '' : ', with """ before and behind the text' },
    { fixes: escapeFixes(context, entry, new Set(found.map(({ index }) => index))) },
  );
}

/** One more than are looked at, at most. */
function firstMatches(text: string): RegExpExecArray[] {
  const found: RegExpExecArray[] = [];
  for (const match of text.matchAll(ESCAPE)) {
    if (found.push(match) > MOST) {
      break;
    }
  }
  return found;
}

function withinAction(text: string, at: number): boolean {
  return text.lastIndexOf('{{', at) > text.lastIndexOf('}}', at);
}

/** Not in a path (`C:\new`), in a quotation of the escape (`"\n"`), or at the start of a word (`\nabla`). */
function isMeantAsEscape(text: string, at: number): boolean {
  const before = text[at - 1] ?? '';
  const after = text.slice(at + 2);
  if (
    /["'`\\]/.test(before) ||
    /^["'`]/.test(after) ||
    /[A-Za-z]:(?:\\[\w .-]*)*$/.test(text.slice(Math.max(at - 80, 0), at))
  ) {
    return false;
  }
  const beginsLine = /^(?:[A-Z0-9\s#*•–-]|\\[ntr]|$)/.test(after);
  return beginsLine && /[\s.!?:;,)\]\w*>]/.test(before || ' ');
}

const MEANT: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '', '"': '"' };

function escapeFixes(
  { newline }: LintContext,
  { value, instruction: owner }: Entry,
  places: ReadonlySet<number>,
): Fix[] {
  const meant = value.text.replace(ESCAPE, (escape, at: number) =>
    places.has(at) ? (escape === '\\n' ? newline : (MEANT[escape[1] ?? ''] ?? escape)) : escape,
  );
  const { keyword, name } = owner;
  if (keyword === undefined || value.dropped.length > 0) {
    return [];
  }
  try {
    const written = instruction(keyword, meant, name?.text);
    const head = name === undefined ? keyword : `${keyword} ${name.text}`;
    return [
      fix('Write the characters themselves', keyword === 'TEMPLATE', edit(value.span, written.slice(head.length + 1))),
    ];
  } catch {
    return [];
  }
}

/** One word that reads like the path of a text file, or a command that would print one. */
const PATH =
  /^(?:(?:file:?\s*)?@?(?:[.~]{0,2}[\\/]|[A-Za-z]:[\\/])?[\w.\\/-]+\.(?:txt|md|prompt|tmpl|tpl|gotmpl|jinja2?|j2|template)|(?:\.{1,2}[\\/]|~[\\/])[\w.\\/-]+|\$\((?:cat\s|<)[^)]*\)|`cat [^`]*`|@[\w./-]+\.\w+)$/i;

function path(context: LintContext, { value }: Entry): void {
  if (value.text.length < 200 && PATH.test(value.text.trim())) {
    context.report('modelfile/text-is-path', value.span, { path: value.text.trim() });
  }
}
