import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fetchFromHub, planHubFetch } from '../../src/node/hub/hubClient';
import { acquireLock } from '../../src/node/output/outputLock';
import { FIXTURES } from '../support/cli';
import { rejection } from '../support/collect';
import { temporaryFolder } from '../support/models';
import { COMMIT, type Entry, FakeHub, type FakeHubOptions, type Page } from './fakeHub';

const folder = temporaryFolder();
const RUGBY = join(FIXTURES, 'rugby', 'base');
const REPOSITORY = 'Rugby/League-3M';
const MODEL = Object.fromEntries(
  ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    .map((name) => [name, readFileSync(join(RUGBY, name))])
    .concat([['README.md', Buffer.from('hello')]]) as [string, Buffer][],
);
const WEIGHTS = MODEL['model.safetensors']!;
const SHA256 = createHash('sha256').update(WEIGHTS).digest('hex');

let hub: FakeHub | undefined;
afterEach(async () => {
  await hub?.stop();
  hub = undefined;
});

interface Place {
  /** Everything that a fetch may touch is below it; `outside` beside it is what it may not. */
  readonly top: string;
  readonly repository: string;
  readonly fetch: (out?: string, signal?: AbortSignal) => Promise<unknown>;
}

async function start(options: Partial<FakeHubOptions> = {}): Promise<Place> {
  hub = new FakeHub({ repository: REPOSITORY, files: MODEL, ...options });
  await hub.start();
  const top = mkdtempSync(join(folder, 'lies-'));
  mkdirSync(join(top, 'outside'));
  Object.assign(process.env, { HF_TOKEN: '', HF_HOME: join(top, 'home'), HF_HUB_CACHE: '', HF_ENDPOINT: hub.address });
  return {
    top,
    repository: join(top, 'home', 'hub', 'models--Rugby--League-3M'),
    fetch: async (out, signal = new AbortController().signal) => {
      const run = fetchFromHub(await planHubFetch({ reference: REPOSITORY, kind: 'model', out, signal }));
      for (;;) {
        const step = await run.next();
        if (step.done === true) {
          return step.value;
        }
      }
    },
  };
}

/** The honest listing with one file told otherwise. */
const lie =
  (name: string, change: (entry: Entry) => void) =>
  (entries: Entry[]): Page => {
    change(entries.find(({ path }) => path === name)!);
    return { body: entries };
  };

