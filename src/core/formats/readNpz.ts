import { readBytes, type ByteSource } from '../bytes';
import { StudioError, throwIfAborted } from '../errors';
import { LIMITS } from '../limits';
import { quoteName } from '../quoteName';
import { elementCount, SAFETENSORS_DTYPES, type SafetensorsDtype, type TensorRef } from './tensorRef';
import { listZipEntries, storedZipEntryStart, type ZipEntry } from './zipDirectory';

/** Element types as arrays of NumPy name them; mlx stores bfloat16 as two bytes without a meaning. */
const DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  '<f4': 'F32',
  '<f2': 'F16',
  '<f8': 'F64',
  '<V2': 'BF16',
  '|V2': 'BF16',
  '|u1': 'U8',
  '<u4': 'U32',
  '<i4': 'I32',
  '<i8': 'I64',
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** A header names type, order and shape: a few hundred bytes. */
const LONGEST_HEADER = 65_536;

/**
 * The arrays of an `.npz` (a zip of NumPy's `.npy`, as mlx's `savez` writes it: not packed), by name, ready to be read by range.
 * @param path as it can be opened
 * @throws StudioError input/unrecognised for a damaged archive, packed arrays, or arrays of other types or orders
 */
export async function readNpz(
  source: ByteSource,
  options: { readonly path: string; readonly signal?: AbortSignal | undefined },
): Promise<Map<string, TensorRef>> {
  const { entries, isComplete } = await listZipEntries(source);
  if (!isComplete) {
    throw refused(options.path, `it holds more than ${LIMITS.zip.entries} arrays`);
  }
  const tensors = new Map<string, TensorRef>();
  for (const entry of entries) {
    throwIfAborted(options.signal);
    const name = entry.name.replace(/\.npy$/, '');
    if (tensors.has(name)) {
      throw refused(options.path, `${quoteName(name)} stands in it twice`);
    }
    tensors.set(name, await readArray(source, entry, name, options.path));
  }
  return tensors;
}

async function readArray(source: ByteSource, entry: ZipEntry, name: string, path: string): Promise<TensorRef> {
  const start = await storedZipEntryStart(source, entry);
  if (start === undefined) {
    throw refused(path, `${quoteName(name)} is packed or damaged`);
  }
  const head = await readBytes(source, start, Math.min(12, entry.bytes));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 12 || MAGIC.some((byte, index) => head[index] !== byte)) {
    throw refused(path, `${quoteName(name)} is no array of NumPy`);
  }
  // Version 1 has a length of two bytes, later ones of four.
  const [prefix, length] = head[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (length > LONGEST_HEADER || prefix + length > entry.bytes) {
    throw refused(path, `the header of ${quoteName(name)} does not fit it`);
  }
  const header = new TextDecoder('latin1').decode(await readBytes(source, start + prefix, length));
  const { dtype, shape } = readHeader(header, name, path);
  const bytes = (elementCount(shape) * SAFETENSORS_DTYPES[dtype]) / 8;
  if (prefix + length + bytes !== entry.bytes) {
    throw refused(path, `${quoteName(name)} has not as many values as its shape [${shape.join(', ')}] says`);
  }
  return { name, dtype, shape, file: path, offset: start + prefix + length, bytes };
}

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (8, 256), }` */
function readHeader(
  header: string,
  name: string,
  path: string,
): { readonly dtype: SafetensorsDtype; readonly shape: readonly number[] } {
  const descr = /'descr':\s*'([^']{1,8})'/.exec(header)?.[1] ?? '';
  const isRowMajor = /'fortran_order':\s*False\b/.test(header);
  const shape = (/'shape':\s*\(([\d,\s]{0,400})\)/.exec(header)?.[1] ?? '?')
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number);
  const dtype = Object.hasOwn(DTYPES, descr) ? DTYPES[descr] : undefined;
  if (
    dtype === undefined ||
    !isRowMajor ||
    shape.length > LIMITS.safetensors.dimensions ||
    !Number.isSafeInteger(elementCount(shape))
  ) {
    throw refused(path, `${quoteName(name)} is stored in a way that is not read (${quoteName(header.trim())})`);
  }
  return { dtype, shape };
}

function refused(path: string, what: string): StudioError {
  return new StudioError(
    'input/unrecognised',
    `${path} cannot be read: ${what}. Save it as safetensors where mlx is installed: python -c "import mlx.core as mx; mx.save_safetensors('adapters.safetensors', mx.load('adapters.npz'))".`,
    { path },
  );
}
