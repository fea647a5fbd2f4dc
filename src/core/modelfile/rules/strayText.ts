import { append } from '../../append';
import { edit, fix, type Fix, fixAll } from '../diagnostic';
import type { LintContext } from '../lintContext';
import { type Instruction, type Span, type SyntaxProblem } from '../modelfileTypes';
import { INSTRUCTION_NAMES } from '../../ollama/instructionNames';
import { instructionBefore } from '../ownerAt';
import { strayLines, type StrayLine } from '../strayLines';
import { causeOfLine, SHARED, shownWord, type Cause } from './strayLine';

/** Text where an instruction should begin: what it was meant to be, one finding for each mistake. */
export function strayText(context: LintContext, problems: readonly SyntaxProblem[]): void {
  const causes: Cause[] = [];
  const silenced: Span[] = [];
  for (const group of groupsOf(context, problems)) {
    const found = ofGroup(context, group);
    append(causes, found);
    if (found.length === 1) {
      silenced.push(group);
    }
  }
  for (const { place, word, suggestion: meant, fixes } of merged(causes)) {
    context.report('modelfile/unknown-instruction', place, { word, suggestion: meant }, { fixes });
  }
  silenced.forEach((group) => context.silence(group));
}

/** Prose in paragraphs is one mistake, also where a line of it begins as an instruction does (`From there on …`). */
function groupsOf({ parsed }: LintContext, problems: readonly SyntaxProblem[]): Span[] {
  const groups: { start: number; end: number }[] = [];
  let at = 0;
  for (const { kind, span, blockEnd } of problems) {
    if (kind !== 'unknown-instruction') {
      continue;
    }
    const last = groups.at(-1);
    let isBroken = false;
    for (; at < parsed.instructions.length; at += 1) {
      const instruction = parsed.instructions[at];
      if (instruction === undefined || instruction.span.start >= span.start) {
        break;
      }
      isBroken ||=
        last !== undefined &&
        instruction.span.start >= last.end &&
        instruction.keyword !== undefined &&
        !/^[A-Z][a-z]+$/.test(instruction.keywordText);
    }
    if (last === undefined || isBroken) {
      groups.push({ start: span.start, end: Math.max(blockEnd, span.end) });
    } else {
      last.end = Math.max(blockEnd, span.end);
    }
  }
  return groups;
}

/** More lines than anybody wrote by mistake are told as one. */
const MAX_LINES = 200;

function ofGroup(context: LintContext, group: Span): readonly Cause[] {
  const before = instructionBefore(context.parsed.instructions, group.start - 1);
  const lines = strayLines(context.text, group);
  const inner = innerQuotes(context, before, group, lines);
  if (inner !== undefined) {
    return [inner];
  }
  const alone = lines.length > MAX_LINES ? [] : lines.map((line) => causeOfLine(context, line));
  const own = alone.filter((cause) => cause !== undefined);
  // Among prose, only what is written as an instruction is one.
  if (own.length > 0 && own.length === alone.length) {
    return own;
  }
  const prose = ofProse(context, before, group, lines);
  if (prose !== undefined) {
    return [prose];
  }
  const [first] = lines;
  const [firstCause] = alone;
  if (firstCause !== undefined) {
    return own;
  }
  const place = lines.length > 1 ? group : { start: group.start, end: group.start + (first?.word.length ?? 1) };
  return [{ place, word: shownWord(first), suggestion: '', fixes: [] }];
}

/** Lines with the same mistake (fences, foreign comments) are one finding with one fix. */
function merged(causes: readonly Cause[]): readonly Cause[] {
  const first = new Map<string, { readonly cause: Cause; readonly fixes: Fix[] }>();
  const result: Cause[] = [];
  for (const cause of causes) {
    const known = first.get(cause.suggestion);
    if (known !== undefined) {
      append(known.fixes, cause.fixes);
    } else if (SHARED.has(cause.suggestion)) {
      first.set(cause.suggestion, { cause, fixes: [...cause.fixes] });
    } else {
      result.push(cause);
    }
  }
  for (const { cause, fixes } of first.values()) {
    const [one] = fixes;
    const edits = fixes.flatMap((each) => each.edits);
    const isSure = fixes.every((each) => each.isSure);
    result.push({ ...cause, fixes: one === undefined ? [] : [fixAll(one.title, isSure, edits)] });
  }
  return result;
}

