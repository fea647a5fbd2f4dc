import {
  existsSync,
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
import { type CliRun, FIXTURES, runCli } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { temporaryFolder } from '../support/models';
import { errorCode } from '../support/startCli';
import { COMMIT, FakeHub, type FakeHubOptions } from './fakeHub';

const folder = temporaryFolder();
const RUGBY = join(FIXTURES, 'rugby');
const REPOSITORY = 'Rugby/League-3M';

function filesOf(path: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, readFileSync(join(path, name))]),
  );
}

const MODEL: Record<string, Buffer> = {
  ...filesOf(join(RUGBY, 'base')),
  'pytorch_model.bin': Buffer.from('pickle'),
  'onnx/model.onnx': Buffer.from('onnx'),
  '../evil.safetensors': Buffer.from('x'),
  'consolidated.safetensors': Buffer.from('second form'),
};
const WEIGHTS = MODEL['model.safetensors']!;

let hub: FakeHub | undefined;

afterEach(async () => {
  await hub?.stop();
  hub = undefined;
});

interface Home {
  readonly home: string;
  readonly run: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<CliRun>;
}

async function start(options: Partial<FakeHubOptions> = {}): Promise<Home> {
  hub = new FakeHub({ repository: REPOSITORY, files: MODEL, ...options });
  await hub.start();
  const home = mkdtempSync(join(folder, 'home-'));
  return {
    home,
    run: (args, more = {}) =>
      runCli([...args, '--json'], {
        env: { ...process.env, HF_TOKEN: '', HF_HOME: home, HF_HUB_CACHE: '', HF_ENDPOINT: hub!.address, ...more },
        timeout: 60_000,
      }),
  };
}

function snapshot(home: string): string {
  return join(home, 'hub', 'models--Rugby--League-3M', 'snapshots', COMMIT);
}

