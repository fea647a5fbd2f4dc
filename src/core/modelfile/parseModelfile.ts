import { endOfLine, isBlank, isLetter, isNameUnit, isNewline, unitsAt } from './characters';
import { decodeModelfile } from './decodeModelfile';
import {
  type ModelfileCommand,
  type ModelfileValue,
  type ParsedModelfile,
  type ParseVerdict,
  type Span,
  type SyntaxProblem,
} from './modelfileTypes';
import { INSTRUCTION_NAMES, type InstructionName } from '../ollama/instructionNames';
import { isPrintable, scanValue } from './scanValue';
import { SourceInstruction } from './sourceInstruction';

const BAD_COMMAND =
  'command must be one of "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message", or "requires"';
const BAD_ROLE = 'message role must be one of "system", "user", or "assistant"';
const UNEXPECTED_END = 'unexpected EOF';
const ROLES: ReadonlySet<string> = new Set(['system', 'user', 'assistant']);
const KEYWORDS: ReadonlyMap<string, InstructionName> = new Map(
  INSTRUCTION_NAMES.map((name) => [name.toLowerCase(), name]),
);
/** Letters of the shortest and the longest instruction. */
const SHORTEST = 4;
const LONGEST = 9;
/** A line on which an instruction as people write them begins: where reading goes on after an unclosed quote. */
const INSTRUCTION_LINE = new RegExp(`[\\r\\n][ \\t]*(?:${INSTRUCTION_NAMES.join('|')})[ \\t]`, 'g');

/**
 * Parses a Modelfile: the exact verdict of Ollama's parser, and a tree that goes on after errors.
 * Bytes are decoded as Ollama decodes them; of a text, a leading U+FEFF is its byte order mark. Offsets are into
 * `text` of the result. Never throws; takes time linear in the length of the text.
 */
export function parseModelfile(source: Uint8Array | string): ParsedModelfile {
  if (typeof source === 'string') {
    return new Parser(wellFormed(source), source.startsWith('\ufeff') ? 1 : 0).parse();
  }
  return new Parser(decodeModelfile(source), 0).parse();
}

/** Lone surrogates become U+FFFD, as they do when a text is saved. */
function wellFormed(text: string): string {
  const modern = text as string & { toWellFormed?: () => string };
  return modern.toWellFormed?.() ?? text.replace(/\p{Surrogate}/gu, '\ufffd');
}

interface MutableProblem extends SyntaxProblem {
  lines: number;
  blockEnd: number;
}

class Parser {
  private line = 1;
  private verdict: ParseVerdict | undefined;
  private readonly commands: ModelfileCommand[] = [];
  private readonly instructions: SourceInstruction[] = [];
  private readonly comments: Span[] = [];
  private readonly problems: MutableProblem[] = [];
  /** The block of unknown lines that the next line may belong to; undefined when another line came since. */
  private block: MutableProblem | undefined;
  private newlinesSinceBlock = 0;
  /** Set once a quote ran to the end of the file: where instructions seem to begin after it. */
  private anchors: number[] | undefined;
  private quotesMayClose = true;

  constructor(
    private readonly text: string,
    private at: number,
  ) {}

  parse(): ParsedModelfile {
    const { text } = this;
    while (this.at < text.length) {
      const unit = text.charCodeAt(this.at);
      if (isNewline(unit)) {
        this.line += 1;
        this.at += 1;
        this.newlinesSinceBlock += unit === 0x0a && text.charCodeAt(this.at - 2) === 0x0d ? 0 : 1;
      } else if (isBlank(unit)) {
        this.at += 1;
      } else if (unit === 0x23) {
        const end = endOfLine(text, this.at);
        this.comments.push({ start: this.at, end });
        this.block = undefined;
        this.at = end;
      } else {
        this.instruction();
      }
    }
    if (this.verdict === undefined && !this.commands.some((command) => command.name === 'model')) {
      this.fail('no FROM line');
      this.problem('no-from', { start: 0, end: 0 }, '');
    }
    return {
      text,
      verdict: this.verdict ?? { ok: true, commands: this.commands },
      instructions: this.instructions,
      comments: this.comments,
      problems: this.problems,
    };
  }