describe('a hub that lies about what it holds', () => {
  it.each<[string, Partial<FakeHubOptions>]>([
    ['a checksum that is a path', { listing: lie('README.md', (e) => (e['oid'] = '../../../../outside/dropped')) }],
    [
      'a large one that is a path',
      { listing: lie('model.safetensors', (e) => (e.lfs!['oid'] = '../../../outside/x')) },
    ],
    ['no checksum', { listing: lie('config.json', (e) => delete e['oid']) }],
    ['no checksum of a large file', { listing: lie('model.safetensors', (e) => delete e.lfs!['oid']) }],
    ['a checksum of 41 digits', { listing: lie('config.json', (e) => (e['oid'] = 'a'.repeat(41))) }],
    ['a checksum in capitals', { listing: lie('config.json', (e) => (e['oid'] = 'A'.repeat(40))) }],
    ['a checksum with a line end', { listing: lie('config.json', (e) => (e['oid'] = `${'a'.repeat(40)}\n`)) }],
    ['no size', { listing: lie('config.json', (e) => delete e['size']) }],
    ['a size in words', { listing: lie('config.json', (e) => (e['size'] = 'lots')) }],
    ['a size below nothing', { listing: lie('config.json', (e) => (e['size'] = -5)) }],
    ['half a byte', { listing: lie('config.json', (e) => (e['size'] = 1.5)) }],
    ['a size past 2^53', { listing: lie('config.json', (e) => (e['size'] = 2 ** 53)) }],
    ['sizes that together are past 2^53', { listing: (all) => ({ body: all.map((e) => big(e)) }) }],
    ['two sizes', { listing: lie('model.safetensors', (e) => (e.lfs!['size'] = 5)) }],
    ['a file without a name', { listing: (all) => ({ body: [...all, { type: 'file', path: null }] }) }],
    ['a listing that is none', { listing: () => ({ body: { files: 1 } }) }],
    ['no JSON', { listing: () => ({ body: '<html>' }) }],
    ['one file twice', { listing: (all) => ({ body: [...all, ...all] }) }],
    ['empty pages for ever', { listing: (_all, _page, url) => ({ body: [], link: url }) }],
    ['the same page for ever', { listing: (all, _page, url) => ({ body: all, link: url }) }],
    [
      'new folders for ever',
      { listing: (_all, page, url) => ({ body: [{ type: 'directory', path: `d${page}` }], link: url }) },
    ],
    ['a next page elsewhere', { listing: (all) => ({ body: all, link: 'http://127.0.0.1:9/api' }) }],
    ['a page of 20 MB', { listing: () => ({ body: `[${' '.repeat(20_000_000)}]` }) }],
    ['a commit that is a path', { info: { sha: '../../../outside' } }],
    ['no commit', { info: {} }],
    ['null for a model', { info: 'null' }],
  ])('%s: refused before anything is written', async (_what, options) => {
    const { top, fetch } = await start(options);
    const error = await rejection(fetch());
    expect(error.code, error.message).toBe('hub/protocol');
    expect(readdirSync(top)).toEqual(['outside']);
    expect(readdirSync(join(top, 'outside'))).toEqual([]);
    expect(hub!.requests.some(({ path }) => path.includes('/resolve/'))).toBe(false);
  });

  it('names that lead elsewhere are never asked for', async () => {
    const evil = [
      '../../evil/config.json',
      'model/../../x.safetensors',
      'model..\\..\\x.safetensors',
      '/etc/config.json',
    ];
    const { repository, top, fetch } = await start({
      listing: (all) => ({ body: [...all, ...evil.map((path) => ({ ...all[0]!, path }))] }),
    });
    await fetch();
    expect(readdirSync(join(repository, 'snapshots', COMMIT)).sort()).toEqual(Object.keys(MODEL).sort());
    expect(readdirSync(join(top, 'outside'))).toEqual([]);
  });

  it('what comes is never longer than what was promised', async () => {
    const { repository, fetch } = await start({ faults: { 'config.json': { endless: true } } });
    expect((await rejection(fetch())).code).toBe('hub/checksum');
    const sizes = readdirSync(join(repository, 'blobs')).map((name) => lstatSync(join(repository, 'blobs', name)).size);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MODEL['config.json']!.length);
  });

  it.each(['file:///etc/passwd', 'ftp://127.0.0.1/x', 'http://a:b@127.0.0.1/x', 'data:,x'])(
    'a redirect to %s is not followed',
    async (sendTo) => {
      const { fetch } = await start({ faults: { 'model.safetensors': { sendTo } } });
      expect((await rejection(fetch())).code).toBe('hub/protocol');
    },
  );

  it('a part that was not asked for is not taken', async () => {
    const { repository, fetch } = await start({ faults: { 'model.safetensors': { otherRange: true } } });
    mkdirSync(join(repository, 'blobs'), { recursive: true });
    writeFileSync(join(repository, 'blobs', `${SHA256}.incomplete`), WEIGHTS.subarray(0, 5000));
    expect((await rejection(fetch())).code).toBe('hub/protocol');
  });
});

function big(entry: Entry): Entry {
  const size = Number.MAX_SAFE_INTEGER - 1;
  return { ...entry, size, ...(entry.lfs === undefined ? {} : { lfs: { ...entry.lfs, size } }) };
}

/** Each plants something at a path where a fetch writes, and tells whether it was left alone. */
const PLANTED: readonly [string, (path: string, precious: string) => void][] = [
  ['a link to a file', (path, precious) => symlinkSync(precious, path)],
  ['a second name of a file', (path, precious) => linkSync(precious, path)],
  ['a link that leads nowhere', (path, precious) => symlinkSync(`${precious}-new`, path)],
  ['a folder', (path) => mkdirSync(path)],
  ['a pipe', (path) => expect(spawnSync('mkfifo', [path]).status).toBe(0)],
];

