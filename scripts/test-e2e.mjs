// The end-to-end tests: packages the extension, installs it and the tests' probe into a fresh VS Code, and runs test/e2e.
//   npm run test:e2e [-- vitest options]
// Needs code-server and Chromium (scripts/install/installCodeServer.mjs installs them where it can); says so where they are missing.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareVSCode } from './vscode/prepareVSCode.mjs';

const root = join(import.meta.dirname, '..');
const profile = mkdtempSync(join(tmpdir(), 'modelfile-studio-vscode-'));
let status = 1;
try {
  const env = prepareVSCode(profile);
  if (env === undefined) {
    console.log('not run: the end-to-end tests (no VS Code here, see above)');
    status = process.env.MODELFILE_STUDIO_E2E_OPTIONAL === '1' ? 0 : 1;
  } else {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const named = process.argv.slice(2).some((argument) => argument.startsWith('test/e2e'));
    const args = [
      vitest,
      'run',
      ...(named ? [] : ['test/e2e']),
      '--no-file-parallelism',
      '--testTimeout',
      '180000',
      '--hookTimeout',
      '180000',
      ...process.argv.slice(2),
    ];
    status =
      spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root, env: { ...process.env, ...env } }).status ?? 1;
  }
} finally {
  rmSync(profile, { recursive: true, force: true });
}
process.exit(status);
