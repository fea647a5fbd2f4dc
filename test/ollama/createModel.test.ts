import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../src/core/progress';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { createModel, type CreatedModel, type CreateModelRequest } from '../../src/node/create/createModel';
import { OllamaClient } from '../../src/node/ollama/ollamaClient';
import { FIXTURES, ROOT, runCliOk } from '../support/cli';
import { collect, rejection } from '../support/collect';
import { FakeOllama, json, lines } from '../support/fakeOllama';

const BASE = join(FIXTURES, 'rugby/base');
const LORA = join(FIXTURES, 'rugby/lora');
const DIGEST = 'c'.repeat(64);
const CREATED = lines({ status: 'parsing GGUF' }, { status: 'writing manifest' }, { status: 'success' });
const OK = json({});

let fake: FakeOllama;
let folder: string;
let gguf: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
  gguf = join(folder, 'base.gguf');
  await runCliOk(['convert', '--base', BASE, '--type', 'Q8_0', '--out', gguf]);
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  fake = await FakeOllama.start();
  fake.handlers.set('POST /api/create', async (request, response) => {
    await fake.read(request);
    await CREATED(request, response);
  });
  fake.handlers.set('POST /api/copy', async (request, response) => {
    copies.push(await fake.read(request));
    fake.handlers.set('GET /api/tags', json({ models: [{ name: 'm:latest', size: 1, digest: DIGEST }] }));
    await OK(request, response);
  });
  copies.length = 0;
  fake.handlers.set('DELETE /api/delete', OK);
  fake.handlers.set('POST /api/show', json({ capabilities: ['completion'] }));
  fake.handlers.set('POST /api/chat', lines({ message: { content: 'I am.' }, done: true }));
});
afterEach(() => fake.stop());
const copies: string[] = [];

const run = (
  modelfile: string,
  {
    signal = new AbortController().signal,
    ...request
  }: Partial<CreateModelRequest> & { readonly signal?: AbortSignal } = {},
): AsyncGenerator<EngineEvent, CreatedModel> =>
  createModel(
    {
      name: 'm',
      modelfile: new TextEncoder().encode(modelfile),
      path: join(folder, 'Modelfile'),
      force: false,
      ...request,
    },
    { client: fake.client(), signal, workers: 1, workerScript: join(ROOT, 'dist/worker.js') },
  );
const temporaries = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('modelfile-studio-create-'));

