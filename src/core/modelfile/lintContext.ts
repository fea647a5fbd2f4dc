import { diagnostic, edit, fix, type Diagnostic, type DiagnosticExtras, type Fix, type MessageValues } from './diagnostic';
import type { DiagnosticCode } from './diagnosticCodes';
import { LineIndex } from './lineIndex';
import type { Instruction, ModelfileCommand, ModelfileValue, ParsedModelfile, Span } from './modelfileTypes';

/** An instruction that makes a command, with that command. */
export interface Entry {
  readonly instruction: Instruction;
  readonly command: ModelfileCommand;
  readonly value: ModelfileValue;
  /** 1-based line, as editors count. */
  readonly line: number;
}

/** What every rule is given: the parsed text in handy form, and a place for findings. */
export class LintContext {
  readonly lines: LineIndex;
  readonly entries: readonly Entry[];
  private readonly byName = new Map<string, Entry[]>();
  private readonly found: Diagnostic[] = [];

  constructor(
    readonly parsed: ParsedModelfile,
    /** Of the Ollama that is configured or installed, when known. */
    readonly ollamaVersion: string | undefined,
  ) {
    this.lines = new LineIndex(parsed.text);
    this.entries = parsed.instructions.flatMap((instruction) => this.entry(instruction));
    for (const entry of this.entries) {
      const list = this.byName.get(entry.command.name);
      if (list === undefined) {
        this.byName.set(entry.command.name, [entry]);
      } else {
        list.push(entry);
      }
    }
  }

  private entry(instruction: Instruction): Entry[] {
    const { command, value } = instruction;
    if (command === undefined || value === undefined) {
      return [];
    }
    return [{ instruction, command, value, line: this.lines.position(instruction.span.start).line + 1 }];
  }

  get text(): string {
    return this.parsed.text;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.found;
  }

  /** All commands of a name as Ollama has it (`model`, `template`, `temperature`), in order. */
  all(name: string): readonly Entry[] {
    return this.byName.get(name) ?? [];
  }

  /** The one that counts where the last one does. */
  last(name: string): Entry | undefined {
    return this.byName.get(name)?.at(-1);
  }

  report(code: DiagnosticCode, span: Span, values?: MessageValues, extras?: DiagnosticExtras): void {
    this.found.push(diagnostic(code, span, values, extras));
  }

  /** How lines of this file end, for what a fix adds. */
  get newline(): string {
    return /\r?\n/.exec(this.text)?.[0] ?? '\n';
  }

  /** A fix that takes the lines of an instruction out. */
  removal(instruction: Instruction, isSure: boolean, title = 'Remove this line'): Fix {
    return fix(title, isSure, edit(this.linesOf(instruction), ''));
  }

  /** The whole line or lines of an instruction with their terminator: what removing it takes away. */
  linesOf(instruction: Instruction): Span {
    const first = this.lines.position(instruction.span.start).line;
    const last = this.lines.position(Math.max(instruction.span.end - 1, instruction.span.start)).line;
    return { start: this.lines.lineStart(first), end: this.lines.lineStart(last + 1) };
  }
}
