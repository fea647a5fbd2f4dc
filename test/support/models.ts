import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { FIXTURES } from './cli';

/** A folder that is removed when the tests of a file end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Writes the noise model of a spec (test/fixtures/specs) and its adapters; returns the folder that holds `base` and them. */
export function makeModel(spec: string, folder: string): string {
  const out = join(folder, spec);
  execFileSync(process.execPath, [join(FIXTURES, 'make-model.mjs'), join(FIXTURES, 'specs', `${spec}.json`), out]);
  return out;
}
