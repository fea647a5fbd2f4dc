import { fork, type ChildProcess } from 'node:child_process';
import type { EngineEvent } from '../../core/progress';
import type { ErrorJson } from '../../core/errors';
import { CollectedText } from './collectedText';

/** How a command line of ours ended. */
export interface CliResult {
  /** 0 done, 1 refused or failed, 2 usage, 130 cancelled; undefined when the process was killed. */
  readonly exitCode: number | undefined;
  /** The one JSON value on standard output (with `--json`), else undefined. */
  readonly json: unknown;
  /** Standard output as it came; cut at {@link MAX_OUTPUT} characters. */
  readonly text: string;
  /** The last lines of standard error. */
  readonly errorText: string;
}

export interface ForkOptions {
  /** `dist/cli.js`. */
  readonly script: string;
  readonly cwd?: string | undefined;
  /** Added to the environment; undefined values remove a variable. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Aborting asks the process to clean up and end. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: EngineEvent) => void) | undefined;
}

/** Longest standard output that is kept: the JSON of a plan of a large mixture model has some 30 MB. */
export const MAX_OUTPUT = 128 * 1024 * 1024;

/** What is kept of standard error. */
const MAX_ERROR_TEXT = 16 * 1024;

/** A process that has not ended so long after it was asked to is ended by force. */
const PATIENCE_MS = 8000;

/** Variables that make a Node process run other code than ours, or listen to a debugger. */
const REMOVED_VARIABLES = ['NODE_OPTIONS', 'NODE_PATH', 'NODE_REPL_EXTERNAL_MODULE', 'VSCODE_INSPECTOR_OPTIONS'];

/**
 * Runs one command line of ours in a process of its own, with the Node that runs this one, and resolves when it has ended.
 * Never rejects: a process that could not be started has no exit code and says so in `errorText`. It ends by itself when
 * this process goes away, because its channel closes.
 */
export async function forkCli(args: readonly string[], options: ForkOptions): Promise<CliResult> {
  if (options.signal?.aborted === true) {
    return { exitCode: 130, json: undefined, text: '', errorText: '' };
  }
  const child = fork(options.script, [...args], {
    cwd: options.cwd,
    env: environment(options.env),
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output = new CollectedText(MAX_OUTPUT, 'head');
  const errors = new CollectedText(MAX_ERROR_TEXT, 'tail');
  child.stdout?.setEncoding('utf8').on('data', (text: string) => output.add(text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.add(text));
  child.on('message', (message) => {
    const event = eventOf(message);
    if (event !== undefined) {
      options.onEvent?.(event);
    }
  });
  const stopCancelling = cancelOn(child, options.signal);
  const exitCode = await ended(child, errors);
  stopCancelling();
  const text = output.text();
  return { exitCode, json: parseJson(text), text, errorText: errors.text() };
}

/** The error that a refused command prints with `--json`; undefined for any other value. */
export function errorOf(json: unknown): ErrorJson | undefined {
  const error = typeof json === 'object' && json !== null && 'error' in json ? json.error : undefined;
  return typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    'message' in error &&
    typeof error.code === 'string' &&
    typeof error.message === 'string'
    ? (error as ErrorJson)
    : undefined;
}

function environment(added: ForkOptions['env']): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ELECTRON_RUN_AS_NODE: '1', ...added };
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== undefined && !REMOVED_VARIABLES.includes(name)),
  );
}

function cancelOn(child: ChildProcess, signal: AbortSignal | undefined): () => void {
  let force: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    if (child.connected) {
      child.send({ kind: 'cancel' }, () => undefined);
    }
    force = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  };
  signal?.addEventListener('abort', cancel, { once: true });
  return () => {
    signal?.removeEventListener('abort', cancel);
    clearTimeout(force);
  };
}

/** Resolves when the process has ended and its output is read to the end. */
async function ended(child: ChildProcess, errors: CollectedText): Promise<number | undefined> {
  return await new Promise((resolve) => {
    child.on('error', (error) => {
      errors.add(`${error.message}\n`);
      if (child.pid === undefined) {
        resolve(undefined);
      }
    });
    child.on('close', (code, signal) => {
      if (signal !== null) {
        errors.add(`The process was ended by ${signal}.\n`);
      }
      resolve(code ?? undefined);
    });
  });
}

function eventOf(message: unknown): EngineEvent | undefined {
  const { kind, event } =
    typeof message === 'object' && message !== null
      ? (message as { readonly kind?: unknown; readonly event?: unknown })
      : {};
  return kind === 'event' && typeof event === 'object' && event !== null && 'event' in event
    ? (event as EngineEvent)
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
