import { isJsonObject, type Json, type JsonObject } from '../json';

/** The first line of a build record. */
const FORMAT = /^modelfile-studio build \d+$/;

/** `NAME.build.json` beside a GGUF or a merged folder, as far as lineage needs it. */
export interface BuildRecord {
  readonly base: string;
  readonly adapters: readonly { readonly path: string; readonly weight: number }[];
  readonly type?: string | undefined;
  readonly bytes?: number | undefined;
  readonly inputs: readonly RecordedInput[];
}

/** One file that was read, as it was then. */
export interface RecordedInput {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** Roots of POSIX and Windows, and the names of installed models. */
const ABSOLUTE = /^(?:[\\/]|[A-Za-z]:[\\/]|ollama:)/;

/**
 * Undefined when the object is no build record. Records name paths from their own folder; older ones named them as the user did, so that
 * what a relative one of theirs meant is not known any more: such inputs are left out.
 * @param pathOf a path below the folder of the record
 */
export function readBuildRecord(json: Json, pathOf: (path: string) => string): BuildRecord | undefined {
  if (!isJsonObject(json) || typeof json['format'] !== 'string' || !FORMAT.test(json['format'])) {
    return undefined;
  }
  const base = isJsonObject(json['base']) ? json['base']['path'] : undefined;
  const output = isJsonObject(json['output']) ? json['output'] : {};
  const isOwn = json['pathsFrom'] === 'record';
  const resolved = (path: string): string => (isOwn && !ABSOLUTE.test(path) ? withoutSteps(pathOf(path)) : path);
  return {
    base: typeof base === 'string' ? resolved(base) : '',
    adapters: objects(json['adapters']).flatMap((adapter) =>
      typeof adapter['path'] === 'string'
        ? [{ path: resolved(adapter['path']), weight: typeof adapter['weight'] === 'number' ? adapter['weight'] : 1 }]
        : [],
    ),
    type: typeof output['type'] === 'string' ? output['type'] : undefined,
    bytes: typeof output['bytes'] === 'number' ? output['bytes'] : undefined,
    inputs: objects(json['inputs'])
      .flatMap(readInput)
      .filter(({ path }) => isOwn || ABSOLUTE.test(path))
      .map((input) => ({ ...input, path: resolved(input.path) })),
  };
}

function readInput(input: JsonObject): RecordedInput[] {
  const { path, size, modified } = input;
  if (
    typeof path !== 'string' ||
    typeof size !== 'number' ||
    typeof modified !== 'string' ||
    !/^\d{1,20}$/.test(modified)
  ) {
    return [];
  }
  return [{ path, size, modified: Number(BigInt(modified) / 1_000_000n) }];
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}

/** The path without its steps up (`work/out/../base`), as far as they can be taken. */
function withoutSteps(path: string): string {
  const taken: string[] = [];
  for (const part of path.split(/[\\/]/)) {
    const last = taken.at(-1);
    if (part === '..' && last !== undefined && !/^(?:|\.{1,2}|[A-Za-z]:)$/.test(last)) {
      taken.pop();
    } else if (part === '..' && last === '.') {
      taken.splice(-1, 1, part);
    } else if (part !== '.' || taken.length === 0) {
      taken.push(part);
    }
  }
  return taken.join(path.includes('\\') ? '\\' : '/');
}
