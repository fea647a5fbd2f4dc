// Builds Ollama from its Go module into the cache folder: `node scripts/install/installOllama.mjs [VERSION …]` prints the paths.
// Without a version: those that the tests are written against, beside one another.
// OLLAMA_BIN comes first. Needs Go 1.26 or later and a module proxy. It creates, lists and renders; to run and to
// quantise models it needs llama.cpp's programs beside it: scripts/install/installLlama.mjs.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../go/buildOracle.mjs';
import { OLDER_VERSION, TESTED_VERSIONS } from '../ollamaVersions.mjs';

/** Where one lies: `bin/ollama`, and llama.cpp's programs in `lib/ollama`. */
export function ollamaFolder(version = OLDER_VERSION) {
  return join(cacheDirectory(), `ollama-${version}`);
}

/** An ollama that starts: the one that OLLAMA_BIN names, else the one built here; undefined where there is none. */
export function findOllama(version = OLDER_VERSION) {
  const named = process.env.OLLAMA_BIN;
  const path =
    named !== undefined && named !== ''
      ? named
      : join(ollamaFolder(version), 'bin', process.platform === 'win32' ? 'ollama.exe' : 'ollama');
  return existsSync(path) && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0 ? path : undefined;
}

function install(version) {
  const go = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (go.status !== 0) {
    throw new Error(
      'Ollama is built with Go, and there is no go on the path. Install Go 1.26 or later, or set OLLAMA_BIN to an ollama.',
    );
  }
  // Go names the program itself; the folder gets its place when it is whole.
  const building = `${ollamaFolder(version)}/building-${process.pid}`;
  mkdirSync(building, { recursive: true });
  execFileSync(
    'go',
    [
      'install',
      '-ldflags',
      `-X github.com/ollama/ollama/version.Version=${version}`,
      `github.com/ollama/ollama@v${version}`,
    ],
    {
      env: { ...process.env, GOBIN: building, GOFLAGS: '' },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const bin = join(ollamaFolder(version), 'bin');
  mkdirSync(bin, { recursive: true });
  const name = process.platform === 'win32' ? 'ollama.exe' : 'ollama';
  renameSync(join(building, name), join(bin, name));
  rmSync(building, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (findOllama() === undefined && process.env.OLLAMA_BIN) {
      throw new Error(
        `OLLAMA_BIN is ${process.env.OLLAMA_BIN}, which does not start. Correct it, or take it away to have one built.`,
      );
    }
    const versions = process.argv.length > 2 ? process.argv.slice(2) : TESTED_VERSIONS;
    const wrong = versions.find((version) => !/^\d+\.\d+\.\d+$/.test(version));
    if (wrong !== undefined) {
      throw new Error(`${wrong} is no version. For example: node scripts/install/installOllama.mjs 0.34.4`);
    }
    for (const version of process.env.OLLAMA_BIN ? [''] : versions) {
      if (findOllama(version) === undefined) {
        install(version);
      }
      const path = findOllama(version);
      if (path === undefined) {
        throw new Error(`The ollama ${version} that was built does not start.`);
      }
      process.stdout.write(`${path}\n`);
    }
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
