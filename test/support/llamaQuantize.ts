import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import type { TestContext } from 'vitest';
import { FILE_TYPES, type FileTypeName } from '../../src/core/engine/fileTypes';
import { GGML_TYPES, type GgmlTypeName } from '../../src/core/formats/gguf/ggmlTypes';

/** What `llama_model_quantize` of llama.cpp v0.5.0 is asked for; the options of llama-quantize. */
export interface LlamaQuantizeRequest {
  readonly input: string;
  readonly output: string;
  readonly fileType: FileTypeName;
  readonly outputTensorType?: GgmlTypeName;
  readonly tokenEmbeddingType?: GgmlTypeName;
  readonly tensorTypes?: readonly (readonly [pattern: string, type: GgmlTypeName])[];
  readonly pure?: boolean;
  readonly leaveOutputTensor?: boolean;
  readonly allowRequantize?: boolean;
  readonly imatrix?: ReadonlyMap<string, Float32Array>;
  /** Keys that llama-quantize adds; text or a whole number. */
  readonly keys?: readonly (readonly [key: string, value: string | number])[];
}

const PACKAGE = 'node_modules/@node-llama-cpp/linux-x64/bins';
const NO_TYPE = 43;
const UNLIMITED = 8n << 30n;

/** Bytes that the library reads through pointers; freed together. */
class Memory {
  private readonly blocks: bigint[] = [];

  place(bytes: Uint8Array): bigint {
    const address = koffi.alloc('uint8_t', Math.max(1, bytes.length)) as unknown as bigint;
    koffi.encode(address, koffi.array('uint8_t', bytes.length), bytes);
    this.blocks.push(address);
    return address;
  }

  text(value: string): bigint {
    return this.place(Buffer.from(`${value}\0`));
  }

  free(): void {
    for (const block of this.blocks) {
      koffi.free(block);
    }
  }
}

/** The parameters' 64 bytes (llama.h). */
function parameters(request: LlamaQuantizeRequest, memory: Memory): Buffer {
  const bytes = Buffer.alloc(64);
  const typeId = (type: GgmlTypeName | undefined): number => (type === undefined ? NO_TYPE : GGML_TYPES[type].id);
  bytes.writeInt32LE(2, 0);
  bytes.writeInt32LE(FILE_TYPES[request.fileType].id, 4);
  bytes.writeInt32LE(typeId(request.outputTensorType), 8);
  bytes.writeInt32LE(typeId(request.tokenEmbeddingType), 12);
  bytes.writeUInt8(request.allowRequantize === true ? 1 : 0, 16);
  bytes.writeUInt8(request.leaveOutputTensor === true ? 0 : 1, 17);
  bytes.writeUInt8(request.pure === true ? 1 : 0, 19);
  bytes.writeBigUInt64LE(importance(request, memory), 24);
  bytes.writeBigUInt64LE(overrides(request, memory), 32);
  bytes.writeBigUInt64LE(patterns(request, memory), 40);
  bytes.writeBigUInt64LE(UNLIMITED, 56);
  return bytes;
}

/** { char *name; float *data; size_t size }, ended by a null name. */
function importance({ imatrix }: LlamaQuantizeRequest, memory: Memory): bigint {
  if (imatrix === undefined) {
    return 0n;
  }
  const table = Buffer.alloc((imatrix.size + 1) * 24);
  [...imatrix].forEach(([name, values], index) => {
    table.writeBigUInt64LE(memory.text(name), index * 24);
    table.writeBigUInt64LE(
      memory.place(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
      index * 24 + 8,
    );
    table.writeBigUInt64LE(BigInt(values.length), index * 24 + 16);
  });
  return memory.place(table);
}

const OVERRIDE_BYTES = 264;

/** { int tag; char key[128]; union { int64; char text[128] } }, ended by an empty key. */
function overrides({ keys = [] }: LlamaQuantizeRequest, memory: Memory): bigint {
  if (keys.length === 0) {
    return 0n;
  }
  const table = Buffer.alloc((keys.length + 1) * OVERRIDE_BYTES);
  keys.forEach(([key, value], index) => {
    const at = index * OVERRIDE_BYTES;
    table.writeInt32LE(typeof value === 'string' ? 3 : 0, at);
    table.write(key, at + 4, 127);
    if (typeof value === 'string') {
      table.write(value, at + 136, 127);
    } else {
      table.writeBigInt64LE(BigInt(value), at + 136);
    }
  });
  return memory.place(table);
}

/** { char *pattern; int type }, ended by a null pattern. */
function patterns({ tensorTypes = [] }: LlamaQuantizeRequest, memory: Memory): bigint {
  if (tensorTypes.length === 0) {
    return 0n;
  }
  const table = Buffer.alloc((tensorTypes.length + 1) * 16);
  tensorTypes.forEach(([pattern, type], index) => {
    // llama-quantize hands the pattern on in lower case.
    table.writeBigUInt64LE(memory.text(pattern.toLowerCase()), index * 16);
    table.writeInt32LE(GGML_TYPES[type].id, index * 16 + 8);
  });
  return memory.place(table);
}

type Quantize = (request: LlamaQuantizeRequest) => void;

function load(folder: string): Quantize {
  const find = (pattern: RegExp): string => join(folder, readdirSync(folder).find((name) => pattern.test(name)) ?? '');
  koffi.load(join(folder, 'libggml-base.so'), { global: true });
  koffi.load(find(/^libggml\.v.*\.so$/), { global: true });
  const library = koffi.load(find(/^libllama\.v.*\.so$/));
  const log: string[] = [];
  const callback = koffi.register(
    (_level: number, text: string) => void log.push(text),
    koffi.pointer(koffi.proto('void LlamaQuantizeLog(int level, const char *text, void *data)')),
  );
  (library.func('void llama_log_set(void *callback, void *data)') as (callback: unknown, data: null) => void)(
    callback,
    null,
  );
  const quantize = library.func(
    'uint32_t llama_model_quantize(const char *input, const char *output, void *parameters)',
  ) as (input: string, output: string, parameters: Buffer) => number;
  return (request) => {
    const memory = new Memory();
    log.length = 0;
    try {
      if (quantize(request.input, request.output, parameters(request, memory)) !== 0) {
        throw new Error(`llama_model_quantize failed: ${log.slice(-5).join('')}`);
      }
    } finally {
      memory.free();
    }
  };
}

function findFolder(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(PACKAGE)) {
    return undefined;
  }
  return readdirSync(PACKAGE)
    .map((name) => join(PACKAGE, name))
    .find((path) => existsSync(join(path, 'libggml-base.so')));
}

const folder = findFolder();
const found = folder === undefined ? undefined : load(folder);

if (found === undefined) {
  console.warn(
    `\nNOT RUN: the comparisons with llama.cpp's own quantiser. They need the baseline x86-64 build in the npm package @node-llama-cpp/linux-x64, ` +
      `which this platform (${process.platform}-${process.arch}) does not have. These tests are counted as skipped.\n`,
  );
}

/** llama.cpp's `llama_model_quantize`; undefined where its library is not there. */
export function findQuantize(): Quantize | undefined {
  return found;
}

/** llama.cpp's `llama_model_quantize`, or the test ends here as skipped. */
export function llamaQuantizeOrSkip(context: TestContext): Quantize {
  if (found === undefined) {
    context.skip('needs @node-llama-cpp/linux-x64');
  }
  return found;
}
