import { StudioError } from '../errors';
import { escapeControls } from '../escapeControls';

/** Where an Ollama server is asked. */
export interface OllamaAddress {
  /** `http://127.0.0.1:11434`, with a path where a proxy needs one, without a slash at its end. */
  readonly url: string;
  /** `127.0.0.1:11434`, for people. */
  readonly host: string;
  /** On this machine; everything else is reached over a network. */
  readonly isLoopback: boolean;
  /** https. */
  readonly isEncrypted: boolean;
  readonly origin: 'setting' | 'OLLAMA_HOST' | 'default';
}

export interface AddressSources {
  /** What the user set for this product; wins over everything. Empty is not set. */
  readonly setting?: string | undefined;
  /** The environment variable `OLLAMA_HOST`. */
  readonly environment?: string | undefined;
}

const DEFAULT_PORT = 11434;

/**
 * The server to ask: the setting, else `OLLAMA_HOST` read as Ollama's own client reads it (`envconfig.ConnectableHost`),
 * else 127.0.0.1:11434. Addresses for listening (`0.0.0.0`, `::`) become those of this machine.
 * @throws StudioError ollama/address for a scheme other than http and https, a name with a password, or what is no address
 */
export function resolveOllamaAddress({ setting, environment }: AddressSources): OllamaAddress {
  if (setting !== undefined && setting.trim() !== '') {
    return parseOllamaAddress(setting, 'setting');
  }
  const unquoted = (environment ?? '').trim().replace(/^["']+|["']+$/g, '');
  return unquoted === ''
    ? parseOllamaAddress(`127.0.0.1:${DEFAULT_PORT}`, 'default')
    : parseOllamaAddress(unquoted, 'OLLAMA_HOST');
}

/** One address as text. A port is 11434 where neither port nor scheme is written, else the scheme's own. */
export function parseOllamaAddress(text: string, origin: OllamaAddress['origin']): OllamaAddress {
  const where = origin === 'setting' ? 'The setting for the Ollama server' : 'OLLAMA_HOST';
  const refuse = (why: string): StudioError =>
    new StudioError('ollama/address', `${where} ${why}. Write it as 127.0.0.1:11434 or https://ollama.example.org.`, {
      detail: { origin },
    });
  const trimmed = text.trim();
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?([^/?#\s]*)(\/[^?#\s]*)?$/.exec(trimmed);
  if (match === null || /[\\\u0000-\u001f\u007f]/.test(trimmed)) {
    throw refuse(`is no address: ${escapeControls(withoutSecret(trimmed))}`);
  }
  const [, written, authority = '', path = ''] = match;
  if (authority.includes('@')) {
    throw refuse('holds a user name or password, which would be sent and logged in the clear; take it out');
  }
  const scheme = (written ?? (authority === 'ollama.com' ? 'https' : 'http')).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') {
    throw refuse(`begins with ${scheme}://, and only http and https are spoken`);
  }
  const { host, port } = split(authority);
  const defaultPort = written === undefined && scheme === 'http' ? DEFAULT_PORT : scheme === 'https' ? 443 : 80;
  const portNumber =
    port === undefined ? defaultPort : /^\d{1,5}$/.test(port) && Number(port) <= 65_535 ? Number(port) : undefined;
  // Ollama takes its usual port for a bad one of OLLAMA_HOST; a setting of ours is put right by who wrote it.
  if (portNumber === undefined && origin === 'setting') {
    throw refuse(`has a port that is none: ${port ?? ''}`);
  }
  return address(scheme, connectable(host), portNumber ?? defaultPort, path, origin, refuse);
}

function address(
  scheme: string,
  host: string,
  port: number,
  path: string,
  origin: OllamaAddress['origin'],
  refuse: (why: string) => StudioError,
): OllamaAddress {
  let url: URL;
  try {
    url = new URL(`${scheme}://${host}:${port}${path}`);
  } catch {
    throw refuse(`is no address: ${host}:${port}`);
  }
  const shown = url.port === '' ? `${url.hostname}:${scheme === 'https' ? 443 : 80}` : url.host;
  return {
    url: url.href.replace(/\/+$/, ''),
    host: shown,
    isLoopback: isLoopbackHost(url.hostname),
    isEncrypted: scheme === 'https',
    origin,
  };
}

/** `host:port`, `[::1]:port`, `::1` and the parts alone. */
function split(authority: string): { readonly host: string; readonly port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(authority);
  if (bracketed !== null) {
    return { host: `[${bracketed[1] ?? ''}]`, port: bracketed[2] };
  }
  const colons = authority.split(':').length - 1;
  if (colons > 1) {
    return { host: `[${authority}]`, port: undefined };
  }
  const at = authority.indexOf(':');
  return at < 0
    ? { host: authority, port: undefined }
    : { host: authority.slice(0, at), port: authority.slice(at + 1) };
}

function connectable(host: string): string {
  if (host === '' || host === '0.0.0.0') {
    return '127.0.0.1';
  }
  return /^\[[0:]+\]$/.test(host) ? '[::1]' : host;
}

/** True for names and addresses of this machine, as a URL's `hostname` gives them. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    /^127(?:\.\d{1,3}){3}$/.test(host) ||
    host === '[::1]' ||
    host === '::1' ||
    /^\[::ffff:7f[0-9a-f]{2}:/.test(host)
  );
}

function withoutSecret(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//…@');
}
