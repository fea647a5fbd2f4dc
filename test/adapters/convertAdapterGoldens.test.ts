import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ADAPTER_TYPES, type AdapterType } from '../../src/core/engine/planAdapterGguf';
import { writeAdapterGguf } from '../support/adapterGguf';
import { FIXTURES, GOLDENS } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { makeModel, temporaryFolder } from '../support/models';

interface AdapterGolden {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tensors?: readonly string[];
  readonly digest?: string;
  readonly refused?: string;
}

const work = temporaryFolder();
const goldens = JSON.parse(readFileSync(join(GOLDENS, 'adapters.json'), 'utf8')) as Record<string, AdapterGolden>;
const models = new Map<string, string>([['rugby', join(FIXTURES, 'rugby')]]);

function modelOf(name: string): string {
  const folder = models.get(name) ?? makeModel(name, work);
  models.set(name, folder);
  return folder;
}

async function converted(
  name: string,
  adapter: string,
  type: AdapterType,
): Promise<{ readonly lines: string[]; readonly metadata: Record<string, unknown>; readonly keys: string[] }> {
  const folder = modelOf(name);
  const output = join(work, `${name}.${adapter}.${type}.gguf`);
  await writeAdapterGguf({
    adapter: { path: join(folder, adapter), weight: 1 },
    base: join(folder, 'base'),
    type,
    output,
  });
  const { metadata, tensors } = describeGguf(output);
  return {
    lines: tensors.map(
      (tensor) => `${tensor.name} ${tensor.shape.join('x')} ${tensor.type} ${tensor.sha256.slice(0, 16)}`,
    ),
    metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])),
    keys: metadata.map(({ key }) => key),
  };
}

/** The converter also writes what the adapter's own card says; ours does not read it. */
const FROM_CARD = /^general\.(?:base_model|tags|basename|finetune|size_label|version|languages|datasets)/;
const EXACT = Object.entries(goldens)
  .filter(
    ([key, golden]) => golden.refused === undefined && !/^(?:rugby\.embed|rugby\.rslora|llama3\.rslora)/.test(key),
  )
  .map(([key]) => key.split('.') as [string, string, AdapterType]);

describe('the bytes of convert_lora_to_gguf.py', () => {
  test.each(EXACT)('%s %s %s: names, shapes, types, permutation and data', async (name, adapter, type) => {
    const golden = goldens[`${name}.${adapter}.${type}`]!;
    const { lines, metadata, keys } = await converted(name, adapter, type);
    if (golden.tensors === undefined) {
      expect(
        createHash('sha256')
          .update([...lines].sort().join('\n'))
          .digest('hex'),
      ).toBe(golden.digest);
      return;
    }
    expect([...lines].sort()).toEqual([...golden.tensors].sort());
    const theirs = Object.entries(golden.metadata!).filter(([key]) => !FROM_CARD.test(key));
    expect(keys).toEqual(theirs.map(([key]) => key));
    expect(metadata).toMatchObject(Object.fromEntries(theirs.filter(([key]) => key !== 'general.name')));
  });

  test('every type of every family was compared', () => {
    expect(EXACT.length).toBeGreaterThanOrEqual(15 * ADAPTER_TYPES.length);
    expect(existsSync(join(FIXTURES, 'specs', 'mixtral.json'))).toBe(true);
  });
});

describe('where the converter loses the scale', () => {
  // llama3's q, v and down ask for 32, 64 and 16, each as often: the first is taken, and the B of the other eight modules changes.
  test.each([
    ['rugby', 8 * Math.sqrt(8), 5],
    ['llama3', 8 * Math.sqrt(4), 8],
  ])(
    '%s rslora: the same A everywhere, another alpha, B multiplied where a pattern says so',
    async (name, alpha, folded) => {
      const golden = goldens[`${name}.rslora.F16`]!;
      const { lines, metadata } = await converted(name, 'rslora', 'F16');
      const halves = (all: readonly string[], suffix: string): string[] =>
        all.filter((line) => line.includes(suffix)).sort();
      expect(halves(lines, '.lora_a ')).toEqual(halves(golden.tensors!, '.lora_a '));
      const shapes = (all: readonly string[]): string[] =>
        all.map((line) => line.split(' ').slice(0, 3).join(' ')).sort();
      expect(shapes(lines)).toEqual(shapes(golden.tensors!));
      expect(metadata['adapter.lora.alpha']).toBe(Math.fround(alpha));
      expect(golden.metadata!['adapter.lora.alpha']).toBe(8);
      const changed = halves(lines, '.lora_b ').filter((line) => !golden.tensors!.includes(line));
      expect(changed).toHaveLength(folded);
    },
  );

  test('what it refuses is refused, and what makes the runtime stop too', async () => {
    for (const [name, adapter, reason] of [
      ['llama3', 'dora', 'dora'],
      ['rugby', 'dora', 'dora'],
      ['rugby', 'embed', 'tied-embedding'],
      ['rugby', 'mlx-dora', 'dora'],
      ['rugby', 'mlx-full', 'full'],
    ] as const) {
      await expect(converted(name, adapter, 'F16')).rejects.toMatchObject({
        code: 'adapter/no-gguf-form',
        detail: { reason },
      });
    }
  });
});
