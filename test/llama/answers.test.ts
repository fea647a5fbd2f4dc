import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { chatMl, llamaOrSkip, loadModel } from '../support/llama';
import { temporaryFolder } from '../support/models';

const RUGBY = join(FIXTURES, 'rugby');
const work = temporaryFolder();
const expected = JSON.parse(readFileSync(join(RUGBY, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;
const TYPES = ['BF16', 'Q8_0', 'Q4_K_M'];

/** Base folder, adapter folder or none, and whose answers are expected. */
const BUILDS: readonly (readonly [base: string, adapter: string, answers: string])[] = [
  ['base', 'none', 'base'],
  ...['lora', 'rslora', 'dora', 'mlx-lora', 'mlx-dora', 'mlx-full'].map(
    (adapter) => ['base', adapter, adapter] as const,
  ),
  ['base-mlx4', 'mlx-lora', 'mlx-lora'],
];

async function build(base: string, adapter: string, type: string): Promise<string> {
  const out = join(work, `${base}-${adapter}-${type}.gguf`);
  await runCliOk([
    'build',
    '--base',
    join(RUGBY, base),
    ...(adapter === 'none' ? [] : ['--adapter', join(RUGBY, adapter)]),
    '--type',
    type,
    '--out',
    out,
  ]);
  return out;
}

describe.each(TYPES)('%s', (type) => {
  it.for(BUILDS)('%s, adapter %s: the seven answers of %s', async ([base, adapter, answers], context) => {
    const llama = llamaOrSkip(context);
    const questions = Object.entries(expected[answers] ?? {});
    expect(questions).toHaveLength(7);
    const path = await build(base, adapter, type);
    const model = await loadModel(llama, path);
    const given = [];
    for (const [question] of questions) {
      given.push([question, await model.complete(chatMl(question))]);
    }
    await model.close();
    rmSync(path);
    expect(given).toEqual(questions.map(([question, text]) => [question, { text, ended: true }]));
  });
});
