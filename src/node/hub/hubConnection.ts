import { readFileSync } from 'node:fs';
import { getCACertificates, rootCertificates } from 'node:tls';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { StudioError } from '../../core/errors';
import { isLoopbackHost } from '../../core/ollama/registryAddress';
import { hubAddress, hubToken } from './hubSettings';

/** The hub as it is asked for one plan or one fetch. */
export interface HubConnection {
  /** Without a slash at its end. */
  readonly url: string;
  readonly hasToken: boolean;
  /** One GET. The token goes to the hub's own origin only, redirects are followed where they may lead. */
  get(url: string, options: HubGet): Promise<Response>;
  close(): Promise<void>;
}

export interface HubGet {
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

const MAX_REDIRECTS = 5;

/**
 * The connection to the hub, by HF_ENDPOINT, through the proxy that HTTPS_PROXY and NO_PROXY name, trusting what this machine trusts.
 * @param token from a secret store; else the environment and `hf auth login` are looked at
 * @throws StudioError hub/address
 */
export async function openHubConnection(token?: string): Promise<HubConnection> {
  const url = hubAddress();
  const accessToken = token ?? (await hubToken());
  const { origin } = new URL(url);
  const agent = proxyAgent();
  const get = async (first: string, { signal, headers = {} }: HubGet): Promise<Response> => {
    let at = new URL(first);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await fetch(at, {
        dispatcher: agent,
        redirect: 'manual',
        signal,
        headers: {
          ...headers,
          ...(accessToken !== undefined && at.origin === origin ? { authorization: `Bearer ${accessToken}` } : {}),
        },
      }).catch((thrown: unknown) => {
        throw unreachable(at.href, thrown);
      });
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) {
        return response;
      }
      await response.body?.cancel().catch(() => undefined);
      at = redirected(at, location);
    }
    throw hubProtocol(url, `it sends from one address to the next, more than ${MAX_REDIRECTS} times`);
  };
  return { url, hasToken: accessToken !== undefined, get, close: () => agent.destroy() };
}

/** To https, or from http to http; from elsewhere never to this machine. */
function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (
    to === undefined ||
    to.username !== '' ||
    to.password !== '' ||
    !(to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) ||
    (isLoopbackHost(to.host) && !isLoopbackHost(from.host))
  ) {
    throw hubProtocol(from.origin, 'it sends to an address that is not followed');
  }
  return to;
}

/** What answers is no hub, or one that lies. */
export function hubProtocol(url: string, why: string, cause?: unknown): StudioError {
  return new StudioError(
    'hub/protocol',
    `What answers at ${url} does not speak as the hub does: ${why}. Check HF_ENDPOINT.`,
    { cause },
  );
}

/** Where nothing of the hub can be had, with the reason and what to do. */
export function unreachable(url: string, cause: unknown): StudioError {
  if (cause instanceof StudioError) {
    return cause;
  }
  const reason =
    cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
  return new StudioError(
    'hub/unreachable',
    `${new URL(url).host} cannot be reached: ${reason}. Check the connection (HTTPS_PROXY, HF_ENDPOINT, and NODE_EXTRA_CA_CERTS for an authority of your own, where you need them); what was fetched is kept, and the same command goes on from there.`,
    { cause },
  );
}

/** This machine itself is never asked for through a proxy. */
function proxyAgent(env: NodeJS.ProcessEnv = process.env): EnvHttpProxyAgent {
  const noProxy = (env['no_proxy'] ?? env['NO_PROXY'] ?? '').trim();
  const ca = authorities(env);
  const tls = ca === undefined ? {} : { ca };
  try {
    return new EnvHttpProxyAgent({
      noProxy: noProxy === '*' ? '*' : `${noProxy} localhost 127.0.0.1 [::1]`,
      connect: { ...tls, timeout: 20_000 },
      requestTls: tls,
      proxyTls: tls,
    });
  } catch (cause) {
    throw new StudioError(
      'hub/address',
      'HTTPS_PROXY or HTTP_PROXY is no address of a proxy. Write it as http://HOST:PORT, or unset it.',
      { cause },
    );
  }
}

/**
 * The authorities of Node (with NODE_EXTRA_CA_CERTS), of the operating system, and of the file that Python's tools are told in
 * SSL_CERT_FILE or REQUESTS_CA_BUNDLE: who fetches from a mirror of a company has set one of them. Undefined: Node's own.
 */
function authorities(env: NodeJS.ProcessEnv): string[] | undefined {
  const ask = getCACertificates as typeof getCACertificates | undefined;
  const known = new Set(ask === undefined ? rootCertificates : [...ask('default'), ...ask('system')]);
  for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE']) {
    const path = env[name];
    if (path === undefined || path === '') {
      continue;
    }
    try {
      known.add(readFileSync(path, 'utf8'));
    } catch (cause) {
      throw new StudioError(
        'hub/address',
        `The certificates that ${name} names cannot be read from ${path}. Correct the variable, or unset it.`,
        { path, cause },
      );
    }
  }
  // Without the question, Node adds NODE_EXTRA_CA_CERTS only where nothing is given.
  return ask === undefined && known.size === rootCertificates.length ? undefined : [...known];
}
