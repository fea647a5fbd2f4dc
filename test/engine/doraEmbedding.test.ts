import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { readTensors, type TensorToWrite, writePeft } from '../support/tensors';

const folder = temporaryFolder();
const fresh = (): string => mkdtempSync(join(folder, 'case-'));
const BASE = join(FIXTURES, 'rugby/base');
const EMBEDDING = 'model.embed_tokens.weight';
const RANK = 3;
const SCALE = 2;

type Filled = TensorToWrite & { readonly values: Float32Array };

function filled(shape: readonly number[], value: () => number): Filled {
  return { shape, values: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, value) };
}

/** An adapter with DoRA on the embedding, and what PEFT's DoraEmbeddingLayer makes of the base with it, in f64. */
function drawn(seed: number): { readonly adapter: string; readonly wanted: Float64Array } {
  const random = new Random(seed);
  const base = readTensors(BASE).get(EMBEDDING)!;
  const [rows, columns] = base.shape as [number, number];
  const noise = (): number => (random.next() - 0.5) * 0.2;
  const a = filled([RANK, rows], noise);
  const b = filled([columns, RANK], noise);
  const magnitude = filled([columns], () => 0.5 + random.next());
  const wanted = Float64Array.from(base.values);
  const squares = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < RANK; k++) {
        wanted[row * columns + column]! += SCALE * a.values[k * rows + row]! * b.values[column * RANK + k]!;
      }
      squares[column]! += wanted[row * columns + column]! ** 2;
    }
  }
  wanted.forEach((value, index) => {
    const column = index % columns;
    wanted[index] = (value * magnitude.values[column]!) / Math.sqrt(squares[column]!);
  });
  const module = 'base_model.model.model.embed_tokens';
  const adapter = writePeft(
    fresh(),
    { r: RANK, lora_alpha: SCALE * RANK, use_dora: true, target_modules: ['embed_tokens'] },
    {
      [`${module}.lora_embedding_A`]: a,
      [`${module}.lora_embedding_B`]: b,
      [`${module}.lora_magnitude_vector`]: magnitude,
    },
  );
  return { adapter, wanted };
}

async function fused(...adapters: readonly string[]): Promise<Float64Array> {
  const out = join(fresh(), 'merged');
  await runCliOk([
    'fuse',
    '--base',
    BASE,
    ...adapters.flatMap((adapter) => ['--adapter', adapter]),
    '--out',
    out,
    '--dtype',
    'F32',
  ]);
  return readTensors(out).get(EMBEDDING)!.values;
}

function largestError(found: Float64Array, wanted: (index: number) => number): number {
  const size = found.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return found.reduce((most, value, index) => Math.max(most, Math.abs(value - wanted(index))), 0) / size;
}

describe('DoRA on an embedding', () => {
  it('has its norms down the columns, over the whole vocabulary', async () => {
    const { adapter, wanted } = drawn(5);
    expect(largestError(await fused(adapter), (index) => wanted[index]!)).toBeLessThan(2e-6);
  });

  it('is added up with another by weight', async () => {
    const [one, two] = [drawn(6), drawn(7)];
    const base = readTensors(BASE).get(EMBEDDING)!.values;
    const found = await fused(`${one.adapter}=0.5`, `${two.adapter}=0.25`);
    const change = (from: Float64Array, index: number): number => from[index]! - base[index]!;
    expect(
      largestError(found, (index) => base[index]! + 0.5 * change(one.wanted, index) + 0.25 * change(two.wanted, index)),
    ).toBeLessThan(2e-6);
  });
});