describe('fetch-model', () => {
  it('brings what a base needs, and nothing else, into the cache that other tools read', async () => {
    const { home, run } = await start();
    const answer = await run(['fetch-model', REPOSITORY]);
    expect(answer.code, answer.stdout).toBe(0);
    expect(answer.json).toMatchObject({
      ok: true,
      repository: REPOSITORY,
      commit: COMMIT,
      folder: snapshot(home),
      kept: 0,
    });
    const names = readdirSync(snapshot(home)).sort();
    expect(names).toEqual(
      Object.keys(filesOf(join(RUGBY, 'base')))
        .filter((name) => names.includes(name))
        .sort(),
    );
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
      expect(readFileSync(join(snapshot(home), name)).equals(MODEL[name]!), name).toBe(true);
    }
    expect(readlinkSync(join(snapshot(home), 'model.safetensors'))).toBe(
      join('..', '..', 'blobs', createHash('sha256').update(WEIGHTS).digest('hex')),
    );
    expect(readFileSync(join(home, 'hub', 'models--Rugby--League-3M', 'refs', 'main'), 'utf8')).toBe(COMMIT);
    // A second run asks what there is, and fetches nothing.
    const before = hub!.requests.length;
    expect((await run(['fetch-model', REPOSITORY])).json).toMatchObject({ ok: true, kept: answer.json['bytes'] });
    expect(hub!.requests.slice(before).some(({ path }) => path.includes('/resolve/'))).toBe(false);
  });

  it('--out: a plain folder; --dry-run: only says what would come', async () => {
    const { run } = await start();
    const out = join(mkdtempSync(join(folder, 'out-')), 'model');
    const dry = await run(['fetch-model', REPOSITORY, '--out', out, '--dry-run']);
    expect(dry.json).toMatchObject({ ok: true, dryRun: true });
    expect(existsSync(out)).toBe(false);
    expect((await run(['fetch-model', REPOSITORY, '--out', out])).code).toBe(0);
    expect(readFileSync(join(out, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
    writeFileSync(join(out, 'config.json'), 'mine');
    const again = await run(['fetch-model', REPOSITORY, '--out', out]);
    expect(errorCode(again)).toBe('output/exists');
    expect(readFileSync(join(out, 'config.json'), 'utf8')).toBe('mine');
  });

  it('brings the pooling of an embedding model, in its folder, and no other folder', async () => {
    const pooling = JSON.stringify({ word_embedding_dimension: 64, pooling_mode_mean_tokens: true });
    const others = { '1_Pooling/pytorch_model.bin': 'x', '2_../config.json': 'x', 'a/1_Pooling/config.json': 'x' };
    const files = {
      ...MODEL,
      'modules.json': Buffer.from('[]'),
      '1_Pooling/config.json': Buffer.from(pooling),
      ...Object.fromEntries(Object.entries(others).map(([name, text]) => [name, Buffer.from(text)])),
    };
    const { home, run } = await start({ files });
    expect((await run(['fetch-model', REPOSITORY])).code).toBe(0);
    const out = join(mkdtempSync(join(folder, 'out-')), 'model');
    expect((await run(['fetch-model', REPOSITORY, '--out', out])).code).toBe(0);
    for (const directory of [snapshot(home), out]) {
      expect(readFileSync(join(directory, '1_Pooling', 'config.json'), 'utf8')).toBe(pooling);
      expect(readdirSync(join(directory, '1_Pooling'))).toEqual(['config.json']);
      expect(readdirSync(directory).filter((name) => /^(?:2_|a$)/.test(name))).toEqual([]);
    }
    expect((await run(['fetch-model', REPOSITORY, '--out', out])).json).toMatchObject({ ok: true });
    expect((await run(['fetch-model', REPOSITORY])).json).toMatchObject({ ok: true });
    // A folder that leads elsewhere is not written through.
    const trap = join(mkdtempSync(join(folder, 'out-')), 'model');
    const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
    mkdirSync(trap);
    symlinkSync(elsewhere, join(trap, '1_Pooling'));
    expect(errorCode(await run(['fetch-model', REPOSITORY, '--out', trap]))).toBe('output/exists');
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('goes on after a broken connection, with only the rest', async () => {
    const { home, run } = await start({ faults: { 'model.safetensors': { cutAfter: 100_000, times: 2 } } });
    expect((await run(['fetch-model', REPOSITORY])).code).toBe(0);
    expect(readFileSync(join(snapshot(home), 'model.safetensors')).equals(WEIGHTS)).toBe(true);
    const ranges = hub!.requests.filter(({ origin }) => origin === 'content').map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
  });

  it('goes on where an earlier run was ended, also with a server that knows no ranges', async () => {
    for (const noRanges of [false, true]) {
      const { home, run } = await start({ faults: { 'model.safetensors': { noRanges } } });
      const blobs = join(home, 'hub', 'models--Rugby--League-3M', 'blobs');
      mkdirSync(blobs, { recursive: true });
      const blob = join(blobs, createHash('sha256').update(WEIGHTS).digest('hex'));
      writeFileSync(`${blob}.incomplete`, WEIGHTS.subarray(0, 5000));
      expect((await run(['fetch-model', REPOSITORY])).code).toBe(0);
      expect(readFileSync(blob).equals(WEIGHTS)).toBe(true);
      expect(existsSync(`${blob}.incomplete`)).toBe(false);
      await hub!.stop();
    }
  });

  it('throws away what arrives damaged', async () => {
    for (const name of ['model.safetensors', 'config.json']) {
      const { home, run } = await start({ faults: { [name]: { damaged: true } } });
      expect(errorCode(await run(['fetch-model', REPOSITORY]))).toBe('hub/checksum');
      expect(existsSync(join(snapshot(home), name))).toBe(false);
      expect(
        readdirSync(join(home, 'hub', 'models--Rugby--League-3M', 'blobs')).filter((file) =>
          file.endsWith('.incomplete'),
        ),
      ).toEqual([]);
      await hub!.stop();
    }
  });

  it('gives the token to the hub and to nobody else', async () => {
    const { run } = await start({ token: 'hf_secret' });
    expect((await run(['fetch-model', REPOSITORY], { HF_TOKEN: 'hf_secret' })).code).toBe(0);
    expect(
      hub!.requests
        .filter(({ origin }) => origin === 'hub')
        .every(({ authorization }) => authorization === 'Bearer hf_secret'),
    ).toBe(true);
    expect(
      hub!.requests.filter(({ origin }) => origin === 'content').map(({ authorization }) => authorization),
    ).toEqual([undefined]);
  });

  it.each<[string, Partial<FakeHubOptions>, string, RegExp]>([
    ['gated', { status: 403, message: 'Access to model is restricted' }, 'hub/gated', /accept them/],
    ['gated, without a token', { token: 'hf_x' }, 'hub/gated', /accept them/],
    ['unknown', { status: 404, message: 'Repository not found' }, 'hub/not-found', /Check the name/],
    ['a hub that fails', { status: 503 }, 'hub/unreachable', /503/],
    ['an adapter', { files: filesOf(join(RUGBY, 'lora')) }, 'hub/not-usable', /fetch-adapter/],
    ['only GGUFs', { files: { 'x.Q4_K_M.gguf': Buffer.from('GGUF') } }, 'hub/not-usable', /ollama pull hf\.co/],
    [
      'only pickles',
      { files: { 'config.json': Buffer.from('{}'), 'pytorch_model.bin': Buffer.from('x') } },
      'hub/not-usable',
      /pickles/,
    ],
  ])('%s', async (_what, options, code, message) => {
    const { run } = await start(options);
    const answer = await run(['fetch-model', REPOSITORY]);
    expect(answer.code).toBe(1);
    expect(errorCode(answer)).toBe(code);
    expect((answer.json['error'] as { message: string }).message).toMatch(message);
  });

  it('refuses names and addresses that are none', async () => {
    const { run } = await start();
    for (const name of ['../../etc', 'a b', 'a/b/c', 'a//b', '']) {
      expect(errorCode(await run(['fetch-model', name])), name).toBe('hub/name');
    }
    expect(errorCode(await run(['fetch-model', REPOSITORY], { HF_ENDPOINT: 'http://example.org' }))).toBe(
      'hub/address',
    );
    expect(errorCode(await run(['fetch-model', REPOSITORY], { HF_ENDPOINT: 'http://127.0.0.1:9' }))).toBe(
      'hub/unreachable',
    );
    expect(errorCode(await run(['fetch-model', REPOSITORY], { HF_ENDPOINT: 'https://user:secret@example.org' }))).toBe(
      'hub/address',
    );
  });
});

describe('the base that is missing', () => {
  it('is named, fetched, and then found', async () => {
    const { run } = await start();
    const adapter = mkdtempSync(join(folder, 'adapter-'));
    for (const [name, data] of Object.entries(filesOf(join(RUGBY, 'lora')))) {
      writeFileSync(
        join(adapter, name),
        name === 'adapter_config.json'
          ? JSON.stringify({
              ...(JSON.parse(data.toString()) as object),
              base_model_name_or_path: `${REPOSITORY}-bnb-4bit`,
            })
          : data,
      );
    }
    const out = join(adapter, 'x.gguf');
    const build = ['build', '--adapter', adapter, '--type', 'F16', '--out', out];
    const refused = await run(build);
    expect(errorCode(refused)).toBe('adapter/base-missing');
    expect((refused.json['error'] as { message: string }).message).toContain(`fetch-model ${REPOSITORY}\``);
    expect((await run(['fetch-model', REPOSITORY])).code).toBe(0);
    expect((await run(build)).code).toBe(0);
    const wanted = join(adapter, 'y.gguf');
    expect(
      (
        await run([
          'build',
          '--base',
          join(RUGBY, 'base'),
          '--adapter',
          join(RUGBY, 'lora'),
          '--type',
          'F16',
          '--out',
          wanted,
        ])
      ).code,
    ).toBe(0);
    expect(describeGguf(out).tensors).toEqual(describeGguf(wanted).tensors);
    expect(describeGguf(out).metadata.find(({ key }) => key === 'general.name')?.value, 'not that of a commit').toBe(
      'League 3M',
    );
  });

  it('fetch-adapter brings the adapter', async () => {
    const { home, run } = await start({ files: { ...filesOf(join(RUGBY, 'lora')), 'optimizer.pt': Buffer.from('x') } });
    const answer = await run(['fetch-adapter', `${REPOSITORY}@main`]);
    expect(answer.code, answer.stdout).toBe(0);
    expect(readdirSync(snapshot(home))).toContain('adapter_model.safetensors');
    expect(readdirSync(snapshot(home))).not.toContain('optimizer.pt');
    expect((await run(['inspect', snapshot(home)])).json).toMatchObject({
      files: [{ ok: true, kind: 'peft-adapter' }],
    });
  });
});
