import { join } from 'node:path';
import type { EngineEvent } from '../core/progress';
import { StudioError, toStudioError } from '../core/errors';
import { errorOf, forkCli, type CliResult } from '../node/process/forkCli';

export interface CommandLineOptions {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string | undefined;
  readonly onEvent?: ((event: EngineEvent) => void) | undefined;
}

/** Runs our own command line in a process of its own; nothing heavy ever runs in the extension host. */
export class CommandLine {
  /** `dist/cli.js` of this extension. */
  readonly script: string;

  /** @param environment gives the variables for a run of a command, read anew each time */
  constructor(
    extensionFolder: string,
    private readonly environment: (command: string) => Promise<Record<string, string | undefined>>,
    private readonly note: (line: string) => void,
  ) {
    this.script = join(extensionFolder, 'dist', 'cli.js');
  }

  /** Runs `args` (with `--json` added) to the end, whatever that is. */
  async run(args: readonly string[], options: CommandLineOptions = {}): Promise<CliResult> {
    const started = Date.now();
    const result = await forkCli([...args, '--json'], {
      script: this.script,
      env: await this.environment(args[0] ?? ''),
      ...options,
    });
    this.note(`${args[0] ?? ''}: exit ${result.exitCode ?? 'killed'} after ${Date.now() - started} ms`);
    return result;
  }

  /**
   * The JSON answer of a command that succeeds, or that answers for each of its inputs (exit 1 without an error of its own).
   * @throws StudioError with the code of the command's error; `run/cancelled` when the signal was aborted
   */
  async json(args: readonly string[], options: CommandLineOptions = {}): Promise<unknown> {
    const result = await this.run(args, options);
    const error = errorOf(result.json);
    if (error !== undefined) {
      throw StudioError.fromJSON(error);
    }
    if (result.json === undefined) {
      throw failure(result, args[0] ?? '');
    }
    return result.json;
  }

  /** What a command prints for people, without colours. */
  async text(args: readonly string[], options: CommandLineOptions = {}): Promise<string> {
    const result = await forkCli([...args, '--no-color'], {
      script: this.script,
      env: await this.environment(args[0] ?? ''),
      ...options,
    });
    if (result.exitCode !== 0 && result.text.trim() === '') {
      throw failure(result, args[0] ?? '');
    }
    return result.text;
  }
}

/** A run that ended without an answer. */
export function failure(result: CliResult, command: string): StudioError {
  if (result.exitCode === 130) {
    return new StudioError('run/cancelled', 'Cancelled. Nothing was left under the final name.');
  }
  const last = result.errorText.trim().split('\n').slice(-3).join(' ');
  return toStudioError(
    new Error(
      `${command} ended without an answer (${result.exitCode === undefined ? 'killed' : `exit ${result.exitCode}`}). ${last}`.trim(),
    ),
  );
}
