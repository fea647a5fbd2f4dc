// Bundles everything that runs into dist/. `node esbuild.mjs [--watch] [--minify]`
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import esbuild from 'esbuild';
import { buildKernels } from './scripts/build-kernels.mjs';
import { writeLibraryTable } from './scripts/libraryTable.mjs';
import { writeNotices } from './scripts/docs/notices.mjs';

const watch = process.argv.includes('--watch');
const minify = process.argv.includes('--minify');

/** Output name to entry point; `external` is what the host of that bundle provides. */
const BUNDLES = [
  // What `await import()` asks for lies in files beside a bundle in chunks, so that a start reads little.
  { name: 'cli', entry: 'src/cli/cli.ts', external: [], chunks: true },
  { name: 'worker', entry: 'src/node/engine/worker.ts', external: [] },
  // Runs models' Jinja templates, apart from everything else.
  { name: 'jinja', entry: 'src/node/jinja/jinjaWorker.ts', external: [] },
  // Reads the files that the viewer shows.
  { name: 'viewerWorker', entry: 'src/node/viewer/viewerWorker.ts', external: [] },
  // The script of the viewer's page.
  { name: 'viewer', entry: 'src/extension/webview/viewer/main.ts', external: [], platform: 'browser' },
  // The script of the Try panel's page.
  { name: 'try', entry: 'src/extension/webview/try/main.ts', external: [], platform: 'browser' },
  // The script of the prompt preview's page.
  { name: 'prompt', entry: 'src/extension/webview/prompt/main.ts', external: [], platform: 'browser' },
  { name: 'server', entry: 'language-server/src/server/main.ts', external: [] },
  { name: 'extension', entry: 'src/extension/extension.ts', external: ['vscode'], chunks: true },
];

/** A file that a split bundle loads later; the build that no longer writes it removes it. */
const chunkOf = (bundle) => new RegExp(`^${bundle}-[A-Z0-9]+\\.js$`);

// What an older build left is no part of this one; the bundles themselves are written over, so that a running one stays whole.
for (const name of !watch && existsSync('dist') ? readdirSync('dist') : []) {
  if (
    !BUNDLES.some(
      ({ name: bundle, chunks }) => name === `${bundle}.js` || (name === `${bundle}.js.map` && chunks !== true),
    ) &&
    !BUNDLES.some((bundle) => bundle.chunks === true && chunkOf(bundle.name).test(name)) &&
    !['meta.json', 'library.json', 'NOTICES.txt'].includes(name)
  ) {
    rmSync(join('dist', name), { recursive: true, force: true });
  }
}
await buildKernels();
mkdirSync('dist', { recursive: true });
await writeLibraryTable('dist/library.json');
const inputs = {};
for (const { name, entry, external, platform = 'node', chunks = false } of BUNDLES.filter((bundle) =>
  existsSync(bundle.entry),
)) {
  const options = {
    entryPoints: [entry],
    outfile: `dist/${name}.js`,
    bundle: true,
    platform,
    target: platform === 'node' ? 'node22' : 'chrome132',
    format: platform === 'node' ? 'cjs' : 'iife',
    external,
    loader: { '.wasm': 'binary' },
    minify,
    sourcemap: minify ? false : 'linked',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  };
  if (watch) {
    const context = await esbuild.context(options);
    await context.watch();
  } else {
    const { metafile } = chunks ? await buildInChunks(name, options) : await esbuild.build(options);
    inputs[name] = metafile;
  }
}
if (!watch) {
  // For the test that holds the layers apart.
  writeFileSync('dist/meta.json', JSON.stringify(inputs));
  writeNotices('dist/NOTICES.txt', Object.values(inputs));
}

/** Splits a bundle at its dynamic imports. esbuild splits ES modules only, so that each file is made CommonJS afterwards. */
async function buildInChunks(bundle, options) {
  const split = await esbuild.build({
    ...options,
    outfile: undefined,
    outdir: 'dist',
    chunkNames: `${bundle}-[hash]`,
    format: 'esm',
    splitting: true,
    sourcemap: false,
    write: false,
  });
  for (const { path, text } of split.outputFiles) {
    const { code } = await esbuild.transform(text, {
      format: 'cjs',
      platform: options.platform,
      target: options.target,
      minify,
      supported: { 'dynamic-import': false },
      legalComments: 'none',
    });
    writeFileSync(path, code);
    if (code.startsWith('#!')) {
      chmodSync(path, 0o755);
    }
  }
  const written = split.outputFiles.map(({ path }) => basename(path));
  readdirSync('dist')
    .filter((name) => chunkOf(bundle).test(name) && !written.includes(name))
    .forEach((name) => rmSync(join('dist', name), { force: true }));
  return split;
}
