import type { Palette } from '../core/engine/describePlan';
import type { EngineEvent } from '../core/progress';

/** What every command is given. */
export interface CommandContext {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly palette: Palette;
  /** Text for people on standard output at once; silent with --json and --quiet. */
  readonly say: (text: string) => void;
  /** The same without a line's end: text that comes piece by piece. */
  readonly write: (text: string) => void;
  /** One line on a terminal that is written over and over; undefined where there is none. */
  readonly status: ((line: string) => void) | undefined;
  /** Hands on every event of a long run; a bar on a terminal, messages to the process that forked this one. */
  readonly onEvent: (event: EngineEvent) => void;
  /** Columns of the terminal. */
  readonly columns: number;
  /** Folder of the running bundle, where its worker lies. */
  readonly bundleFolder: string;
}

/** How a command ended: its one JSON value, and the same for people. */
export interface CommandResult {
  readonly exitCode: number;
  readonly json: unknown;
  readonly text: string;
}

export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
}

export interface Command {
  readonly name: string;
  /** After the name, for the usage line. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly does: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(positionals: readonly string[], options: OptionValues, context: CommandContext): Promise<CommandResult>;
}