/** `"""` within a text in `"""` ends it: what follows is no instruction. */
function innerQuotes(
  context: LintContext,
  before: Instruction | undefined,
  group: Span,
  lines: readonly StrayLine[],
): Cause | undefined {
  const { text } = context;
  const { value, keyword } = before ?? {};
  if (before === undefined || value?.quote !== '"""' || !/^\s*$/.test(text.slice(value.span.end, group.start))) {
    return undefined;
  }
  const next = text.indexOf('"""', group.start);
  const rest = next < 0 ? '' : text.slice(group.start, next);
  if (next < 0 || next > group.end + 3 || INSTRUCTION_LINE.test(rest)) {
    return undefined;
  }
  const end = text.lastIndexOf('"""', group.end - 3);
  const marks = [value.span.end - 3];
  for (let at = next; at >= 0 && at < end; at = text.indexOf('"""', at + 3)) {
    marks.push(at);
  }
  const opening = text.slice(value.content.start, value.content.end).indexOf('"""');
  if (opening >= 0) {
    marks.unshift(value.content.start + opening);
  }
  const place = { start: value.span.end - 3, end: value.span.end };
  const line = context.lines.position(place.start).line + 1;
  const first = context.lines.position(before.span.start).line + 1;
  const edits = marks.map((at) => edit({ start: at, end: at + 3 }, "'''"));
  return {
    place,
    word: shownWord(lines[0]),
    suggestion: ` The """ in line ${line} ended the ${keyword ?? ''} text that begins in line ${first}: three quotes cannot stand inside it. Write ''' there.`,
    fixes: end < group.start ? [] : [fixAll("Write ''' inside the text", false, edits)],
  };
}

const INSTRUCTION_LINE = new RegExp(`(?:^|[\\r\\n])[ \\t]*(?:${INSTRUCTION_NAMES.join('|')})[ \\t]`);
const TEXTS: ReadonlySet<string | undefined> = new Set(['SYSTEM', 'TEMPLATE', 'LICENSE', 'MESSAGE']);
/** Quotes that are none for Ollama, at the start of a value. */
const FALSE_QUOTES = /^(?:'''|```|[“”„«]{1,3}|["“”]{0,2}[“”]["“”]{0,2})/;

/** Lines of prose below a text: that text ended with its line. */
function ofProse(
  context: LintContext,
  before: Instruction | undefined,
  group: Span,
  lines: readonly StrayLine[],
): Cause | undefined {
  const { value, keyword } = before ?? {};
  const place = lines.length > 1 ? group : { start: group.start, end: lines[0]?.end ?? group.end };
  const base = { place, word: shownWord(lines[0]) };
  if (before === undefined || value === undefined || value.text === '' || !TEXTS.has(keyword)) {
    return lines.length > 1 || /\s\S+\s/.test(lines[0]?.rest ?? '')
      ? {
          ...base,
          suggestion: ' Prose is written as SYSTEM, with """ before and behind it.',
          fixes: wrapAsSystem(context, group),
        }
      : undefined;
  }
  if (!/^\s*$/.test(withoutComments(context, { start: value.span.end, end: group.start }))) {
    return undefined;
  }
  const line = context.lines.position(value.span.end).line + 1;
  const falseQuotes = value.quote === '' ? FALSE_QUOTES.exec(value.text)?.[0] : undefined;
  const what = `${keyword ?? ''} of line ${context.lines.position(before.span.start).line + 1}`;
  const why =
    falseQuotes !== undefined
      ? ` ${what} ended with its line, for ${falseQuotes} is no quote in a Modelfile: write """ before and behind the text.`
      : value.quote === ''
        ? ` ${what} ended with its line: a text over several lines needs """ before and behind it.`
        : ` ${what} ended at the quotes of line ${line}: put """ around all that belongs to it.`;
  return {
    ...base,
    suggestion: why,
    fixes: wrap(context, value.span, value.quote.length, falseQuotes, group, keyword),
  };
}

function withoutComments({ text, parsed }: LintContext, { start, end }: Span): string {
  return parsed.comments
    .filter((comment) => comment.start >= start && comment.end <= end)
    .reduceRight(
      (left, comment) => left.slice(0, comment.start - start) + left.slice(comment.end - start),
      text.slice(start, end),
    );
}

/** `"""` around a text and the lines below it; none where the text has such quotes inside. */
function wrap(
  { text }: LintContext,
  span: Span,
  quote: number,
  falseQuotes: string | undefined,
  group: Span,
  keyword: string | undefined,
): Fix[] {
  const head = falseQuotes?.length ?? quote;
  const inside = text.slice(span.start + head, group.end);
  if (inside.includes('"""')) {
    return [];
  }
  const tail =
    falseQuotes === undefined ? undefined : /(?:'''|```|[“”»"]{1,3})\s*$/.exec(text.slice(group.start, group.end));
  const closing =
    tail === null || tail === undefined
      ? edit({ start: group.end, end: group.end }, '"""')
      : edit({ start: group.start + tail.index, end: group.end }, '"""');
  const edits = [edit({ start: span.start, end: span.start + head }, '"""')];
  if (quote > 0) {
    edits.push(edit({ start: span.end - quote, end: span.end }, ''));
  }
  return [fixAll(`Put """ around the ${keyword ?? ''} text`, false, [...edits, closing])];
}

function wrapAsSystem({ text }: LintContext, { start, end }: Span): Fix[] {
  return text.slice(start, end).includes('"""')
    ? []
    : [fix('Write it as SYSTEM', false, edit({ start, end: start }, 'SYSTEM """'), edit({ start: end, end }, '"""'))];
}
