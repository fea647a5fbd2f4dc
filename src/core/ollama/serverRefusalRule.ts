import type { ErrorCode } from '../errorCodes';
import type { InstructionName } from './instructionNames';

/** One way in which a server refuses, with what to do about it. */
export interface ServerRefusalRule {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly next: string;
  /** The instruction of a Modelfile that it is about. */
  readonly instruction?: InstructionName;
}
