// Builds the Go program of test/conformance/oracle, which tests compare with, outside the tree: $MODELFILE_STUDIO_CACHE or ~/.cache/modelfile-studio.
// `node scripts/go/buildOracle.mjs` prints the path of the oracle's binary; it is rebuilt when its source changes.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The Go program. */
const source = fileURLToPath(new URL('../../test/conformance/oracle', import.meta.url));

/** The folder for what tests build or install: never inside the tree. */
export function cacheDirectory() {
  return process.env.MODELFILE_STUDIO_CACHE ?? join(homedir(), '.cache', 'modelfile-studio');
}

/** Where the oracle of this source is or would be: the name carries a digest of main.go, go.mod and go.sum. */
export function oraclePath() {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) {
    hash.update(readFileSync(join(source, name)));
  }
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return join(cacheDirectory(), `oracle-${hash.digest('hex').slice(0, 12)}${suffix}`);
}

/** Builds the oracle unless this source was built before; returns its path. Needs Go 1.26 and a module proxy. */
export function buildOracle() {
  const path = oraclePath();
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    execFileSync('go', ['build', '-o', path, '.'], { cwd: source, stdio: ['ignore', 'inherit', 'inherit'] });
  }
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${buildOracle()}\n`);
}
