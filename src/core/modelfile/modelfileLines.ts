import { StudioError } from '../errors';
import { LineIndex } from './lineIndex';
import type { Instruction, ParsedModelfile } from './modelfileTypes';
import type { InstructionName } from '../ollama/instructionNames';

/** Tells the lines of a Modelfile that errors of files, engine and server are about. */
export class ModelfileLines {
  private readonly index: LineIndex;

  constructor(
    private readonly parsed: ParsedModelfile,
    /** Of the Modelfile, as the user gave it. */
    readonly path: string,
  ) {
    this.index = new LineIndex(parsed.text);
  }

  /** 1-based line of an offset. */
  line(offset: number): number {
    return this.index.position(offset).line + 1;
  }

  ofInstruction(instruction: Instruction): number {
    return this.line(instruction.span.start);
  }

  /** The line of the last instruction of that name, which is the one that counts. */
  last(name: InstructionName): number | undefined {
    const found = this.parsed.instructions.findLast(
      ({ keyword, command }) => keyword === name && command !== undefined,
    );
    return found === undefined ? undefined : this.ofInstruction(found);
  }

  /** An error told to be about a line: its message begins with `Modelfile:3: `. */
  at(error: StudioError, line: number | undefined): StudioError {
    if (line === undefined || error.line !== undefined || error.code === 'run/cancelled') {
      return error;
    }
    return new StudioError(error.code, `${this.path}:${line}: ${error.message}`, {
      path: this.path,
      line,
      detail: { ...error.detail, ...(error.path === undefined ? {} : { file: error.path }) },
      cause: error.cause,
    });
  }

  /** A server's refusal at the instruction that it is about, as far as that can be told. */
  ofServer(error: StudioError): StudioError {
    const { instruction } = error.detail ?? {};
    return typeof instruction === 'string' ? this.at(error, this.last(instruction as InstructionName)) : error;
  }
}