describe.skipIf(process.platform === 'win32')('where a fetch writes', () => {
  it.each(PLANTED)(
    '%s under the name of an unfinished file is not written to, and holds nothing up',
    async (_what, plant) => {
      for (const inCache of [false, true]) {
        const { top, repository, fetch } = await start();
        const precious = join(top, 'outside', 'precious');
        writeFileSync(precious, 'precious');
        const place = inCache ? join(repository, 'blobs') : join(top, 'out');
        mkdirSync(place, { recursive: true });
        plant(join(place, inCache ? `${SHA256}.incomplete` : 'model.safetensors.incomplete'), precious);
        const error = await rejection(fetch(inCache ? undefined : place));
        expect(error.code, error.message).toBe('output/exists');
        expect(readFileSync(precious, 'utf8')).toBe('precious');
        expect(readdirSync(join(top, 'outside'))).toEqual(['precious']);
        await hub!.stop();
      }
    },
  );

  it.each(['blobs', 'snapshots', `snapshots/${COMMIT}`, 'refs', '.'])(
    'a link in the place of the cache folder %s is not followed',
    async (name) => {
      const { top, repository, fetch } = await start();
      const link = join(repository, name);
      mkdirSync(join(link, '..'), { recursive: true });
      symlinkSync(join(top, 'outside'), link);
      expect((await rejection(fetch())).code).toBe('output/exists');
      expect(readdirSync(join(top, 'outside'))).toEqual([]);
    },
  );

  it('a link under the name of a commit is replaced, not followed', async () => {
    const { top, repository, fetch } = await start();
    const precious = join(top, 'outside', 'precious');
    writeFileSync(precious, 'precious');
    mkdirSync(join(repository, 'refs'), { recursive: true });
    symlinkSync(precious, join(repository, 'refs', 'main'));
    await fetch();
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    expect(readFileSync(join(repository, 'refs', 'main'), 'utf8')).toBe(COMMIT);
  });

  it('the cache itself may be a link, as a larger disk needs it', async () => {
    const { top, fetch } = await start();
    mkdirSync(join(top, 'home'));
    symlinkSync(join(top, 'outside'), join(top, 'home', 'hub'));
    await fetch();
    expect(readdirSync(join(top, 'outside'))).toContain('models--Rugby--League-3M');
  });

  it('a snapshot whose link leads to other content of the same size is set right', async () => {
    const { top, repository, fetch } = await start();
    const other = join(top, 'outside', 'other');
    writeFileSync(other, Buffer.alloc(WEIGHTS.length));
    const snapshot = join(repository, 'snapshots', COMMIT);
    mkdirSync(snapshot, { recursive: true });
    symlinkSync(other, join(snapshot, 'model.safetensors'));
    await fetch();
    expect(readlinkSync(join(snapshot, 'model.safetensors'))).toBe(join('..', '..', 'blobs', SHA256));
    expect(readFileSync(join(snapshot, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  });

  it('another file of the same size in the folder is not taken for the one of the hub', async () => {
    const { top, fetch } = await start();
    const out = join(top, 'out');
    mkdirSync(out);
    writeFileSync(join(out, 'model.safetensors'), Buffer.alloc(WEIGHTS.length));
    expect((await rejection(fetch(out))).code).toBe('output/exists');
    writeFileSync(join(out, 'model.safetensors'), WEIGHTS);
    expect(await fetch(out)).toMatchObject({ kept: expect.any(Number) as number });
    expect(hub!.requests.some(({ path }) => path.endsWith('/model.safetensors'))).toBe(false);
  });
});

describe('two fetches', () => {
  it('of one model at once: the second is told, and neither is harmed', async () => {
    for (const inCache of [true, false]) {
      const { top, fetch } = await start({ pause: 20 });
      const out = inCache ? undefined : join(top, 'out');
      const both = await Promise.allSettled([fetch(out), fetch(out)]);
      const refused = both.filter((one) => one.status === 'rejected').map((one) => one.reason as { code: string });
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(refused).toMatchObject([{ code: 'output/busy' }]);
      await fetch(out);
      await hub!.stop();
    }
  });

  it('leave no lock behind, also when cancelled', async () => {
    const { top, fetch } = await start({ pause: 20 });
    const out = join(top, 'out');
    const cancel = new AbortController();
    const run = rejection(fetch(out, cancel.signal));
    while (!existsSync(join(out, 'model.safetensors.incomplete'))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    cancel.abort();
    expect((await run).code).toBe('run/cancelled');
    expect(readdirSync(out).filter((name) => name.endsWith('.lock'))).toEqual([]);
    const lock = await acquireLock(join(out, '.modelfile-studio-fetch'));
    await lock.release();
    await fetch(out);
    expect(readFileSync(join(out, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  });
});
