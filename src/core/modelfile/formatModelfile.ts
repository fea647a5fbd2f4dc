import { edit, type TextEdit } from './diagnostic';
import type { Instruction, ModelfileCommand, ParsedModelfile, Span } from './modelfileTypes';
import { parseModelfile } from './parseModelfile';

/**
 * Edits that bring a Modelfile into its usual shape: instructions in capitals at the start of their lines, one space
 * between keyword, name and value, at most one blank line in a row, none at the start, a newline at the end. Values
 * and comments stay as they are, so that Ollama reads the same commands; if that did not hold, there are no edits.
 * A text with errors is left alone.
 * @param range only edits that touch it
 */
export function formatModelfile(parsed: ParsedModelfile, range?: Span): readonly TextEdit[] {
  if (parsed.problems.some(({ kind }) => kind !== 'no-from')) {
    return [];
  }
  const edits = collectEdits(parsed).filter(
    ({ span }) => range === undefined || (span.start <= range.end && span.end >= range.start),
  );
  return edits.length > 0 && keepsCommands(parsed, applyEdits(parsed.text, edits)) ? edits : [];
}

/** The text after the edits, which must not overlap. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { span, newText } of [...edits].sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end)) {
    parts.push(text.slice(at, span.start), newText);
    at = span.end;
  }
  return [...parts, text.slice(at)].join('');
}

interface Item extends Span {
  /** As it should be written. */
  readonly written: string;
}

function collectEdits(parsed: ParsedModelfile): TextEdit[] {
  const { text } = parsed;
  const items = [
    ...parsed.instructions.map((instruction) => instructionItem(text, instruction)),
    ...parsed.comments.map((span) => commentItem(text, span)),
  ];
  items.sort((a, b) => a.start - b.start);
  const newline = newlineOf(text, items);
  const edits: TextEdit[] = [];
  const add = (span: Span, written: string): void => {
    if (text.slice(span.start, span.end) !== written) {
      edits.push(edit(span, written));
    }
  };
  // A byte order mark is no white space of the text.
  let at = text.startsWith('\ufeff') ? 1 : 0;
  for (const [index, item] of items.entries()) {
    const breaks = text.slice(at, item.start).match(/\r\n|\r|\n/g)?.length ?? 0;
    add({ start: at, end: item.start }, index === 0 ? '' : newline.repeat(Math.min(Math.max(breaks, 1), 2)));
    add(item, item.written);
    at = item.end;
  }
  add({ start: at, end: text.length }, items.length === 0 ? '' : newline);
  return edits;
}

function instructionItem(text: string, { keyword, keywordText, span, name, value }: Instruction): Item {
  const head = keyword ?? keywordText;
  const written = value === undefined ? '' : text.slice(value.span.start, value.span.end);
  // An empty value needs its space: `FROM` alone is an error.
  const end = value === undefined ? span.end : Math.max(value.span.end, span.end);
  return { start: span.start, end, written: [head, ...(name === undefined ? [] : [name.text]), written].join(' ') };
}

function commentItem(text: string, span: Span): Item {
  return { ...span, written: text.slice(span.start, span.end).trimEnd() };
}

/** What most lines between instructions end with: those within values are not ours to count. */
function newlineOf(text: string, items: readonly Span[]): string {
  let balance = 0;
  let at = 0;
  for (const next of [...items, { start: text.length, end: text.length }]) {
    for (const [found] of text.slice(at, next.start).matchAll(/\r\n|\n/g)) {
      balance += found === '\n' ? -1 : 1;
    }
    at = next.end;
  }
  return balance > 0 ? '\r\n' : '\n';
}

function keepsCommands(before: ParsedModelfile, text: string): boolean {
  const after = parseModelfile(text);
  const same = (a: ModelfileCommand | undefined, b: ModelfileCommand | undefined): boolean =>
    a?.name === b?.name && a?.args === b?.args;
  return (
    after.verdict.ok === before.verdict.ok &&
    after.comments.length === before.comments.length &&
    after.instructions.length === before.instructions.length &&
    after.instructions.every((instruction, i) => same(instruction.command, before.instructions[i]?.command))
  );
}
