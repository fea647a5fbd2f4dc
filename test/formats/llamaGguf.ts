import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';

/** llama.cpp's own GGUF reader and writer (ggml/src/gguf.cpp), called through koffi, as the oracle of ours. */
export interface LlamaGguf {
  /** Whether its loader takes these bytes; it does not look at where the data ends. */
  accepts(bytes: Uint8Array): boolean;
  /** The header as its writer writes it after its reader has read it: padded, up to the tensor data. */
  rewrite(bytes: Uint8Array): Uint8Array;
  /** What it says about each tensor. */
  tensors(
    bytes: Uint8Array,
  ): readonly { readonly name: string; readonly type: number; readonly offset: number; readonly bytes: number }[];
  dataOffset(bytes: Uint8Array): number;
}

const PACKAGE = 'node_modules/@node-llama-cpp/linux-x64/bins';

function findLibrary(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(PACKAGE)) {
    return undefined;
  }
  return readdirSync(PACKAGE)
    .map((folder) => join(PACKAGE, folder, 'libggml-base.so'))
    .find((path) => existsSync(path));
}

type Context = bigint | object;

function load(path: string): LlamaGguf {
  const lib = koffi.load(path);
  koffi.struct('GgufInitParams', { no_alloc: 'bool', ctx: 'void *' });
  const init = lib.func('void *gguf_init_from_buffer(const void *, size_t, GgufInitParams)') as (
    bytes: Uint8Array,
    size: number,
    params: object,
  ) => Context | null;
  const free = lib.func('void gguf_free(void *)') as (context: Context) => void;
  const metaSize = lib.func('size_t gguf_get_meta_size(void *)') as (context: Context) => number | bigint;
  const metaData = lib.func('void gguf_get_meta_data(void *, void *)') as (
    context: Context,
    target: Uint8Array,
  ) => void;
  const dataOffset = lib.func('size_t gguf_get_data_offset(void *)') as (context: Context) => number | bigint;
  const count = lib.func('int64_t gguf_get_n_tensors(void *)') as (context: Context) => number | bigint;
  const name = lib.func('const char *gguf_get_tensor_name(void *, int64_t)') as (
    context: Context,
    id: number,
  ) => string;
  const type = lib.func('int gguf_get_tensor_type(void *, int64_t)') as (context: Context, id: number) => number;
  const offset = lib.func('size_t gguf_get_tensor_offset(void *, int64_t)') as (
    context: Context,
    id: number,
  ) => number | bigint;
  const size = lib.func('size_t gguf_get_tensor_size(void *, int64_t)') as (
    context: Context,
    id: number,
  ) => number | bigint;
  const log = koffi.proto('void GgmlLog(int, const char *, void *)');
  // Refused files are the subject of these tests: its complaints about them are not wanted.
  (lib.func('void ggml_log_set(GgmlLog *, void *)') as (callback: unknown, data: null) => void)(
    koffi.register(() => undefined, koffi.pointer(log)),
    null,
  );
  const open = <T>(bytes: Uint8Array, use: (context: Context) => T): T | undefined => {
    const context = init(bytes, bytes.length, { no_alloc: true, ctx: null });
    if (context === null) {
      return undefined;
    }
    try {
      return use(context);
    } finally {
      free(context);
    }
  };
  const must = <T>(result: T | undefined): T => {
    if (result === undefined) {
      throw new Error('llama.cpp refused the file');
    }
    return result;
  };
  return {
    accepts: (bytes) => open(bytes, () => true) ?? false,
    rewrite: (bytes) =>
      must(
        open(bytes, (context) => {
          const header = new Uint8Array(Number(metaSize(context)));
          metaData(context, header);
          return header;
        }),
      ),
    tensors: (bytes) =>
      must(
        open(bytes, (context) =>
          Array.from({ length: Number(count(context)) }, (_, id) => ({
            name: name(context, id),
            type: type(context, id),
            offset: Number(offset(context, id)),
            bytes: Number(size(context, id)),
          })),
        ),
      ),
    dataOffset: (bytes) => must(open(bytes, (context) => Number(dataOffset(context)))),
  };
}

const library = findLibrary();

/** Undefined where node-llama-cpp has no build for the platform that these tests know. */
export const llamaGguf: LlamaGguf | undefined = library === undefined ? undefined : load(library);
