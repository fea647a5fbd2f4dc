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
  return makeFrom(join(FIXTURES, 'specs', `${spec}.json`), join(folder, spec));
}

/** Writes a model of the configuration that a real one was published with (test/fixtures/shapes): its widths, few layers, noise. */
export function makeRealShape(name: string, folder: string): string {
  return makeFrom(join(FIXTURES, 'shapes', `${name}.json`), join(folder, name));
}

/** As makeModel, from the path of a spec. */
export function makeFrom(spec: string, out: string): string {
  execFileSync(process.execPath, [join(FIXTURES, 'make-model.mjs'), spec, out]);
  return out;
}
