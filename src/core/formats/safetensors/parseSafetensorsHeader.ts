import { StudioError } from '../../errors';
import { JsonScanner } from '../../jsonScanner';
import { LIMITS } from '../../limits';
import { SAFETENSORS_DTYPES, type SafetensorsDtype } from '../tensorRef';
import { cutName, quoteName } from '../../quoteName';

/** One tensor of the header; `begin` and `end` count from the start of the data. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface ParsedSafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the header, each with a span that fits its dtype and shape. */
  readonly entries: readonly SafetensorsEntry[];
}

const SPACE = 0x20;
const CLOSE_BRACE = 0x7d;
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a safetensors header apart without building its JSON: a header of 99 MB has over a million tensors.
 * `safetensors/header` when it is not the JSON that the format demands (UTF-8, `{` to `}` and then spaces only, no
 * key twice, `__metadata__` of strings), `safetensors/tensor` when an entry's dtype, shape and span do not fit.
 */
export function parseSafetensorsHeader(bytes: Uint8Array): ParsedSafetensorsHeader {
  const scanner = new JsonScanner(decode(bytes));
  let metadata: ReadonlyMap<string, string> = new Map();
  const entries: SafetensorsEntry[] = [];
  try {
    scanner.object((name) => {
      if (name === '__metadata__') {
        metadata = readMetadata(scanner);
      } else {
        entries.push(readEntry(scanner, name));
      }
    });
    scanner.end();
  } catch (error) {
    throw error instanceof StudioError && error.code.startsWith('json/')
      ? headerError(error.message, error, '')
      : error;
  }
  return { metadata, entries };
}

function decode(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === SPACE) {
    end--;
  }
  if (bytes[end - 1] !== CLOSE_BRACE) {
    throw headerError('The header does not end with "}" and spaces.');
  }
  try {
    return UTF8.decode(bytes.subarray(0, end));
  } catch (cause) {
    throw headerError('The header is not valid UTF-8.', cause);
  }
}

function headerError(what: string, cause?: unknown, advice = ' Fetch or save the file again.'): StudioError {
  return new StudioError(
    'safetensors/header',
    `The header of the safetensors file is not what the format demands. ${what}${advice}`,
    { cause },
  );
}

function readMetadata(scanner: JsonScanner): Map<string, string> {
  const metadata = new Map<string, string>();
  if (scanner.peek() !== OPEN_BRACE) {
    // mlx writes null where it has none, and the reference implementation takes it.
    if (scanner.value() !== null) {
      throw headerError('__metadata__ is no object.');
    }
    return metadata;
  }
  scanner.object((key) => {
    if (scanner.peek() !== QUOTE) {
      throw headerError(`The entry ${quoteName(key)} of __metadata__ is no string.`);
    }
    metadata.set(key, scanner.string());
  });
  return metadata;
}

function readEntry(scanner: JsonScanner, name: string): SafetensorsEntry {
  let dtype: SafetensorsDtype | undefined;
  let shape: readonly number[] | undefined;
  let span: readonly number[] | undefined;
  scanner.object((key) => {
    switch (key) {
      case 'dtype':
        dtype = readDtype(scanner, name);
        break;
      case 'shape':
        shape = readIntegers(scanner, name, 'shape', LIMITS.safetensors.dimensions);
        break;
      case 'data_offsets':
        span = readIntegers(scanner, name, 'data_offsets', 2);
        break;
      default:
        // The reference implementation ignores fields that it does not know.
        scanner.value();
    }
  });
  if (dtype === undefined || shape === undefined || span === undefined) {
    throw tensorError(name, 'lacks dtype, shape or data_offsets');
  }
  const [begin, end] = span;
  if (begin === undefined || end === undefined || end < begin) {
    throw tensorError(name, `has the data_offsets [${span.join(', ')}], which are no span`);
  }
  checkSpan(name, dtype, shape, end - begin);
  return { name, dtype, shape, begin, end };
}

function readDtype(scanner: JsonScanner, name: string): SafetensorsDtype {
  const dtype = scanner.peek() === QUOTE ? scanner.string() : undefined;
  if (dtype === undefined || !Object.hasOwn(SAFETENSORS_DTYPES, dtype)) {
    throw tensorError(
      name,
      `has ${dtype === undefined ? 'a dtype that is no string' : `the unknown dtype ${quoteName(dtype)}`}`,
    );
  }
  return dtype as SafetensorsDtype;
}

function readIntegers(scanner: JsonScanner, name: string, field: string, limit: number): number[] {
  const integers: number[] = [];
  if (scanner.peek() !== OPEN_BRACKET) {
    throw tensorError(name, `has a ${field} that is no array`);
  }
  scanner.array(() => {
    const integer = scanner.unsigned();
    if (integer === undefined) {
      throw tensorError(name, `has something in its ${field} that is no integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
    }
    if (integers.push(integer) > limit) {
      throw tensorError(name, `has more than ${limit} numbers in its ${field}`);
    }
  });
  return integers;
}

/** Shape x dtype must be the span, in whole bytes and exact integers. */
function checkSpan(name: string, dtype: SafetensorsDtype, shape: readonly number[], bytes: number): void {
  // Products of integers are exact as long as they are safe ones; beyond, only bigint tells.
  const quick = shape.reduce((product, dimension) => product * dimension, SAFETENSORS_DTYPES[dtype]);
  if (Number.isSafeInteger(quick) && quick === bytes * 8) {
    return;
  }
  const bits = shape.reduce((product, dimension) => product * BigInt(dimension), BigInt(SAFETENSORS_DTYPES[dtype]));
  if (bits % 8n !== 0n) {
    throw tensorError(name, `of dtype ${dtype} and shape [${shape.join(', ')}] does not end on a whole byte`);
  }
  if (bits / 8n !== BigInt(bytes)) {
    throw tensorError(
      name,
      `of dtype ${dtype} and shape [${shape.join(', ')}] needs ${bits / 8n} bytes, but spans ${bytes}`,
    );
  }
}

function tensorError(name: string, what: string): StudioError {
  return new StudioError(
    'safetensors/tensor',
    `Tensor ${quoteName(name)} ${what}. The file is damaged, or newer than this program: fetch or save it again.`,
    {
      detail: { name: cutName(name) },
    },
  );
}
