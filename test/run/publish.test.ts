import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { workUnits } from '../../src/core/engine/workUnits';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { runPlan } from '../../src/node/engine/runPlan';
import { PartialOutput } from '../../src/node/output/partialOutput';
import { CLI, FIXTURES } from '../support/cli';
import { rejection } from '../support/collect';
import { temporaryFolder } from '../support/models';

const base = join(FIXTURES, 'rugby/base');
const folder = temporaryFolder();

function planFor(name: string): ReturnType<typeof prepareBuild> {
  const output = join(folder, name);
  return prepareBuild({ base, adapters: [], fileType: 'Q8_0', output, layout: 'quantised' });
}

it('a sync behind the run that failed makes the end fail, though the system does not tell of it again', async () => {
  const plan = await planFor('sync.gguf');
  const partial = await PartialOutput.begin(plan, 'a'.repeat(64), workUnits(plan.tensors));
  const [path] = partial.paths;
  const bytes = readFileSync(path!);
  rmSync(path!);
  partial.syncBehind();
  await expect(rejection(partial.seal())).resolves.toMatchObject({ path: plan.output });
  writeFileSync(path!, bytes);
  await expect(rejection(partial.seal())).resolves.toMatchObject({ path: plan.output });
  await partial.discard();
  expect(readdirSync(folder)).toEqual([]);
});

it('an output that another run made between the first look and the lock is not built again', async () => {
  const plan = await planFor('second.gguf');
  const run = runPlan(plan, { workers: 1, force: false, workerScript: join(CLI, '..', 'worker.js') });
  await expect(run.next()).resolves.toMatchObject({ value: { phase: 'checking' } });
  // The first look is over when next() returns its promise; the lock is not yet taken.
  const next = run.next();
  writeFileSync(plan.output, "another run's");
  await expect(rejection(next)).resolves.toMatchObject({ code: 'output/exists' });
  expect(readFileSync(plan.output, 'utf8')).toBe("another run's");
  expect(readdirSync(folder)).toEqual(['second.gguf']);
  rmSync(plan.output);
});

it('bytes reach the disk before the name, and the name before the end', (context) => {
  const strace = spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;
  if (!strace) {
    console.log(`skipped: ${context.task.name} (strace is not installed)`);
    context.skip('strace is not installed');
  }
  const out = join(folder, 'order.gguf');
  const log = join(folder, 'log');
  const calls = 'trace=fsync,fdatasync,rename,renameat,renameat2';
  const args = ['-f', '-y', '-s', '4096', '-e', calls, '-o', log, process.execPath, CLI];
  execFileSync('strace', [...args, 'convert', '--base', base, '--type', 'Q8_0', '--out', out], { stdio: 'ignore' });
  expect(existsSync(out)).toBe(true);
  // With several threads a call may be written as begun and ended apart: where it began is what counts for the later one.
  const lines = readFileSync(log, 'utf8').split('\n');
  const at = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line));
  const last = (pattern: RegExp): number => lines.findLastIndex((line) => pattern.test(line));
  const literal = (path: string): string => path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const rename = at(new RegExp(`rename\\w*\\(.*"${literal(`${out}.partial`)}".*"${literal(out)}"`));
  const bytes = last(new RegExp(`fsync\\(\\d+<${literal(`${out}.partial`)}>`));
  const name = last(new RegExp(`fsync\\(\\d+<${literal(folder)}>`));
  const text = lines.join('\n');
  expect(bytes, text).toBeGreaterThanOrEqual(0);
  expect(rename, text).toBeGreaterThan(bytes);
  expect(name, text).toBeGreaterThan(rename);
});
