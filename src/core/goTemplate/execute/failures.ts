import type { CommandNode, Operand, Statement } from '../syntax/nodes';

/** A node that an error message can name. */
export type Place = Statement | CommandNode | Operand;

/** Where Go's executor panics with an ExecError. */
export class ExecutionFailure extends Error {
  constructor(
    /** Go's words behind `executing "" at <…>: `. */
    readonly text: string,
    readonly place: Place,
    /** Name of the template that was executing. */
    readonly templateName: string,
  ) {
    super(text);
  }
}

/** An error that a function returns; the evaluator says which function it was. */
export class CallFailure extends Error {}

/** Rendering took more than it may. */
export class BudgetFailure extends Error {}
