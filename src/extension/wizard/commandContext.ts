import type { PlanDocuments } from '../plans/planDocuments';
import type { Services } from '../services';

/** What a command works with. */
export interface CommandServices {
  readonly services: Services;
  readonly plans: PlanDocuments;
}

/** One command: called with what VS Code hands on, which is checked with `readTarget`. */
export type CommandHandler = (studio: CommandServices, args: readonly unknown[]) => Promise<unknown>;
