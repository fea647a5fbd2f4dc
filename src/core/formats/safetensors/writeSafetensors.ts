import { alignUp } from '../../bytes';
import { StudioError } from '../../errors';
import { LIMITS } from '../../limits';
import { SAFETENSORS_DTYPES, type SafetensorsDtype } from '../tensorRef';
import type { SafetensorsTensor } from './safetensorsTypes';
import { cutName, quoteName } from '../../quoteName';

export interface SafetensorsTensorInput {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  /** Slowest dimension first. */
  readonly shape: readonly number[];
}

export interface EncodedSafetensorsHeader {
  /** The file up to the first byte of tensor data. */
  readonly header: Uint8Array;
  /** In the order given, which is the order of the data. */
  readonly tensors: readonly SafetensorsTensor[];
  readonly fileBytes: number;
}

const LENGTH_BYTES = 8;
const SPACE = 0x20;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/**
 * Encodes the header of a safetensors file and places its tensors one after the other, in the order given. The
 * header is padded with spaces so that the data begins at a multiple of 8, as the reference writer does. Whatever
 * the strict reader would refuse is refused here, with the same codes.
 */
export function encodeSafetensorsHeader(
  inputs: readonly SafetensorsTensorInput[],
  metadata?: ReadonlyMap<string, string>,
): EncodedSafetensorsHeader {
  const placed = placeTensors(inputs);
  const members = placed.map(
    ({ name, dtype, shape, begin, end }) =>
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
  );
  if (metadata !== undefined && metadata.size > 0) {
    members.unshift(`"__metadata__":${encodeMetadata(metadata)}`);
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const header = new Uint8Array(alignUp(LENGTH_BYTES + json.length, LENGTH_BYTES)).fill(SPACE);
  if (header.length - LENGTH_BYTES > LIMITS.safetensors.headerBytes) {
    throw new StudioError(
      'safetensors/header-size',
      `The header would have ${header.length} bytes; the format allows ${LIMITS.safetensors.headerBytes}. Write the tensors to several files.`,
    );
  }
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - LENGTH_BYTES), true);
  header.set(json, LENGTH_BYTES);
  const tensors = placed.map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    shape,
    offset: header.length + begin,
    bytes: end - begin,
  }));
  return { header, tensors, fileBytes: header.length + (placed.at(-1)?.end ?? 0) };
}

function encodeMetadata(metadata: ReadonlyMap<string, string>): string {
  const members = [...metadata].map(([key, value]) => {
    if (LONE_SURROGATE.test(key) || LONE_SURROGATE.test(value)) {
      throw new StudioError(
        'safetensors/header',
        `The metadata entry ${quoteName(key)} has half a character, which UTF-8 cannot express.`,
      );
    }
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
  return `{${members.join(',')}}`;
}

function placeTensors(
  inputs: readonly SafetensorsTensorInput[],
): (SafetensorsTensorInput & { begin: number; end: number })[] {
  const names = new Set(['__metadata__']);
  let end = 0;
  return inputs.map(({ name, dtype, shape }) => {
    if (names.has(name) || LONE_SURROGATE.test(name)) {
      throw new StudioError(
        'safetensors/header',
        `The tensor name ${quoteName(name)} cannot be written: it is given twice, reserved or no valid text.`,
        { detail: { name: cutName(name) } },
      );
    }
    names.add(name);
    const begin = end;
    end += byteLength(name, dtype, shape);
    if (!Number.isSafeInteger(end)) {
      throw new StudioError(
        'safetensors/tensor',
        `The tensors up to ${quoteName(name)} are larger together than any file can be.`,
        { detail: { name: cutName(name) } },
      );
    }
    return { name, dtype, shape, begin, end };
  });
}

function byteLength(name: string, dtype: SafetensorsDtype, shape: readonly number[]): number {
  const isShape =
    shape.length <= LIMITS.safetensors.dimensions &&
    shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  const bits = isShape
    ? shape.reduce((product, dimension) => product * BigInt(dimension), BigInt(SAFETENSORS_DTYPES[dtype]))
    : 1n;
  if (bits % 8n !== 0n || bits / 8n > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new StudioError(
      'safetensors/tensor',
      `Tensor ${quoteName(name)} of dtype ${dtype} and shape [${shape.join(', ')}] cannot be written: its bytes are not whole, or too many.`,
      { detail: { name: cutName(name), shape } },
    );
  }
  return Number(bits / 8n);
}
