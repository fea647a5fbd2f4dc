import { join } from 'node:path';
import { readBytes } from '../../core/bytes';
import { StudioError } from '../../core/errors';
import { parseLfsPointer } from '../../core/formats/lfsPointer';
import { isJsonObject, type JsonObject } from '../../core/json';
import { parseStrictJson } from '../../core/strictJson';
import { openFileSource } from '../files/fileSource';

/** A file of a model folder, whole; undefined when it is not there. */
export interface ReadModelFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes; a longer file is refused with `json/too-large` (or cut, where `cut` is set). */
  readonly limit: number;
  readonly cut?: boolean | undefined;
}

/**
 * Reads a small file of a model folder. Undefined when it does not exist; `input/lfs-pointer` when it was never downloaded;
 * otherwise what {@link openFileSource} throws.
 */
export async function readModelFile(
  directory: string,
  name: string,
  options: ReadModelFileOptions,
): Promise<Uint8Array | undefined> {
  const path = join(directory, name);
  const source = await openFileSource(path, { signal: options.signal }).catch((error: unknown) => {
    if (error instanceof StudioError && error.code === 'input/missing') {
      return undefined;
    }
    throw error;
  });
  if (source === undefined) {
    return undefined;
  }
  try {
    if (source.size > options.limit && options.cut !== true) {
      throw new StudioError(
        'json/too-large',
        `${name} has ${source.size} bytes, more than the ${options.limit} that such a file can have. Check that it is the file that its name says.`,
        { path, detail: { bytes: source.size, limit: options.limit } },
      );
    }
    const bytes = await readBytes(source, 0, Math.min(source.size, options.limit));
    if (parseLfsPointer(bytes, source.size) !== undefined) {
      throw new StudioError(
        'input/lfs-pointer',
        `${name} is a Git LFS pointer: the real file was never downloaded. Run \`git lfs pull\` in the folder, or download the file itself.`,
        { path },
      );
    }
    return bytes;
  } finally {
    await source.close();
  }
}

/** A JSON object of a model folder; undefined when the file is not there, `json/…` when it is no object. */
export async function readModelJson(
  directory: string,
  name: string,
  options: ReadModelFileOptions,
): Promise<JsonObject | undefined> {
  const bytes = await readModelFile(directory, name, options);
  if (bytes === undefined) {
    return undefined;
  }
  return parseModelJson(directory, name, bytes, options.limit);
}

/** A JSON object from the text of a file of a model folder; `json/…` when it is none. */
export function parseModelJson(directory: string, name: string, text: string | Uint8Array, limit: number): JsonObject {
  const path = join(directory, name);
  // Python's json module writes and reads NaN and Infinity.
  const json = parseStrictJson(text, { path, pythonLiterals: true, maxBytes: limit });
  if (!isJsonObject(json)) {
    throw new StudioError('json/syntax', `${name} does not hold a JSON object. Fetch it again.`, { path });
  }
  return json;
}

/** A text of a model folder as UTF-8, invalid bytes replaced; undefined when the file is not there. */
export async function readModelText(
  directory: string,
  name: string,
  options: ReadModelFileOptions,
): Promise<string | undefined> {
  const bytes = await readModelFile(directory, name, options);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