  /** The first error is Ollama's verdict; what follows is for the tolerant tree only. */
  private fail(error: string, line?: number): void {
    this.verdict ??= line === undefined ? { ok: false, error } : { ok: false, error: `(line ${line}): ${error}`, line };
  }

  private problem(kind: SyntaxProblem['kind'], span: Span, word: string): MutableProblem | undefined {
    // After an unclosed quote everything else is guesswork.
    if (this.anchors !== undefined) {
      return undefined;
    }
    const problem = { kind, span, word, lines: 1, blockEnd: span.end };
    this.problems.push(problem);
    return problem;
  }

  /** Ollama counts the newline that it stumbled on. */
  private lineAt(offset: number): number {
    return this.line + (isNewline(this.text.charCodeAt(offset)) ? 1 : 0);
  }

  private instruction(): void {
    const { text } = this;
    const begin = this.at;
    const size = unitsAt(text, begin);
    // The first character may be any; one that Go calls unprintable is as if it were not there.
    const start = isPrintable(text.codePointAt(begin) ?? 0) ? begin : begin + size;
    let end = begin + size;
    while (end < text.length && isLetter(text.charCodeAt(end))) {
      end += 1;
    }
    const length = end - start;
    const keyword =
      length < SHORTEST || length > LONGEST ? undefined : KEYWORDS.get(text.slice(start, end).toLowerCase());
    if (keyword !== undefined && end < text.length && isBlank(text.charCodeAt(end))) {
      this.block = undefined;
      this.at = end + 1;
      this.known(keyword, start, end);
      return;
    }
    if (end === text.length) {
      this.fail(UNEXPECTED_END);
    } else {
      this.fail(BAD_COMMAND, this.lineAt(end));
    }
    if (keyword !== undefined && (end === text.length || isNewline(text.charCodeAt(end)))) {
      this.block = undefined;
      this.problem('missing-value', { start, end }, text.slice(start, end));
      this.push(keyword, start, end);
      this.at = end;
    } else {
      this.unknown(begin);
    }
  }

  /** A line (or a quoted value over several) that begins with no instruction. */
  private unknown(begin: number): void {
    const { text, block } = this;
    let wordEnd = begin;
    while (wordEnd < text.length && !isBlank(text.charCodeAt(wordEnd)) && !isNewline(text.charCodeAt(wordEnd))) {
      wordEnd += 1;
    }
    let valueStart = wordEnd;
    while (valueStart < text.length && isBlank(text.charCodeAt(valueStart))) {
      valueStart += 1;
    }
    const quoted =
      valueStart > wordEnd && text.charCodeAt(valueStart) === 0x22 ? this.closedValue(valueStart) : undefined;
    this.at = quoted?.span.end ?? endOfLine(text, valueStart);
    if (block !== undefined && this.newlinesSinceBlock === 1) {
      block.lines += 1;
      block.blockEnd = this.at;
    } else {
      this.block = this.problem('unknown-instruction', { start: begin, end: wordEnd }, text.slice(begin, wordEnd));
      if (this.block !== undefined) {
        this.block.blockEnd = this.at;
      }
      this.instructions.push(new SourceInstruction(text, undefined, begin, wordEnd, -1, -1, quoted, false));
    }
    this.newlinesSinceBlock = 0;
  }

  /** A quoted value after an unknown word, if its quote closes: so that its lines are not taken for instructions. */
  private closedValue(start: number): ModelfileValue | undefined {
    if (!this.quotesMayClose) {
      return undefined;
    }
    const { value } = scanValue(this.text, start, this.limit(start));
    this.quotesMayClose = value.closed;
    return value.closed ? value : undefined;
  }

