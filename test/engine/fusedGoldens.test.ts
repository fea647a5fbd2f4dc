import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES, GOLDENS, runCliOk } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { bf16Unit, toBf16 } from '../support/reference';
import { readTensors, type PlainTensors } from '../support/tensors';

const RUGBY = join(FIXTURES, 'rugby');
const folder = temporaryFolder();

async function fused(base: string, adapter: string, dtype: string): Promise<PlainTensors> {
  const out = join(mkdtempSync(join(folder, 'fused-')), 'merged');
  await runCliOk([
    'fuse',
    '--base',
    join(RUGBY, base),
    '--adapter',
    join(RUGBY, adapter),
    '--dtype',
    dtype,
    '--out',
    out,
  ]);
  return readTensors(out);
}

const golden = (name: string): PlainTensors => readTensors(join(GOLDENS, `${name}.safetensors`));

/** The largest difference, in parts of the tensor's largest value. */
function relativeError(ours: Float64Array, wanted: Float64Array): number {
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return ours.length === wanted.length
    ? ours.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / largest
    : Infinity;
}

describe("PEFT's own merge_and_unload", () => {
  describe.each(['lora', 'rslora', 'dora', 'embed'])('%s', (adapter) => {
    let ours: PlainTensors;
    let inBf16: PlainTensors;
    const wanted = golden(`rugby-${adapter}.peft-merged`);

    beforeAll(async () => {
      ours = await fused('base', adapter, 'F32');
      inBf16 = await fused('base', adapter, 'BF16');
    });

    it.each([...wanted.keys()])('%s in f32 is its, within rounding', (name) => {
      expect(ours.get(name)!.shape).toEqual(wanted.get(name)!.shape);
      expect(relativeError(ours.get(name)!.values, wanted.get(name)!.values)).toBeLessThan(5e-7);
    });

    it.each([...wanted.keys()])('%s in bf16 is within one unit in the last place', (name) => {
      const { values } = wanted.get(name)!;
      // Where base and delta cancel, what is left is f32's rounding of the operands.
      const rounding = 5e-7 * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const off = inBf16
        .get(name)!
        .values.filter((value, i) => Math.abs(value - toBf16(values[i]!)) > bf16Unit(values[i]!) + rounding);
      expect([...off]).toEqual([]);
      // One rounding, from f32: anything else differs in many more places.
      const different = inBf16.get(name)!.values.filter((value, i) => value !== toBf16(ours.get(name)!.values[i]!));
      expect([...different]).toEqual([]);
    });

    it('changes what the base had', () => {
      const base = readTensors(join(RUGBY, 'base'));
      for (const [name, { values }] of wanted) {
        expect(relativeError(base.get(name)!.values, values), name).toBeGreaterThan(1e-3);
      }
    });
  });
});

describe("mlx-lm's adapters, fused in f64", () => {
  const CASES = [
    ['base', 'mlx-lora', 'rugby-mlx-lora.fused'],
    ['base', 'mlx-dora', 'rugby-mlx-dora.fused'],
    ['base', 'mlx-full', 'rugby-mlx-full.fused'],
    ['base-mlx4', 'mlx-lora', 'rugby-base-mlx4+mlx-lora.fused'],
  ] as const;

  it.each(CASES)('%s + %s', async (base, adapter, name) => {
    const ours = await fused(base, adapter, 'F32');
    const wanted = golden(name);
    expect(wanted.size).toBeGreaterThan(3);
    for (const [tensor, { values }] of wanted) {
      expect(relativeError(ours.get(tensor)!.values, values), tensor).toBeLessThan(2e-6);
    }
  });

  it('base-mlx4 dequantises to the bit', async () => {
    // Layers that the adapter of the last layer leaves alone come out as they were dequantised.
    const wanted = golden('rugby-base-mlx4.dequantised');
    const ours = await fused('base-mlx4', 'mlx-full', 'F32');
    let compared = 0;
    for (const [name, { bytes }] of wanted) {
      if (!name.includes('layers.3.')) {
        expect(Buffer.from(ours.get(name)!.bytes).equals(bytes), name).toBe(true);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(3);
  });

  it('a full fine-tune replaces the last layer and nothing else', async () => {
    const base = readTensors(join(RUGBY, 'base'));
    const adapter = readTensors(join(RUGBY, 'mlx-full'));
    const ours = await fused('base', 'mlx-full', 'F32');
    expect([...ours.keys()].sort()).toEqual([...base.keys()].sort());
    for (const [name, { values }] of ours) {
      expect([...values], name).toEqual([...(adapter.get(name) ?? base.get(name)!).values]);
    }
    expect(adapter.size).toBe(11);
  });
});
