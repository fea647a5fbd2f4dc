import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, FIXTURES, runCli, type CliRun } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writeNoiseAdapter, writeNoiseModel } from '../support/noiseModel';
import { errorCode, startCli, until } from '../support/startCli';

const folder = temporaryFolder();
const isRoot = process.getuid?.() === 0;
const rugby = ['--base', join(FIXTURES, 'rugby', 'base'), '--adapter', join(FIXTURES, 'rugby', 'lora')];

/** A file system of its own in memory; undefined where this user may not mount one. */
function mountSmall(name: string, options: string): string | undefined {
  const at = join(folder, name);
  mkdirSync(at);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at], { stdio: 'ignore' });
    afterAll(() => {
      execFileSync('umount', ['-l', at]);
    });
    return at;
  } catch {
    return undefined;
  }
}

const small = process.platform === 'linux' && isRoot ? mountSmall('small', 'size=96m,nr_inodes=100') : undefined;
const readOnly = small === undefined ? undefined : mountSmall('read-only', 'size=1m,ro');
if (small === undefined) {
  console.warn('SKIPPED: disk full and read-only file systems, which need root on Linux to mount a small tmpfs');
}

function build(out: string, ...more: string[]): Promise<CliRun> {
  return runCli(['build', ...rugby, '--type', 'Q8_0', '--out', out, '--json', ...more]);
}

/**
 * Root may write anywhere: somebody else tries then, with a copy of the program, of Node and of the inputs, for the clone may lie in
 * a folder that only its owner may enter.
 */
async function buildAsNobody(args: readonly string[]): Promise<CliRun> {
  const there = join(folder, 'for-nobody');
  cpSync(dirname(CLI), join(there, 'dist'), { recursive: true });
  cpSync(join(FIXTURES, 'rugby', 'base'), join(there, 'base'), { recursive: true });
  copyFileSync(process.execPath, join(there, 'node'));
  chmodSync(join(there, 'node'), 0o755);
  return await startCli(['build', '--base', join(there, 'base'), ...args], {
    uid: 65534,
    node: join(there, 'node'),
    script: join(there, 'dist/cli.js'),
    cwd: there,
  }).ended;
}

/** Takes space until only `left` bytes are free. */
function fill(path: string, left: number): void {
  const file = openSync(path, 'a');
  const page = new Uint8Array(1 << 16);
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(path);
      const room = bavail * bsize - left;
      if (room <= 0) {
        return;
      }
      writeSync(file, page, 0, Math.min(page.length, room));
    }
  } catch {
    // Full to the last byte.
  } finally {
    closeSync(file);
  }
}

