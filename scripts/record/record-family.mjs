// Records what llama.cpp's own converter and llama-quantize make of a spec of test/fixtures/specs:
// `node scripts/record/record-family.mjs NAME…`. Needs the converter (scripts/install/installConverter.mjs). The goldens are committed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Files find others from where they stand, not from where the bundle does. */
const keepUrls = {
  name: 'keep-urls',
  setup(bundler) {
    bundler.onLoad({ filter: /\.(?:ts|mjs)$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
      loader: path.endsWith('.ts') ? 'ts' : 'js',
    }));
  },
};

const root = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(root);
const folder = mkdtempSync(join(tmpdir(), 'record-'));
const bundle = join(root, 'node_modules', `.record-${process.pid}.mjs`);
try {
  await build({
    entryPoints: [join(root, 'scripts/record/recordFamily.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile: bundle,
    plugins: [keepUrls],
  });
  const { recordFamily } = await import(pathToFileURL(bundle).href);
  for (const name of process.argv.slice(2)) {
    recordFamily(root, name, folder);
    console.log(`recorded ${name}`);
  }
} finally {
  rmSync(bundle, { force: true });
  rmSync(folder, { recursive: true, force: true });
}
