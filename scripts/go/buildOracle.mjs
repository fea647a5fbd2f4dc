// Builds the Go program of test/conformance/oracle, which tests compare with, outside the tree: $MODELFILE_STUDIO_CACHE or ~/.cache/modelfile-studio.
// `node scripts/go/buildOracle.mjs [--version V]` prints the path of the oracle's binary; it is rebuilt when its source changes.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NEWEST_VERSION, versionArgument } from '../ollamaVersions.mjs';

/** The Go program. */
const source = fileURLToPath(new URL('../../test/conformance/oracle', import.meta.url));

/** The folder for what tests build or install: never inside the tree. */
export function cacheDirectory() {
  return process.env.MODELFILE_STUDIO_CACHE ?? join(homedir(), '.cache', 'modelfile-studio');
}

/** Where the oracle of this source and version is or would be: the name carries a digest of main.go, go.mod and go.sum. */
export function oraclePath(version = NEWEST_VERSION) {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) {
    hash.update(readFileSync(join(source, name)));
  }
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return join(cacheDirectory(), `oracle-${version}-${hash.digest('hex').slice(0, 12)}${suffix}`);
}

/** Builds the oracle of a version unless this source was built before; returns its path. Needs Go 1.26 and a module proxy. */
export function buildOracle(version = NEWEST_VERSION) {
  const path = oraclePath(version);
  if (!existsSync(path)) {
    mkdirSync(cacheDirectory(), { recursive: true });
    const copy = mkdtempSync(join(tmpdir(), 'oracle-'));
    try {
      cpSync(source, copy, { recursive: true });
      const go = (...words) => execFileSync('go', words, { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] });
      // go.mod names one version; of another the packages have other requirements.
      go('get', `github.com/ollama/ollama@v${version}`);
      const built = join(copy, 'oracle-built');
      go('build', '-mod=mod', '-ldflags', `-X main.ollamaVersion=${version}`, '-o', built, '.');
      cpSync(built, `${path}.${process.pid}`);
      renameSync(`${path}.${process.pid}`, path);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  }
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${buildOracle(versionArgument())}\n`);
}
