import type { CreateRequest } from './createRequest';
import { shortestFloat32 } from '../golang/goFloat';
import type { ParameterValue } from './parameterValue';

export type MarshalResult =
  { readonly ok: true; readonly json: string } | { readonly ok: false; readonly error: string };

/**
 * The request as Go's `encoding/json` writes it, byte for byte: fields in the order of `api.CreateRequest`, keys of
 * maps in byte order, numbers in Go's spelling. Fails as Go does for a NaN or infinite parameter.
 */
export function marshalCreateRequest(request: CreateRequest): MarshalResult {
  const parameters = request.parameters === undefined ? [] : sorted(request.parameters);
  for (const [, value] of parameters) {
    if (value.type === 'float' && !Number.isFinite(value.value)) {
      return {
        ok: false,
        error: `json: unsupported value: ${Number.isNaN(value.value) ? 'NaN' : value.value > 0 ? '+Inf' : '-Inf'}`,
      };
    }
  }
  const fields: [string, string | undefined][] = [
    ['model', '""'],
    ['from', text(request.from)],
    ['files', textMap(request.files)],
    ['draft_files', textMap(request.draftFiles)],
    ['adapters', textMap(request.adapters)],
    ['template', text(request.template)],
    ['license', request.license === undefined ? undefined : array(request.license.map(string))],
    ['system', text(request.system)],
    [
      'parameters',
      parameters.length === 0 ? undefined : object(parameters.map(([key, value]) => [key, parameter(value)])),
    ],
    ['messages', request.messages === undefined ? undefined : array(request.messages.map(message))],
    ['renderer', text(request.renderer)],
    ['parser', text(request.parser)],
    ['requires', text(request.requires)],
    ['name', '""'],
  ];
  return { ok: true, json: object(fields.filter((field): field is [string, string] => field[1] !== undefined)) };
}

const array = (items: readonly string[]): string => `[${items.join(',')}]`;
const object = (fields: readonly (readonly [string, string])[]): string =>
  `{${fields.map(([key, value]) => `${string(key)}:${value}`).join(',')}}`;

/** Go escapes what could end a script element or a line of JavaScript. */
function string(value: string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `omitempty`: an empty string is left out. */
function text(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : string(value);
}

function textMap(map: ReadonlyMap<string, string> | undefined): string | undefined {
  return map === undefined || map.size === 0
    ? undefined
    : object(sorted(map).map(([key, value]) => [key, string(value)]));
}

function message({ role, content }: { readonly role: string; readonly content: string }): string {
  return object([
    ['role', string(role)],
    ['content', string(content)],
  ]);
}

function parameter(value: ParameterValue): string {
  switch (value.type) {
    case 'strings':
      return array(value.value.map(string));
    case 'float': {
      const shortest = shortestFloat32(value.value);
      return Object.is(shortest, -0) ? '-0' : String(shortest);
    }
    default:
      return String(value.value);
  }
}

/** By the bytes of the keys in UTF-8, which is the order of their code points. */
function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => compareCodePoints(a, b));
}

function compareCodePoints(left: string, right: string): number {
  const a = Array.from(left, (char) => char.codePointAt(0) ?? 0);
  const b = Array.from(right, (char) => char.codePointAt(0) ?? 0);
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const order = (a[i] ?? 0) - (b[i] ?? 0);
    if (order !== 0) {
      return order;
    }
  }
  return a.length - b.length;
}
