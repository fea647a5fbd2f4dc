import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { StudioError } from '../../core/errors';
import { formatSeconds } from '../../core/formatBytes';
import { isLoopbackHost, type RegistryAddress } from '../../core/ollama/registryAddress';
import { systemCode } from '../files/systemError';

/** Milliseconds that a registry may take. */
export interface RegistryTimeouts {
  /** Without a byte. */
  readonly idle: number;
  /** For one text, from the first to the last byte, redirects included. */
  readonly total: number;
}

export const REGISTRY_TIMEOUTS: RegistryTimeouts = { idle: 15_000, total: 60_000 };
const MAX_REDIRECTS = 5;

export interface RegistryRequest {
  readonly registry: RegistryAddress;
  /** Below the address. */
  readonly path: string;
  /** For people: `manifest of qwen3:0.6b`. */
  readonly what: string;
  readonly accept: string;
  /** More bytes than this are no answer. */
  readonly limit: number;
  /** The digest that the text must have. */
  readonly digest?: string | undefined;
  readonly timeouts: RegistryTimeouts;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One text of a registry. Nothing but the question is sent: no credentials, no cookies, also not where a redirect leads; redirects go
 * to https, or stay on this machine. What has another digest than was announced is thrown away.
 * @throws StudioError run/cancelled, registry/missing, registry/refused, registry/unreachable, registry/protocol, registry/digest
 */
export async function fetchText(
  request: RegistryRequest,
): Promise<{ readonly text: string; readonly bytes: Uint8Array }> {
  const ending = new AbortController();
  const stop = setTimeout(() => ending.abort(tooSlow(request, request.timeouts.total)), request.timeouts.total);
  const cancel = (): void => ending.abort(new StudioError('run/cancelled', 'Cancelled. Nothing was kept.'));
  request.signal?.addEventListener('abort', cancel, { once: true });
  try {
    if (request.signal?.aborted === true) {
      cancel();
    }
    const bytes = await follow(new URL(`${request.registry.url}${request.path}`), request, ending.signal);
    return { text: decode(bytes, request), bytes };
  } finally {
    clearTimeout(stop);
    request.signal?.removeEventListener('abort', cancel);
  }
}

async function follow(first: URL, request: RegistryRequest, signal: AbortSignal): Promise<Uint8Array> {
  let url = first;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    const response = await open(url, request, signal);
    const status = response.statusCode ?? 0;
    if (status >= 300 && status < 400 && response.headers.location !== undefined) {
      response.destroy();
      url = redirected(url, response.headers.location, request);
      continue;
    }
    if (status !== 200) {
      response.destroy();
      throw refused(status, request);
    }
    return await readBody(response, request, signal);
  }
  throw protocol(request, `it sends from one address to the next, more than ${MAX_REDIRECTS} times`);
}

function redirected(from: URL, location: string, request: RegistryRequest): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isSafe =
    to !== undefined &&
    to.username === '' &&
    to.password === '' &&
    (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) &&
    (!isLoopbackHost(to.host) || isLoopbackHost(from.host));
  if (!isSafe) {
    throw protocol(
      request,
      'it sends to an address that is not followed: only https, or http from http, and never from elsewhere to this machine',
    );
  }
  return to;
}

function open(url: URL, request: RegistryRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      connection.destroy(signal.reason as Error);
    };
    const connection = start(url, {
      agent: false,
      headers: { accept: request.accept, 'accept-encoding': 'identity', connection: 'close' },
    });
    connection.setTimeout(request.timeouts.idle, () => connection.destroy(tooSlow(request, request.timeouts.idle)));
    connection.once('response', (response) => {
      response.once('close', () => signal.removeEventListener('abort', end));
      resolve(response);
    });
    connection.on('error', (thrown) => {
      signal.removeEventListener('abort', end);
      reject(failure(thrown, request));
    });
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) {
      end();
    }
    connection.end();
  });
}

async function readBody(response: IncomingMessage, request: RegistryRequest, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > request.limit) {
        throw protocol(request, `it has more than the ${request.limit} bytes that it may have`);
      }
      chunks.push(chunk);
    }
  } catch (thrown) {
    throw failure(signal.aborted ? signal.reason : thrown, request);
  } finally {
    response.destroy();
  }
  const bytes = Buffer.concat(chunks);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const announced = request.digest ?? headerDigest(response);
  if (announced !== undefined && announced !== digest) {
    throw new StudioError(
      'registry/digest',
      `The ${request.what} came with another content than its digest says, and was thrown away. Something between here and ${request.registry.host} changes what is sent, or the registry is broken: try again, or on another network.`,
      { detail: { expected: announced, found: digest } },
    );
  }
  return bytes;
}

/** What the registry says of a manifest. */
function headerDigest(response: IncomingMessage): string | undefined {
  const value = response.headers['docker-content-digest'];
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value) ? value : undefined;
}

function decode(bytes: Uint8Array, request: RegistryRequest): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw protocol(request, 'it is no text');
  }
}

function refused(status: number, request: RegistryRequest): StudioError {
  const { what, registry } = request;
  if (status === 404) {
    return new StudioError(
      'registry/missing',
      `${registry.host} has no ${what}. Check the name and the tag; Ollama's library lists them at ollama.com/library.`,
      { detail: { status } },
    );
  }
  if (status === 401 || status === 403) {
    return new StudioError(
      'registry/refused',
      `${registry.host} does not show the ${what} to everybody, and no credentials are sent. Pull the model with Ollama and look it up there.`,
      { detail: { status } },
    );
  }
  return new StudioError(
    'registry/unreachable',
    `${registry.host} answered with status ${status} for the ${what}. Try again later.`,
    { detail: { status } },
  );
}

function tooSlow({ what, registry }: RegistryRequest, milliseconds: number): StudioError {
  return new StudioError(
    'registry/unreachable',
    `${registry.host} took longer than ${formatSeconds(milliseconds / 1000)} for the ${what}. Try again later.`,
    { detail: { seconds: milliseconds / 1000 } },
  );
}

function protocol({ what, registry }: RegistryRequest, why: string): StudioError {
  return new StudioError(
    'registry/protocol',
    `What ${registry.host} sent for the ${what} is not to be used: ${why}. Check the address of the registry.`,
  );
}

function failure(thrown: unknown, request: RegistryRequest): StudioError {
  if (thrown instanceof StudioError) {
    return thrown;
  }
  const code = systemCode(thrown) ?? (thrown instanceof Error ? thrown.message : 'unknown');
  return new StudioError(
    'registry/unreachable',
    `${request.registry.host} cannot be reached or broke off (${code}). Check the network, or add --offline for what is known without it.`,
    { cause: thrown, detail: { system: code } },
  );
}
