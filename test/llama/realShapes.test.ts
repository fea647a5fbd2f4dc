import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { llamaOrSkip, loadModel } from '../support/llama';
import { makeModel, makeRealShape, temporaryFolder } from '../support/models';

const folder = temporaryFolder();
const SHAPES = readdirSync(join(FIXTURES, 'shapes')).map((name) => name.replace(/\.json$/, ''));
/** Families that the tokenizers' tests do not load. */
const FAMILIES = ['gemma2', 'gemma3', 'phi3', 'granite', 'smollm3', 'mixtral', 'qwen3moe'];
const IDS = [3, 20, 100, 200, 300, 301, 302, 400];

it('are at least a dozen, of every architecture but the multimodal ones', () => {
  expect(SHAPES.length).toBeGreaterThanOrEqual(12);
});

async function expectWorks(llama: Parameters<typeof loadModel>[0], base: string, type: string): Promise<void> {
  const path = join(folder, 'model.gguf');
  await runCliOk(['build', '--base', base, '--type', type, '--out', path, '--force']);
  const model = await loadModel(llama, path);
  const errors = model.log.filter(({ level }) => ['error', 'fatal'].includes(level)).map(({ text }) => text);
  const logits = await model.logits(IDS);
  await model.close();
  rmSync(path);
  expect(errors).toEqual([]);
  expect(logits).toHaveLength(IDS.length);
  for (const values of logits) {
    expect(values.every(Number.isFinite)).toBe(true);
    expect(new Set(values).size).toBeGreaterThan(values.length / 2);
  }
}

describe('configurations as real models were published with them', () => {
  it.for(SHAPES)('%s converts, loads in llama.cpp and evaluates', async (shape, context) => {
    const llama = llamaOrSkip(context);
    const model = makeRealShape(shape, folder);
    await expectWorks(llama, join(model, 'base'), 'Q4_K_M');
    rmSync(model, { recursive: true });
  });
});

describe('the other families', () => {
  it.for(FAMILIES)('%s in 16, 8 and 4 bits', async (family, context) => {
    const llama = llamaOrSkip(context);
    const model = makeModel(family, folder);
    for (const type of ['F16', 'Q8_0', 'Q4_K_M']) {
      await expectWorks(llama, join(model, 'base'), type);
    }
  });
});
