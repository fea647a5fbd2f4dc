import { didYouMean } from '../didYouMean';
import { edit, fix, quoted, suggestion, type Fix } from '../diagnostic';
import { foreignParameter } from '../foreignParameters';
import type { LintContext } from '../lintContext';
import { asAscii, characterName, LOOK_ALIKE_SPACES } from '../lookAlikes';
import { INSTRUCTION_NAMES, type Instruction, type Span, type SyntaxProblem } from '../modelfileTypes';
import { instructionBefore } from '../ownerAt';
import { PARAMETERS } from '../parameters';
import { readParameter } from '../parameterValue';
import { strayLines, type StrayLine } from '../strayLines';

/** Why a stretch of text is no instruction. */
interface Cause {
  readonly place: Span;
  readonly word: string;
  /** Behind `x is no instruction.`, with a space before it. */
  readonly suggestion: string;
  readonly fixes: readonly Fix[];
}

/** Text where an instruction should begin: what it was meant to be, one finding for each mistake. */
export function strayText(context: LintContext, problems: readonly SyntaxProblem[]): void {
  const causes: Cause[] = [];
  const silenced: Span[] = [];
  for (const group of groupsOf(context, problems)) {
    const found = ofGroup(context, group);
    causes.push(...found);
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
  const alone = lines.length > MAX_LINES ? [] : lines.map((line) => ofLine(context, line));
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
      known.fixes.push(...cause.fixes);
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
    result.push({ ...cause, fixes: one === undefined ? [] : [fix(one.title, isSure, ...edits)] });
  }
  return result;
}

const FENCE = ' A Markdown fence is no part of a Modelfile: remove it.';
const COMMENT = ' A comment begins with #.';
const SHARED: ReadonlySet<string> = new Set([FENCE, COMMENT]);

const shownWord = (line: StrayLine | undefined): string => {
  const word = line?.word ?? '';
  return word.length > 60 ? `${word.slice(0, 60)}…` : word;
};

/** Words that people write for an instruction. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['MODEL', 'FROM'],
  ['BASE', 'FROM'],
  ['BASE_MODEL', 'FROM'],
  ['PARAM', 'PARAMETER'],
  ['PARAMS', 'PARAMETER'],
  ['SET', 'PARAMETER'],
  ['OPTION', 'PARAMETER'],
  ['PROMPT', 'SYSTEM'],
  ['SYSTEM_PROMPT', 'SYSTEM'],
  ['INSTRUCTION', 'SYSTEM'],
  ['INSTRUCTIONS', 'SYSTEM'],
  ['USER', 'MESSAGE user'],
  ['ASSISTANT', 'MESSAGE assistant'],
  ['LORA', 'ADAPTER'],
]);

const DOCKERFILE =
  /^(?:RUN|CMD|COPY|ADD|ENV|ARG|LABEL|EXPOSE|WORKDIR|ENTRYPOINT|VOLUME|HEALTHCHECK|ONBUILD|SHELL|STOPSIGNAL|MAINTAINER)$/;

function ofLine(context: LintContext, line: StrayLine): Cause | undefined {
  const { text } = context;
  const { word, rest } = line;
  const place = { start: line.start, end: line.start + word.length };
  const whole = text.slice(line.start, line.end);
  const cause = (suggested: string, ...fixes: readonly Fix[]): Cause => ({
    place,
    word: shownWord(line),
    suggestion: suggested,
    fixes,
  });
  const remove = (isSure: boolean): Fix => fix('Remove this line', isSure, edit(lineOf(context, line), ''));
  if (/^(?:```|~~~)/.test(word)) {
    return cause(FENCE, remove(true));
  }
  if (/^(?:\/\/|--(?!-)|;|<!--|\/\*)/.test(word)) {
    const mark = /^(?:\/\/|--|;+|<!--|\/\*)/.exec(whole)?.[0] ?? '';
    const isWhole = mark !== '<!--' && mark !== '/*';
    return cause(COMMENT, fix('Write #', isWhole, edit({ start: line.start, end: line.start + mark.length }, '#')));
  }
  if (/^failed to get console mode|\u001b\[|^\[\?25[hl]/.test(whole)) {
    return cause(' The console wrote this line, not ollama show: remove it.', remove(true));
  }
  if (/^(?:\$|>|ollama|cat|EOF)$/.test(word) && !/[.!?]$/.test(rest)) {
    return cause(' That is for the shell, not for the Modelfile: remove it.', remove(false));
  }
  const lookAlike = lookAlikeIn(context, line);
  if (lookAlike !== undefined) {
    return cause(lookAlike.text, lookAlike.fix);
  }
  return parameterAlone(context, line, cause) ?? misspelt(line, cause);
}

type MakeCause = (suggested: string, ...fixes: readonly Fix[]) => Cause;

/** `FROM llama3` with a no-break space, `ＦＲＯＭ`, `FRОM` with a Cyrillic letter. */
function lookAlikeIn(context: LintContext, { start, word }: StrayLine): { text: string; fix: Fix } | undefined {
  const at = word.search(LOOK_ALIKE_SPACES);
  if (at >= 0) {
    const char = word[at] ?? '';
    const head = word.slice(0, at);
    const visible = Array.from(word, (one) => (LOOK_ALIKE_SPACES.test(one) ? '' : one)).join('');
    const line = context.lines.position(start).line + 1;
    if (isKeyword(head)) {
      let end = at;
      while (end < word.length && LOOK_ALIKE_SPACES.test(word[end] ?? '')) {
        end += 1;
      }
      const place = { start: start + at, end: start + end };
      return {
        text: ` Behind ${head} in line ${line} stands a ${characterName(char)} in place of a space.`,
        fix: fix('Use an ordinary space', true, edit(place, ' ')),
      };
    }
    if (isKeyword(visible)) {
      return {
        text: ` In ${visible} of line ${line} stands a ${characterName(char)} that nobody sees.`,
        fix: fix(`Write ${visible}`, true, edit({ start, end: start + word.length }, visible)),
      };
    }
  }
  const plain = asAscii(word);
  const foreign = Array.from(word).find((char) => char.charCodeAt(0) > 0x7f && asAscii(char) !== char);
  const [, letters = '', colon = ''] = /^([A-Za-z]+)(:?)$/.exec(plain) ?? [];
  return foreign === undefined || !isKeyword(letters)
    ? undefined
    : {
        text: ` ${quoted(foreign)} (${characterName(foreign)}) only looks like ${asAscii(foreign)}.`,
        fix: fix(
          `Write ${letters}`,
          true,
          edit({ start, end: start + word.length }, colon === '' ? letters : `${letters} `),
        ),
      };
}

