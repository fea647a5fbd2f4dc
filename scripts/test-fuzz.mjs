// Compares our parser and templates with Ollama's own code on fresh mutations; ends with 1 where they differ.
//   npm run test:fuzz [-- --cases N] [--seed N] [--only modelfiles|templates|globs] [--version V]
// Needs Go 1.26 and a module proxy, to build the oracle of test/conformance/oracle once.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { buildOracle } from './go/buildOracle.mjs';
import { versionArgument } from './ollamaVersions.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    only: { type: 'string' },
    version: { type: 'string' },
  },
});
const cases = Number(values.cases);
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
if (
  !Number.isSafeInteger(cases) ||
  cases < 1 ||
  !Number.isSafeInteger(seed) ||
  ![undefined, 'modelfiles', 'templates', 'globs'].includes(values.only)
) {
  console.error(
    'Usage: node scripts/test-fuzz.mjs [--cases N] [--seed N] [--only modelfiles|templates|globs] [--version V]',
  );
  process.exit(2);
}

const oracle = buildOracle(versionArgument());
const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
try {
  const bundle = join(folder, 'runFuzz.mjs');
  await build({
    entryPoints: [join(root, 'test/support/runFuzz.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: bundle,
    logLevel: 'error',
  });
  const { runFuzz } = await import(pathToFileURL(bundle).href);
  process.exitCode = (await runFuzz({ oracle, cases, seed, only: values.only })) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