describe('createModel', () => {
  it('uploads, creates under another name, and names last; version and list are asked for once', async () => {
    fake.handlers.set('GET /api/ps', json({ models: [{ name: 'm:latest', size: 1, digest: DIGEST }] }));
    const { result } = await collect(
      run(
        `FROM ${gguf}\nPARAMETER stop "<|im_end|>"\nPARAMETER seed 9007199254740993\nSYSTEM "a <b> & c"\nMESSAGE user hi\nRENDERER qwen3-coder\nPARSER qwen3-coder\nREQUIRES 0.12\nLICENSE MIT\n`,
      ),
    );
    expect(result).toMatchObject({
      name: 'm:latest',
      digest: `sha256:${DIGEST}`,
      route: 'direct',
      answer: 'I am.',
      previous: undefined,
      warnings: [],
    });
    const digest = `sha256:${createHash('sha256').update(readFileSync(gguf)).digest('hex')}`;
    // The body byte by byte: a 64-bit seed must not pass through a double.
    expect(fake.bodies.get('POST /api/create')).toBe(
      `{"model":"m:unfinished","files":{"base.gguf":"${digest}"},"license":["MIT"],"system":"a \\u003cb\\u003e \\u0026 c","parameters":{"seed":9007199254740993,"stop":["\\u003c|im_end|\\u003e"]},"messages":[{"role":"user","content":"hi"}],"renderer":"qwen3-coder","parser":"qwen3-coder","requires":"0.12","stream":true}`,
    );
    expect(fake.requests).toEqual([
      'GET /api/version',
      'GET /api/tags',
      'HEAD /api/blobs',
      'HEAD /api/blobs',
      'POST /api/blobs',
      'POST /api/create',
      'POST /api/copy',
      'DELETE /api/delete',
      'POST /api/show',
      'POST /api/chat',
      'GET /api/ps',
    ]);
    expect(copies.map((text) => JSON.parse(text) as unknown)).toEqual([
      { source: 'm:unfinished', destination: 'm:latest' },
    ]);
    expect(createHash('sha256').update(fake.bodies.get('POST /api/blobs')!, 'latin1').digest('hex')).toBe(
      digest.slice(7),
    );
  });

  it('keeps the model that had the name', async () => {
    fake.handlers.set('GET /api/tags', json({ models: [{ name: 'm:latest', size: 1, digest: 'a'.repeat(64) }] }));
    expect(await rejection(collect(run(`FROM ${gguf}\n`)))).toMatchObject({ code: 'ollama/model-exists' });
    expect(fake.requests).toEqual(['GET /api/version', 'GET /api/tags']);
    const { result } = await collect(run(`FROM ${gguf}\n`, { force: true }));
    expect(result.previous).toBe('m:previous');
    expect(copies.map((text) => JSON.parse(text) as unknown)).toEqual([
      { source: 'm:latest', destination: 'm:previous' },
      { source: 'm:unfinished', destination: 'm:latest' },
    ]);
  });

  it('asks the server for its version at most about a Modelfile that is wrong', async () => {
    expect(await rejection(collect(run('FROM\n')))).toMatchObject({ code: 'modelfile/syntax' });
    expect(fake.requests).toEqual([]);
    expect(await rejection(collect(run(`FROM ${gguf}\nPARAMETER temperature hot\n`)))).toMatchObject({
      code: 'modelfile/findings',
      line: 2,
      detail: { findings: [{ line: 2 }] },
    });
    expect(fake.requests).toEqual(['GET /api/version']);
  });

  it('gives no name to what failed, and maps it to its line', async () => {
    fake.handlers.set(
      'POST /api/create',
      lines({ status: 'parsing GGUF' }, { error: 'template error: template: :1: unexpected EOF' }),
    );
    expect(await rejection(collect(run(`FROM ${gguf}\n\nTEMPLATE {{ .Prompt }}\n`)))).toMatchObject({
      code: 'ollama/template',
      line: 3,
      message: expect.stringContaining(`${join(folder, 'Modelfile')}:3: `) as string,
    });
    expect(copies).toEqual([]);
    expect(fake.requests).toContain('DELETE /api/delete');
    fake.handlers.set('POST /api/create', lines({ status: 'parsing GGUF' }));
    expect(await rejection(collect(run(`FROM ${gguf}\n`)))).toMatchObject({ code: 'ollama/lost' });
    expect(copies).toEqual([]);
  });

  it('a cancelled creation closes its connection, takes back what it made and leaves other work alone', async () => {
    let isClosed = false;
    fake.handlers.set('POST /api/create', (request, response) => {
      request.resume();
      response.on('close', () => (isClosed = true));
      response.writeHead(200).write('{"status":"quantizing"}\n');
    });
    fake.handlers.set('POST /api/pull', async (_request, response) => {
      response.writeHead(200);
      await sleep(600);
      response.end('{"status":"success"}\n');
    });
    const before = temporaries();
    const other = collect(fake.client().pull('other'));
    const abort = new AbortController();
    const creation = rejection(
      (async () => {
        const events = run(`FROM ${BASE}\nADAPTER ${LORA}\n`, { signal: abort.signal });
        for await (const event of events) {
          if (event.event === 'phase' && event.phase === 'creating') {
            setTimeout(() => abort.abort(), 20);
          }
        }
      })(),
    );
    const aborted = new Promise<number>((resolve) =>
      abort.signal.addEventListener('abort', () => resolve(performance.now())),
    );
    const started = await aborted;
    while (!isClosed) {
      await sleep(5);
    }
    expect(performance.now() - started).toBeLessThan(250);
    expect(await creation).toMatchObject({ code: 'run/cancelled' });
    expect(fake.requests.filter((request) => request === 'DELETE /api/delete').length).toBeGreaterThan(0);
    expect(copies).toEqual([]);
    expect(temporaries()).toEqual(before);
    await other;
  });

  it('cancelled while the new model is asked, it stays', async () => {
    const abort = new AbortController();
    fake.handlers.set('POST /api/chat', (_request, response) => {
      response.writeHead(200).write(`${JSON.stringify({ message: { content: 'I' } })}\n`);
      setTimeout(() => abort.abort(), 20);
    });
    const { result } = await collect(run(`FROM ${gguf}\n`, { signal: abort.signal }));
    expect(result).toMatchObject({ name: 'm:latest', answer: undefined, warnings: [{ code: 'ollama/no-answer' }] });
  });

  it('an older server quantises nothing, and gets what was quantised here', async () => {
    fake.handlers.set('GET /api/version', json({ version: '0.16.0' }));
    fake.handlers.set('GET /api/tags', json({ models: [{ name: 'base:latest', size: 1, digest: 'a'.repeat(64) }] }));
    expect(await rejection(collect(run('FROM base\n', { quantize: 'Q8_0' })))).toMatchObject({
      code: 'ollama/too-old',
      line: 1,
    });
    const { result } = await collect(run(`FROM ${BASE}\n`, { quantize: 'Q4_K_M' }));
    expect(result.route).toBe('build');
    expect(fake.bodies.get('POST /api/create')).not.toContain('quantize');
    fake.handlers.set('GET /api/version', json({ version: '0.3.0' }));
    expect(await rejection(collect(run(`FROM ${gguf}\n`)))).toMatchObject({ code: 'ollama/too-old' });
  });

  it('asks again for a while where names vanish for a moment: another creation copies and deletes its own', async () => {
    // Once each: what Ollama said of a name while another creation was in the middle of its own.
    const vanished = 'stat /models/manifests/registry.ollama.ai/library/other/unfinished: no such file or directory';
    for (const [key, answer] of [
      ['GET /api/tags', json({ error: vanished }, 500)],
      ['POST /api/create', lines({ error: vanished })],
      ['POST /api/copy', json({ error: vanished }, 500)],
      ['DELETE /api/delete', json({ error: vanished }, 500)],
      ['POST /api/show', json({ error: "model 'm:latest' not found" }, 404)],
      ['POST /api/chat', json({ error: 'model is required' }, 400)],
    ] as const) {
      const later = fake.handlers.get(key)!;
      fake.handlers.set(key, (request, response) => {
        fake.handlers.set(key, later);
        return answer(request, response);
      });
    }
    const { result } = await collect(run(`FROM ${gguf}\n`));
    expect(result).toMatchObject({ name: 'm:latest', answer: 'I am.', warnings: [] });
    for (const key of [
      'POST /api/create',
      'POST /api/copy',
      'DELETE /api/delete',
      'POST /api/show',
      'POST /api/chat',
    ]) {
      expect(
        fake.requests.filter((request) => request === key),
        key,
      ).toHaveLength(2);
    }
  });

  it('a model that cannot be asked is a model with a warning', async () => {
    fake.handlers.set('POST /api/chat', json({ error: 'llama-server binary not found (checked: /x)' }, 500));
    const silent = (await collect(run(`FROM ${gguf}\n`))).result;
    expect(silent.answer).toBeUndefined();
    expect(silent.warnings).toEqual([expect.objectContaining({ code: 'ollama/inference' })]);
    fake.handlers.set('POST /api/show', json({ capabilities: ['embedding'] }));
    fake.handlers.set(
      'POST /api/embed',
      json({
        embeddings: [
          [1, 0],
          [0, 1],
        ],
      }),
    );
    const embedded = (await collect(run(`FROM ${gguf}\n`, { force: true }))).result;
    expect(embedded).toMatchObject({
      warnings: [],
      answer: expect.stringContaining('an embedding of 2 numbers') as string,
    });
    fake.handlers.set(
      'POST /api/embed',
      json({
        embeddings: [
          [1, 0],
          [1, 0],
        ],
      }),
    );
    expect((await collect(run(`FROM ${gguf}\n`, { force: true }))).result.warnings).toHaveLength(1);
  });
});

