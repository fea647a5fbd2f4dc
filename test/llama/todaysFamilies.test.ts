import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { llamaOrSkip, loadModel } from '../support/llama';
import { makeModel, temporaryFolder } from '../support/models';

const work = temporaryFolder();
/** Latent attention of these small lengths: the prebuilt llama.cpp has neither fused attention nor Q8_0 kernels for it. */
const LATENT = /^(?:deepseek|glm47flash)/;
/** The prebuilt llama.cpp stops the process at these, whose files are the converter's byte by byte: why. */
const NOT_EVALUATED = new Map([
  ['qwen3vl', 'its graph asserts (ggml_can_repeat) on text without an image'],
  ['qwen3vlmoe', 'its graph asserts (ggml_can_repeat) on text without an image'],
]);
const SPECS = readdirSync(join(FIXTURES, 'specs')).map((name) => name.replace(/\.json$/, ''));

describe('every family in real llama.cpp', () => {
  it.for(SPECS)('%s loads and evaluates', { timeout: 240_000 }, async (name, context) => {
    const llama = llamaOrSkip(context);
    const reason = NOT_EVALUATED.get(name);
    if (reason !== undefined) {
      console.log(`skipped: ${name} (${reason})`);
      context.skip();
    }
    const folder = makeModel(name, work);
    const path = join(work, `${name}.gguf`);
    await runCliOk([
      'build',
      '--base',
      join(folder, 'base'),
      '--type',
      LATENT.test(name) ? 'F32' : 'Q8_0',
      '--out',
      path,
    ]);
    const model = await loadModel(llama, path, undefined, LATENT.test(name) ? false : undefined);
    const logits = await model.logits([5, 17, 40, 99, 3, 250, 7, 311]);
    await model.close();
    rmSync(path);
    rmSync(folder, { recursive: true });
    expect(logits).toHaveLength(8);
    for (const values of logits) {
      expect(values.every(Number.isFinite)).toBe(true);
      expect(new Set(values).size).toBeGreaterThan(values.length / 2);
    }
  });
});