describe.skipIf(small === undefined)('W3 a full disk', () => {
  const disk = small!;
  const model = { hidden: 1024, feedForward: 3072, layers: 7 };
  const big = ['--base', join(folder, 'base'), '--adapter', join(folder, 'adapter'), '--workers', '2'];
  const filler = join(disk, 'filler');

  beforeAll(() => {
    writeNoiseModel(join(folder, 'base'), model);
    writeNoiseAdapter(join(folder, 'adapter'), model, 16);
  });

  function onDisk(): string[] {
    return readdirSync(disk)
      .filter((name) => name !== 'filler')
      .sort();
  }

  it('is refused before the start when the result cannot fit', async () => {
    const out = join(disk, 'large.gguf');
    const run = await runCli(['build', ...big, '--type', 'F16', '--out', out, '--json']);
    expect(run.code).toBe(1);
    expect(errorCode(run)).toBe('disk/full');
    expect(run.json['error']).toMatchObject({
      detail: { needed: expect.any(Number) as number, free: expect.any(Number) as number },
    });
    expect(onDisk()).toEqual([]);
  });

  it(
    'fills up while the run writes: nothing unfinished is left and the old output is untouched',
    { timeout: 120_000 },
    async () => {
      const out = join(disk, 'old.gguf');
      writeFileSync(out, 'the old one');
      const run = startCli(['build', '--type', 'Q4_K_M', ...big, '--out', out, '--force']);
      await until(() => existsSync(`${out}.partial`), 'a partial output');
      fill(filler, 0);
      const ended = await run.ended;
      rmSync(filler);
      expect(errorCode(ended), ended.stdout).toBe('disk/full');
      expect(ended.code).toBe(1);
      expect(onDisk()).toEqual(['old.gguf']);
      expect(readFileSync(out, 'utf8')).toBe('the old one');
      rmSync(out);
    },
  );

  const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
    ['build', ['build', '--type', 'Q8_0']],
    ['fuse', ['fuse']],
  ];

  it.each(COMMANDS)(
    '%s at any amount of free space: a typed error or a whole result',
    { timeout: 120_000 },
    async (_name, args) => {
      const codes = new Set<string>();
      for (const left of [0, 1, 4096, 8192, 1 << 16, 1 << 20, 3 << 20, 8 << 20]) {
        fill(filler, left);
        const out = join(disk, 'result.x');
        const run = await runCli([...args, ...rugby, '--out', out, '--json']);
        rmSync(filler, { force: true });
        codes.add(run.code === 0 ? 'done' : errorCode(run));
        expect(onDisk()).toEqual(run.code === 0 ? ['result.x', 'result.x.build.json'] : []);
        rmSync(out, { force: true, recursive: true });
        rmSync(`${out}.build.json`, { force: true });
      }
      expect([...codes].sort()).toEqual(['disk/full', 'done']);
    },
  );

  it('without inodes left', async () => {
    mkdirSync(join(disk, 'many'));
    let made = 0;
    try {
      for (; made < 200; made++) {
        writeFileSync(join(disk, 'many', String(made)), '');
      }
    } catch {
      // None left.
    }
    const codes: string[] = [];
    for (let freed = 0; freed < 4; freed++) {
      const run = await build(join(disk, 'result.gguf'));
      codes.push(run.code === 0 ? 'done' : errorCode(run));
      rmSync(join(disk, 'many', String(freed)));
      expect(onDisk().filter((name) => /partial|lock|journal/.test(name))).toEqual([]);
      if (run.code === 0) {
        break;
      }
    }
    rmSync(join(disk, 'many'), { recursive: true });
    expect(new Set(codes)).toEqual(new Set(['disk/full', 'done']));
  });
});

describe('W10 places that cannot be written', () => {
  async function refusal(out: string, ...more: string[]): Promise<string> {
    const run = await build(out, ...more);
    expect(run.code).toBe(1);
    expect((run.json['error'] as { message: string }).message).toContain(out);
    return errorCode(run);
  }

  it('a folder that does not exist', async () => {
    expect(await refusal(join(folder, 'nobody', 'out.gguf'))).toBe('output/unwritable');
  });

  it('a file where a folder should be', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await refusal(join(folder, 'file', 'out.gguf'))).toBe('output/unwritable');
  });

  it('an output that is a folder, and a trailing slash', async () => {
    mkdirSync(join(folder, 'a-folder'), { recursive: true });
    expect(await refusal(join(folder, 'a-folder'))).toBe('output/name');
    expect(await refusal(join(folder, 'a-folder'), '--force')).toBe('output/name');
    expect(await refusal(join(folder, 'new-folder/'))).toMatch(/^output\//);
    expect(readdirSync(join(folder, 'a-folder'))).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')('a device', async () => {
    expect(await refusal('/dev/null')).toBe('output/name');
    expect(await refusal('/dev/null', '--force')).toBe('output/name');
  });

  it('a name that is too long for its journal', async () => {
    expect(await refusal(join(folder, `${'n'.repeat(300)}.gguf`))).toBe('output/name');
    expect(await refusal(join(folder, `${'n'.repeat(240)}.gguf`))).toBe('output/name');
  });

  it.skipIf(readOnly === undefined)('a read-only file system', async () => {
    expect(await refusal(join(readOnly!, 'out.gguf'))).toBe('output/unwritable');
  });

  it.skipIf(process.platform === 'win32')('a folder without permission', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o555);
    chmodSync(folder, 0o755);
    const args = ['--type', 'Q8_0', '--out', join(closed, 'out.gguf')];
    const run = await (isRoot ? buildAsNobody(args) : startCli(['build', ...rugby, ...args]).ended);
    expect(errorCode(run), run.stdout + run.stderr).toBe('output/unwritable');
    chmodSync(closed, 0o755);
  });

  it.skipIf(process.platform !== 'linux')('a system folder that takes no files', async () => {
    expect(await refusal('/proc/out.gguf')).toBe('output/unwritable');
  });

  it('leaves nothing behind', () => {
    expect(readdirSync(folder).filter((name) => /partial|lock|journal|\.gguf/.test(name))).toEqual([]);
  });
});
