import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { runTool } from '../../src/node/tools/runTool';

const folders: string[] = [];
function fresh(): string {
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
  folders.push(folder);
  return folder;
}
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const node = async (script: string, args: readonly string[], options: Partial<Parameters<typeof runTool>[2]> = {}) =>
  await runTool(process.execPath, ['-e', script, '--', ...args], { cwd: fresh(), ...options });

/** Gone, or dead and not yet reaped by whoever inherited it. */
function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  return existsSync(`/proc/${pid}/stat`) && /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

describe('X1 X2 arguments', () => {
  it('reach the program as they are', async () => {
    const args = [
      '; touch X',
      '$(id)',
      '`id`',
      '%PATH%',
      '"&calc',
      "a'b",
      'two\nlines',
      '-rf',
      '--config=x',
      'ü 模',
      '',
      '*',
    ];
    const { exitCode, output } = await node('console.log(JSON.stringify(process.argv.slice(1)))', args);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toEqual(args);
  });

  it('name the program by an absolute path only', async () => {
    await expect(runTool('node', [], { cwd: fresh() })).rejects.toThrow('no absolute path');
  });
});

describe('X4 the environment of a tool', () => {
  it('holds what it needs, and no secret', async () => {
    const env = {
      ...process.env,
      HF_TOKEN: 'canary-1',
      OPENAI_API_KEY: 'canary-2',
      NODE_OPTIONS: '--no-warnings',
      CUDA_VISIBLE_DEVICES: '0',
    };
    const { output } = await node('console.log(JSON.stringify(process.env))', [], { env });
    const got = JSON.parse(output) as Record<string, string>;
    expect(got['PATH']).toBe(process.env['PATH']);
    expect(got['CUDA_VISIBLE_DEVICES']).toBe('0');
    expect(got['NODE_OPTIONS']).toBeUndefined();
    expect(output).not.toContain('canary');
  });
});

const TREE = `
const { spawn } = require('node:child_process');
const grandchild = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)"], { stdio: ['ignore', 'pipe', 'inherit'] });
grandchild.stdout.once('data', () => require('node:fs').writeFileSync(process.argv[1], process.pid + ' ' + grandchild.pid));
`;

describe.skipIf(process.platform === 'win32')('X5 the tree of processes', () => {
  it('is ended by a cancel, a grandchild that ignores SIGTERM too', async () => {
    const told = join(fresh(), 'pids');
    const controller = new AbortController();
    const run = node(TREE, [told], { signal: controller.signal });
    while (!existsSync(told) || !readFileSync(told, 'utf8').includes(' ')) {
      await sleep(20);
    }
    const pids = readFileSync(told, 'utf8').split(' ').map(Number);
    expect(pids.map(isDead)).toEqual([false, false]);
    controller.abort();
    await expect(run).rejects.toMatchObject({ code: 'run/cancelled' });
    expect(pids.map(isDead)).toEqual([true, true]);
  });

  it('is ended when the tool has ended and left one behind that holds its output', async () => {
    const told = join(fresh(), 'pid');
    const script = `
      const { spawn } = require('node:child_process');
      const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      require('node:fs').writeFileSync(process.argv[1], String(left.pid));
      console.log('done');
      process.exit(3);`;
    const { exitCode, output } = await node(script, [told]);
    expect([exitCode, output]).toEqual([3, 'done\n']);
    expect(isDead(Number(readFileSync(told, 'utf8')))).toBe(true);
  });

  it('is ended by the time limit', async () => {
    const run = await node('setInterval(() => {}, 1000)', [], { timeout: 300 });
    expect(run.timedOut).toBe(true);
    expect(run.exitCode).toBeUndefined();
  });
});

describe('X7 X8 a tool that goes wrong', () => {
  it('says so where it cannot be started', async () => {
    const run = await runTool(join(fresh(), 'absent'), [], { cwd: tmpdir() });
    expect(run.exitCode).toBeUndefined();
    expect(run.output).toContain('ENOENT');
  });

  it('is not run at all once cancelled', async () => {
    const marker = join(fresh(), 'ran');
    const signal = AbortSignal.abort();
    await expect(
      node('require("node:fs").writeFileSync(process.argv[1], "")', [marker], { signal }),
    ).rejects.toMatchObject({
      code: 'run/cancelled',
    });
    expect(existsSync(marker)).toBe(false);
  });

  it('prints 1 GB, and memory stays flat', { timeout: 120_000 }, async () => {
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
    const script = `
      const line = Buffer.alloc(1 << 20, 'x'); let left = 1024;
      (function more() { while (left-- > 0) { if (!process.stdout.write(line)) return process.stdout.once('drain', more); } process.stdout.write('end'); })();`;
    const { exitCode, output } = await node(script, []);
    clearInterval(watch);
    expect(exitCode).toBe(0);
    expect(output.length).toBe(64 * 1024);
    expect(output.endsWith('xend')).toBe(true);
    expect(most - before).toBeLessThan(150 * 1024 * 1024);
  });

  it('keeps the beginning where that is asked for', async () => {
    writeFileSync(join(fresh(), 'x'), '');
    const { output } = await node('process.stdout.write("begin" + "x".repeat(200000))', [], {
      keep: 'head',
      most: 100,
    });
    expect(output).toBe(`begin${'x'.repeat(95)}`);
  });
});
