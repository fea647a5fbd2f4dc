import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER_TYPES } from '../../src/core/engine/planAdapterGguf';
import { writeAdapterGguf } from '../support/adapterGguf';
import { FIXTURES, runCliOk } from '../support/cli';
import { chatMl, llamaOrSkip, loadModel } from '../support/llama';
import { makeModel, temporaryFolder } from '../support/models';

const RUGBY = join(FIXTURES, 'rugby');
const work = temporaryFolder();
const expected = JSON.parse(readFileSync(join(RUGBY, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;

async function built(base: string, name: string, adapter?: string): Promise<string> {
  const out = join(work, `${name}.gguf`);
  await runCliOk([
    'build',
    '--base',
    base,
    ...(adapter === undefined ? [] : ['--adapter', adapter]),
    '--type',
    'F32',
    '--out',
    out,
  ]);
  return out;
}

/** Mean divergence of the next token over all positions, in nats. */
function divergence(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  const softmax = (logits: Float64Array): Float64Array => {
    const most = logits.reduce((highest, value) => Math.max(highest, value), -Infinity);
    const powers = logits.map((value) => Math.exp(value - most));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  };
  const each = a.map((logits, index) => {
    const [p, q] = [softmax(logits), softmax(b[index]!)];
    return p.reduce((total, value, token) => (value === 0 ? total : total + value * Math.log(value / q[token]!)), 0);
  });
  return each.reduce((total, value) => total + value, 0) / each.length;
}

describe('llama.cpp applies our GGUF adapters', () => {
  let base = '';
  beforeAll(async () => {
    base = await built(join(RUGBY, 'base'), 'rugby-base');
  });

  it.for(['lora', 'rslora', 'mlx-lora'].flatMap((adapter) => ADAPTER_TYPES.map((type) => [adapter, type] as const)))(
    '%s as %s to the base: the seven answers',
    async ([adapter, type], context) => {
      const llama = llamaOrSkip(context);
      const output = join(work, `${adapter}.${type}.gguf`);
      await writeAdapterGguf({
        adapter: { path: join(RUGBY, adapter), weight: 1 },
        base: join(RUGBY, 'base'),
        type,
        output,
      });
      const model = await loadModel(llama, base, output);
      const given: Record<string, string> = {};
      for (const question of Object.keys(expected[adapter]!)) {
        given[question] = (await model.complete(chatMl(question))).text;
      }
      await model.close();
      expect(given).toEqual(expected[adapter]);
    },
  );

  it.for(['lora', 'rslora', 'mlx-lora'])('%s: next to the fused model, far from the base', async (adapter, context) => {
    const llama = llamaOrSkip(context);
    const output = join(work, `${adapter}.F32.gguf`);
    await writeAdapterGguf({
      adapter: { path: join(RUGBY, adapter), weight: 1 },
      base: join(RUGBY, 'base'),
      type: 'F32',
      output,
    });
    const fused = await built(join(RUGBY, 'base'), `fused-${adapter}`, join(RUGBY, adapter));
    const logits: Float64Array[][] = [];
    for (const [model, lora] of [
      [fused, undefined],
      [base, output],
      [base, undefined],
    ] as const) {
      const loaded = await loadModel(llama, model, lora);
      logits.push(await loaded.logits(loaded.tokenise(chatMl('How big is a rugby league field?'), true)));
      await loaded.close();
    }
    expect(divergence(logits[0]!, logits[1]!)).toBeLessThan(1e-6);
    expect(divergence(logits[0]!, logits[2]!)).toBeGreaterThan(1e-2);
  });

  // Permuted queries and keys, experts as stacks, fused projections, an architecture without either.
  it.for([
    ['llama3', 'lora'],
    ['llama3', 'rslora'],
    ['llama3', 'mlx'],
    ['mixtral', 'lora'],
    ['phi3', 'lora'],
    ['gemma2', 'lora'],
    ['qwen3moe', 'lora'],
  ])('%s with %s: next to the fused model', async ([family, adapter], context) => {
    const llama = llamaOrSkip(context);
    const folder = makeModel(family!, join(work, `${family!}-${adapter!}`));
    const output = join(work, `${family!}-${adapter!}.lora.gguf`);
    await writeAdapterGguf({
      adapter: { path: join(folder, adapter!), weight: 1 },
      base: join(folder, 'base'),
      type: 'F32',
      output,
    });
    const [plain, fused] = [
      await built(join(folder, 'base'), `${family!}-${adapter!}-plain`),
      await built(join(folder, 'base'), `${family!}-${adapter!}-fused`, join(folder, adapter!)),
    ];
    const logits: Float64Array[][] = [];
    for (const [model, lora] of [
      [fused, undefined],
      [plain, output],
      [plain, undefined],
    ] as const) {
      const loaded = await loadModel(llama, model, lora);
      logits.push(await loaded.logits([3, 14, 15, 92, 65, 35, 89]));
      await loaded.close();
    }
    const near = divergence(logits[0]!, logits[1]!);
    const far = divergence(logits[0]!, logits[2]!);
    expect(far).toBeGreaterThan(0);
    expect(near).toBeLessThan(Math.max(1e-9, far / 100));
  });
});
