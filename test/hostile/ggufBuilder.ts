import { GGML_TYPES, type GgmlTypeName } from '../../src/core/formats/gguf/ggmlTypes';
import { GGUF_VALUE_TYPES } from '../../src/core/formats/gguf/ggufTypes';

/** Writes a GGUF byte by byte, independently of the product's writer, with a way to break each field. */
export interface GgufSpec {
  readonly magic?: string;
  readonly version?: number;
  /** Announced counts, where they are to differ from the real ones. */
  readonly tensorCount?: bigint;
  readonly keyCount?: bigint;
  readonly keys?: readonly Uint8Array[];
  readonly tensors?: readonly TensorSpec[];
  /** Padding of header and tensors; default 32. */
  readonly alignment?: number;
  /** Data bytes, where they are to differ from what the tensors need. */
  readonly dataBytes?: number;
}

export interface TensorSpec {
  readonly name?: string | Uint8Array;
  /** Announced length of the name. */
  readonly nameLength?: bigint;
  readonly dimensions?: readonly bigint[];
  /** Announced number of dimensions. */
  readonly rank?: number;
  readonly type?: GgmlTypeName;
  /** Announced type. */
  readonly typeId?: number;
  /** Announced offset. */
  readonly offset?: bigint;
}

const ENCODER = new TextEncoder();

export function u8(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

export function f32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return bytes;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return joinAll(parts);
}

function joinAll(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A string with its length, which may be a lie. */
export function text(value: string | Uint8Array, length?: bigint): Uint8Array {
  const bytes = typeof value === 'string' ? ENCODER.encode(value) : value;
  return join(u64(length ?? BigInt(bytes.length)), bytes);
}

type TypeName = (typeof GGUF_VALUE_TYPES)[number];

export function typeId(type: TypeName | number): number {
  return typeof type === 'number' ? type : GGUF_VALUE_TYPES.indexOf(type);
}

/** A key, its type and the bytes of its value. */
export function key(
  name: string | Uint8Array,
  type: TypeName | number,
  value: Uint8Array,
  nameLength?: bigint,
): Uint8Array {
  return join(text(name, nameLength), u32(typeId(type)), value);
}

/** A key with an array: element type, number of elements (which may be a lie), their bytes. */
export function arrayKey(name: string, elements: TypeName | number, count: bigint, bytes: Uint8Array): Uint8Array {
  return key(name, 'array', join(u32(typeId(elements)), u64(count), bytes));
}

export function textKey(name: string, value: string): Uint8Array {
  return key(name, 'string', text(value));
}

export function u32Key(name: string, value: number): Uint8Array {
  return key(name, 'u32', u32(value));
}

export function tokensKey(tokens: readonly string[]): Uint8Array {
  return arrayKey(
    'tokenizer.ggml.tokens',
    'string',
    BigInt(tokens.length),
    join(...tokens.map((token) => text(token))),
  );
}

function bytesOf({ dimensions = [4n], type = 'F32' }: TensorSpec): number {
  const { block, bytes } = GGML_TYPES[type];
  return Number((dimensions.reduce((product, dimension) => product * dimension, 1n) / BigInt(block)) * BigInt(bytes));
}

function padded(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** The file; valid, unless the spec breaks something. */
export function buildGguf(spec: GgufSpec = {}): Uint8Array {
  const { keys = [], tensors = [], alignment = 32 } = spec;
  let offset = 0;
  const entries = tensors.map((tensor) => {
    const dimensions = tensor.dimensions ?? [4n];
    const entry = join(
      text(tensor.name ?? 'a', tensor.nameLength),
      u32(tensor.rank ?? dimensions.length),
      ...dimensions.map(u64),
      u32(tensor.typeId ?? GGML_TYPES[tensor.type ?? 'F32'].id),
      u64(tensor.offset ?? BigInt(offset)),
    );
    const size = bytesOf(tensor);
    offset += Number.isSafeInteger(size) && size < 2 ** 24 ? padded(size, alignment) : 0;
    return entry;
  });
  const header = joinAll([
    ENCODER.encode(spec.magic ?? 'GGUF'),
    u32(spec.version ?? 3),
    u64(spec.tensorCount ?? BigInt(tensors.length)),
    u64(spec.keyCount ?? BigInt(keys.length)),
    ...keys,
    ...entries,
  ]);
  const data = new Uint8Array(spec.dataBytes ?? offset);
  return tensors.length === 0 && spec.dataBytes === undefined
    ? header
    : join(header, new Uint8Array(padded(header.length, alignment) - header.length), data);
}

/** A small valid model with every kind of value and several tensors. */
export function validSpec(): GgufSpec & {
  readonly keys: readonly Uint8Array[];
  readonly tensors: readonly TensorSpec[];
} {
  return {
    keys: [
      textKey('general.architecture', 'llama'),
      textKey('general.name', 'Prüfung'),
      u32Key('llama.block_count', 2),
      u32Key('llama.context_length', 128),
      key('llama.rope.freq_base', 'f32', f32(10000)),
      key('tokenizer.ggml.add_bos_token', 'bool', u8(1)),
      key('x.u8', 'u8', u8(255)),
      key('x.i8', 'i8', u8(255)),
      key('x.u16', 'u16', u8(255, 255)),
      key('x.i16', 'i16', u8(255, 255)),
      key('x.i32', 'i32', u32(0xffffffff)),
      key('x.u64', 'u64', u64(2n ** 64n - 1n)),
      key('x.i64', 'i64', u64(-1n)),
      key('x.f64', 'f64', u64(0x3ff0000000000000n)),
      tokensKey(['<s>', 'Ġthe', '🙂', '']),
      arrayKey('tokenizer.ggml.scores', 'f32', 4n, join(f32(0), f32(-1), f32(-2), f32(-3))),
      arrayKey('tokenizer.ggml.token_type', 'i32', 4n, join(u32(3), u32(1), u32(1), u32(1))),
      arrayKey('x.bools', 'bool', 3n, u8(0, 1, 1)),
      arrayKey('x.u64s', 'u64', 2n, join(u64(1n), u64(2n ** 63n))),
      arrayKey('x.empty', 'i16', 0n, u8()),
    ],
    tensors: [
      { name: 'token_embd.weight', dimensions: [32n, 4n], type: 'Q8_0' },
      { name: 'blk.0.attn_q.weight', dimensions: [256n, 2n], type: 'Q4_K' },
      { name: 'empty', dimensions: [0n, 7n] },
      { name: 'output_norm.weight', dimensions: [3n] },
      { name: 'scalar', dimensions: [] },
    ],
  };
}
