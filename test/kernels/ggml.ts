import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import type { TestContext } from 'vitest';
import { GGML_TYPES, type GgmlTypeName } from '../../src/core/formats/gguf/ggmlTypes';

/** The reference: ggml's own functions in a baseline x86-64 build, called through koffi. */
export interface Ggml {
  readonly library: string;
  quantise(
    type: GgmlTypeName,
    values: Float32Array,
    rows: number,
    columns: number,
    importance: Float32Array | undefined,
  ): Uint8Array;
  widen(type: GgmlTypeName, bytes: Uint8Array, count: number): Float32Array;
  isValid(type: GgmlTypeName, bytes: Uint8Array): boolean;
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

/** Runs `work` without what C code prints on the standard error meanwhile: ggml reports every bad value. */
function quietly(): (work: () => boolean) => boolean {
  const libc = koffi.load('libc.so.6');
  const duplicate = libc.func('int dup(int)') as (file: number) => number;
  const redirect = libc.func('int dup2(int, int)') as (from: number, to: number) => number;
  const nowhere = openSync('/dev/null', 'w');
  return (work) => {
    const kept = duplicate(2);
    redirect(nowhere, 2);
    try {
      return work();
    } finally {
      redirect(kept, 2);
      closeSync(kept);
    }
  };
}

function load(library: string): Ggml {
  const lib = koffi.load(library);
  const initialise = lib.func('void ggml_quantize_init(int)') as (type: number) => void;
  const chunk = lib.func(
    'size_t ggml_quantize_chunk(int, const float*, void*, int64_t, int64_t, int64_t, const float*)',
  ) as (
    type: number,
    values: Float32Array,
    target: Uint8Array,
    start: number,
    rows: number,
    columns: number,
    importance: Float32Array | null,
  ) => number;
  const validate = lib.func('bool ggml_validate_row_data(int, const void*, size_t)') as (
    type: number,
    bytes: Uint8Array,
    size: number,
  ) => boolean;
  const silent = quietly();
  const wideners = new Map<GgmlTypeName, (bytes: Uint8Array, target: Float32Array, count: number) => void>();
  const widener = (type: GgmlTypeName): ((bytes: Uint8Array, target: Float32Array, count: number) => void) => {
    const names: Readonly<Record<string, string>> = { F16: 'ggml_fp16_to_fp32_row', BF16: 'ggml_bf16_to_fp32_row' };
    const name = names[type] ?? `dequantize_row_${type.startsWith('IQ') ? type.toLowerCase() : type.replace('Q', 'q')}`;
    const known =
      wideners.get(type) ??
      (lib.func(`void ${name}(const void*, float*, int64_t)`) as (
        bytes: Uint8Array,
        target: Float32Array,
        count: number,
      ) => void);
    wideners.set(type, known);
    return known;
  };
  return {
    library,
    quantise(type, values, rows, columns, importance) {
      const { id, block, bytes } = GGML_TYPES[type];
      const target = new Uint8Array(((rows * columns) / block) * bytes);
      initialise(id);
      const written = chunk(id, values, target, 0, rows, columns, importance ?? null);
      if (written !== target.length) {
        throw new Error(`ggml_quantize_chunk wrote ${written} bytes of ${target.length}`);
      }
      return target;
    },
    widen(type, bytes, count) {
      const target = new Float32Array(count);
      widener(type)(bytes, target, count);
      return target;
    },
    isValid: (type, bytes) => silent(() => validate(GGML_TYPES[type].id, bytes, bytes.length)),
  };
}

const found = findLibrary();

/** Undefined where no baseline build of ggml can be had. */
export const ggml: Ggml | undefined = found === undefined ? undefined : load(found);

if (ggml === undefined) {
  console.warn(
    `\nNOT RUN: the comparisons with ggml itself. They need the baseline x86-64 build in the npm package @node-llama-cpp/linux-x64, ` +
      `which this platform (${process.platform}-${process.arch}) does not have. These tests are counted as skipped.\n`,
  );
}

/** The reference, or the test ends here as skipped. */
export function ggmlOrSkip(context: TestContext): Ggml {
  if (ggml === undefined) {
    context.skip('needs @node-llama-cpp/linux-x64');
  }
  return ggml;
}
