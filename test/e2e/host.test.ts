import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';
import { HOST_SUITE } from './host/suite';

const entry = new URL('host/suite.ts', import.meta.url).pathname;

// The same tests run in a desktop VS Code: scripts/test-electron.mjs.
describe.skipIf(missingVSCode !== undefined)('in the extension host', () => {
  let code: VSCode;
  photographFailures(() => code);
  const bundles = mkdtempSync(join(tmpdir(), 'modelfile-studio-suite-'));
  const bundle = join(bundles, 'suite.cjs');

  beforeAll(async () => {
    await build({
      entryPoints: [entry],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node22',
    });
    code = await VSCode.open();
  });

  afterAll(async () => {
    await code.close();
    rmSync(bundles, { recursive: true, force: true });
  });

  it.each(Object.keys(HOST_SUITE))('%s', async (name) => {
    const argument = { bundle, name, folder: code.folder };
    await code.inHost(async (vscode, { bundle: path, name: test, folder }: typeof argument, require) => {
      const { HOST_SUITE: suite } = require(path) as {
        readonly HOST_SUITE: Readonly<Record<string, (context: unknown) => Promise<void>>>;
      };
      await suite[test]?.({ vscode, folder });
    }, argument);
  });

  it('has been activated in no time', async () => {
    const { activationMs } = (await code.inHost(
      (vscode) => vscode.extensions.getExtension('modelfile-studio.modelfile-studio')?.exports as unknown,
    )) as { activationMs: number };
    console.log(`activate() took ${activationMs.toFixed(1)} ms`);
    expect(activationMs).toBeLessThan(100);
  });

  it('leaves no error in the log that nobody foresaw', () => {
    const errors = code
      .hostLog()
      .split('\n')
      .filter((line) => /\[error\]/.test(line) && /modelfile-studio|internal\/|unhandled/i.test(line));
    expect(errors).toEqual([]);
  });
});
