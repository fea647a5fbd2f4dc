import { largest } from '../core/extremes';
import { toStudioError, type ErrorJson } from '../core/errors';
import { escapeControls } from '../core/escapeControls';
import { parseModelName } from '../core/ollama/modelName';
import { resolveOllamaAddress } from '../core/ollama/ollamaAddress';
import { OllamaClient } from '../node/ollama/ollamaClient';
import { requireOllama } from '../node/ollama/ollamaState';
import type { CommandContext, CommandResult, OptionSpec, OptionValues } from './command';
import { text, usageError } from './options';

/** The option of every command that speaks to a server. */
export const OLLAMA_OPTIONS = { host: { type: 'string' } } as const satisfies Record<string, OptionSpec>;

/** The server of `--host`, else of OLLAMA_HOST, else of this machine. */
export function ollamaClient(options: OptionValues): OllamaClient {
  return new OllamaClient(
    resolveOllamaAddress({ setting: text(options, 'host'), environment: process.env['OLLAMA_HOST'] }),
  );
}

/** A server that runs and is new enough. */
export async function runningOllama(options: OptionValues, context: CommandContext): Promise<OllamaClient> {
  const client = ollamaClient(options);
  await requireOllama(client, { signal: context.signal });
  return client;
}

/** The one name that a command takes. */
export function oneModel(command: string, positionals: readonly string[]): string {
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) {
    throw usageError(`${command} takes one model. For example: ${command} qwen3:0.6b`);
  }
  return modelName(name);
}

/** A name by the server's rules, refused before it is asked. */
export function modelName(name: string): string {
  if (parseModelName(name) === undefined) {
    throw usageError(`${escapeControls(name)} is no name for a model. A name is [host/][namespace/]model[:tag].`);
  }
  return name;
}

interface ModelEntry {
  readonly name: string;
  readonly ok: boolean;
  readonly error?: ErrorJson;
}

/** Does something to each model; a bad one does not stop the others. */
export async function forEachModel(
  command: string,
  positionals: readonly string[],
  done: string,
  context: CommandContext,
  work: (name: string) => Promise<void>,
): Promise<CommandResult> {
  if (positionals.length === 0) {
    throw usageError(`${command} takes the names of models. For example: ${command} qwen3:0.6b`);
  }
  const models: ModelEntry[] = [];
  for (const name of positionals) {
    try {
      await work(modelName(name));
      models.push({ name, ok: true });
    } catch (thrown) {
      const error = toStudioError(thrown);
      if (error.code === 'run/cancelled' || context.signal.aborted) {
        throw error;
      }
      models.push({ name, ok: false, error: error.toJSON() });
    }
  }
  const lines = models.map(({ name, error }) =>
    error === undefined
      ? `${context.palette.good(done)} ${escapeControls(name)}`
      : `${error.code}: ${escapeControls(error.message)}`,
  );
  return { exitCode: models.every(({ ok }) => ok) ? 0 : 1, json: { models }, text: lines.join('\n') };
}

/** No column is padded further: a server may send one name of a megabyte among many. */
const WIDEST = 160;

/** Rows as columns, each as wide as its widest cell; no spaces at the ends of lines. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.min(WIDEST, largest(rows.map((row) => row[column]?.length ?? 0))),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Text of a model for a terminal: lines stay lines, every other control character is made visible. */
export function modelText(text: string): string {
  return text.replace(/[^\n\t]+/g, escapeControls);
}
