import {
  diagnostic,
  edit,
  fix,
  type Diagnostic,
  type DiagnosticExtras,
  type Fix,
  type MessageValues,
} from './diagnostic';
import type { DiagnosticCode } from './diagnosticCodes';
import type { OllamaProfile } from '../ollama/ollamaProfile';
import { LineIndex } from './lineIndex';
import { ownerAt } from './ownerAt';
import type { Instruction, ModelfileCommand, ModelfileValue, ParsedModelfile, Span } from './modelfileTypes';

/** An instruction that makes a command, with that command. */
export interface Entry {
  readonly instruction: Instruction;
  readonly command: ModelfileCommand;
  readonly value: ModelfileValue;
  /** 1-based line, as editors count. */
  readonly line: number;
}

/** The value, or the name before it where the value is empty. */
export function valueSpan({ value, instruction }: Entry): Span {
  return value.span.start < value.span.end ? value.span : (instruction.name?.span ?? instruction.keywordSpan);
}

class InstructionEntry implements Entry {
  constructor(
    private readonly lines: LineIndex,
    readonly instruction: Instruction,
    readonly command: ModelfileCommand,
    readonly value: ModelfileValue,
  ) {}

  get line(): number {
    return this.lines.position(this.instruction.span.start).line + 1;
  }
}

/** Findings of one code that are told one by one; the rest is told as a number. */
const MAX_OF_A_CODE = 1000;

/** More stretches of stray text than anybody writes: every report is compared with them. */
const MAX_SILENCED = 100;

/** What every rule is given: the parsed text in handy form, and a place for findings. */
export class LintContext {
  readonly lines: LineIndex;
  readonly entries: readonly Entry[];
  private readonly byName = new Map<string, Entry[]>();
  private readonly found: Diagnostic[] = [];
  private readonly counts = new Map<DiagnosticCode, number>();
  private readonly excess = new Map<DiagnosticCode, { count: number; readonly span: Span }>();
  private readonly silenced: Span[] = [];
  private stops: ReadonlyMap<string, Entry> | undefined;

  constructor(
    readonly parsed: ParsedModelfile,
    /** The Ollama that the file is judged for. */
    readonly profile: OllamaProfile,
  ) {
    this.lines = new LineIndex(parsed.text);
    const entries: Entry[] = [];
    for (const instruction of parsed.instructions) {
      const { command, value } = instruction;
      if (command !== undefined && value !== undefined) {
        entries.push(new InstructionEntry(this.lines, instruction, command, value));
      }
    }
    this.entries = entries;
    for (const entry of entries) {
      const list = this.byName.get(entry.command.name);
      if (list === undefined) {
        this.byName.set(entry.command.name, [entry]);
      } else {
        list.push(entry);
      }
    }
  }

  get text(): string {
    return this.parsed.text;
  }

  /** Of a code with too many findings the first ones, and one that says how many more there are. */
  get diagnostics(): readonly Diagnostic[] {
    const more = Array.from(this.excess, ([code, { count, span }]) => ({
      ...diagnostic(code, span),
      message: `${count} more like those above.`,
    }));
    return [...this.found, ...more];
  }

  /** All commands of a name as Ollama has it (`model`, `template`, `temperature`), in order. */
  all(name: string): readonly Entry[] {
    return this.byName.get(name) ?? [];
  }

  /** The one that counts where the last one does. */
  last(name: string): Entry | undefined {
    return this.byName.get(name)?.at(-1);
  }

  /** The first PARAMETER stop with this text. */
  firstStop(text: string): Entry | undefined {
    this.stops ??= new Map([...this.all('stop')].reverse().map((entry) => [entry.command.args, entry]));
    return this.stops.get(text);
  }

  /** The instruction that the place belongs to. */
  ownerAt(offset: number): Instruction | undefined {
    return ownerAt(this.parsed.instructions, offset);
  }

  /**
   * True if there are enough findings of this code: the one at hand is counted, and needs no message and no fix.
   * For rules whose findings cost something; `report` counts by itself.
   */
  isEnough(code: DiagnosticCode, span: Span): boolean {
    if ((this.counts.get(code) ?? 0) < MAX_OF_A_CODE) {
      return false;
    }
    const excess = this.excess.get(code);
    if (excess === undefined) {
      this.excess.set(code, { count: 1, span });
    } else {
      excess.count += 1;
    }
    return true;
  }

  /** Whether a finding of this code is there already. */
  hasReported(code: DiagnosticCode): boolean {
    return this.counts.has(code);
  }

  /** Offers more fixes for the findings of a code. */
  amend(code: DiagnosticCode, fixes: readonly Fix[], more: { readonly isCompared?: boolean } = {}): void {
    for (const [index, found] of this.found.entries()) {
      if (found.code === code) {
        this.found[index] = { ...found, ...more, fixes: [...found.fixes, ...fixes] };
      }
    }
  }

  /** What is found in a stretch that is no instruction at all is no finding of its own. */
  silence(span: Span): void {
    if (this.silenced.length < MAX_SILENCED) {
      this.silenced.push(span);
    }
  }

  report(code: DiagnosticCode, span: Span, values?: MessageValues, extras?: DiagnosticExtras): void {
    const isSilenced = this.silenced.some(({ start, end }) => start <= span.start && span.start < end);
    if (isSilenced || this.isEnough(code, span)) {
      return;
    }
    this.counts.set(code, (this.counts.get(code) ?? 0) + 1);
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
