// Takes the README's pictures of the extension in real VS Code: `npm run screenshots` writes media/screenshots/*.png. Look at them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { prepareVSCode } from './prepareVSCode.mjs';

const root = join(import.meta.dirname, '../..');
const profile = mkdtempSync(join(tmpdir(), 'modelfile-studio-screenshots-'));
// Beside node_modules, so that packages are found.
const bundle = join(root, 'test/support/.screenshots.mjs');
try {
  const env = prepareVSCode(profile);
  if (env === undefined) {
    console.error('No VS Code here: see above for what is missing.');
    process.exitCode = 1;
  } else {
    Object.assign(process.env, env, { MODELFILE_STUDIO_SCREENSHOTS: join(profile, 'pictures') });
    process.chdir(root);
    await build({
      entryPoints: [join(root, 'scripts/vscode/screenshots.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      packages: 'external',
      logLevel: 'warning',
    });
    const { takeScreenshots } = await import(bundle);
    await takeScreenshots();
  }
} finally {
  rmSync(bundle, { force: true });
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