const KEYWORDS: ReadonlySet<string> = new Set(INSTRUCTION_NAMES);
const isKeyword = (word: string): boolean => KEYWORDS.has(word.toUpperCase());

/** `TEMPERATURE 0.7`, `stop "x"`: a parameter without PARAMETER before it. */
function parameterAlone(context: LintContext, { start, word, rest }: StrayLine, cause: MakeCause): Cause | undefined {
  const [, letters = '', glued = ''] = /^([A-Za-z_-]+)[:=]?(.*)$/s.exec(word) ?? [];
  const lower = letters.toLowerCase().replaceAll('-', '_');
  const foreign = PARAMETERS.has(lower) ? undefined : foreignParameter(lower);
  const name = PARAMETERS.has(lower)
    ? lower
    : foreign?.kind === 'parameter' && foreign.isSure
      ? foreign.name
      : undefined;
  const value = glued === '' ? rest.replace(/^[:=]\s*/, '') : glued;
  if (name === undefined || value === '' || (glued !== '' && rest !== '')) {
    return undefined;
  }
  const bare = value.replace(/^"(.*)"$/s, '$1');
  // `Stop talking` is prose; a text in quotes or a marker is none.
  const isValue = name === 'stop' ? /^["'<[#]/.test(value) : readParameter(name, bare).kind === 'value';
  const isNear = lower === name || foreign !== undefined;
  if (!isValue || !isNear) {
    return undefined;
  }
  const offset = context.text.indexOf(value, start + letters.length);
  const head = `PARAMETER ${name} `;
  return cause(
    ` Did you mean PARAMETER ${name}?`,
    fix(`Write PARAMETER ${name}`, PARAMETERS.has(lower), edit({ start, end: offset }, head)),
  );
}

function misspelt({ start, word, rest }: StrayLine, cause: MakeCause): Cause | undefined {
  const span = { start, end: start + word.length };
  const bare = word.replace(/[:=].*$/s, '');
  if (DOCKERFILE.test(word)) {
    const advice =
      word === 'ENV' && /^OLLAMA_/.test(rest)
        ? ' Variables of the server are set where ollama serve is started.'
        : ' It is an instruction of Dockerfiles; a Modelfile has none of the kind.';
    return cause(advice);
  }
  const synonym = SYNONYMS.get(bare.replaceAll('-', '_'));
  const meant = synonym ?? didYouMean(bare, INSTRUCTION_NAMES);
  if (meant === undefined || bare === '') {
    return undefined;
  }
  const [, letters, glued = ''] = /^([A-Za-z_-]+)[:=]?(.*)$/s.exec(word) ?? [];
  // A word of prose may look like an instruction; one in capitals hardly does.
  const isSure =
    synonym === undefined &&
    letters !== undefined &&
    letters === letters.toUpperCase() &&
    (glued === '' || letters === meant);
  return cause(
    suggestion(meant),
    fix(`Write ${meant}`, isSure, edit(span, glued === '' ? meant : `${meant} ${glued}`)),
  );
}

/** The line with its terminator. */
function lineOf({ lines }: LintContext, { start, end }: Span): Span {
  return {
    start: lines.lineStart(lines.position(start).line),
    end: lines.lineStart(lines.position(Math.max(end - 1, start)).line + 1),
  };
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
    fixes: end < group.start ? [] : [fix("Write ''' inside the text", false, ...edits)],
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
  return [fix(`Put """ around the ${keyword ?? ''} text`, false, ...edits, closing)];
}

function wrapAsSystem({ text }: LintContext, { start, end }: Span): Fix[] {
  return text.slice(start, end).includes('"""')
    ? []
    : [fix('Write it as SYSTEM', false, edit({ start, end: start }, 'SYSTEM """'), edit({ start: end, end }, '"""'))];
}
