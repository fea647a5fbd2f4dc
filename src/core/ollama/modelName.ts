/** The name of a model: `host/namespace/model:tag`, with what is not written filled in. */
export interface ModelName {
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
}

const DEFAULTS: ModelName = { host: 'registry.ollama.ai', namespace: 'library', model: '', tag: 'latest' };
/** Stands for a part that a separator promises and that is not there; no valid part. */
const MISSING = '!MISSING!';

function cutLast(text: string, separator: string): readonly [before: string, after: string] | undefined {
  const at = text.lastIndexOf(separator);
  return at < 0 ? undefined : [text.slice(0, at) || MISSING, text.slice(at + 1) || MISSING];
}

/**
 * Reads a model name by the rules of Ollama's `types/model` (ParseName and IsValid); undefined where it is none.
 * A scheme before the host (`https://`) is taken off.
 */
export function parseModelName(text: string): ModelName | undefined {
  let rest = text;
  let tag = '';
  if (rest.lastIndexOf(':') > rest.lastIndexOf('/')) {
    [rest, tag] = cutLast(rest, ':') ?? [rest, ''];
  }
  const parts: string[] = [];
  for (let cut = cutLast(rest, '/'); cut !== undefined && parts.length < 2; cut = cutLast(rest, '/')) {
    parts.unshift(cut[1]);
    rest = cut[0];
  }
  // What is left of the last cut is the foremost part that was written.
  const [model = '', namespace = '', host = ''] = [rest, ...parts].reverse();
  const name = {
    host: (host.includes('://') ? host.slice(host.indexOf('://') + 3) : host) || DEFAULTS.host,
    namespace: namespace || DEFAULTS.namespace,
    model,
    tag: tag || DEFAULTS.tag,
  };
  return isValid(name) ? name : undefined;
}

function isValid({ host, namespace, model, tag }: ModelName): boolean {
  return (
    /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}$/.test(host) &&
    /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}$/.test(namespace) &&
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/.test(model) &&
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/.test(tag)
  );
}

/** How lists print it: host and namespace only where they are not the usual ones. */
export function shortModelName({ host, namespace, model, tag }: ModelName): string {
  if (host.toLowerCase() !== DEFAULTS.host) {
    return `${host}/${namespace}/${model}:${tag}`;
  }
  return namespace.toLowerCase() === DEFAULTS.namespace ? `${model}:${tag}` : `${namespace}/${model}:${tag}`;
}

/** Names are the same in any case. */
export function sameModelName(a: ModelName, b: ModelName): boolean {
  const text = (name: ModelName): string => `${name.host}/${name.namespace}/${name.model}:${name.tag}`.toLowerCase();
  return text(a) === text(b);
}

/**
 * The name that a FROM means: `:cloud`, `:local` and `-cloud` at its end say where the model runs and are no part of
 * it. Undefined where Ollama answers "invalid model name".
 */
export function parseModelReference(text: string): { readonly name: ModelName; readonly isCloud: boolean } | undefined {
  const trimmed = text.trim();
  const source = sourceSuffix(trimmed);
  if (source !== undefined && sourceSuffix(source.base) !== undefined) {
    return undefined;
  }
  const name = parseModelName(source?.base ?? trimmed);
  return name === undefined ? undefined : { name, isCloud: source?.isCloud === true };
}

function sourceSuffix(text: string): { readonly base: string; readonly isCloud: boolean } | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 0) {
    return undefined;
  }
  const suffix = text.slice(colon + 1).trim();
  const lower = suffix.toLowerCase();
  if (lower === 'cloud' || lower === 'local') {
    return { base: text.slice(0, colon), isCloud: lower === 'cloud' };
  }
  return !suffix.includes('/') && lower.endsWith('-cloud')
    ? { base: text.slice(0, colon + 1) + suffix.slice(0, -6), isCloud: true }
    : undefined;
}
