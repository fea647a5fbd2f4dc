import { ENGINE_VERSION } from '../../../src/core/engineVersion';

/** The least major version of Node that runs the bundle. */
const LEAST_NODE = 22;

export const HELP = `modelfile-language-server ${ENGINE_VERSION}: diagnostics, completion, hover, formatting and more for Ollama Modelfiles

An editor starts it and speaks the Language Server Protocol with it:
  --stdio          over standard input and output
  --pipe NAME      over a named pipe or a Unix socket
  --socket PORT    over TCP on this machine
  --node-ipc       over the channel of the Node process that forked it
  --clientProcessId PID   ends when that process does

  --version        prints the version
  --help           prints this

OLLAMA_HOST says which Ollama is asked for installed models and its version (default 127.0.0.1:11434).
Settings: language-server/VALIDATOR.md. Editors: docs/editors.md. The same checks without an editor: modelfile-studio lint.`;

/** What the command line asks for. */
export type ServerRequest =
  | { readonly kind: 'serve' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string };

const error = (text: string): ServerRequest => ({ kind: 'error', text: `modelfile-language-server: ${text}` });

/** Options that want a value, after `=` or as the next word, and what it must look like. */
const VALUES: Readonly<Record<string, { readonly pattern: RegExp; readonly what: string }>> = {
  '--pipe': { pattern: /./, what: 'the name of a pipe' },
  '--socket': { pattern: /^\d{1,5}$/, what: 'a port number' },
  '--clientProcessId': { pattern: /^\d+$/, what: 'a process number' },
};
const TRANSPORTS: ReadonlySet<string> = new Set(['--stdio', '--node-ipc', '--pipe', '--socket']);

/**
 * Reads the command line; the protocol library reads the transport out of it once more.
 * @param args without the program and its file
 * @param nodeVersion `process.versions.node`
 */
export function readArguments(args: readonly string[], nodeVersion: string): ServerRequest {
  if (Number(nodeVersion.split('.')[0]) < LEAST_NODE) {
    return error(
      `it needs Node ${LEAST_NODE} or later, and this is ${nodeVersion}. Install a newer one from nodejs.org.`,
    );
  }
  if (args.includes('--help') || args.includes('-h')) {
    return { kind: 'text', text: HELP };
  }
  if (args.includes('--version') || args.includes('-v')) {
    return { kind: 'text', text: ENGINE_VERSION };
  }
  const transports: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? '';
    const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const wanted = VALUES[name];
    if (wanted === undefined && (equals >= 0 || !TRANSPORTS.has(name))) {
      return error(`${JSON.stringify(arg)} is no option. Start it with --stdio; --help lists the others.`);
    }
    if (wanted !== undefined) {
      const value = equals < 0 ? args[(i += 1)] : arg.slice(equals + 1);
      if (value === undefined || !wanted.pattern.test(value)) {
        return error(`${name} needs ${wanted.what}.`);
      }
    }
    if (TRANSPORTS.has(name)) {
      transports.push(name);
    }
  }
  if (transports.length !== 1) {
    return error(
      transports.length === 0
        ? 'it is started by an editor. Start it with --stdio; --help lists the other ways.'
        : `${transports.join(' and ')} cannot go together. Choose one.`,
    );
  }
  return { kind: 'serve' };
}
