import { didYouMean } from '../didYouMean';
import { edit, fix, quoted, suggestion, type Fix } from '../diagnostic';
import { foreignParameter } from '../foreignParameters';
import type { LintContext } from '../lintContext';
import { asAscii, characterName, LOOK_ALIKE_SPACES } from '../lookAlikes';
import { type Span } from '../modelfileTypes';
import { INSTRUCTION_NAMES } from '../../ollama/instructionNames';
import { PARAMETERS } from '../parameters';
import { readParameter } from '../parameterValue';
import type { StrayLine } from '../strayLines';

/** Why a stretch of text is no instruction. */
export interface Cause {
  readonly place: Span;
  readonly word: string;
  /** Behind `x is no instruction.`, with a space before it. */
  readonly suggestion: string;
  readonly fixes: readonly Fix[];
}

const FENCE = ' A Markdown fence is no part of a Modelfile: remove it.';
const COMMENT = ' A comment begins with #.';
/** Mistakes that are one for the whole file, however many lines have them. */
export const SHARED: ReadonlySet<string> = new Set([FENCE, COMMENT]);

/** The first word of a line, short enough for a message. */
export const shownWord = (line: StrayLine | undefined): string => {
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

/** What a line that begins with no instruction was meant to be, by itself; undefined for prose. */
export function causeOfLine(context: LintContext, line: StrayLine): Cause | undefined {
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
