import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { JobRunner, type JobStorage } from '../../src/extension/jobs/jobRunner';
import { isOver, type Job } from '../../src/extension/jobs/job';
import { duration, jobFacts, jobLog, percent } from '../../src/extension/jobs/jobText';
import { forkCli } from '../../src/node/process/forkCli';
import { HANG_LIMIT } from '../support/hangLimit';
import { CLI, FIXTURES, runCliOk } from '../support/cli';
import { until } from '../support/startCli';
import { writeLargeModel } from '../support/largeModel';

const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-jobs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

class Memory implements JobStorage {
  constructor(public value?: unknown) {}
  read(): unknown {
    return this.value;
  }
  write(value: unknown): void {
    // As a window's state is: through JSON.
    this.value = JSON.parse(JSON.stringify(value));
  }
}

function runner(storage: JobStorage = new Memory()): JobRunner {
  return new JobRunner((args, options) => forkCli([...args, '--json'], { script: CLI, ...options }), storage);
}

const base = join(FIXTURES, 'rugby/base');
const lora = join(FIXTURES, 'rugby/lora');
const build = (out: string, ...more: readonly string[]): string[] => [
  'build',
  '--base',
  base,
  '--adapter',
  lora,
  '--type',
  'Q8_0',
  '--out',
  out,
  ...more,
];
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('jobs', () => {
  it('run to a result, tell of every step, and say what came out', async () => {
    const jobs = runner();
    const states: string[] = [];
    jobs.onChange((job) => {
      if (job !== undefined) {
        states.push(job.state);
      }
    });
    const output = join(folder, 'done.gguf');
    const { id } = jobs.start({ kind: 'build', title: 'Build done.gguf', args: build(output), output });
    const job = (await jobs.finished(id))!;
    expect(job.state).toBe('done');
    expect(existsSync(output)).toBe(true);
    expect(states[0]).toBe('running');
    expect(job.log.join('\n')).toMatch(/modelfile-studio build[\s\S]*running[\s\S]*Done/);
    expect(job.result).toMatchObject({ ok: true, output });
    expect(jobFacts(job).join(' · ')).toMatch(/^\d+ s · \d\.\d MB$/);
    expect(percent(job)).toBe(100);
    expect(jobLog(job)).toContain(`output ${output}`);
  });

  it('wait for each other, are the same when they are the same, and can be cancelled while they wait', async () => {
    const jobs = runner();
    const first = jobs.start({ kind: 'build', title: 'first', args: build(join(folder, 'first.gguf')) });
    const second = jobs.start({ kind: 'build', title: 'second', args: build(join(folder, 'second.gguf')) });
    expect(jobs.start({ kind: 'build', title: 'again', args: build(join(folder, 'second.gguf')) }).id).toBe(second.id);
    expect(jobs.find(second.id)?.state).toBe('queued');
    jobs.cancel(second.id);
    expect((await jobs.finished(second.id))?.state).toBe('cancelled');
    expect((await jobs.finished(first.id))?.state).toBe('done');
    expect(existsSync(join(folder, 'second.gguf'))).toBe(false);
  });

  it('fail with the code and the words of the command, and can be run again', async () => {
    const jobs = runner();
    const args = build(join(folder, 'first.gguf'));
    const { id } = jobs.start({ kind: 'build', title: 'exists', args });
    const failed = (await jobs.finished(id))!;
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'output/exists' } });
    expect(jobFacts(failed)[0]).toMatch(/^output\/exists: /);
    rmSync(join(folder, 'first.gguf'));
    const again = jobs.again(id)!;
    // Pages that show the job find it by its id.
    expect(again.id).toBe(id);
    expect((await jobs.finished(again.id))?.state).toBe('done');
    expect(jobs.jobs.map((job) => job.id)).toEqual([again.id]);
  });

  it('run what follows only after what comes first', async () => {
    const jobs = runner();
    const output = join(folder, 'next.gguf');
    const modelfile = join(folder, 'next.Modelfile');
    const { id } = jobs.start({
      kind: 'build',
      title: 'both',
      args: build(output),
      output,
      next: [['modelfile', '--base', output, '--out', modelfile]],
    });
    const job = (await jobs.finished(id))!;
    expect(job.error).toBeUndefined();
    expect(job.result).toMatchObject({ output });
    expect(readFileSync(modelfile, 'utf8')).toContain('FROM ./next.gguf');
    const { id: bad } = jobs.start({
      kind: 'build',
      title: 'exists',
      args: build(output),
      next: [['modelfile', '--base', output, '--out', join(folder, 'never.Modelfile')]],
    });
    expect((await jobs.finished(bad))?.state).toBe('failed');
    expect(existsSync(join(folder, 'never.Modelfile'))).toBe(false);
  });

  it('are cancelled by message, and leave nothing', async () => {
    const model = join(folder, 'large');
    writeLargeModel(model, 4);
    const jobs = runner();
    const output = join(folder, 'cancelled.gguf');
    const { id } = jobs.start({
      kind: 'convert',
      title: 'large',
      args: ['build', '--base', model, '--type', 'Q4_K_M', '--out', output],
      output,
    });
    await until(() => jobs.find(id)?.progress !== undefined, 'progress', 60_000);
    expect(jobFacts(jobs.find(id)!).join(' ')).toMatch(/\d+ % .* of /);
    const started = Date.now();
    jobs.cancel(id);
    const job = (await jobs.finished(id))!;
    expect(job.state).toBe('cancelled');
    expect(Date.now() - started).toBeLessThan(HANG_LIMIT);
    expect([output, `${output}.partial`, `${output}.partial.journal`].filter((path) => existsSync(path))).toEqual([]);
    expect(isOver(job)).toBe(true);
    expect(duration(job)).toBeGreaterThan(0);
  });

  it('leave what can be resumed when the process that forked them goes away', async () => {
    const model = join(folder, 'large');
    const output = join(folder, 'resumed.gguf');
    const args = ['build', '--base', model, '--type', 'Q4_K_M', '--out', output];
    const child = fork(CLI, [...args, '--json'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const exited = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
    let done = 0;
    child.on('message', (message: { readonly event?: { readonly bytesDone?: number } }) => {
      done = Math.max(done, message.event?.bytesDone ?? 0);
    });
    await until(() => done > 1_000_000, 'a megabyte', 60_000);
    const left = Date.now();
    child.disconnect();
    await exited;
    expect(Date.now() - left).toBeLessThan(HANG_LIMIT);
    expect(existsSync(`${output}.partial.journal`)).toBe(true);
    // The next window: the job was running when the old one was closed.
    const storage = new Memory([
      {
        id: 'old',
        spec: { kind: 'build', title: 'Build resumed.gguf', args, output },
        state: 'running',
        created: Date.now(),
        started: Date.now(),
        log: [],
      },
    ]);
    const jobs = runner(storage);
    expect(jobs.find('old')).toMatchObject({ state: 'interrupted' });
    expect(jobs.interrupted).toEqual(['old']);
    // The window after asks about it no more.
    expect(runner(storage).interrupted).toEqual([]);
    const again = (await jobs.finished(jobs.again('old')!.id))!;
    expect(again).toMatchObject({ state: 'done', result: { output } });
    expect((again.result as { readonly resumedUnits?: number }).resumedUnits).toBeGreaterThan(0);
    const whole = join(folder, 'whole.gguf');
    await runCliOk(['build', '--base', model, '--type', 'Q4_K_M', '--out', whole]);
    expect(sha256(output)).toBe(sha256(whole));
  });

  it('outlive a window, but only as what they are', () => {
    const job = {
      id: 'a',
      spec: { kind: 'build', title: 'x', args: ['build'] },
      state: 'done',
      created: 1,
      log: ['one'],
    };
    const jobs = runner(
      new Memory([
        job,
        { id: 'b' },
        7,
        null,
        { ...job, id: 'c', spec: { ...job.spec, args: [] } },
        { ...job, id: 'd', state: 'queued' },
        { ...job, id: 'e', state: 'exploded' },
      ]),
    );
    expect(jobs.jobs.map(({ id, state }) => [id, state])).toEqual([
      ['a', 'done'],
      ['d', 'interrupted'],
    ]);
    expect(runner(new Memory('nonsense')).jobs).toEqual([]);
  });

  it('keep the list short, and lose only what has ended', () => {
    const storage = new Memory(
      Array.from({ length: 60 }, (_, index) => ({
        id: String(index),
        spec: { kind: 'build', title: 'x', args: ['build'] },
        state: 'done',
        created: index,
        log: [],
      })),
    );
    const jobs = runner(storage);
    expect(jobs.jobs.length).toBe(30);
    jobs.remove('0');
    expect(jobs.jobs.length).toBe(29);
    jobs.remove();
    expect(storage.value).toEqual([]);
  });
});

