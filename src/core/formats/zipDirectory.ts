import { readBytes, toSafeNumber, type ByteSource } from '../bytes';
import { StudioError } from '../errors';
import { LIMITS } from '../limits';

/** One entry of a zip archive's central directory. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes as they stand in the archive, and unpacked, as announced. */
  readonly storedBytes: number;
  readonly bytes: number;
  /** 0 is stored; anything else is packed, and never unpacked here. */
  readonly method: number;
  readonly isEncrypted: boolean;
  /** Offset of the local header. */
  readonly headerOffset: number;
}

export interface ZipListing {
  /** At most {@link LIMITS.zip.entries}, in the order of the directory. */
  readonly entries: readonly ZipEntry[];
  /** As the archive announces them. */
  readonly entryCount: number;
  /** Whether all announced entries were listed. */
  readonly isComplete: boolean;
}

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const END64_LOCATOR_SIGNATURE = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** In 32-bit fields: the value stands in the zip64 extra field. */
const IN_ZIP64 = 0xffffffff;
const ZIP64_FIELD = 1;

/**
 * Lists a zip archive (PKWARE APPNOTE 4.3) from its central directory; nothing is unpacked. PyTorch's archives are
 * listed so that people see what is in them. `input/unrecognised` when the directory cannot be read.
 */
export async function listZipEntries(source: ByteSource): Promise<ZipListing> {
  const { entryCount, offset, bytes } = await findDirectory(source);
  if (offset + bytes > source.size || entryCount * ENTRY_BYTES > bytes) {
    throw damaged('its directory does not lie within the file');
  }
  const read = Math.min(bytes, LIMITS.zip.directoryBytes);
  const directory = await readBytes(source, offset, read);
  const view = viewOf(directory);
  const entries: ZipEntry[] = [];
  let at = 0;
  while (entries.length < Math.min(entryCount, LIMITS.zip.entries)) {
    const size = entrySize(view, at);
    if (size === undefined) {
      break;
    }
    entries.push(readEntry(directory, view, at));
    at += size;
  }
  if (entries.length < entryCount && entries.length < LIMITS.zip.entries && read === bytes) {
    throw damaged(`its directory ends after ${entries.length} of ${entryCount} entries`);
  }
  return { entries, entryCount, isComplete: entries.length === entryCount };
}

/**
 * Where the bytes of a stored entry begin in the archive; undefined when it is packed or encrypted, when its local
 * header disagrees with the directory, or when it does not lie within the file.
 */
export async function storedZipEntryStart(source: ByteSource, entry: ZipEntry): Promise<number | undefined> {
  if (
    entry.method !== 0 ||
    entry.isEncrypted ||
    entry.storedBytes !== entry.bytes ||
    entry.headerOffset + LOCAL_BYTES > source.size
  ) {
    return undefined;
  }
  const header = viewOf(await readBytes(source, entry.headerOffset, LOCAL_BYTES));
  const nameBytes = header.getUint16(26, true);
  const start = entry.headerOffset + LOCAL_BYTES + nameBytes + header.getUint16(28, true);
  if (
    header.getUint32(0, true) !== LOCAL_SIGNATURE ||
    header.getUint16(8, true) !== 0 ||
    start + entry.bytes > source.size
  ) {
    return undefined;
  }
  const name = latin1(await readBytes(source, entry.headerOffset + LOCAL_BYTES, nameBytes));
  return name === entry.name ? start : undefined;
}

/** The bytes of a stored entry as a source of their own; undefined where {@link storedZipEntryStart} is. */
export async function storedZipEntry(source: ByteSource, entry: ZipEntry): Promise<ByteSource | undefined> {
  const start = await storedZipEntryStart(source, entry);
  return start === undefined
    ? undefined
    : {
        size: entry.bytes,
        read: (offset, target) => source.read(start + offset, target.subarray(0, Math.max(0, entry.bytes - offset))),
      };
}

async function findDirectory(source: ByteSource): Promise<{ entryCount: number; offset: number; bytes: number }> {
  const tailBytes = Math.min(source.size, END_BYTES + LONGEST_COMMENT + END64_LOCATOR_BYTES);
  const tailStart = source.size - tailBytes;
  const tail = viewOf(await readBytes(source, tailStart, tailBytes));
  let at = tailBytes - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END_SIGNATURE) {
    at--;
  }
  if (at < 0) {
    throw damaged('it has no directory: it is probably cut short');
  }
  const locator = at - END64_LOCATOR_BYTES;
  if (locator >= 0 && tail.getUint32(locator, true) === END64_LOCATOR_SIGNATURE) {
    return readEnd64(source, tail.getBigUint64(locator + 8, true));
  }
  return {
    entryCount: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
}

async function readEnd64(
  source: ByteSource,
  announced: bigint,
): Promise<{ entryCount: number; offset: number; bytes: number }> {
  const start = toSafeNumber(announced, source.size - END64_BYTES);
  const end = start === undefined ? undefined : viewOf(await readBytes(source, start, END64_BYTES));
  const entryCount = toSafeNumber(end?.getBigUint64(32, true) ?? -1n);
  const bytes = toSafeNumber(end?.getBigUint64(40, true) ?? -1n);
  const offset = toSafeNumber(end?.getBigUint64(48, true) ?? -1n);
  if (
    end?.getUint32(0, true) !== END64_SIGNATURE ||
    entryCount === undefined ||
    bytes === undefined ||
    offset === undefined
  ) {
    throw damaged('its 64-bit directory cannot be found');
  }
  return { entryCount, offset, bytes };
}

/** Bytes of the entry at `at`; undefined when no whole entry stands there. */
function entrySize(view: DataView, at: number): number | undefined {
  if (at + ENTRY_BYTES > view.byteLength || view.getUint32(at, true) !== ENTRY_SIGNATURE) {
    return undefined;
  }
  const size =
    ENTRY_BYTES + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  return at + size > view.byteLength ? undefined : size;
}

function readEntry(directory: Uint8Array, view: DataView, at: number): ZipEntry {
  const nameEnd = at + ENTRY_BYTES + view.getUint16(at + 28, true);
  const extra = viewOf(directory.subarray(nameEnd, nameEnd + view.getUint16(at + 30, true)));
  const [bytes, storedBytes, headerOffset] = wideFields(extra, [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ]);
  return {
    name: latin1(directory.subarray(at + ENTRY_BYTES, nameEnd)),
    bytes: bytes!,
    storedBytes: storedBytes!,
    headerOffset: headerOffset!,
    method: view.getUint16(at + 10, true),
    isEncrypted: view.getUint16(at + 8, true) % 2 === 1,
  };
}

/** The fields, those that are too large for 32 bits taken in order from the zip64 extra field (APPNOTE 4.5.3). */
function wideFields(extra: DataView, fields: readonly number[]): number[] {
  let at = 0;
  while (at + 4 <= extra.byteLength && extra.getUint16(at, true) !== ZIP64_FIELD) {
    at += 4 + extra.getUint16(at + 2, true);
  }
  at += 4;
  return fields.map((field) => {
    if (field !== IN_ZIP64 || at + 8 > extra.byteLength) {
      return field;
    }
    at += 8;
    return toSafeNumber(extra.getBigUint64(at - 8, true)) ?? Number.MAX_SAFE_INTEGER;
  });
}

function damaged(what: string): StudioError {
  return new StudioError('input/unrecognised', `The zip archive cannot be listed: ${what}. Fetch the file again.`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Names are compared and shown, never used as paths: one character a byte is enough. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}
