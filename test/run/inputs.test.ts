import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../src/core/progress';
import { StudioError } from '../../src/core/errors';
import { buildFromPlan, type BuildReport } from '../../src/node/engine/buildFromPlan';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { CLI, FIXTURES, runCli, runCliOk } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writeNoiseAdapter, writeNoiseModel } from '../support/noiseModel';
import { errorCode, startCli, until } from '../support/startCli';

const RUGBY = join(FIXTURES, 'rugby');
const folder = temporaryFolder();

describe('S8 an input that changes while it is read', () => {
  const model = { hidden: 1024, feedForward: 3072, layers: 5 };
  const base = join(folder, 'base');
  const adapter = join(folder, 'adapter');
  const weights = join(base, 'model.safetensors');

  beforeEach(() => {
    rmSync(base, { recursive: true, force: true });
    writeNoiseModel(base, model);
    writeNoiseAdapter(adapter, model, 16);
  });

  const CHANGES: readonly (readonly [string, () => void])[] = [
    ['is cut short', () => truncateSync(weights, 5_000_000)],
    ['is emptied', () => truncateSync(weights, 0)],
    ['grows', () => appendFileSync(weights, 'x')],
    [
      'is written to',
      () => {
        const file = openSync(weights, 'r+');
        writeSync(file, Uint8Array.of(1, 2, 3, 4), 0, 4, 100_000_000);
        closeSync(file);
      },
    ],
    ['is touched', () => utimesSync(weights, new Date(), new Date(Date.now() + 5000))],
    [
      'is replaced by another file',
      () => {
        cpSync(weights, `${weights}.new`);
        renameSync(`${weights}.new`, weights);
      },
    ],
    ['is deleted', () => unlinkSync(weights)],
    ['has an adapter that is written again', () => writeNoiseAdapter(adapter, model, 16, 5)],
  ];

  it.each(CHANGES)('%s', async (_what, change) => {
    const out = join(folder, 'changed.gguf');
    const run = startCli([
      'build',
      '--base',
      base,
      '--adapter',
      adapter,
      '--type',
      'Q4_K_M',
      '--out',
      out,
      '--workers',
      '1',
    ]);
    await until(
      () =>
        existsSync(`${out}.partial.journal`) && readFileSync(`${out}.partial.journal`, 'latin1').split('\n').length > 2,
      'the run has begun',
    );
    change();
    const ended = await run.ended;
    expect(['input/changed', 'input/missing']).toContain(errorCode(ended));
    expect(ended.code).toBe(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('changed'))).toEqual([]);
  });
});

describe('S8 an input that changes between plan and run', () => {
  it.each(['base/model.safetensors', 'lora/adapter_model.safetensors'])('%s', async (changed) => {
    const at = join(folder, 'planned');
    rmSync(at, { recursive: true, force: true });
    cpSync(join(RUGBY, 'base'), join(at, 'base'), { recursive: true });
    cpSync(join(RUGBY, 'lora'), join(at, 'lora'), { recursive: true });
    const plan = await prepareBuild({
      base: join(at, 'base'),
      adapters: [{ path: join(at, 'lora'), weight: 1 }],
      fileType: 'Q8_0',
      output: join(at, 'out.gguf'),
      layout: 'quantised',
    });
    utimesSync(join(at, changed), new Date(), new Date(Date.now() + 5000));
    const run = drain(
      buildFromPlan(plan, {
        force: false,
        workers: 1,
        signal: new AbortController().signal,
        workerScript: join(CLI, '..', 'worker.js'),
      }),
    );
    await expect(run).rejects.toMatchObject({ code: 'input/changed', path: join(at, changed) });
    expect(readdirSync(at).sort()).toEqual(['base', 'lora']);
  });
});

