import { writeFileSync } from 'node:fs';
import { Random } from './random';
import type { GoldenTensor } from './describeGguf';

const CHUNKS = 7;
const DATASET = 'a text.txt';

const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const floats = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

export interface MadeImportance {
  readonly sums: ReadonlyMap<string, Float32Array>;
  readonly counts: ReadonlyMap<string, number>;
  /** What the quantiser is to make of them: the quotient in f32. */
  readonly imatrix: ReadonlyMap<string, Float32Array>;
}

/** Sums of squared activations for every matrix but the embedding, of several orders of magnitude, zeros among them. */
export function importanceOf(tensors: readonly GoldenTensor[]): MadeImportance {
  const random = new Random(7);
  const sums = new Map<string, Float32Array>();
  const counts = new Map<string, number>();
  const imatrix = new Map<string, Float32Array>();
  for (const { name, shape } of tensors) {
    if (shape.length !== 2 || name === 'token_embd.weight') {
      continue;
    }
    const count = 1 + random.below(600);
    const values = Float32Array.from({ length: shape[0] ?? 0 }, () =>
      random.chance(0.02) ? 0 : count * 10 ** (random.next() * 6 - 4),
    );
    sums.set(name, values);
    counts.set(name, count);
    imatrix.set(
      name,
      values.map((value) => value / count),
    );
  }
  return { sums, counts, imatrix };
}

/** The `.dat` format: entries, then chunks and dataset. */
export function writeLegacyImatrix(
  path: string,
  sums: ReadonlyMap<string, Float32Array>,
  counts: ReadonlyMap<string, number>,
): void {
  const entries = [...sums].flatMap(([name, values]) => [
    i32(Buffer.byteLength(name)),
    Buffer.from(name),
    i32(counts.get(name) ?? 0),
    i32(values.length),
    floats(values),
  ]);
  writeFileSync(
    path,
    Buffer.concat([i32(sums.size), ...entries, i32(CHUNKS), i32(DATASET.length), Buffer.from(DATASET)]),
  );
}

/** The GGUF format: NAME.in_sum2 and NAME.counts. */
export function writeGgufImatrix(
  path: string,
  sums: ReadonlyMap<string, Float32Array>,
  counts: ReadonlyMap<string, number>,
): void {
  const keys = [
    Buffer.concat([text('general.type'), i32(8), text('imatrix')]),
    Buffer.concat([text('imatrix.datasets'), i32(9), i32(8), u64(1), text(DATASET)]),
    Buffer.concat([text('imatrix.chunk_count'), i32(4), i32(CHUNKS)]),
    Buffer.concat([text('imatrix.chunk_size'), i32(4), i32(512)]),
  ];
  const tensors = [...sums].flatMap(([name, values]) => [
    { name: `${name}.in_sum2`, columns: values.length, data: floats(values) },
    { name: `${name}.counts`, columns: 1, data: floats(Float32Array.of(counts.get(name) ?? 0)) },
  ]);
  const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
  const data: Buffer[] = [];
  let offset = 0;
  const entries = tensors.map(({ name, columns, data: bytes }) => {
    const entry = Buffer.concat([text(name), i32(2), u64(columns), u64(1), i32(0), u64(offset)]);
    data.push(padded(bytes));
    offset += padded(bytes).length;
    return entry;
  });
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    i32(3),
    u64(tensors.length),
    u64(keys.length),
    ...keys,
    ...entries,
  ]);
  writeFileSync(path, Buffer.concat([padded(header), ...data]));
}
