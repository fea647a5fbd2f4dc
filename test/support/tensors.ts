import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A tensor of a safetensors file, its values as exact doubles. */
export interface PlainTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: Float64Array;
  readonly bytes: Uint8Array;
}

export type PlainTensors = Map<string, PlainTensor>;

/** Reads the safetensors of a folder or one file. A reader of its own, as simple as can be. */
export function readTensors(path: string): PlainTensors {
  const files = path.endsWith('.safetensors')
    ? [path]
    : readdirSync(path)
        .filter((name) => name.endsWith('.safetensors'))
        .map((name) => join(path, name));
  const tensors: PlainTensors = new Map();
  for (const file of files) {
    const data = readFileSync(file);
    const start = 8 + Number(data.readBigUInt64LE(0));
    const header = JSON.parse(data.subarray(8, start).toString()) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    for (const [name, entry] of Object.entries(header)) {
      if (name !== '__metadata__') {
        const bytes = Uint8Array.from(data.subarray(start + entry.data_offsets[0], start + entry.data_offsets[1]));
        tensors.set(name, { dtype: entry.dtype, shape: entry.shape, bytes, values: widen(entry.dtype, bytes) });
      }
    }
  }
  return tensors;
}

function widen(dtype: string, bytes: Uint8Array): Float64Array {
  switch (dtype) {
    case 'F32':
      return Float64Array.from(new Float32Array(bytes.buffer));
    case 'F64':
      return new Float64Array(bytes.buffer);
    case 'BF16':
      return Float64Array.from(
        new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (bits) => (bits << 16) >>> 0).buffer),
      );
    case 'F16':
      return Float64Array.from(new Uint16Array(bytes.buffer), halfToNumber);
    default:
      return new Float64Array(0);
  }
}

function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** What a test writes: shape and values, stored as f32 unless `dtype` says F16 bits or BF16. */
export interface TensorToWrite {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  readonly dtype?: 'F32' | 'BF16';
}

/** A tensor of any dtype, as its bytes. */
export interface RawTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly bytes: Uint8Array;
}

/** Writes a safetensors file; bf16 values are cut, so give values that bf16 has. */
export function writeTensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite | RawTensor>>,
  metadata: Record<string, string> = { format: 'pt' },
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const { shape, dtype = 'F32' } = tensor;
    const floats = Float32Array.from('values' in tensor ? tensor.values : []);
    const bytes =
      'bytes' in tensor
        ? Buffer.from(tensor.bytes)
        : dtype === 'F32'
          ? Buffer.from(floats.buffer)
          : Buffer.from(Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16).buffer);
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
    parts.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(header).padEnd(8, ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, ...parts]));
}

/** Writes a PEFT adapter folder. */
export function writePeft(
  folder: string,
  config: Record<string, unknown>,
  tensors: Readonly<Record<string, TensorToWrite>>,
): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'adapter_config.json'),
    JSON.stringify({
      peft_type: 'LORA',
      r: 4,
      lora_alpha: 8,
      bias: 'none',
      init_lora_weights: true,
      target_modules: ['q_proj'],
      ...config,
    }),
  );
  writeTensors(join(folder, 'adapter_model.safetensors'), tensors);
  return folder;
}
