import { isDiagnosticCode, SEVERITIES, type DiagnosticCode, type Severity } from '../../../src/core/modelfile/diagnosticCodes';

/** Section of the settings that the server asks for. */
export const SETTINGS_SECTION = 'modelfileStudio';

export interface ServerSettings {
  readonly severities: ReadonlyMap<DiagnosticCode, Severity | 'off'>;
  /** Ollama to ask for models and version; undefined where none is to be asked. */
  readonly ollamaHost: string | undefined;
  /** Version to check against, whatever the server says. */
  readonly ollamaVersion: string | undefined;
}

/**
 * Settings as they come from an editor: `diagnostics.severity` (code to severity or `off`; `modelfile/` may be left
 * out), `ollama.host`, `ollama.version`, `ollama.enabled`. What is not understood is left out.
 * @param environmentHost `OLLAMA_HOST`, for where the settings name none
 */
export function readSettings(value: unknown, environmentHost?: string): ServerSettings {
  const root = record(value);
  const ollama = record(root['ollama']);
  const host = text(ollama['host']) ?? environmentHost;
  return {
    severities: readSeverities(record(record(root['diagnostics'])['severity'])),
    ollamaHost: ollama['enabled'] === false ? undefined : hostUrl(host),
    ollamaVersion: text(ollama['version'])?.replace(/^v/, ''),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

function readSeverities(values: Readonly<Record<string, unknown>>): Map<DiagnosticCode, Severity | 'off'> {
  const found = new Map<DiagnosticCode, Severity | 'off'>();
  for (const [name, value] of Object.entries(values)) {
    const code = name.includes('/') ? name : `modelfile/${name}`;
    const severity = value === 'off' ? 'off' : SEVERITIES.find((known) => known === value);
    if (isDiagnosticCode(code) && severity !== undefined) {
      found.set(code, severity);
    }
  }
  return found;
}

const DEFAULT_HOST = 'http://127.0.0.1:11434';

/** `OLLAMA_HOST` in its shapes (`0.0.0.0`, `host:port`, a URL) as a URL; undefined for what cannot be one. */
export function hostUrl(host: string | undefined): string | undefined {
  if (host === undefined) {
    return DEFAULT_HOST;
  }
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(host) ? host : `http://${host}`);
    if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '') {
      return undefined;
    }
    // Servers listen on all addresses; a client asks the machine itself.
    const name = url.hostname === '0.0.0.0' || url.hostname === '[::]' ? '127.0.0.1' : url.hostname;
    const port = url.port !== '' ? url.port : /^[a-z]+:\/\//i.test(host) ? '' : '11434';
    return `${url.protocol}//${name}${port === '' ? '' : `:${port}`}`;
  } catch {
    return undefined;
  }
}
