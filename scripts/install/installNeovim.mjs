// Puts Debian's Neovim, and the newer one of Debian sid, into the cache folder, without touching the system: `node scripts/install/installNeovim.mjs`
// prints their paths. NVIM_BIN or an nvim on the path comes first. Needs apt-get and dpkg; elsewhere it says so and fails.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installFromSid } from './debianSid.mjs';
import { cacheDirectory } from '../go/buildOracle.mjs';

const runs = (path) => path !== undefined && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
const stable = () => join(cacheDirectory(), 'neovim', 'nvim');
const newest = () => join(cacheDirectory(), 'neovim-sid', 'run');

/** Every nvim that runs: the user's own, else the one of this Debian, and sid's. Empty where there is none. */
export function findNeovims() {
  const own = [process.env.NVIM_BIN, 'nvim', stable()].find(runs);
  return [own, newest()].filter((path, i) => path !== undefined && (i === 0 || runs(path)));
}

function installStable() {
  const folder = join(cacheDirectory(), 'neovim');
  const plan = execFileSync('apt-get', ['install', '-s', '--no-install-recommends', 'neovim'], { encoding: 'utf8' });
  const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
  const downloads = mkdtempSync(join(tmpdir(), 'neovim-'));
  execFileSync('apt-get', ['download', ...packages], { cwd: downloads, stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(downloads)) {
    execFileSync('dpkg', ['-x', join(downloads, name), folder]);
  }
  rmSync(downloads, { recursive: true });
  const libraries = readdirSync(join(folder, 'usr/lib'))
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => join(folder, 'usr/lib', name));
  writeFileSync(
    stable(),
    `#!/bin/sh\nexport LD_LIBRARY_PATH='${libraries.join(':')}'\nexport VIMRUNTIME='${join(folder, 'usr/share/nvim/runtime')}'\nexec '${join(folder, 'usr/bin/nvim')}' "$@"\n`,
  );
  chmodSync(stable(), 0o755);
}

function attempt(what, install) {
  try {
    install();
  } catch (thrown) {
    process.stderr.write(
      `${what} could not be installed: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (![process.env.NVIM_BIN, 'nvim', stable()].some(runs)) {
    attempt('Neovim', installStable);
  }
  if (!runs(newest())) {
    attempt('the Neovim of Debian sid', () =>
      installFromSid(join(cacheDirectory(), 'neovim-sid'), ['neovim'], 'usr/bin/nvim', {
        VIMRUNTIME: 'usr/share/nvim/runtime',
      }),
    );
  }
  const found = findNeovims();
  if (found.length === 0) {
    process.stderr.write('Neovim could not be installed here. Set NVIM_BIN to one.\n');
    process.exit(1);
  }
  process.stdout.write(`${found.join('\n')}\n`);
}
