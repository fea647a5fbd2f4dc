import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import type { GgufCursor } from './ggufCursor';
import { GGUF_VALUE_TYPES, type GgufScalarType, type GgufValue } from './ggufTypes';
import { checkHeaderBudget, decodeGgufText, readGgufArray, type GgufArrayOptions } from './readGgufArray';
import { cutName, quoteName } from '../../quoteName';

/** Length, one byte of key, type, one byte of value. */
export const SMALLEST_PAIR_BYTES = 14;

/** `count` key-value pairs in file order; the caller has bounded `count` by what remains. */
export async function readGgufMetadata(
  cursor: GgufCursor,
  count: number,
  options: GgufArrayOptions,
): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let index = 0; index < count; index++) {
    const key = await readGgufKey(cursor, index);
    if (metadata.has(key)) {
      throw keyError(`The key ${quoteName(key)} stands in the GGUF twice`, { key: cutName(key) });
    }
    metadata.set(key, await readGgufValue(cursor, key, options));
    checkHeaderBudget(cursor, 0);
  }
  return metadata;
}

/** The key at the cursor, the `index`-th of the file; `gguf/key` or `gguf/length` when it is none. */
export async function readGgufKey(cursor: GgufCursor, index: number): Promise<string> {
  const what = `key ${index}`;
  const bytes = await readStringBytes(cursor, what, LIMITS.gguf.keyBytes);
  if (bytes.length === 0) {
    throw keyError(`Key ${index} of the GGUF is empty`, { index });
  }
  if (bytes.includes(0)) {
    throw keyError(`Key ${index} of the GGUF has a NUL character`, { index });
  }
  return decodeGgufText(bytes, what);
}

function keyError(what: string, detail: Readonly<Record<string, unknown>>): StudioError {
  return new StudioError('gguf/key', `${what}. No sound converter writes such a file: convert the model again.`, {
    detail,
  });
}

/** The typed value that follows `key`. */
export async function readGgufValue(cursor: GgufCursor, key: string, options: GgufArrayOptions): Promise<GgufValue> {
  const name = quoteName(key);
  await cursor.ensure(12);
  const type = valueType(cursor, name);
  if (type !== 'array') {
    return readScalar(cursor, type, name, options);
  }
  const elements = valueType(cursor, name);
  if (elements === 'array') {
    throw typeError(cursor, `The key ${name} has an array of arrays`);
  }
  return readGgufArray(cursor, name, elements, options);
}

function valueType(cursor: GgufCursor, name: string): GgufScalarType | 'array' {
  const id = cursor.u32(`the type of ${name}`);
  const type = GGUF_VALUE_TYPES[id];
  if (type === undefined) {
    throw typeError(cursor, `The key ${name} has the unknown value type ${id}`);
  }
  return type;
}

function typeError(cursor: GgufCursor, what: string): StudioError {
  return new StudioError(
    'gguf/type',
    `${what}, before byte ${cursor.position}. No version of the format that is read here has that: the file is damaged, or newer than this program.`,
    {
      detail: { offset: cursor.position },
    },
  );
}

async function readScalar(
  cursor: GgufCursor,
  type: GgufScalarType,
  name: string,
  options: GgufArrayOptions,
): Promise<GgufValue> {
  if (type === 'string') {
    const bytes = await readStringBytes(cursor, `the value of ${name}`, LIMITS.gguf.stringBytes);
    return { type, value: decodeGgufText(bytes, `the value of ${name}`, options.onProblem) };
  }
  await cursor.ensure(8);
  const what = `the value of ${name}`;
  switch (type) {
    case 'u64':
      return { type, value: cursor.u64(what) };
    case 'i64':
      return { type, value: cursor.i64(what) };
    case 'bool':
      return { type, value: cursor.u8(what) !== 0 };
    case 'u8':
    case 'i8':
    case 'u16':
    case 'i16':
    case 'u32':
    case 'i32':
    case 'f32':
    case 'f64':
      return { type, value: cursor[type](what) };
  }
}

/** A length and so many bytes; `gguf/length` beyond `limit` or the file. */
async function readStringBytes(cursor: GgufCursor, what: string, limit: number): Promise<Uint8Array> {
  await cursor.ensure(8);
  const offset = cursor.position;
  const length = cursor.u64(what);
  if (length > BigInt(limit) || length > BigInt(cursor.remaining)) {
    throw new StudioError(
      'gguf/length',
      `The length of ${what}, at byte ${offset}, is ${length}; ${cursor.remaining} bytes remain in the file and the limit is ${limit}. The file is damaged or cut short: fetch it again.`,
      {
        detail: { offset, length: length.toString(), remaining: cursor.remaining, limit },
      },
    );
  }
  await cursor.ensure(Number(length));
  return cursor.bytes(Number(length), what);
}
