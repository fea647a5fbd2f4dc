import { commentBehindValue } from '../commentBehindValue';
import { edit, fix, quoted, fixAll } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import { looksLikePath } from '../modelFacts';
import { INSTRUCTION_NAMES } from '../../ollama/instructionNames';
import { stopListOf } from './stops';
import { textBehindQuote } from './textBehindQuote';

const PATH_KEYWORDS: ReadonlySet<string | undefined> = new Set([
  'FROM',
  'ADAPTER',
  'DRAFT',
  'RENDERER',
  'PARSER',
  'REQUIRES',
]);
const INSTRUCTION_IN_VALUE = new RegExp(`[\\r\\n](${INSTRUCTION_NAMES.join('|')})[ \\t]`);

/** Values that are not what they look like: quotes, comments, and characters that disappear. */
export function quotingRules(context: LintContext): void {
  for (const entry of context.entries) {
    const isStop = entry.command.name === 'stop';
    const isList = isStop && stopListOf(context, entry) !== undefined;
    if (!isList && !quotesDropped(context, entry) && !isStop) {
      singleQuotes(context, entry);
    }
    swallowed(context, entry);
    commentInValue(context, entry);
    if (!isStop) {
      droppedCharacters(context, entry);
    }
  }
}

/** `"a" and "b"` loses its first and last quote. */
function quotesDropped(context: LintContext, { value }: Entry): boolean {
  if (value.quote !== '"') {
    return false;
  }
  const inner = value.text.indexOf('"');
  // A quote that closes a word is taken for the end of the first one; one that opens a word stands inside by intention.
  if (inner <= 0 || !/\S/.test(value.text[inner - 1] ?? '') || !/^[\s.,;:!?)]/.test(value.text.slice(inner + 1))) {
    return false;
  }
  const { start, end } = value.span;
  const fixes = [
    fix('Put """ around the value', false, edit({ start, end: start }, '"""'), edit({ start: end, end }, '"""')),
  ];
  context.report('modelfile/quotes-dropped', value.span, { value: quoted(value.text) }, { fixes });
  return true;
}

function singleQuotes(context: LintContext, entry: Entry): void {
  const { value } = entry;
  const isSure = PATH_KEYWORDS.has(entry.instruction.keyword);
  // In prose, typographic quotes are prose.
  const isQuoted = /^'[^']*'$/s.test(value.text) || (isSure && /^[‘’“”„][^‘’“”„]*[‘’“”]$/s.test(value.text));
  if (value.quote === '' && isQuoted) {
    const inner = value.text.slice(1, -1);
    const fixes = inner.includes('"') ? [] : [fix('Use double quotes', isSure, edit(value.span, `"${inner}"`))];
    context.report('modelfile/single-quotes', value.span, { value: quoted(value.text) }, { fixes });
  }
}

function swallowed(context: LintContext, { value }: Entry): void {
  const match = value.quote === '' ? null : INSTRUCTION_IN_VALUE.exec(value.text);
  const behind = match === null ? undefined : textBehindQuote(context, value.span, value.quote);
  // Between three quotes anything may stand; only quotes that were meant to close tell that it was not meant to.
  if (match !== null && (value.quote === '"' || behind !== undefined)) {
    const { start, end } = value.span;
    const line = context.lines.position(end).line + 1;
    context.report(
      'modelfile/swallowed-instruction',
      { start, end: start + value.quote.length },
      { line, instruction: match[1], suggestion: behind?.suggestion ?? '' },
      { fixes: behind?.fix === undefined ? [] : [behind.fix] },
    );
  }
}

function commentInValue(context: LintContext, { value, instruction }: Entry): void {
  const { keyword } = instruction;
  const cut = PATH_KEYWORDS.has(keyword) && value.quote === '' ? commentBehindValue(value.text) : undefined;
  if (cut !== undefined) {
    const start = instruction.span.start;
    // With its comment nobody takes it for a path: whether there is one is seen only when the comment is gone.
    const isSure = looksLikePath(value.text) || !looksLikePath(cut.value);
    const fixes = [
      fix(
        'Move the comment above',
        isSure,
        edit({ start, end: start }, `${cut.comment}${context.newline}`),
        edit(value.span, cut.value),
      ),
    ];
    context.report('modelfile/comment-in-value', value.span, { value: quoted(value.text) }, { fixes });
  }
}

function droppedCharacters(context: LintContext, { value }: Entry): void {
  const { dropped } = value;
  const first = dropped[0];
  if (first === undefined) {
    return;
  }
  const names = new Set<string>();
  for (let i = 0; i < dropped.length && names.size < 5; i += 2) {
    for (const char of context.text.slice(dropped[i], Math.min(dropped[i + 1] ?? 0, (dropped[i] ?? 0) + 8))) {
      names.add(`U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`);
    }
  }
  const spaces = /^[\u00a0\u2000-\u200a\u202f\u3000]*$/.test(context.text.slice(first, dropped[1]));
  const edits = spaces && dropped.length === 2 ? [edit({ start: first, end: dropped[1] ?? first }, ' ')] : [];
  const fixes = edits.length > 0 ? [fixAll('Use an ordinary space', true, edits)] : [];
  context.report(
    'modelfile/dropped-characters',
    { start: first, end: dropped[1] ?? first },
    { characters: [...names].join(', ') },
    { fixes },
  );
}
