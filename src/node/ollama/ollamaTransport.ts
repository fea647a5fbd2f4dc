import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { StudioError } from '../../core/errors';
import { formatSeconds } from '../../core/formatBytes';
import { LineSplitter } from '../../core/ollama/lineSplitter';
import type { OllamaAddress } from '../../core/ollama/ollamaAddress';
import { serverError } from '../../core/ollama/serverErrors';
import { errorSchema } from '../../core/ollama/wire';
import { systemCode } from '../files/systemError';

/** A request to an Ollama server. Each has a socket of its own, so that ending one never touches another. */
export interface Exchange {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  /** Below the address: `/api/chat`. */
  readonly path: string;
  /** The request for people and for errors: `chat`. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Sends a body of its own and ends the request. */
  readonly send?: ((request: ClientRequest) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a byte in either direction after which the server is given up. */
  readonly idle: number;
}

/** Bytes of an answer that is one JSON value: the description of a model with a large vocabulary is some MB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** A successful answer, its body still to be read. */
export interface Answer {
  readonly response: IncomingMessage;
  /** Why we ended the exchange ourselves; undefined as long as we did not. */
  readonly ended: () => StudioError | undefined;
}

/** Milliseconds to wait for a connection. */
const CONNECT_TIMEOUT = 10_000;

/**
 * Sends a request and resolves to its answer, once that is known to be a success. Redirects are not followed, nothing
 * but the given headers is sent.
 * @throws StudioError run/cancelled, ollama/not-running, ollama/unreachable, ollama/timeout, ollama/lost, ollama/redirect, or what the server says
 */
export async function exchange(address: OllamaAddress, options: Exchange): Promise<Answer> {
  const { what } = options;
  if (options.signal?.aborted === true) {
    throw cancelled();
  }
  const { request, head, end, ended } = open(address, options);
  if (options.send === undefined) {
    request.end(options.body);
  } else {
    options.send(request).catch((thrown: unknown) => {
      // A broken pipe is told by the request itself, or by the answer that came before it: a full disk, for one.
      if (thrown instanceof StudioError) {
        end(thrown);
      }
    });
  }
  let response: IncomingMessage;
  try {
    response = await head;
  } catch (thrown) {
    // What stopped the sending explains more than the broken pipe that it left.
    throw ended() ?? failure(thrown, address, what, 'before it answered');
  }
  const answer = { response, ended };
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) {
    response.destroy();
    throw new StudioError(
      'ollama/redirect',
      `${address.host} answered ${what} with a redirect to another address, which is not followed. Give the address of the Ollama server itself.`,
      { detail: { status } },
    );
  }
  if (status < 200 || status >= 400) {
    const refused = await refusal(answer, options, address);
    request.destroy();
    throw refused;
  }
  return answer;
}

interface OpenExchange {
  readonly request: ClientRequest;
  readonly head: Promise<IncomingMessage>;
  /** Closes the socket at once, for a reason that is kept. */
  readonly end: (reason: StudioError) => void;
  readonly ended: () => StudioError | undefined;
}

function open(address: OllamaAddress, { method, path, headers, body, idle, what, signal }: Exchange): OpenExchange {
  let reason: StudioError | undefined;
  const start = address.isEncrypted ? httpsRequest : httpRequest;
  const request = start(`${address.url}${path}`, {
    method,
    agent: false,
    headers: {
      accept: 'application/json',
      connection: 'close',
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      ...headers,
    },
  });
  const end = (why: StudioError): void => {
    reason ??= why;
    request.destroy(why);
  };
  const abort = (): void => {
    end(cancelled());
  };
  signal?.addEventListener('abort', abort, { once: true });
  request.setTimeout(idle, () => {
    end(
      new StudioError(
        'ollama/timeout',
        `${address.host} was silent for ${formatSeconds(idle / 1000)} during ${what}. The server may hang or be overloaded: look at its log, restart it, and run this again.`,
        { detail: { request: what, seconds: idle / 1000 } },
      ),
    );
  });
  const connecting = setTimeout(() => {
    end(
      new StudioError(
        'ollama/unreachable',
        `${address.host} did not take a connection within ${CONNECT_TIMEOUT / 1000} s. Check the address and the network, and that Ollama runs there.`,
        { detail: { request: what } },
      ),
    );
  }, CONNECT_TIMEOUT);
  request.once('socket', (socket) => socket.once('connect', () => clearTimeout(connecting)));
  const head = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.once('close', () => {
      signal?.removeEventListener('abort', abort);
      clearTimeout(connecting);
      reject(new Error('socket hang up'));
    });
  });
  return { request, head, end, ended: () => reason };
}

