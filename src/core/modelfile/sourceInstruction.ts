import type { Instruction, ModelfileCommand, ModelfileValue, NamePart, Span } from './modelfileTypes';
import type { InstructionName } from '../ollama/instructionNames';

/** An instruction as offsets into its text; strings and spans are made when somebody asks. */
export class SourceInstruction implements Instruction {
  /**
   * @param nameStart -1 where there is no name
   * @param makesCommand false where Ollama would not have come to a command
   */
  constructor(
    private readonly source: string,
    readonly keyword: InstructionName | undefined,
    private readonly start: number,
    private readonly keywordEnd: number,
    private readonly nameStart: number,
    private readonly nameEnd: number,
    readonly value: ModelfileValue | undefined,
    private readonly makesCommand: boolean,
  ) {}

  get keywordText(): string {
    return this.source.slice(this.start, this.keywordEnd);
  }

  get keywordSpan(): Span {
    return { start: this.start, end: this.keywordEnd };
  }

  get name(): NamePart | undefined {
    const span = { start: this.nameStart, end: this.nameEnd };
    return span.start < 0 ? undefined : { text: this.source.slice(span.start, span.end), span };
  }

  get span(): Span {
    return { start: this.start, end: Math.max(this.keywordEnd, this.nameEnd, this.value?.span.end ?? 0) };
  }

  get command(): ModelfileCommand | undefined {
    const { keyword, value } = this;
    if (keyword === undefined || value === undefined || !this.makesCommand) {
      return undefined;
    }
    const name = this.nameStart < 0 ? '' : this.source.slice(this.nameStart, this.nameEnd);
    switch (keyword) {
      case 'FROM':
        return { name: 'model', args: value.text };
      case 'PARAMETER':
        return { name, args: value.text };
      case 'MESSAGE':
        return { name: 'message', args: `${name}: ${value.text}` };
      default:
        return { name: keyword.toLowerCase(), args: value.text };
    }
  }
}
