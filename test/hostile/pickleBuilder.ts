import { join, u32, u64, u8 } from './ggufBuilder';

const ENCODER = new TextEncoder();

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A pickle that would run a shell command when loaded, in the text protocol 0. */
export function textBomb(command: string): Uint8Array {
  return latin1(`cposix\nsystem\n(S'${command}'\ntR.`);
}

/** The same in protocol 2, with a marker. */
export function protocol2Bomb(command: string): Uint8Array {
  return join(
    u8(0x80, 2),
    latin1('cposix\nsystem\nq\x00'),
    latin1('X'),
    u32(command.length),
    latin1(`${command}\x85q\x01Rq\x02.`),
  );
}

/** The same in protocol 4: names by STACK_GLOBAL, both fetched from the memo behind other values. */
export function protocol4Bomb(command: string): Uint8Array {
  const short = (text: string): Uint8Array => join(u8(0x8c, text.length), latin1(text), u8(0x94));
  return join(
    u8(0x80, 4, 0x95),
    u64(64n),
    short('posix'),
    short('system'),
    latin1('00'),
    latin1('h\x00h\x01'),
    u8(0x93, 0x94),
    short(command),
    u8(0x85, 0x94),
    latin1('R\x94.'),
  );
}

export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The name in the local header, where it differs. */
  readonly localName?: string;
  readonly method?: number;
  readonly flags?: number;
  /** Sizes and offset in a zip64 extra field. */
  readonly zip64?: boolean;
}

export interface ZipSpec {
  readonly files: readonly ZipFile[];
  /** Announced number of entries, and offset and size of the directory. */
  readonly entryCount?: number;
  readonly directoryOffset?: number;
  readonly directoryBytes?: number;
  readonly comment?: string;
  /** Writes the 64-bit end of the directory, announcing so many entries. */
  readonly end64Entries?: bigint;
}

function u16(value: number): Uint8Array {
  return u8(value % 256, Math.floor(value / 256));
}

function local(file: ZipFile): Uint8Array {
  const name = ENCODER.encode(file.localName ?? file.name);
  return join(
    u32(0x04034b50),
    u16(20),
    u16(file.flags ?? 0),
    u16(file.method ?? 0),
    u32(0),
    u32(0),
    u32(file.bytes.length),
    u32(file.bytes.length),
    u16(name.length),
    u16(0),
    name,
    file.bytes,
  );
}

function central(file: ZipFile, offset: number): Uint8Array {
  const name = ENCODER.encode(file.name);
  const size = file.bytes.length;
  const extra =
    file.zip64 === true
      ? join(u16(0xcafe), u16(2), u16(0), u16(1), u16(24), u64(BigInt(size)), u64(BigInt(size)), u64(BigInt(offset)))
      : u8();
  const field = (value: number): Uint8Array => u32(file.zip64 === true ? 0xffffffff : value);
  return join(
    u32(0x02014b50),
    u16(45),
    u16(45),
    u16(file.flags ?? 0),
    u16(file.method ?? 0),
    u32(0),
    u32(0),
    field(size),
    field(size),
    u16(name.length),
    u16(extra.length),
    u16(0),
    u16(0),
    u16(0),
    u32(0),
    field(offset),
    name,
    extra,
  );
}

/** A stored zip archive, as PyTorch writes them, with ways to lie. */
export function buildZip(spec: ZipSpec): Uint8Array {
  const offsets: number[] = [];
  let at = 0;
  const locals = spec.files.map((file) => {
    const bytes = local(file);
    offsets.push(at);
    at += bytes.length;
    return bytes;
  });
  const directory = join(...spec.files.map((file, index) => central(file, offsets[index]!)));
  const directoryOffset = spec.directoryOffset ?? at;
  const directoryBytes = spec.directoryBytes ?? directory.length;
  const end64 =
    spec.end64Entries === undefined
      ? u8()
      : join(
          u32(0x06064b50),
          u64(44n),
          u16(45),
          u16(45),
          u32(0),
          u32(0),
          u64(spec.end64Entries),
          u64(spec.end64Entries),
          u64(BigInt(directoryBytes)),
          u64(BigInt(directoryOffset)),
          u32(0x07064b50),
          u32(0),
          u64(BigInt(at + directory.length)),
          u32(1),
        );
  const count = u16(Math.min(0xffff, spec.entryCount ?? spec.files.length));
  const comment = latin1(spec.comment ?? '');
  return join(
    ...locals,
    directory,
    end64,
    u32(0x06054b50),
    u16(0),
    u16(0),
    count,
    count,
    u32(directoryBytes),
    u32(directoryOffset),
    u16(comment.length),
    comment,
  );
}
