import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { globKind, writeFilesForGlobs } from './fuzzGlobs';
import { fuzz, reportLines, type FuzzOptions, type FuzzReport } from './fuzz';
import { modelfileKind } from './fuzzModelfiles';
import { templateKind } from './fuzzTemplates';
import { GoOracle } from './goOracle';
import { writeFilesForModelfiles } from './modelfileFolder';

export interface FuzzRun {
  /** The path of the oracle's program. */
  readonly oracle: string;
  readonly cases: number;
  readonly seed: number;
  readonly only?: 'modelfiles' | 'templates' | 'globs' | undefined;
}

/** Modelfiles against Ollama's parser, in a folder of their own. */
export async function fuzzModelfiles(options: FuzzOptions): Promise<FuzzReport> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfiles-')));
  try {
    writeFilesForModelfiles(folder);
    return await fuzz(modelfileKind(folder, await options.oracle.version()), options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Patterns in FROM and DRAFT against Go's, as Ollama calls it. */
export async function fuzzGlobs(options: FuzzOptions): Promise<FuzzReport> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'globs-')));
  try {
    // One deeper: what a pattern finds above is ours as well.
    const root = join(folder, 'root');
    mkdirSync(root);
    writeFilesForGlobs(root);
    return await fuzz(globKind(root, await options.oracle.version()), options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Templates against Ollama's. */
export function fuzzTemplates(options: FuzzOptions): Promise<FuzzReport> {
  return fuzz(templateKind, options);
}

/** Every kind, with a report on standard output; true when there was no difference. */
export async function runFuzz({ oracle: program, cases, seed, only }: FuzzRun): Promise<boolean> {
  let agreed = true;
  for (const [name, run] of Object.entries({
    modelfiles: fuzzModelfiles,
    templates: fuzzTemplates,
    globs: fuzzGlobs,
  })) {
    if (only !== undefined && only !== name) {
      continue;
    }
    const started = performance.now();
    const oracle = GoOracle.at(program);
    const report = await run({ cases, seed, oracle, onProgress: (done) => progress(name, done, cases) });
    oracle.stop();
    console.log(reportLines(report).join('\n'));
    console.log(`  ${((performance.now() - started) / 1000).toFixed(0)} s`);
    agreed &&= report.differences.length === 0;
  }
  return agreed;
}

function progress(name: string, done: number, cases: number): void {
  if (process.stderr.isTTY) {
    process.stderr.write(done === cases ? '\r\u001b[K' : `\r${name} ${done} of ${cases}`);
  } else if (done % 10_000 === 0) {
    process.stderr.write(`${name} ${done} of ${cases}\n`);
  }
}
