import { parseGoBool, parseGoFloat32, parseGoInt } from '../golang/goFloat';
import { DEPRECATED_PARAMETERS, PARAMETERS } from './parameters';

/** The value of a parameter as the create request carries it. */
export type ParameterValue =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'strings'; readonly value: readonly string[] };

export type ParameterResult =
  | { readonly kind: 'value'; readonly value: ParameterValue }
  /** Ollama says that the parameter is deprecated and leaves it out, whatever its value. */
  | { readonly kind: 'deprecated' }
  | { readonly kind: 'error'; readonly error: string };

/** Reads one PARAMETER as `api.FormatParams` does; errors in Go's words. */
export function readParameter(name: string, args: string): ParameterResult {
  if (DEPRECATED_PARAMETERS.has(name)) {
    return { kind: 'deprecated' };
  }
  const info = PARAMETERS.get(name);
  if (info === undefined) {
    return { kind: 'error', error: `unknown parameter '${name}'` };
  }
  if (info.type === 'strings') {
    return { kind: 'value', value: { type: 'strings', value: [args] } };
  }
  const value = readScalar(info.type, args);
  return value === undefined
    ? { kind: 'error', error: `invalid ${info.type} value [${args}]` }
    : { kind: 'value', value };
}

function readScalar(type: 'float' | 'int' | 'bool', args: string): ParameterValue | undefined {
  if (type === 'float') {
    const value = parseGoFloat32(args);
    return value === undefined ? undefined : { type, value };
  }
  if (type === 'int') {
    const value = parseGoInt(args);
    return value === undefined ? undefined : { type, value };
  }
  const value = parseGoBool(args);
  return value === undefined ? undefined : { type, value };
}
