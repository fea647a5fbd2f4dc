// The quantisers against ggml's own on blocks of the ugliest mixtures of values and weights, for every type with and
// without an importance matrix; ends with 1 where a block differs.
//   npm run test:kernels [-- --blocks N] [--seed N] [--only TYPE[:importance][,...]] [--jobs N]
// N blocks of each; a difference is printed with the seed that brings it back. Needs @node-llama-cpp/linux-x64.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { buildKernels } from './build-kernels.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    only: { type: 'string' },
    jobs: { type: 'string' },
    bundle: { type: 'string' },
  },
});
const blocks = Number(values.blocks);
const seed = values.seed === undefined ? Date.now() % 1_000_000_007 : Number(values.seed);
const jobs = values.jobs === undefined ? Math.max(1, availableParallelism() >> 1) : Number(values.jobs);
if (![blocks, seed, jobs].every(Number.isSafeInteger) || blocks < 1 || jobs < 1) {
  fail('--blocks, --seed and --jobs take whole numbers.');
}

function fail(reason) {
  console.error(
    `${reason}\nUsage: npm run test:kernels [-- --blocks N] [--seed N] [--only TYPE[:importance][,...]] [--jobs N]`,
  );
  process.exit(2);
}

/** Runs one comparison in a process of its own; what it printed, and whether nothing differed. */
function inProcess(bundle, spec) {
  return new Promise((resolve, reject) => {
    const options = ['--bundle', bundle, '--only', spec, '--blocks', String(blocks), '--seed', String(seed)];
    const child = fork(fileURLToPath(import.meta.url), options, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code === 0));
  });
}

if (values.bundle !== undefined) {
  const { runMixtures } = await import(pathToFileURL(values.bundle).href);
  process.exitCode = (await runMixtures(values.only, blocks, seed)) ? 0 : 1;
} else {
  await buildKernels();
  // Beside node_modules, where the bundle finds koffi.
  const folder = mkdtempSync(join(root, 'node_modules/.test-kernels-'));
  try {
    const bundle = join(folder, 'runMixtures.mjs');
    await build({
      entryPoints: [join(root, 'test/kernels/runMixtures.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      external: ['koffi'],
      loader: { '.wasm': 'binary' },
      outfile: bundle,
      logLevel: 'error',
    });
    const { kernelSpecs } = await import(pathToFileURL(bundle).href);
    const known = kernelSpecs();
    const specs = values.only === undefined ? known : values.only.split(',');
    const unknown = specs.filter((spec) => !known.includes(spec));
    if (unknown.length > 0) {
      rmSync(folder, { recursive: true, force: true });
      fail(`${unknown.join(', ')}: the types are ${known.join(', ')}.`);
    }
    const waiting = [...specs];
    const failed = [];
    await Promise.all(
      Array.from({ length: Math.min(jobs, specs.length) }, async () => {
        for (let spec = waiting.shift(); spec !== undefined; spec = waiting.shift()) {
          if (!(await inProcess(bundle, spec))) {
            failed.push(spec);
          }
        }
      }),
    );
    console.log(
      failed.length === 0
        ? `${specs.length} comparisons of ${blocks} blocks, seed ${seed}: all blocks are ggml's`
        : `failed: ${failed.join(', ')}`,
    );
    process.exitCode = failed.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
