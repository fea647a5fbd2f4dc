import { resolveOllamaAddress } from '../../../src/core/ollama/ollamaAddress';
import { requiresVersion } from '../../../src/core/golang/semver';
import { isDiagnosticCode, type DiagnosticCode } from '../../../src/core/modelfile/diagnosticCodes';
import { SEVERITIES, type Severity } from '../../../src/core/modelfile/diagnostics/diagnosticInfo';

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
  return {
    severities: readSeverities(record(record(root['diagnostics'])['severity'])),
    ollamaHost: ollama['enabled'] === false ? undefined : hostUrl(text(ollama['host']), environmentHost),
    ollamaVersion: version(text(ollama['version'])),
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

/** A version that is none would make every comparison senseless: it is as if it were not set. */
function version(value: string | undefined): string | undefined {
  return value === undefined ? undefined : requiresVersion(value);
}

/** The address to ask; undefined for what cannot be one. */
function hostUrl(setting: string | undefined, environment: string | undefined): string | undefined {
  try {
    return resolveOllamaAddress({ setting, environment }).url;
  } catch {
    return undefined;
  }
}
