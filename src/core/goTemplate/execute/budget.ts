import type { ByteMeter } from '../format/outputBuffer';
import { BudgetFailure } from './failures';

/** What rendering may take at most. */
export interface RenderBudget {
  /** Statements, commands, arguments and turns of loops. */
  readonly steps: number;
  /** Expressions within each other; Go's own limit for templates within each other, 100,000, holds besides. */
  readonly depth: number;
  /** Bytes written, to the output and to values in between. */
  readonly bytes: number;
}

/** Enough for every template that is one, and over in about a second otherwise. */
export const DEFAULT_BUDGET: RenderBudget = { steps: 4_000_000, depth: 1_000, bytes: 32 * 1024 * 1024 };

/** Counts what one rendering takes; throws {@link BudgetFailure} when it is too much. */
export class BudgetMeter implements ByteMeter {
  private steps = 0;
  private bytes = 0;
  private depth = 0;
  /** Whether the text has an address in it, or depends on one. */
  addressShown = false;

  constructor(private readonly budget: RenderBudget) {}

  step(count = 1): void {
    this.steps += count;
    if (this.steps > this.budget.steps) {
      throw new BudgetFailure(`more than ${this.budget.steps} steps`);
    }
  }

  charge(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.budget.bytes) {
      throw new BudgetFailure(`more than ${this.budget.bytes} bytes of output`);
    }
  }

  showAddress(): void {
    this.addressShown = true;
  }

  enter(): void {
    this.depth++;
    if (this.depth > this.budget.depth) {
      throw new BudgetFailure(`expressions nested more than ${this.budget.depth} deep`);
    }
  }

  leave(): void {
    this.depth--;
  }
}
