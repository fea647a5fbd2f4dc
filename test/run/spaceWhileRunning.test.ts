import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { FileTypeName } from '../../src/core/engine/fileTypes';
import type { BuildPlan } from '../../src/core/engine/buildPlan';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { runPlan } from '../../src/node/engine/runPlan';
import type * as freeSpace from '../../src/node/files/freeSpace';
import { CLI } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writeNoiseModel } from '../support/noiseModel';

/** What the disk says of its free space while a run goes on, which other programs take from it. */
const disk = vi.hoisted(() => ({ free: 0, looks: 0 }));
vi.mock('../../src/node/files/freeSpace', async (original) => ({
  ...(await original<typeof freeSpace>()),
  freeBytes: () => {
    disk.looks++;
    return Promise.resolve(disk.free);
  },
}));

const folder = temporaryFolder();
const base = join(folder, 'base');
// Larger than what two units in flight may have taken.
mkdirSync(join(folder, 'out'));
writeNoiseModel(base, { hidden: 512, feedForward: 1536, layers: 8 });

afterEach(() => {
  vi.restoreAllMocks();
});

async function run(plan: BuildPlan): Promise<void> {
  const events = runPlan(plan, { workers: 1, force: false, workerScript: join(CLI, '..', 'worker.js') });
  // Every look at the clock finds a minute gone: the disk is looked at on every turn.
  let minutes = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => ++minutes * 60_000);
  for (let step = await events.next(); step.done !== true; step = await events.next()) {
    // Nothing to do.
  }
}

async function planFor(name: string, fileType: FileTypeName): Promise<BuildPlan> {
  const output = join(folder, 'out', name);
  return await prepareBuild({ base, adapters: [], fileType, output, layout: 'quantised' });
}

it('a disk that others fill ends a run before a write fails, and nothing is left', { timeout: 120_000 }, async () => {
  disk.free = 1e6;
  const plan = await planFor('full.gguf', 'F32');
  expect(plan.bytesWritten).toBeGreaterThan(20e6);
  await expect(run(plan)).rejects.toMatchObject({
    code: 'disk/full',
    message: expect.stringContaining('has only 1 MB left') as string,
    detail: { free: 1e6 },
  });
  expect(disk.looks).toBeGreaterThan(0);
  expect(readdirSync(join(folder, 'out'))).toEqual([]);
});

it('a disk with room for the rest ends nothing', { timeout: 120_000 }, async () => {
  disk.looks = 0;
  const plan = await planFor('room.gguf', 'Q8_0');
  // Little, but enough.
  disk.free = 60e6;
  expect(plan.bytesWritten).toBeLessThan(disk.free);
  await run(plan);
  expect(disk.looks).toBeGreaterThan(0);
  expect(existsSync(plan.output)).toBe(true);
});