describe('a job in words', () => {
  const job = (change: Partial<Job>): Job => ({
    id: 'x',
    spec: { kind: 'create', title: 'Create rugby', args: ['create'] },
    state: 'done',
    created: 0,
    started: 0,
    ended: 4000,
    log: [],
    ...change,
  });

  it('says the answer of a new model, and how long it took', () => {
    expect(jobFacts(job({ result: { answer: 'It is 68 metres\nwide.' } }))).toEqual([
      '4 s',
      'answered “It is 68 metres wide.”',
    ]);
    expect(jobFacts(job({ state: 'queued' }))).toEqual(['waiting']);
    expect(jobFacts(job({ state: 'interrupted' }))[0]).toBe('interrupted');
  });

  it('says how far it is', () => {
    const progress = { bytesDone: 1_300_000_000, bytesTotal: 2_100_000_000, rate: 410_000_000, secondsLeft: 2 };
    expect(jobFacts(job({ state: 'running', phase: 'running', progress })).join(' · ')).toBe(
      '61 % · 1.3 GB of 2.1 GB · 410 MB/s · 2 s left',
    );
    expect(jobFacts(job({ state: 'running', phase: 'cancelling', progress }))).toEqual(['cancelling']);
  });

  it('lets no control character through', () => {
    const shown = jobLog(
      job({ state: 'failed', error: { code: 'gguf/offset', message: 'a\u001b[31mred' }, result: { name: '\u202e' } }),
    );
    expect(shown).toContain('\\u001b[31mred');
    expect(shown).not.toMatch(/\u001b|\u202e/);
  });
});
