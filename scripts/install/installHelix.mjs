// Puts the Helix of Debian sid into the cache folder, without touching the system: `node scripts/install/installHelix.mjs` prints its path.
// HELIX_BIN or an hx on the path comes first. Needs apt-get and dpkg; elsewhere it says so and fails.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installFromSid } from './debianSid.mjs';
import { cacheDirectory } from '../go/buildOracle.mjs';

const cached = () => join(cacheDirectory(), 'helix-sid', 'run');

/** An hx that runs; undefined where there is none. */
export function findHelix() {
  return [process.env.HELIX_BIN, 'hx', cached()].find(
    (path) => path !== undefined && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (findHelix() === undefined) {
    try {
      installFromSid(join(cacheDirectory(), 'helix-sid'), ['hx'], 'usr/lib/hx/hx', {
        HELIX_RUNTIME: 'usr/lib/hx/runtime',
      });
    } catch (thrown) {
      process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    }
  }
  const path = findHelix();
  if (path === undefined) {
    process.stderr.write('Helix could not be installed here. Set HELIX_BIN to one.\n');
    process.exit(1);
  }
  process.stdout.write(`${path}\n`);
}
