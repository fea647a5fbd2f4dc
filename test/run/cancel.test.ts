import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { HANG_LIMIT } from '../support/hangLimit';
import { temporaryFolder } from '../support/models';
import { writeNoiseAdapter, writeNoiseModel } from '../support/noiseModel';
import { errorCode, startCli, until } from '../support/startCli';

// On Windows signals end a process without its clean-up: there a cancel comes by message.
describe.skipIf(process.platform === 'win32')('cancelling leaves nothing and answers at once', () => {
  const folder = temporaryFolder();
  const model = { hidden: 1024, feedForward: 3072, layers: 12 };
  const [base, adapter, work] = [join(folder, 'base'), join(folder, 'adapter'), join(folder, 'base', '..')];
  const before = ['base', 'adapter', 'old.gguf'];

  beforeAll(() => {
    writeNoiseModel(base, model);
    writeNoiseAdapter(adapter, model, 16);
    writeFileSync(join(folder, 'old.gguf'), 'the old one');
  });

  const builds: readonly (readonly [string, readonly string[]])[] = [
    ['build', ['build', '--type', 'Q4_K_M', '--out', join(work, 'new.gguf')]],
    ['build --force', ['build', '--type', 'Q2_K', '--out', join(work, 'old.gguf'), '--force']],
    ['fuse', ['fuse', '--dtype', 'F32', '--out', join(work, 'merged')]],
  ];
  const moments: readonly (readonly [string, NodeJS.Signals, (partial: string) => Promise<void>])[] = [
    ['while planning', 'SIGINT', () => sleep(250)],
    ['as soon as something is written', 'SIGTERM', (partial) => until(() => existsSync(partial), 'a partial output')],
    ['after some parts', 'SIGINT', (partial) => until(() => lines(partial) > 6, 'some parts')],
    ['in the middle', 'SIGTERM', (partial) => until(() => lines(partial) > 40, 'half of it')],
  ];

  function lines(partial: string): number {
    return existsSync(`${partial}.journal`) ? readFileSync(`${partial}.journal`, 'latin1').split('\n').length : 0;
  }

  describe.each(builds)('%s', (_name, args) => {
    it.each(moments)('%s', async (_moment, signal, moment) => {
      const out = args[args.indexOf('--out') + 1]!;
      const run = startCli([...args, '--base', base, '--adapter', adapter, '--workers', '2']);
      await moment(`${out}.partial`);
      const asked = performance.now();
      expect(run.child.kill(signal), 'it ended before it was cancelled').toBe(true);
      const ended = await run.ended;
      const took = performance.now() - asked;
      // A signal before the handlers are in place ends the process the system's way, with nothing begun.
      expect(ended.code === 130 || ended.signal === signal, `exit ${String(ended.code)} ${ended.stdout}`).toBe(true);
      if (ended.code === 130) {
        expect(errorCode(ended)).toBe('run/cancelled');
      }
      expect(took).toBeLessThan(HANG_LIMIT);
      expect(readdirSync(folder).sort()).toEqual([...before].sort());
      expect(readFileSync(join(folder, 'old.gguf'), 'utf8')).toBe('the old one');
    });
  });

  it('a second signal changes nothing', async () => {
    const out = join(folder, 'twice.gguf');
    const run = startCli(['build', '--type', 'Q4_K_M', '--out', out, '--base', base, '--adapter', adapter]);
    await until(() => existsSync(`${out}.partial`), 'a partial output');
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    run.child.kill('SIGTERM');
    expect((await run.ended).code).toBe(130);
    expect(readdirSync(folder).sort()).toEqual([...before].sort());
  });
});