describe.skipIf(process.platform === 'win32')('S9 nothing waits for a pipe or a device', () => {
  const pipes = join(folder, 'pipes');
  const pipe = (path: string): string => {
    execFileSync('mkfifo', [path]);
    return path;
  };
  const good = { base: join(RUGBY, 'base'), adapter: join(RUGBY, 'lora') };

  /** The base folder with one of its files turned into a pipe. */
  function baseWithPipe(name: string): string {
    const copy = join(pipes, name);
    cpSync(good.base, copy, { recursive: true });
    rmSync(join(copy, name), { force: true });
    pipe(join(copy, name));
    return copy;
  }

  async function promptly(args: readonly string[]): Promise<Awaited<ReturnType<typeof runCli>>> {
    const run = await runCli([...args, '--json'], { timeout: 8000 });
    expect(run.signal, `${args.join(' ')} waits`).toBeNull();
    return run;
  }

  beforeEach(() => {
    rmSync(pipes, { recursive: true, force: true });
    mkdirSync(pipes);
  });

  const out = join(pipes, 'out.gguf');
  const build = (base: string, adapter: string, ...more: string[]): string[] => [
    'build',
    '--base',
    base,
    '--adapter',
    adapter,
    '--type',
    'Q8_0',
    '--out',
    out,
    ...more,
  ];

  it.each([
    ['--base', () => build(pipe(join(pipes, 'p')), good.adapter)],
    ['--adapter', () => build(good.base, pipe(join(pipes, 'p')))],
    ['--imatrix', () => build(good.base, good.adapter, '--imatrix', pipe(join(pipes, 'p')))],
    ['--base /dev/zero', () => build('/dev/zero', good.adapter)],
    ['--imatrix /dev/zero', () => build(good.base, good.adapter, '--imatrix', '/dev/zero')],
    ['the input of quantize', () => ['quantize', pipe(join(pipes, 'p.gguf')), out, 'Q8_0']],
    ['the input of verify', () => ['verify', pipe(join(pipes, 'p.gguf'))]],
    ['config.json', () => build(baseWithPipe('config.json'), good.adapter)],
    ['tokenizer.json', () => build(baseWithPipe('tokenizer.json'), good.adapter)],
    ['model.safetensors', () => build(baseWithPipe('model.safetensors'), good.adapter)],
    ['the index of shards', () => build(baseWithPipe('model.safetensors.index.json'), good.adapter)],
  ])('%s', async (_what, args) => {
    const run = await promptly(args());
    expect(run.code).toBe(1);
    const code =
      run.json['error'] === undefined
        ? (run.json['files'] as { error: { code: string } }[])[0]!.error.code
        : errorCode(run);
    expect(code).toBe('input/not-regular');
  });

  it('a dangling link as base, adapter and imatrix', async () => {
    symlinkSync(join(pipes, 'nobody'), join(pipes, 'link'));
    for (const args of [
      build(join(pipes, 'link'), good.adapter),
      build(good.base, join(pipes, 'link')),
      build(good.base, good.adapter, '--imatrix', join(pipes, 'link')),
    ]) {
      const run = await promptly(args);
      expect([run.code, errorCode(run)]).toEqual([1, 'input/missing']);
    }
  });

  it.each(['', '.lock', '.partial', '.partial.journal', '.build.json'])(
    "where the output's name%s is a pipe",
    async (suffix) => {
      pipe(`${out}${suffix}`);
      const run = await promptly(build(good.base, good.adapter, '--force'));
      if (suffix === '.build.json') {
        expect(run.code).toBe(0);
      } else {
        expect(run.code).toBe(1);
        expect(errorCode(run)).toMatch(/^output\//);
      }
      expect(
        execFileSync('stat', ['-c', '%F', `${out}${suffix}`])
          .toString()
          .trim(),
      ).toBe('fifo');
    },
  );

  it('a side file that fuse would copy', async () => {
    const run = await promptly([
      'fuse',
      '--base',
      baseWithPipe('vocab.json'),
      '--adapter',
      good.adapter,
      '--out',
      join(pipes, 'merged'),
    ]);
    expect([run.code, errorCode(run)]).toEqual([1, 'input/not-regular']);
    expect(readdirSync(pipes)).toEqual(['vocab.json']);
  });
});

describe('W11 the same inputs and options give the same bytes', () => {
  it.each([
    ['build', 'Q4_K_M'],
    ['build', 'BF16'],
  ])('%s %s with 1, 2, 3 and 5 workers, from another folder, over an old output', async (_command, type) => {
    const hashes = new Set<string>();
    for (const workers of ['1', '2', '3', '5']) {
      const out = join(folder, `w${workers}-${type}.gguf`);
      await runCliOk([
        'build',
        '--base',
        join(RUGBY, 'base'),
        '--adapter',
        join(RUGBY, 'dora'),
        '--type',
        type,
        '--out',
        out,
        '--workers',
        workers,
      ]);
      hashes.add(sha256(out));
    }
    const out = join(folder, `w1-${type}.gguf`);
    await runCliOk(
      ['build', '--base', 'base', '--adapter', './dora', '--type', type.toLowerCase(), '--out', out, '--force'],
      { cwd: RUGBY },
    );
    hashes.add(sha256(out));
    expect(hashes.size).toBe(1);
  });
});

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

describe('a worker that dies', () => {
  const WORKERS: readonly (readonly [string, string | undefined, RegExp])[] = [
    ['throws at once', 'throw new Error("bad day")', /bad day/],
    ['exits without a word', 'process.exit(0)', /ended before its work did/],
    ['throws later', 'setTimeout(() => { throw new Error("later") }, 50)', /later/],
    ['rejects', 'setTimeout(() => Promise.reject(new Error("unhandled")), 20)', /unhandled/],
    ['takes too much memory', 'const all = []; for (;;) all.push(new Array(1e6).fill(1.5))', /memory/i],
    ['is not there', undefined, /Cannot find module/],
  ];

  it.each(WORKERS)('%s: engine/worker, and nothing is left', { timeout: 60_000 }, async (_what, code, message) => {
    const script = join(folder, 'worker.js');
    rmSync(script, { force: true });
    if (code !== undefined) {
      writeFileSync(script, code);
    }
    const error = await failure(script);
    expect(error.code, error.message).toBe('engine/worker');
    expect(error.message).toMatch(message);
    expect(readdirSync(folder).filter((name) => name.startsWith('dead'))).toEqual([]);
  });

  it('dies in mid-run', async () => {
    // The real worker, with a thread that ends itself after a moment.
    const script = join(folder, 'worker.js');
    writeFileSync(
      script,
      `require(${JSON.stringify(join(CLI, '..', 'worker.js'))}); setTimeout(() => process.exit(7), 60);`,
    );
    const model = join(folder, 'mid');
    writeNoiseModel(model, { hidden: 1024, feedForward: 3072, layers: 4 });
    const error = await failure(script, model);
    expect(error.code, error.message).toBe('engine/worker');
    expect(readdirSync(folder).filter((name) => name.startsWith('dead'))).toEqual([]);
  });

  async function failure(workerScript: string, base = join(RUGBY, 'base')): Promise<StudioError> {
    const plan = await prepareBuild({
      base,
      adapters: [],
      fileType: 'Q4_K_M',
      output: join(folder, 'dead.gguf'),
      layout: 'quantised',
    });
    try {
      await drain(
        buildFromPlan(plan, { force: false, workers: 2, signal: new AbortController().signal, workerScript }),
      );
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(StudioError);
      return thrown as StudioError;
    }
    throw new Error('the run went well');
  }
});

async function drain(run: AsyncGenerator<EngineEvent, BuildReport>): Promise<BuildReport> {
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      return step.value;
    }
  }
}
