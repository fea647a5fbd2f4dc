// Puts Debian's Neovim into the cache folder, without touching the system: `node scripts/installNeovim.mjs` prints its path.
// NVIM_BIN or an nvim on the path comes first. Needs apt-get and dpkg; elsewhere it says so and fails.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from './go/buildOracle.mjs';

/** An nvim that runs; undefined where there is none. */
export function findNeovim() {
  const cached = join(cacheDirectory(), 'neovim', 'nvim');
  for (const path of [process.env.NVIM_BIN, 'nvim', cached]) {
    if (path !== undefined && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0) {
      return path;
    }
  }
  return undefined;
}

function install() {
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
  const libraries = readdirSync(join(folder, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu')).map((name) => join(folder, 'usr/lib', name));
  const wrapper = join(folder, 'nvim');
  writeFileSync(wrapper, `#!/bin/sh\nexport LD_LIBRARY_PATH='${libraries.join(':')}'\nexport VIMRUNTIME='${join(folder, 'usr/share/nvim/runtime')}'\nexec '${join(folder, 'usr/bin/nvim')}' "$@"\n`);
  chmodSync(wrapper, 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (findNeovim() === undefined) {
    install();
  }
  const path = findNeovim();
  if (path === undefined || (path !== 'nvim' && !existsSync(path))) {
    process.stderr.write('Neovim could not be installed here. Set NVIM_BIN to one.\n');
    process.exit(1);
  }
  process.stdout.write(`${path}\n`);
}
