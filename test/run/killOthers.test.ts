import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { COMMIT, FakeHub } from '../hub/fakeHub';
import { CLI, FIXTURES } from '../support/cli';
import { FakeOllama, json } from '../support/fakeOllama';
import { temporaryFolder } from '../support/models';
import { writeNoiseModel } from '../support/noiseModel';
import { Random } from '../support/random';
import { startCli, until } from '../support/startCli';

const SEED = Number(process.env['KILL_SEED'] ?? Date.now() % 1e9);
/** More of them by night: KILLS=50. */
const KILLS = Number(process.env['KILLS'] ?? 8);
const folder = temporaryFolder();
const RUGBY = join(FIXTURES, 'rugby', 'base');

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

describe(`W1 kill -9 at any moment (KILL_SEED=${SEED}, KILLS=${KILLS})`, () => {
  it('fetch-model: what stands under its name is whole, and the next run goes on', { timeout: 600_000 }, async () => {
    const random = new Random(SEED);
    const files = Object.fromEntries(
      ['config.json', 'model.safetensors', 'tokenizer.json'].map((name) => [name, readFileSync(join(RUGBY, name))]),
    );
    const hub = new FakeHub({ repository: 'a/b', files, pause: 60 });
    await hub.start();
    closing.push(() => hub.stop());
    const home = mkdtempSync(join(folder, 'home-'));
    const env = { ...process.env, HF_TOKEN: '', HF_HOME: home, HF_HUB_CACHE: '', HF_ENDPOINT: hub.address };
    const repository = join(home, 'hub', 'models--a--b');
    const snapshot = join(repository, 'snapshots', COMMIT);
    let resumed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const asked = hub.requests.length;
      const run = startCli(['fetch-model', 'a/b'], { env });
      await until(() => hub.requests.length > asked || run.child.exitCode !== null, 'the first request', 60_000);
      await sleep(random.next() * 800);
      run.child.kill('SIGKILL');
      await run.ended;
      resumed += hub.requests.slice(asked).some(({ range }) => range !== undefined) ? 1 : 0;
      for (const name of existsSync(snapshot) ? readdirSync(snapshot) : []) {
        expect(readFileSync(join(snapshot, name)).equals(files[name]!), name).toBe(true);
      }
    }
    const last = await startCli(['fetch-model', 'a/b'], { env }).ended;
    expect(last.code, last.stdout).toBe(0);
    for (const [name, data] of Object.entries(files)) {
      expect(readFileSync(join(snapshot, name)).equals(data), name).toBe(true);
    }
    const left = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(lock|incomplete)$/.test(name),
    );
    expect(left).toEqual([]);
    console.log(`fetch-model: ${KILLS} kills, ${resumed} runs went on from a part, seed ${SEED}`);
  });

  it('create: the next run takes the space back and sends the same bytes', { timeout: 600_000 }, async () => {
    const random = new Random(SEED + 1);
    const base = join(folder, 'base');
    writeNoiseModel(base, { hidden: 512, feedForward: 1536, layers: 4 });
    const ollama = await FakeOllama.start();
    closing.push(() => ollama.stop());
    const sent: string[] = [];
    ollama.handlers.set('POST /api/blobs', async (request, response) => {
      const body = await ollama.read(request);
      sent.push(createHash('sha256').update(body).digest('hex'));
      response.writeHead(201).end();
    });
    ollama.handlers.set('POST /api/show', json({ error: 'model not found' }, 404));
    ollama.handlers.set('POST /api/create', (_request, response) => void response.end('{"status":"success"}\n'));
    const tmp = join(folder, 'tmp');
    mkdirSync(tmp);
    const env = { ...process.env, OLLAMA_HOST: ollama.host, TMPDIR: tmp, TEMP: tmp, TMP: tmp };
    const create = ['create', 'v', '--base', base, '--type', 'Q8_0', '--force'];
    await startCli(create, { env }).ended;
    const expected = sent.splice(0);
    expect(expected).not.toEqual([]);
    let left = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const run = startCli(create, { env });
      await until(() => readdirSync(tmp).length > 0 || run.child.exitCode !== null, 'its folder', 60_000);
      await sleep(random.next() * 300);
      run.child.kill('SIGKILL');
      await run.ended;
      // Never more than what one run left: each takes back what the one before it did.
      expect(readdirSync(tmp).length).toBeLessThanOrEqual(1);
      left += readdirSync(tmp).length;
    }
    expect(left).toBeGreaterThan(0);
    sent.length = 0;
    await startCli(create, { env }).ended;
    expect(sent).toEqual(expected);
    expect(readdirSync(tmp)).toEqual([]);
    console.log(`create: ${KILLS} kills, ${left} left a folder, seed ${SEED}`);
  });
});

describe.skipIf(process.platform === 'win32')('where a command line stands', () => {
  it('a folder that is gone is said', () => {
    const gone = mkdtempSync(join(folder, 'gone-'));
    const run = spawnSync(
      'sh',
      ['-c', `cd "$1" && rmdir "$1" && exec "$2" "$3" scan . --json`, 'sh', gone, process.execPath, CLI],
      {
        encoding: 'utf8',
      },
    );
    expect(JSON.parse(run.stdout)).toMatchObject({ ok: false, error: { code: 'input/missing' } });
    expect(existsSync(gone)).toBe(false);
  });

  it.skipIf(!existsSync('/dev/full'))('a full standard output is said', () => {
    const full = openSync('/dev/full', 'w');
    const run = spawnSync(process.execPath, [CLI, 'inspect', RUGBY], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/ENOSPC/);
  });
});

afterEach(() => rmSync(join(folder, 'tmp'), { recursive: true, force: true }));
