import { parseArgs } from 'node:util';
import { PLAIN, type Palette } from '../core/engine/describePlan';
import { ENGINE_VERSION } from '../core/engineVersion';
import { StudioError, toStudioError } from '../core/errors';
import { escapeControls } from '../core/escapeControls';
import type { Command, CommandContext, CommandResult, OptionValues } from './command';
import { COMMANDS } from './commands';
import { usageError } from './options';
import { progressLine } from './progressLine';

const COLOURS: Palette = {
  strong: (text) => `\u001b[1m${text}\u001b[22m`,
  good: (text) => `\u001b[32m${text}\u001b[39m`,
  warning: (text) => `\u001b[33m${text}\u001b[39m`,
  faint: (text) => `\u001b[2m${text}\u001b[22m`,
};

const COMMON_OPTIONS = {
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const LEADING_FLAGS = ['--json', '--quiet', '--no-color'];

const CANCELLED = 130;

/** Runs one command line and resolves to its exit code: 0 done, 1 refused or failed, 2 usage, 130 cancelled. */
export async function main(argv: readonly string[], bundleFolder: string): Promise<number> {
  // Common flags may stand before the command as well as after it.
  const at = argv.findIndex((argument) => !LEADING_FLAGS.includes(argument));
  const name = argv[at];
  const rest = argv.filter((_argument, index) => index !== at);
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    write(process.stdout, `${overview()}\n`);
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === 'version') {
    write(process.stdout, `${ENGINE_VERSION}\n`);
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  const json = rest.includes('--json');
  if (command === undefined) {
    return reportError(
      usageError(`There is no command ${escapeControls(name)}. Run modelfile-studio --help for the list.`),
      { json, colour: false },
    );
  }
  return await runCommand(command, rest, bundleFolder, json);
}

async function runCommand(
  command: Command,
  rest: readonly string[],
  bundleFolder: string,
  json: boolean,
): Promise<number> {
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  // Forked by an editor: cancelled by message, because signals kill without clean-up on Windows. An editor that is gone waits
  // for nothing: the process ends as if killed, and leaves what it has for the same command line to go on with.
  process.on('message', cancel);
  process.on('disconnect', leave);
  let colour = false;
  try {
    const { values, positionals } = parse(command, rest);
    colour = wantsColour(values);
    if (values['help'] === true) {
      write(process.stdout, `modelfile-studio ${command.name} ${command.usage}\n\n${command.does}\n`);
      return 0;
    }
    requireWorkingDirectory();
    const context = contextOf(values, abort.signal, bundleFolder, colour);
    const result = await command.run(positionals, values, context);
    report(result, context);
    return result.exitCode;
  } catch (thrown) {
    process.stderr.write(process.stderr.isTTY ? '\r\u001b[K' : '');
    return reportError(toStudioError(thrown), { json, colour });
  } finally {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
    process.off('message', cancel);
    process.off('disconnect', leave);
    if (process.connected) {
      process.disconnect();
    }
  }
}

/** A shell may stand in a folder that is gone; every path of the command line begins there. */
function requireWorkingDirectory(): void {
  try {
    process.cwd();
  } catch (cause) {
    throw new StudioError(
      'input/missing',
      'The folder that this was started in no longer exists. Change to another one (cd ~) and run the command again.',
      { cause },
    );
  }
}

function leave(): never {
  process.exit(CANCELLED);
}

function parse(
  command: Command,
  args: readonly string[],
): { readonly values: OptionValues; readonly positionals: readonly string[] } {
  try {
    return parseArgs({
      args: [...args],
      options: { ...COMMON_OPTIONS, ...command.options },
      allowPositionals: true,
      strict: true,
    });
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw usageError(`${reason} Usage: modelfile-studio ${command.name} ${command.usage}`);
  }
}

function wantsColour(values: OptionValues): boolean {
  const { NO_COLOR } = process.env;
  return values['no-color'] !== true && (NO_COLOR === undefined || NO_COLOR === '') && process.stdout.isTTY;
}

function contextOf(values: OptionValues, signal: AbortSignal, bundleFolder: string, colour: boolean): CommandContext {
  const json = values['json'] === true;
  const quiet = values['quiet'] === true;
  const status = statusLine(quiet);
  return {
    json,
    quiet,
    signal,
    bundleFolder,
    columns: process.stderr.columns,
    palette: colour ? COLOURS : PLAIN,
    say: (text) => {
      if (!json && !quiet) {
        write(process.stdout, `${text}\n`);
      }
    },
    write: (text) => {
      if (!json && !quiet) {
        write(process.stdout, text);
      }
    },
    status,
    onEvent: (event) => {
      process.send?.({ kind: 'event', event });
      const line = status === undefined ? undefined : progressLine(event, process.stderr.columns);
      if (line !== undefined) {
        status?.(line);
      }
    },
  };
}

/** The one line of a terminal that is written over; undefined where nobody sees it. */
function statusLine(quiet: boolean): ((line: string) => void) | undefined {
  return process.stderr.isTTY && !quiet
    ? (line) => {
        write(process.stderr, `\r\u001b[K${line}`);
      }
    : undefined;
}

function report(result: CommandResult, context: CommandContext): void {
  if (context.json) {
    write(process.stdout, `${JSON.stringify(result.json)}\n`);
  } else if (!context.quiet && result.text !== '') {
    write(process.stdout, `${result.text}\n`);
  }
}

function reportError(
  error: StudioError,
  { json, colour }: { readonly json: boolean; readonly colour: boolean },
): number {
  if (json) {
    write(process.stdout, `${JSON.stringify({ ok: false, error: error.toJSON() })}\n`);
  } else {
    const label = colour ? `\u001b[31m${error.code}\u001b[39m` : error.code;
    write(process.stderr, `${label}: ${escapeControls(error.message)}\n`);
  }
  return error.code === 'usage/arguments' ? 2 : error.code === 'run/cancelled' ? CANCELLED : 1;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length)) + 2;
  const lines = COMMANDS.map((command) => `  ${command.name.padEnd(width)}${command.does}`);
  return [
    'modelfile-studio COMMAND …',
    '',
    ...lines,
    '',
    'Common options: --json --quiet --no-color --help',
    'Exit codes: 0 done, 1 refused or failed, 2 usage, 130 cancelled',
  ].join('\n');
}

function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text);
}
