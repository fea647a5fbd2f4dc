// Builds Ollama from its Go module into the cache folder: `node scripts/install/installOllama.mjs` prints its path.
// OLLAMA_BIN comes first. Needs Go 1.26 or later and a module proxy. It creates, lists and renders; to run and to
// quantise models it needs llama.cpp's programs beside it: scripts/install/installLlama.mjs.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../go/buildOracle.mjs';

/** The version that the tests are written against. */
export const OLLAMA_VERSION = '0.32.15';

/** Where it lies: `bin/ollama`, and llama.cpp's programs in `lib/ollama`. */
export function ollamaFolder() {
  return join(cacheDirectory(), `ollama-${OLLAMA_VERSION}`);
}

/** An ollama that starts: the one that OLLAMA_BIN names, else the one built here; undefined where there is none. */
export function findOllama() {
  const named = process.env.OLLAMA_BIN;
  const path =
    named !== undefined && named !== ''
      ? named
      : join(ollamaFolder(), 'bin', process.platform === 'win32' ? 'ollama.exe' : 'ollama');
  return existsSync(path) && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0 ? path : undefined;
}

function install() {
  const go = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (go.status !== 0) {
    throw new Error(
      'Ollama is built with Go, and there is no go on the path. Install Go 1.26 or later, or set OLLAMA_BIN to an ollama.',
    );
  }
  // Go names the program itself; the folder gets its place when it is whole.
  const building = `${ollamaFolder()}/building-${process.pid}`;
  mkdirSync(building, { recursive: true });
  execFileSync(
    'go',
    [
      'install',
      '-ldflags',
      `-X github.com/ollama/ollama/version.Version=${OLLAMA_VERSION}`,
      `github.com/ollama/ollama@v${OLLAMA_VERSION}`,
    ],
    {
      env: { ...process.env, GOBIN: building, GOFLAGS: '' },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const bin = join(ollamaFolder(), 'bin');
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
    if (findOllama() === undefined) {
      install();
    }
    const path = findOllama();
    if (path === undefined) {
      throw new Error('The ollama that was built does not start.');
    }
    process.stdout.write(`${path}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
