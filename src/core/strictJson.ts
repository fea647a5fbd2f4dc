import { StudioError } from './errors';
import type { Json } from './json';
import { JsonScanner, type JsonScannerOptions } from './jsonScanner';
import { LIMITS } from './limits';

export interface StrictJsonOptions extends JsonScannerOptions {
  /** Refuses longer texts; {@link LIMITS.json.tokenizerBytes} unless given. Characters count for strings, bytes for bytes. */
  readonly maxBytes?: number | undefined;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses JSON as strictly as the artefacts of others must be parsed: the same key twice in an object is refused
 * (`json/duplicate-key`, escapes resolved), as are invalid UTF-8, nesting without end and anything that is not JSON
 * (`json/syntax`, with `line`). Objects come without a prototype. One byte order mark at the start is skipped.
 * As fast as `JSON.parse`.
 */
export function parseStrictJson(text: string | Uint8Array, options: StrictJsonOptions = {}): Json {
  const scanner = strictScanner(text, options);
  const value = scanner.value();
  scanner.end();
  return value;
}

/** A scanner over the text, for formats that take it apart themselves; refuses what is too long or no UTF-8. */
export function strictScanner(text: string | Uint8Array, options: StrictJsonOptions = {}): JsonScanner {
  const limit = options.maxBytes ?? LIMITS.json.tokenizerBytes;
  if (text.length > limit) {
    throw new StudioError(
      'json/too-large',
      `The JSON file has ${text.length} bytes, more than the ${limit} that such a file can have. Check that it is the file that its name says.`,
      {
        path: options.path,
        detail: { bytes: text.length, limit },
      },
    );
  }
  const decoded = typeof text === 'string' ? text : decode(text, options.path);
  return new JsonScanner(decoded.startsWith('\uFEFF') ? decoded.slice(1) : decoded, options);
}

function decode(bytes: Uint8Array, path: string | undefined): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new StudioError('json/syntax', 'The JSON file is not valid UTF-8. Save it as UTF-8 or fetch it again.', {
      path,
      cause,
    });
  }
}
