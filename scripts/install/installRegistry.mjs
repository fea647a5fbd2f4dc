// Puts Debian's docker-registry (a distribution registry, version 2) into the cache folder, without touching the system:
// `node scripts/install/installRegistry.mjs` prints its path. DOCKER_REGISTRY_BIN or a docker-registry on the path comes first.
// Needs apt-get and dpkg; elsewhere it says so and fails.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../go/buildOracle.mjs';

/** A docker-registry that runs; undefined where there is none. */
export function findRegistry() {
  const cached = join(cacheDirectory(), 'docker-registry', 'usr/bin/docker-registry');
  for (const path of [process.env.DOCKER_REGISTRY_BIN, 'docker-registry', cached]) {
    if (path !== undefined && path !== '' && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0) {
      return path;
    }
  }
  return undefined;
}

function install() {
  const folder = join(cacheDirectory(), 'docker-registry');
  const downloads = mkdtempSync(join(tmpdir(), 'docker-registry-'));
  try {
    execFileSync('apt-get', ['download', 'docker-registry'], { cwd: downloads, stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(downloads)) {
      execFileSync('dpkg', ['-x', join(downloads, name), folder]);
    }
  } finally {
    rmSync(downloads, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (findRegistry() === undefined) {
    install();
  }
  const path = findRegistry();
  if (path === undefined) {
    process.stderr.write('docker-registry could not be installed here. Set DOCKER_REGISTRY_BIN to one.\n');
    process.exit(1);
  }
  process.stdout.write(`${path}\n`);
}
