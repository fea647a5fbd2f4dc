import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import type { GgufByteWriter } from './ggufByteWriter';
import { GGUF_VALUE_TYPES, type GgufArray, type GgufElements, type GgufScalarType, type GgufValue } from './ggufTypes';
import { cutName, quoteName } from '../../quoteName';

const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** Smallest and largest value of each integer type. */
const RANGES = {
  u8: [0, 2 ** 8 - 1],
  i8: [-(2 ** 7), 2 ** 7 - 1],
  u16: [0, 2 ** 16 - 1],
  i16: [-(2 ** 15), 2 ** 15 - 1],
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
} as const;

/** Typed arrays whose bytes stand in the file as they are. */
const TYPED_ARRAYS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
} as const;

/** Writes what follows the type of a value. `key` is named in errors: `gguf/metadata`, `gguf/length`, `gguf/encoding`. */
export function writeGgufValue(writer: GgufByteWriter, key: string, value: GgufValue): void {
  if (value.type === 'array') {
    writeArray(writer, key, value);
  } else {
    writeScalar(writer, key, value.type, value.value);
  }
}

function writeArray(writer: GgufByteWriter, key: string, array: GgufArray): void {
  const { elements, value } = array;
  if (array.skipped !== undefined) {
    throw misfit(key, 'has an array whose contents were not read. Read it with arrays: "keep"');
  }
  if (value.length > LIMITS.gguf.arrayElements) {
    throw new StudioError(
      'gguf/length',
      `The metadata key ${quoteName(key)} has ${value.length} elements; the limit is ${LIMITS.gguf.arrayElements}.`,
      { detail: { key: cutName(key) } },
    );
  }
  writer.u32(GGUF_VALUE_TYPES.indexOf(elements));
  writer.u64(BigInt(value.length));
  const raw = rawBytes(elements, value);
  if (raw !== undefined) {
    writer.bytes(raw);
    return;
  }
  for (const element of value) {
    writeScalar(writer, key, elements, element);
  }
}

function rawBytes(elements: GgufScalarType, value: GgufElements): Uint8Array | undefined {
  if (elements === 'string' || elements === 'bool' || !(value instanceof TYPED_ARRAYS[elements])) {
    return undefined;
  }
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function writeScalar(writer: GgufByteWriter, key: string, type: GgufScalarType, value: unknown): void {
  switch (type) {
    case 'string':
      writeString(writer, key, value);
      break;
    case 'bool':
      writer.u8(fitting(key, type, typeof value === 'boolean', value) === true ? 1 : 0);
      break;
    case 'u64':
      writer.u64(fitting(key, type, typeof value === 'bigint' && value >= 0n && value < 2n ** 64n, value) as bigint);
      break;
    case 'i64':
      writer.i64(
        fitting(key, type, typeof value === 'bigint' && value >= -(2n ** 63n) && value < 2n ** 63n, value) as bigint,
      );
      break;
    case 'f32':
    case 'f64':
      writer[type](fitting(key, type, typeof value === 'number', value) as number);
      break;
    case 'u8':
    case 'i8':
    case 'u16':
    case 'i16':
    case 'u32':
    case 'i32': {
      const [least, most] = RANGES[type];
      writer[type](
        fitting(
          key,
          type,
          Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
          value,
        ) as number,
      );
      break;
    }
  }
}

function writeString(writer: GgufByteWriter, key: string, value: unknown): void {
  if (typeof value !== 'string') {
    throw misfit(key, `has ${String(value)} where a string is needed`);
  }
  if (LONE_SURROGATE.test(value)) {
    throw new StudioError(
      'gguf/encoding',
      `The metadata key ${quoteName(key)} has half a character, which UTF-8 cannot express. Repair the text that it comes from.`,
      { detail: { key: cutName(key) } },
    );
  }
  const written = writer.string(value);
  if (written > LIMITS.gguf.stringBytes) {
    throw new StudioError(
      'gguf/length',
      `The metadata key ${quoteName(key)} has a string of ${written} bytes; the limit is ${LIMITS.gguf.stringBytes}.`,
      { detail: { key: cutName(key) } },
    );
  }
}

function fitting(key: string, type: GgufScalarType, isFit: boolean, value: unknown): unknown {
  if (!isFit) {
    throw misfit(key, `has ${String(value)}, which is no ${type}`);
  }
  return value;
}

function misfit(key: string, what: string): StudioError {
  return new StudioError('gguf/metadata', `The metadata key ${quoteName(key)} ${what}.`, {
    detail: { key: cutName(key) },
  });
}
