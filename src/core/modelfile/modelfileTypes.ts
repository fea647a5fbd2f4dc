import type { InstructionName } from '../ollama/instructionNames';
/** A stretch of text: UTF-16 offsets from the start of the text, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One command as Ollama's parser makes it: `FROM x` is `model`, a PARAMETER goes by its own name. */
export interface ModelfileCommand {
  readonly name: string;
  readonly args: string;
}

/** What `parser.ParseFile` of Ollama says of a text. `line` counts every `\r` and every `\n`, as Ollama does. */
export type ParseVerdict =
  | { readonly ok: true; readonly commands: readonly ModelfileCommand[] }
  | { readonly ok: false; readonly error: string; readonly line?: number | undefined };

export type QuoteStyle = '' | '"' | '"""';

/** The value of an instruction, with where it stands in the text. */
export interface ModelfileValue {
  /** What Ollama makes of it: trimmed, unquoted, without the characters that it drops. */
  readonly text: string;
  /** From the first to the last character that is no white space, quotes included; empty after `FROM `. */
  readonly span: Span;
  /** The part between the quotes; the same as `span` without quotes. */
  readonly content: Span;
  readonly quote: QuoteStyle;
  /** False when the quote runs to the end of the file. */
  readonly closed: boolean;
  /**
   * Stretches within `content` that Ollama drops because Go calls their characters unprintable, in order:
   * start and end of each in turn.
   */
  readonly dropped: readonly number[];
}

/** A name between keyword and value: of a parameter, or the role of a message. */
export interface NamePart {
  /** Without the characters that Ollama drops. */
  readonly text: string;
  readonly span: Span;
}

/** One instruction of the tolerant tree. */
export interface Instruction {
  /** Undefined for a word that is no instruction. */
  readonly keyword: InstructionName | undefined;
  readonly keywordText: string;
  readonly keywordSpan: Span;
  /** PARAMETER: the parameter's name; MESSAGE: the role. Undefined where it was not written. */
  readonly name?: NamePart | undefined;
  readonly value?: ModelfileValue | undefined;
  /** From the keyword to the end of the value. */
  readonly span: Span;
  /**
   * The command that it makes for Ollama; undefined when it makes none. `PARAMETER model x` makes a `model`
   * command, exactly as FROM does.
   */
  readonly command?: ModelfileCommand | undefined;
}

/** Where the text breaks Ollama's grammar; the first one is what Ollama reports. */
export interface SyntaxProblem {
  readonly kind:
    'unknown-instruction' | 'missing-value' | 'parameter-name' | 'message-role' | 'unclosed-quote' | 'no-from';
  readonly span: Span;
  /** The word that is wrong, when there is one. */
  readonly word: string;
  /** Unknown instructions that follow line upon line are one problem: how many lines, and where the last one ends. */
  readonly lines: number;
  readonly blockEnd: number;
}

/** Everything that is known of a Modelfile from its text alone. */
export interface ParsedModelfile {
  readonly text: string;
  readonly verdict: ParseVerdict;
  /**
   * In the order of the text; after an error, as far as the text can be made sense of. Of lines that follow one
   * another and are no instructions, only the first is here.
   */
  readonly instructions: readonly Instruction[];
  /** From `#` to the end of the line, exclusive. */
  readonly comments: readonly Span[];
  readonly problems: readonly SyntaxProblem[];
}
