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

/** Undefined when the object is no build record. */
export function readBuildRecord(json: Json): BuildRecord | undefined {
  if (!isJsonObject(json) || typeof json['format'] !== 'string' || !FORMAT.test(json['format'])) {
    return undefined;
  }
  const base = isJsonObject(json['base']) ? json['base']['path'] : undefined;
  const output = isJsonObject(json['output']) ? json['output'] : {};
  return {
    base: typeof base === 'string' ? base : '',
    adapters: objects(json['adapters']).flatMap((adapter) =>
      typeof adapter['path'] === 'string'
        ? [{ path: adapter['path'], weight: typeof adapter['weight'] === 'number' ? adapter['weight'] : 1 }]
        : [],
    ),
    type: typeof output['type'] === 'string' ? output['type'] : undefined,
    bytes: typeof output['bytes'] === 'number' ? output['bytes'] : undefined,
    inputs: objects(json['inputs']).flatMap(readInput),
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
