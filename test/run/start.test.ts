import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENGINE_VERSION } from '../../src/core/engineVersion';
import { CLI, ROOT } from '../support/cli';
import { temporaryFolder } from '../support/models';

const work = temporaryFolder();

function run(script: string, args: readonly string[], cache: string): string {
  return execFileSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, MODELFILE_STUDIO_CACHE: cache, NODE_DISABLE_COMPILE_CACHE: undefined },
  });
}

interface Output {
  readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[];
}

/** What the bundler wrote for the command line, by path. */
const OUTPUTS = (
  JSON.parse(readFileSync(join(ROOT, 'dist/meta.json'), 'utf8')) as Record<string, { outputs: Record<string, Output> }>
)['cli']!.outputs;

/** The entry and what it loads at once. */
function loadedAtOnce(): string[] {
  const found = new Set(['dist/cli.js']);
  for (const path of found) {
    OUTPUTS[path]?.imports
      .filter(({ kind, external }) => kind !== 'dynamic-import' && external !== true)
      .forEach((imported) => found.add(imported.path));
  }
  return [...found];
}

describe('a start of the command line', () => {
  it('reads a few small files for its version, and keeps nothing', () => {
    const there = join(work, 'alone');
    mkdirSync(there);
    let bytes = 0;
    for (const path of loadedAtOnce()) {
      copyFileSync(join(ROOT, path), join(there, basename(path)));
      bytes += statSync(join(ROOT, path)).size;
    }
    const cache = join(work, 'cache of a version');
    expect(run(join(there, 'cli.js'), ['--version'], cache)).toBe(`${ENGINE_VERSION}\n`);
    expect(bytes).toBeLessThan(20_000);
    expect(existsSync(cache)).toBe(false);
  });

  it('keeps what V8 compiled in the cache folder of the product', () => {
    const cache = join(work, 'cache');
    const first = run(CLI, ['--help'], cache);
    const kept = readdirSync(join(cache, 'v8'), { recursive: true });
    expect(kept.length).toBeGreaterThan(1);
    expect(run(CLI, ['--help'], cache)).toBe(first);
    expect(readdirSync(join(cache, 'v8'), { recursive: true }).length).toBe(kept.length);
  });

  it('needs no cache: a folder that cannot be made loses nothing', () => {
    const file = join(work, 'a file');
    writeFileSync(file, '');
    expect(run(CLI, ['--help'], join(file, 'cache'))).toContain('modelfile-studio COMMAND');
  });

  it('finds its chunks beside it, and no older ones', () => {
    const written = Object.keys(OUTPUTS).map((path) => basename(path));
    const found = readdirSync(join(ROOT, 'dist')).filter((name) => /^cli(?:-[A-Z0-9]+)?\.js/.test(name));
    expect(found.sort()).toEqual(written.sort());
  });
});
