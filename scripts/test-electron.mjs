// Runs test/e2e/host in a desktop VS Code, which @vscode/test-electron downloads: `node scripts/test-electron.mjs [VERSION]`.
// VERSION is `stable` or one like 1.105.0, by default the oldest that the manifest allows. VSCODE_BIN names an installed one.
// Needs a display: on Linux without one, run it under xvfb-run. Where VS Code cannot be downloaded it says so and ends with 0.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadAndUnzipVSCode, runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { cacheDirectory } from './go/buildOracle.mjs';
import { makeSampleWorkspace } from './vscode/sampleWorkspace.mjs';

const root = join(import.meta.dirname, '..');
const oldest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.vscode.replace('^', '');
const version = process.argv[2] ?? oldest;

async function findVSCode() {
  if (process.env.VSCODE_BIN !== undefined) {
    return process.env.VSCODE_BIN;
  }
  try {
    return await downloadAndUnzipVSCode({ version, cachePath: join(cacheDirectory(), 'vscode') });
  } catch (error) {
    console.log(`not run: the suite in a desktop VS Code ${version}, which could not be downloaded (${error.message})`);
    return undefined;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-electron-'));
try {
  const vscodeExecutablePath = await findVSCode();
  if (vscodeExecutablePath !== undefined) {
    if (spawnSync(process.execPath, ['esbuild.mjs', '--minify'], { cwd: root, stdio: 'inherit' }).status !== 0) {
      throw new Error('the build failed');
    }
    const suite = join(folder, 'electron.cjs');
    await build({
      entryPoints: [join(root, 'test/e2e/host/electron.ts')],
      outfile: suite,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node22',
      external: ['vscode'],
    });
    const workspace = makeSampleWorkspace(join(folder, 'rugby'));
    const launchArgs = [
      workspace,
      '--disable-extensions',
      '--disable-workspace-trust',
      '--user-data-dir',
      join(folder, 'user'),
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ];
    await runTests({ vscodeExecutablePath, extensionDevelopmentPath: root, extensionTestsPath: suite, launchArgs });
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