describe('a server on another machine', () => {
  it('is told to be one, with how much goes there, before anything does', async () => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.family === 'IPv4' && !entry.internal)?.address;
    if (address === undefined) {
      console.log('skipped: this machine has no address but its own');
      return;
    }
    const remote = await FakeOllama.start('0.32.15', '0.0.0.0');
    try {
      for (const [key, handler] of fake.handlers) {
        if (!remote.handlers.has(key)) {
          remote.handlers.set(key, handler);
        }
      }
      const client = new OllamaClient(
        resolveOllamaAddress({ setting: `${address}:${remote.host.split(':')[1] ?? ''}` }),
      );
      remote.handlers.set('POST /api/copy', async (request, response) => {
        remote.handlers.set('GET /api/tags', json({ models: [{ name: 'm:latest', size: 1, digest: DIGEST }] }));
        await OK(request, response);
      });
      remote.handlers.set('POST /api/create', CREATED);
      let sentBefore: readonly string[] | undefined;
      const created = createModel(
        {
          name: 'm',
          modelfile: new TextEncoder().encode(`FROM ${gguf}\n`),
          path: join(folder, 'Modelfile'),
          force: false,
        },
        { client, signal: new AbortController().signal, workers: 1, workerScript: '' },
      );
      for await (const event of created) {
        if (event.event === 'warning' && event.code === 'ollama/remote-upload') {
          expect(event.message).toMatch(
            /^up to 3\.\d MB go to .* over the network, unencrypted: about \d+ s at 100 Mbit\/s$/,
          );
          sentBefore = remote.requests.filter((request) => request.startsWith('POST'));
        }
      }
      expect(sentBefore).toEqual([]);
      expect(remote.requests).toContain('POST /api/blobs');
    } finally {
      await remote.stop();
    }
  });
});