  private known(keyword: InstructionName, start: number, end: number): void {
    if (keyword !== 'PARAMETER' && keyword !== 'MESSAGE') {
      this.value(keyword, start, end, -1, -1);
      return;
    }
    const nameStart = this.at;
    const nameEnd = this.name(keyword, start, end);
    if (nameEnd >= 0) {
      this.value(keyword, start, end, nameStart, nameEnd);
    }
  }

  /** Reads the parameter's name or the role; gives its end, or -1 when no value can follow. */
  private name(keyword: 'PARAMETER' | 'MESSAGE', keywordStart: number, keywordEnd: number): number {
    const { text } = this;
    const start = this.at;
    const belongs = keyword === 'PARAMETER' ? isNameUnit : isLetter;
    let end = start;
    while (end < text.length && belongs(text.charCodeAt(end))) {
      end += 1;
    }
    const kind = keyword === 'PARAMETER' ? 'parameter-name' : 'message-role';
    if (end < text.length && isBlank(text.charCodeAt(end))) {
      this.at = end + 1;
      if (keyword === 'MESSAGE' && !ROLES.has(text.slice(start, end))) {
        this.fail(BAD_ROLE, this.line);
        this.problem(kind, { start, end: Math.max(end, start + 1) }, text.slice(start, end));
      }
      return end;
    }
    this.fail(end === text.length ? UNEXPECTED_END : `${UNEXPECTED_END}: ${text.slice(start, end)}`);
    if (end === text.length || isNewline(text.charCodeAt(end))) {
      this.problem('missing-value', { start: keywordStart, end }, text.slice(start, end));
      this.push(keyword, keywordStart, keywordEnd, start, end);
      this.at = end;
      return -1;
    }
    while (end < text.length && !isBlank(text.charCodeAt(end)) && !isNewline(text.charCodeAt(end))) {
      end += 1;
    }
    this.problem(kind, { start, end }, text.slice(start, end));
    this.at = end < text.length && isBlank(text.charCodeAt(end)) ? end + 1 : end;
    return end;
  }

  private value(keyword: InstructionName, start: number, end: number, nameStart: number, nameEnd: number): void {
    const begin = this.at;
    let scanned = scanValue(this.text, begin, this.limit(begin));
    if (!scanned.value.closed) {
      this.fail(UNEXPECTED_END);
      if (this.anchors === undefined) {
        const { span, content, quote } = scanned.value;
        this.problem('unclosed-quote', { start: span.start, end: content.start }, quote);
        this.findAnchors(begin);
        scanned = scanValue(this.text, begin, this.limit(begin));
      }
    }
    this.at = scanned.end;
    this.line += scanned.newlines;
    const instruction = this.push(keyword, start, end, nameStart, nameEnd, scanned.value);
    if (this.verdict === undefined && instruction.command !== undefined) {
      this.commands.push(instruction.command);
    }
  }

  /** Where a value that begins at `start` ends at the latest. */
  private limit(start: number): number {
    if (this.anchors === undefined) {
      return this.text.length;
    }
    while ((this.anchors.at(-1) ?? Infinity) < start) {
      this.anchors.pop();
    }
    return this.anchors.at(-1) ?? this.text.length;
  }

  /** Collects, last first, the ends of the lines before those on which an instruction seems to begin. */
  private findAnchors(start: number): void {
    const anchors: number[] = [];
    INSTRUCTION_LINE.lastIndex = start;
    while (INSTRUCTION_LINE.test(this.text)) {
      let newline = INSTRUCTION_LINE.lastIndex - 1;
      while (!isNewline(this.text.charCodeAt(newline))) {
        newline -= 1;
      }
      anchors.push(newline);
    }
    this.anchors = anchors.reverse();
  }

  private push(
    keyword: InstructionName,
    start: number,
    end: number,
    nameStart = -1,
    nameEnd = -1,
    value?: ModelfileValue,
  ): SourceInstruction {
    const instruction = new SourceInstruction(this.text, keyword, start, end, nameStart, nameEnd, value, true);
    this.instructions.push(instruction);
    return instruction;
  }
}
