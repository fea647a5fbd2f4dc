import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { JobRunner } from '../../src/extension/jobs/jobRunner';
import { OllamaClient } from '../../src/node/ollama/ollamaClient';
import { startOllama } from '../../src/node/ollama/startOllama';
import { forkCli } from '../../src/node/process/forkCli';
import { CLI, FIXTURES, runCli } from '../support/cli';
import { freePort } from '../support/freePort';
import { temporaryFolder } from '../support/models';
import { until } from '../support/startCli';
import { COMMIT, FakeHub } from '../hub/fakeHub';

const folder = temporaryFolder();
const fresh = (): string => mkdtempSync(join(folder, 'case-'));

function script(text: string): string {
  const path = join(fresh(), 'child.cjs');
  writeFileSync(path, text);
  return path;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('X5 a child that does not want to end', () => {
  it.skipIf(process.platform === 'win32')('is ended by force', { timeout: 60_000 }, async () => {
    const seen = join(fresh(), 'pid');
    const stubborn = script(`
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => undefined);
      process.on('message', () => undefined);
      process.on('disconnect', () => undefined);
      require('node:fs').writeFileSync(${JSON.stringify(seen)}, String(process.pid));
      setInterval(() => undefined, 1000);
    `);
    const stop = new AbortController();
    const run = forkCli([], { script: stubborn, signal: stop.signal });
    await until(() => statSync(seen, { throwIfNoEntry: false })?.size !== undefined, 'the child');
    const pid = Number(readFileSync(seen, 'utf8'));
    expect(isAlive(pid)).toBe(true);
    stop.abort();
    const { exitCode, errorText } = await run;
    expect(exitCode).toBeUndefined();
    expect(errorText).toContain('SIGKILL');
    expect(isAlive(pid)).toBe(false);
  });
});

describe('X8 a child that floods', () => {
  it.each(['stderr', 'stdout'])('a gigabyte on %s leaves our memory as it is', { timeout: 120_000 }, async (stream) => {
    // The end of one and the beginning of the other is kept; each may be there twice while it is put together.
    const kept = stream === 'stderr' ? 1e6 : 2.5 * 128 * 1024 * 1024;
    const flood = script(`
      const piece = 'x'.repeat(1 << 20) + '\\n';
      let left = 1024;
      (function more() {
        while (left-- > 0) if (!process.${stream}.write(piece)) return process.${stream}.once('drain', more);
      })();
    `);
    const before = process.memoryUsage().rss;
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    const { exitCode, text, errorText } = await forkCli([], { script: flood });
    clearInterval(look);
    expect(exitCode).toBe(0);
    expect(text.length).toBeLessThanOrEqual(128 * 1024 * 1024);
    expect(errorText.length).toBeLessThanOrEqual(16 * 1024);
    expect(most - before).toBeLessThan(kept + 150e6);
  });
});

/** What is looked for everywhere: no part of it may turn up. */
const CANARY = 'hf_CanaryThatMayNotSing0123456789';
// OLLAMA_API_KEY is the server's own, and goes to it.
const SECRETS = { HF_TOKEN: CANARY, AWS_SECRET_ACCESS_KEY: CANARY, GITHUB_TOKEN: CANARY };

/** Files under a folder that hold the secret. */
function leaks(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => join(root, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    .filter((path) => readFileSync(path).includes(CANARY));
}

describe('X4 secrets of the environment', () => {
  it.skipIf(process.platform === 'win32')('are not given to a server that is started', async () => {
    const home = fresh();
    const bin = join(home, 'bin');
    mkdirSync(bin);
    const told = join(home, 'told');
    writeFileSync(join(bin, 'ollama'), `#!/bin/sh\n{ env; echo "$@"; } > '${told}'\n`);
    chmodSync(join(bin, 'ollama'), 0o755);
    const address = resolveOllamaAddress({ setting: `127.0.0.1:${await freePort()}` });
    const env = { ...process.env, ...SECRETS, PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin` };
    await expect(startOllama(new OllamaClient(address), { env })).rejects.toMatchObject({ code: 'ollama/not-running' });
    const text = readFileSync(told, 'utf8');
    expect(text).toContain('serve');
    expect(text).toContain(`PATH=${bin}`);
    expect(text).not.toContain(CANARY);
  });

  it('are in no result, record, answer or message of a build', async () => {
    const out = fresh();
    const args = ['--base', join(FIXTURES, 'rugby/base'), '--adapter', join(FIXTURES, 'rugby/lora')];
    const env = { ...process.env, ...SECRETS };
    const good = await runCli(['build', ...args, '--type', 'Q8_0', '--out', join(out, 'o.gguf'), '--json'], { env });
    const bad = await runCli(['build', ...args, '--type', 'Q9', '--out', join(out, 'p.gguf')], { env });
    const doctor = await runCli(['doctor', '--json'], { env });
    expect([good.code, bad.code]).toEqual([0, 2]);
    for (const { stdout, stderr } of [good, bad, doctor]) {
      expect(stdout + stderr).not.toContain(CANARY);
    }
    expect(leaks(out)).toEqual([]);
  });
});

describe('V6 the token of the hub', () => {
  it('is sent to the hub, and stands in no file, argument or message', async () => {
    const repository = 'Rugby/League-3M';
    const base = join(FIXTURES, 'rugby/base');
    const files = Object.fromEntries(readdirSync(base).map((name) => [name, readFileSync(join(base, name))]));
    const hub = new FakeHub({ repository, files, token: CANARY });
    await hub.start();
    try {
      const home = fresh();
      const env = { ...process.env, ...SECRETS, HF_HOME: home, HF_HUB_CACHE: '', HF_ENDPOINT: hub.address };
      const fetched = await runCli(['fetch-model', repository, '--json'], { env });
      expect(fetched.code, fetched.stdout).toBe(0);
      expect(fetched.stdout + fetched.stderr).not.toContain(CANARY);
      expect(readdirSync(home, { recursive: true }).join('\n')).toContain(COMMIT);
      expect(leaks(home)).toEqual([]);
      const refused = await runCli(['fetch-model', 'Rugby/Nothing', '--json'], { env });
      expect(refused.code).not.toBe(0);
      expect(refused.stdout + refused.stderr).not.toContain(CANARY);
    } finally {
      await hub.stop();
    }
  });

  it('is not in the state that a window keeps of its jobs', async () => {
    let state = '';
    const jobs = new JobRunner(
      (args, options) => forkCli([...args, '--json'], { script: CLI, ...options, env: SECRETS }),
      { read: () => undefined, write: (value) => (state = JSON.stringify(value)) },
    );
    const output = join(fresh(), 'o.gguf');
    const { id } = jobs.start({
      kind: 'build',
      title: 'Build',
      args: ['build', '--base', join(FIXTURES, 'rugby/base'), '--type', 'Q8_0', '--out', output],
      output,
    });
    expect((await jobs.finished(id))?.state).toBe('done');
    expect(state).toContain(output);
    expect(state).not.toContain(CANARY);
  });
});
