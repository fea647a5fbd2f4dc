import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeGgufHeader } from '../../../src/core/formats/gguf/writeGguf';
import { FIXTURES, runCli, runCliOk, type CliRun } from '../../support/cli';
import { LoggingProxy, type LoggedRequest } from '../../support/loggingProxy';
import { RealOllama, realOllamas } from '../../support/realOllama';
import { splitGguf } from '../../support/splitGguf';

const RUGBY = join(FIXTURES, 'rugby');
const BASE = join(RUGBY, 'base');
const LORA = join(RUGBY, 'lora');

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const newest = (await realOllamas()).find(({ version }) => version !== '0.32.15');
const missing = newest === undefined ? 'There is no Ollama after 0.34.0 here.' : newest.reason;

/** What may be asked of a server before it is known whether anything will be made. */
const QUESTIONS = new Set(['GET /api/version', 'GET /api/tags', 'POST /api/show']);

describe.skipIf(missing !== '')(`the requests that ${newest?.version ?? 'a new Ollama'} sees ${missing}`, () => {
  let server: RealOllama;
  let proxy: LoggingProxy;
  let folder: string;

  beforeAll(async () => {
    server = await RealOllama.start(newest!.path);
    proxy = await LoggingProxy.start(server.host);
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    await runCliOk(['build', '--base', BASE, '--type', 'BF16', '--out', join(folder, 'base.gguf')]);
    await runCliOk(['convert-adapter', '--adapter', LORA, '--base', BASE, '--out', join(folder, 'adapter.gguf')]);
    cpSync(LORA, join(folder, 'lora'), { recursive: true });
    cpSync(BASE, join(folder, 'base'), { recursive: true });
    const whole = readFileSync(join(folder, 'base.gguf'));
    writeFileSync(join(folder, 'truncated.gguf'), whole.subarray(0, whole.length - 5000));
    writeFileSync(join(folder, 'words.gguf'), 'these are words');
    writeFileSync(join(folder, 'empty.gguf'), '');
    cpSync(join(folder, 'base.gguf'), join(folder, 'a:b.gguf'));
    const [first, second] = await splitGguf(join(folder, 'base.gguf'), 3, folder);
    renameSync(dirname(first!), join(folder, 'parts'));
    rmSync(join(folder, 'parts', basename(second!)));
    mkdirSync(join(folder, 'two'));
    cpSync(join(folder, 'base.gguf'), join(folder, 'two', 'a.gguf'));
    cpSync(join(folder, 'adapter.gguf'), join(folder, 'two', 'b.gguf'));
    writeFileSync(join(folder, 'unknown-type.gguf'), withUnknownType(whole));
    mkdirSync(join(folder, 'many'));
    const tiny = encodeGgufHeader({
      metadata: [['general.architecture', { type: 'string', value: 'qwen3' }]],
      tensors: [],
    }).header;
    for (let number = 0; number < 1025; number += 1) {
      writeFileSync(join(folder, 'many', `m${number}.gguf`), tiny);
    }
    await runCliOk(['create', 'installed', '--base', join(folder, 'base.gguf')], { env: server.environment });
    proxy.take();
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Ours, through the proxy. */
  const ours = async (...args: readonly string[]): Promise<CliRun & { readonly log: LoggedRequest[] }> => {
    proxy.take();
    const run = await runCli([...args, '--json'], {
      env: { ...server.environment, OLLAMA_HOST: proxy.host, OLLAMA_MODELS: server.models },
      cwd: folder,
    });
    return { ...run, log: proxy.take() };
  };
  /** Ollama's own program, past the proxy: what it says where it refuses. */
  const theirs = (modelfile: string, ...options: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      execFile(
        newest!.path,
        ['create', 'theirs', '-f', modelfile, ...options],
        { env: { ...server.environment, HOME: folder }, cwd: folder },
        (error, stdout, stderr) => resolve(error === null ? '' : `${stdout}${stderr}`),
      );
    });
  const asked = (log: readonly LoggedRequest[]): string[] => log.map(({ method, path }) => `${method} ${path}`);

  it.each([
    ['a parameter that is gone', 'FROM ./base.gguf\nPARAMETER typical_p 0.7\n', /typical_p is no longer supported/],
    ['the same on an installed model', 'FROM installed\nPARAMETER typical_p 0.7\n', /typical_p is no longer supported/],
    ['a pattern that is none', 'FROM ./base[.gguf\n', /syntax error in pattern/],
    ['a DRAFT whose pattern is none', 'FROM ./base.gguf\nDRAFT ./a[b\n', /syntax error in pattern/],
    ['an adapter in FROM', 'FROM ./adapter.gguf\n', /LoRA adapter/],
    ['an adapter beside a model in FROM', 'FROM ./base.gguf\nFROM ./adapter.gguf\n', /LoRA adapter/],
    ['an adapter in a folder of GGUFs', 'FROM ./two\n', /LoRA adapter/],
    ['a file that is cut off', 'FROM ./truncated.gguf\n', /exceeds file size/],
    ['a tensor type that it does not know', 'FROM ./unknown-type.gguf\n', /./],
    ['what is no GGUF', 'FROM ./words.gguf\n', /./],
    ['an empty file', 'FROM ./empty.gguf\n', /./],
    ['parts of which one is missing', 'FROM ./parts/*.gguf\n', /./],
    ['one part of several, of which one is missing', 'FROM ./parts/model-00001-of-00003.gguf\n', /./],
    ['more files than it takes', 'FROM ./many\n', /too many files/],
    ['a template that does not parse', 'FROM ./base.gguf\nTEMPLATE {{ foo }}\n', /function "foo" not defined/],
    ['a version that is none', 'FROM ./base.gguf\nREQUIRES latest\n', /./],
    ['a name that is none', 'FROM ./nothing.gguf\n', /./],
    ['an adapter as a DRAFT', 'FROM ./base.gguf\nDRAFT ./adapter.gguf\n', /LoRA adapter/],
    ['a DRAFT that is cut off', 'FROM ./base.gguf\nDRAFT ./truncated.gguf\n', /exceeds file size/],
    ['a DRAFT that is no GGUF', 'FROM ./base.gguf\nDRAFT ./words.gguf\n', /./],
    ['a folder of safetensors as a DRAFT', 'FROM ./base.gguf\nDRAFT ./base\n', /./],
    ['a DRAFT that is not there', 'FROM ./base.gguf\nDRAFT ./none.gguf\n', /./],
  ])('nothing is sent of %s', async (_what, modelfile, says) => {
    const path = join(folder, 'Modelfile');
    writeFileSync(path, modelfile);
    const refused = await theirs(path);
    const { code, json, log, stdout } = await ours('create', 'ours', '-f', path);
    expect(refused).toMatch(says);
    expect([code, json['ok']], stdout).toEqual([1, false]);
    expect(asked(log).filter((line) => !QUESTIONS.has(line))).toEqual([]);
  });

  it.each([
    ['--route', 'gguf-adapter', '--adapter', './lora'],
    ['--route', 'adapter', '--adapter', './adapter.gguf'],
  ])('nothing is sent by create --base %s %s', async (...words) => {
    for (const base of ['./base', './base.gguf', 'installed']) {
      const { code, json, log, stdout } = await ours('create', 'ours', '--base', base, ...words);
      expect([code, json['error']], stdout).toMatchObject([1, { code: 'ollama/route' }]);
      expect(asked(log).filter((line) => !QUESTIONS.has(line))).toEqual([]);
    }
  });

  // What Ollama's own program refuses, and is made here all the same: what is sent is a model, and nothing else is asked for.
  it.each([
    ['FROM ./base.gguf\nADAPTER ./adapter.gguf\n', [], 1],
    ['FROM ./base.gguf\nADAPTER ./lora\n', [], 1],
    ['FROM ./base\nADAPTER ./lora\n', [], 1],
    ['FROM installed\nADAPTER ./lora\n', [], 1],
    ['FROM ./base\n', [], 1],
    ['FROM ./base.gguf\n', ['--quantize', 'Q8_0'], 1],
    ['FROM installed\n', ['--quantize', 'Q4_K_M'], 1],
  ] as const)('%j %j is made without anything that it refuses', async (modelfile, options, files) => {
    const path = join(folder, 'Modelfile');
    writeFileSync(path, modelfile);
    expect(await theirs(path, ...options)).not.toBe('');
    const { json, log, stdout } = await ours('create', 'ours', '-f', path, '--force', ...options);
    expect(json, stdout).toMatchObject({ ok: true });
    const created = log.filter(({ path: to }) => to === '/api/create');
    expect(created.map(({ status }) => status)).toEqual([200]);
    const body = created[0]!.body!;
    expect(Object.keys(body)).not.toContain('adapters');
    expect(Object.keys(body)).not.toContain('quantize');
    expect(Object.keys(body)).not.toContain('from');
    expect(Object.keys(body['files'] as object)).toHaveLength(files);
    expect(
      log.filter(({ path: to, status }) => to.startsWith('/api/blobs') && ![200, 201, 404].includes(status)),
    ).toEqual([]);
  });

  it('sees all files that a pattern names, and one name that could be two', async () => {
    const parts = join(folder, 'all');
    const [first] = await splitGguf(join(folder, 'base.gguf'), 3, folder);
    renameSync(dirname(first!), parts);
    for (const [from, names] of [
      ['./all/model-*-of-00003.gguf', 3],
      ['./all/model-0000[13]-of-00003.gguf', 3],
      ['./b?se.gguf', 1],
      ['./a:b.gguf', 1],
    ] as const) {
      const path = join(folder, 'Modelfile');
      writeFileSync(path, `FROM ${from}\nPARAMETER stop <|im_end|>\n`);
      const { json, log, stdout } = await ours('create', 'ours', '-f', path, '--force');
      expect(json, stdout).toMatchObject({ ok: true, route: 'direct', answer: expect.any(String) as string });
      const body = log.find(({ path: to }) => to === '/api/create')?.body;
      expect(Object.keys(body?.['files'] as object), from).toHaveLength(names);
    }
  });
});

/** The first tensor gets a type that no version of ggml has had yet. */
function withUnknownType(gguf: Uint8Array): Uint8Array {
  const copy = Buffer.from(gguf);
  // In the list of tensors: the name's length, the name, dimensions, then the type.
  const at = copy.indexOf('output_norm.weight') + 'output_norm.weight'.length;
  const dimensions = copy.readUInt32LE(at);
  copy.writeUInt32LE(34, at + 4 + 8 * dimensions);
  return copy;
}
