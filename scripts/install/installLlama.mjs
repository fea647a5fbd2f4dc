// Puts llama.cpp's programs beside each Ollama of scripts/install/installOllama.mjs, so that it runs and quantises models:
// `node scripts/install/installLlama.mjs` prints the folder of the programs.
// They come from Debian sid, in a folder of their own in the cache; the system gets debootstrap at most. Needs Linux on
// x86-64, apt-get and root. MODELFILE_STUDIO_DEBIAN_SID names a sid folder that was made elsewhere.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../go/buildOracle.mjs';
import { OLDER_VERSION, TESTED_VERSIONS } from '../ollamaVersions.mjs';
import { ollamaFolder } from './installOllama.mjs';

const PACKAGES = ['llama.cpp-tools', 'llama.cpp-tools-extra', 'libopenblas0-pthread'];
/** Of llama.cpp: what Ollama starts, and what tests compare with. */
const PROGRAMS = ['llama-server', 'llama-quantize', 'llama-imatrix', 'llama-perplexity', 'llama-cli'];
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

/** The folder of the programs, beside Ollama's own. */
export function llamaFolder(version = OLDER_VERSION) {
  return join(ollamaFolder(version), 'lib', 'ollama');
}

/** The folder of the programs if llama-server and llama-quantize start; undefined where they do not. */
export function findLlama(version = OLDER_VERSION) {
  const folder = llamaFolder(version);
  const starts = ['llama-server', 'llama-quantize'].every(
    (name) =>
      existsSync(join(folder, name)) &&
      spawnSync(join(folder, name), ['--help'], { stdio: 'ignore' }).error === undefined,
  );
  return starts && spawnSync(join(folder, 'llama-server'), ['--version'], { stdio: 'ignore' }).status === 0
    ? folder
    : undefined;
}

/** A root folder of Debian sid with llama.cpp in it. */
function debian() {
  const named = process.env.MODELFILE_STUDIO_DEBIAN_SID;
  if (named !== undefined && named !== '') {
    if (!existsSync(join(named, 'usr/bin/llama-server'))) {
      throw new Error(`MODELFILE_STUDIO_DEBIAN_SID is ${named}, and there is no usr/bin/llama-server in it.`);
    }
    return named;
  }
  const folder = join(cacheDirectory(), 'debian-sid');
  if (!existsSync(join(folder, 'usr/bin/llama-server'))) {
    bootstrap(folder);
  }
  return folder;
}

function bootstrap(folder) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `llama.cpp is installed from Debian for Linux on x86-64, and this is ${process.platform} on ${process.arch}. Set OLLAMA_BIN to an installed Ollama, which brings its own.`,
    );
  }
  if (process.getuid() !== 0) {
    throw new Error(
      'debootstrap needs root. Run this once as root (sudo -E node scripts/install/installLlama.mjs), or set OLLAMA_BIN to an installed Ollama.',
    );
  }
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) {
    throw new Error(
      'There is no apt-get here: this works on Debian and Ubuntu. Set OLLAMA_BIN to an installed Ollama.',
    );
  }
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  const run = (command, args) =>
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  if (spawnSync('debootstrap', ['--version'], { stdio: 'ignore' }).status !== 0) {
    console.error('installing debootstrap with apt-get');
    run('apt-get', ['update']);
    run('apt-get', ['install', '-y', '--no-install-recommends', 'debootstrap', 'debian-archive-keyring']);
  }
  const building = `${folder}.building`;
  rmSync(building, { recursive: true, force: true });
  mkdirSync(building, { recursive: true });
  const mirror = process.env.DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';
  run('debootstrap', [
    '--variant=minbase',
    '--keyring=/usr/share/keyrings/debian-archive-keyring.gpg',
    'sid',
    building,
    mirror,
  ]);
  // Mirrors that lag behind have a date that is past.
  run('chroot', [building, 'apt-get', '-o', 'Acquire::Check-Valid-Until=false', 'update']);
  run('chroot', [building, 'apt-get', 'install', '-y', '--no-install-recommends', ...PACKAGES]);
  renameSync(building, folder);
}

/** The program of another Debian without a chroot: its own loader with its own libraries. */
function wrapper(root, program) {
  const libraries = join(root, LIBRARIES);
  const kind = /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'haswell' : 'x64';
  return [
    '#!/bin/sh',
    `export GGML_BACKEND_PATH='${join(libraries, `ggml/backends0/libggml-cpu-${kind}.so`)}'`,
    `exec '${join(root, 'lib64/ld-linux-x86-64.so.2')}' --library-path '${[join(libraries, 'llama'), libraries, join(libraries, 'ggml'), join(libraries, 'openblas-pthread')].join(':')}' '${join(root, 'usr/bin', program)}' "$@"`,
    '',
  ].join('\n');
}

function install(version) {
  const root = debian();
  mkdirSync(llamaFolder(version), { recursive: true });
  for (const program of PROGRAMS) {
    if (existsSync(join(root, 'usr/bin', program))) {
      const path = join(llamaFolder(version), program);
      writeFileSync(path, wrapper(root, program));
      chmodSync(path, 0o755);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (process.env.OLLAMA_BIN) {
      process.stdout.write('OLLAMA_BIN names an installed Ollama, which brings its own.\n');
      process.exit(0);
    }
    for (const version of process.argv.length > 2 ? process.argv.slice(2) : TESTED_VERSIONS) {
      if (findLlama(version) === undefined) {
        install(version);
      }
      const folder = findLlama(version);
      if (folder === undefined) {
        throw new Error('llama.cpp was installed, but its programs do not start on this machine.');
      }
      process.stdout.write(`${folder}\n`);
    }
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