async function refusal({ response, ended }: Answer, { what }: Exchange, address: OllamaAddress): Promise<StudioError> {
  const status = response.statusCode ?? 0;
  let text = '';
  try {
    text = await readText(response, MAX_ERROR_BYTES);
  } catch {
    const reason = ended();
    if (reason !== undefined) {
      return reason;
    }
  }
  return serverError({
    status,
    what,
    text:
      errorText(text) ?? (/^\s*</.test(text) ? `HTTP status ${status} from ${address.host}, with a web page` : text),
  });
}

/** The words of an error record, of an NDJSON line or of a whole answer. */
function errorText(text: string): string | undefined {
  try {
    const result = errorSchema.safeParse(JSON.parse(text));
    return result.success
      ? typeof result.data.error === 'string'
        ? result.data.error
        : result.data.error.message
      : undefined;
  } catch {
    return undefined;
  }
}

/** A whole answer as text. */
async function readText(response: IncomingMessage, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > limit) {
      response.destroy();
      throw new StudioError(
        'ollama/protocol',
        `The server sent an answer of more than ${limit} bytes, which no Ollama does. Check that the address is that of an Ollama server.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** One JSON value; `{}` for an empty answer, which copy and delete give. */
export async function readJson({ response, ended }: Answer, address: OllamaAddress, what: string): Promise<unknown> {
  let text: string;
  try {
    text = await readText(response, MAX_ANSWER_BYTES);
  } catch (thrown) {
    throw ended() ?? failure(thrown, address, what, 'in the middle of its answer');
  }
  return text.trim() === '' ? {} : parseRecord(text, what);
}

/** The records of a stream, each an object; a record with `error` ends it. */
export async function* readRecords(
  { response, ended }: Answer,
  address: OllamaAddress,
  what: string,
): AsyncGenerator<Record<string, unknown>, void> {
  const lines = new LineSplitter();
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      for (const line of lines.push(chunk)) {
        yield record(line, what);
      }
    }
    const rest = lines.end();
    if (rest !== '') {
      yield record(rest, what);
    }
  } catch (thrown) {
    throw ended() ?? failure(thrown, address, what, 'in the middle of its answer');
  } finally {
    response.destroy();
  }
}

function record(line: string, what: string): Record<string, unknown> {
  const value = parseRecord(line, what);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw notOllama(what);
  }
  const error = errorSchema.safeParse(value);
  if (error.success) {
    const { error: words } = error.data;
    throw serverError({ what, text: typeof words === 'string' ? words : words.message });
  }
  return value as Record<string, unknown>;
}

function parseRecord(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notOllama(what);
  }
}

function notOllama(what: string): StudioError {
  return new StudioError(
    'ollama/protocol',
    `The server's answer to ${what} is no JSON. Check that the address is that of an Ollama server.`,
    { detail: { request: what } },
  );
}

function cancelled(): StudioError {
  return new StudioError('run/cancelled', 'Cancelled. The connection to the server was closed.');
}

/** What broke a connection, as an error that says what to do. */
export function failure(thrown: unknown, address: OllamaAddress, what: string, when: string): StudioError {
  if (thrown instanceof StudioError) {
    return thrown;
  }
  const code = systemCode(thrown) ?? '';
  const context = {
    cause: thrown,
    detail: { request: what, host: address.host, ...(code === '' ? {} : { system: code }) },
  };
  if (code === 'ECONNREFUSED' && address.isLoopback) {
    return new StudioError(
      'ollama/not-running',
      `Nothing answers at ${address.host}. Start Ollama (the application, or ollama serve) and run this again.`,
      context,
    );
  }
  if (
    [
      'ECONNREFUSED',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'EHOSTDOWN',
      'ETIMEDOUT',
      'ENETDOWN',
    ].includes(code)
  ) {
    return new StudioError(
      'ollama/unreachable',
      `${address.host} cannot be reached (${code}). Check the address (${address.origin === 'setting' ? 'the setting' : 'OLLAMA_HOST'}) and the network, and that Ollama runs there.`,
      context,
    );
  }
  if (/^HPE_/.test(code)) {
    return new StudioError(
      'ollama/protocol',
      `${address.host} does not speak HTTP as an Ollama server does (${code}). Check the address and its scheme.`,
      context,
    );
  }
  if (/CERT|SSL|TLS|SIGNED|VERIFY/i.test(code) || code === 'EPROTO') {
    return new StudioError(
      'ollama/unreachable',
      `${address.host} has no encryption that can be trusted (${code}). Check whether its address begins with http:// or https://, and its certificate (NODE_EXTRA_CA_CERTS names your own authority).`,
      context,
    );
  }
  return new StudioError(
    'ollama/lost',
    `The connection to ${address.host} broke ${when} (${what}${code === '' ? '' : `, ${code}`}). The server may have stopped: look at its log, start it, and run this again.`,
    context,
  );
}
