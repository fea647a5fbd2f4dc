/**
 * What follows an opcode: nothing, `bytes` fixed bytes, lines that end in a newline, or a length of so many bytes
 * and then that many.
 */
export type PickleArgument =
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed'; readonly bytes: number }
  | { readonly kind: 'lines'; readonly lines: 1 | 2 }
  | { readonly kind: 'counted'; readonly lengthBytes: 1 | 4 | 8 };

const none: PickleArgument = { kind: 'none' };
const fixed = (bytes: number): PickleArgument => ({ kind: 'fixed', bytes });
const lines = (count: 1 | 2): PickleArgument => ({ kind: 'lines', lines: count });
const counted = (lengthBytes: 1 | 4 | 8): PickleArgument => ({ kind: 'counted', lengthBytes });

function table(...rows: readonly (readonly [string, PickleArgument])[]): ReadonlyMap<number, PickleArgument> {
  return new Map(
    rows.flatMap(([codes, argument]) => Array.from(codes, (code) => [code.charCodeAt(0), argument] as const)),
  );
}

/** Opcodes of the pickle protocols 0 to 5 (Python's `pickletools`), each with its argument. */
export const PICKLE_OPCODES = table(
  ['(.012NQRabde}l]ost)u\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98', none],
  ['Khq\x80\x82', fixed(1)],
  ['M\x83', fixed(2)],
  ['Jjr\x84', fixed(4)],
  ['G\x95', fixed(8)],
  ['FILPSVgp', lines(1)],
  ['ci', lines(2)],
  ['UC\x8a\x8c', counted(1)],
  ['TXB\x8b', counted(4)],
  ['\x8d\x8e\x96', counted(8)],
);

/** The opcodes that tell what a pickle imports, and those that must be followed to know it. */
export const PICKLE = {
  mark: 0x28,
  stop: 0x2e,
  pop: 0x30,
  dup: 0x32,
  global: 0x63,
  inst: 0x69,
  stackGlobal: 0x93,
  string: 0x53,
  binString: 0x54,
  shortBinString: 0x55,
  unicode: 0x56,
  binUnicode: 0x58,
  shortBinUnicode: 0x8c,
  binUnicode8: 0x8d,
  put: 0x70,
  binPut: 0x71,
  longBinPut: 0x72,
  memoize: 0x94,
  get: 0x67,
  binGet: 0x68,
  longBinGet: 0x6a,
  proto: 0x80,
} as const;
