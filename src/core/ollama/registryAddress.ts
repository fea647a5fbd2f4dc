import { StudioError } from '../errors';
import { escapeControls } from '../escapeControls';
import type { ModelName } from './modelName';

/** Ollama's own registry: the only one that is asked without being told. */
export const DEFAULT_REGISTRY = 'registry.ollama.ai';

/** Where a model is looked up. */
export interface RegistryAddress {
  /** `https://registry.ollama.ai`, without a slash at its end. */
  readonly url: string;
  /** `registry.ollama.ai`, with the port where one is written. */
  readonly host: string;
}

/**
 * The registry that a name means. One other than Ollama's is asked only where the user allowed it by naming it: `allowed` is what
 * they wrote (`127.0.0.1:5000`, `http://localhost:5000`, `hf.co`); a name without a host then means that one. Plain http needs to be
 * written, or to be this machine.
 * @throws StudioError registry/host
 */
export function registryFor(name: ModelName, allowed?: string): RegistryAddress {
  const own = allowed === undefined ? undefined : parseRegistry(allowed);
  const isDefault = name.host.toLowerCase() === DEFAULT_REGISTRY;
  if (own !== undefined && (isDefault || name.host.toLowerCase() === own.host)) {
    return own;
  }
  if (!isDefault) {
    throw new StudioError(
      'registry/host',
      `${escapeControls(name.host)} is not Ollama's registry, and it was not allowed to ask it. To allow it for this look-up, add --registry ${escapeControls(name.host)}.`,
      { detail: { host: name.host } },
    );
  }
  return { url: `https://${DEFAULT_REGISTRY}`, host: DEFAULT_REGISTRY };
}

function parseRegistry(text: string): RegistryAddress {
  const match = /^(?:(https?):\/\/)?((?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?)\/?$/.exec(
    text.trim(),
  );
  const [, written, authority] = match ?? [];
  if (authority === undefined) {
    throw new StudioError(
      'registry/host',
      `${escapeControls(text.replace(/\/\/[^@/]*@/, '//…@'))} is no address of a registry. Write it as registry.example.org or http://127.0.0.1:5000.`,
    );
  }
  const host = authority.toLowerCase();
  const scheme = written ?? (isLoopbackHost(host) ? 'http' : 'https');
  return { url: `${scheme}://${host}`, host };
}

/** Whether `host`, `host:port` or `[address]:port` is this machine. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    name === '::1' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}
