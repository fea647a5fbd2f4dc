import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { OllamaClient } from '../../src/node/ollama/ollamaClient';
import { findOllama, ollamaState, requireOllama } from '../../src/node/ollama/ollamaState';
import { HANG_LIMIT } from '../support/hangLimit';
import { collect, rejection } from '../support/collect';
import { FakeOllama, json, lines } from '../support/fakeOllama';

const CHAT = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] };
const line = (content: string): unknown => ({ message: { role: 'assistant', content }, done: false });
const LAST = {
  message: { role: 'assistant', content: '' },
  done: true,
  done_reason: 'stop',
  eval_count: 10,
  eval_duration: 2e9,
  prompt_eval_count: 4,
  total_duration: 3e9,
};

/** Writes the same bytes over and over, as fast as they are taken, until nobody is there or `goOn` says no. */
async function pour(response: ServerResponse, piece: Buffer, goOn: () => boolean): Promise<void> {
  const gone = new Promise((resolve) => response.once('close', resolve));
  while (!response.destroyed && goOn()) {
    if (!response.write(piece)) {
      await Promise.race([gone, new Promise((resolve) => response.once('drain', resolve))]);
    }
  }
}

let fake: FakeOllama;
beforeEach(async () => {
  fake = await FakeOllama.start();
});
afterEach(() => fake.stop());

describe('answers', () => {
  it('come piece by piece, with the figures of the last', async () => {
    fake.handlers.set(
      'POST /api/chat',
      lines(line('Hel'), line('lo'), { message: { thinking: 'hm' }, done: false }, LAST),
    );
    const { events, result } = await collect(fake.client().chat(CHAT));
    expect(events).toEqual([
      { event: 'text', text: 'Hel' },
      { event: 'text', text: 'lo' },
      { event: 'thinking', text: 'hm' },
    ]);
    expect(result).toMatchObject({
      text: 'Hello',
      thinking: 'hm',
      stopReason: 'stop',
      tokens: 10,
      tokensPerSecond: 5,
      promptTokens: 4,
      seconds: 3,
    });
  });

  it('keep the connection closed once they are left', async () => {
    fake.handlers.set('POST /api/chat', (_request, response) => {
      response.writeHead(200);
      response.write(`${JSON.stringify(line('x'))}\n`);
    });
    for await (const event of fake.client().chat(CHAT)) {
      expect(event.text).toBe('x');
      break;
    }
    await sleep(100);
    expect(fake.connections).toBe(0);
  });

  it('are asked for below the path of a proxy', async () => {
    fake.handlers.set('GET /ollama/api/version', json({ version: '0.32.15' }));
    fake.handlers.set(
      'GET /ollama/api/tags',
      json({
        models: [
          {
            name: 'a:latest',
            size: 5,
            digest: 'd',
            details: { family: 'qwen3', parameter_size: '3M', quantization_level: 'F16' },
          },
        ],
      }),
    );
    fake.handlers.set('POST /ollama/api/copy', (_request, response) => void response.writeHead(200).end());
    fake.handlers.set(
      'DELETE /ollama/api/delete',
      (_request, response) => void response.writeHead(200, { 'content-length': '0' }).end(),
    );
    const client = new OllamaClient(resolveOllamaAddress({ setting: `http://${fake.host}/ollama/` }));
    expect(await client.version()).toBe('0.32.15');
    expect(await client.list()).toEqual([
      {
        name: 'a:latest',
        digest: 'd',
        bytes: 5,
        modifiedAt: undefined,
        family: 'qwen3',
        parameterSize: '3M',
        quantisation: 'F16',
        isCloud: false,
      },
    ]);
    await client.copy('a', 'b');
    await client.delete('a');
    expect(fake.requests).toEqual([
      'GET /ollama/api/version',
      'GET /ollama/api/tags',
      'POST /ollama/api/copy',
      'DELETE /ollama/api/delete',
    ]);
  });

  it('of pull are events with all blobs added up', async () => {
    fake.handlers.set(
      'POST /api/pull',
      lines(
        { status: 'pulling manifest' },
        { status: 'pulling a', digest: 'sha256:a', total: 100, completed: 50 },
        { status: 'pulling b', digest: 'sha256:b', total: 100 },
        { status: 'success' },
      ),
    );
    const { events } = await collect(fake.client().pull('m'));
    expect(
      events
        .filter(({ event }) => event === 'progress')
        .map((event) => (event.event === 'progress' ? [event.bytesDone, event.bytesTotal] : [])),
    ).toEqual([
      [50, 100],
      [50, 200],
    ]);
    expect(events[0]).toEqual({ event: 'phase', phase: 'downloading', detail: 'pulling manifest' });
  });
});

describe('a server that misbehaves', () => {
  const broken = async (handler: Parameters<FakeOllama['handlers']['set']>[1], timeouts = {}): Promise<unknown> => {
    fake.handlers.set('POST /api/chat', handler);
    return await rejection(collect(fake.client(timeouts).chat(CHAT)));
  };

  it('sends half an answer', async () => {
    expect(
      await broken((_request, response) => {
        response.writeHead(200);
        response.write(`${JSON.stringify(line('x'))}\n{"message":{"con`, () => response.destroy());
      }),
    ).toMatchObject({ code: 'ollama/lost' });
  });

  it('ends before it is done', async () => {
    expect(await broken(lines(line('x')))).toMatchObject({ code: 'ollama/lost' });
    fake.handlers.set('POST /api/pull', lines({ status: 'pulling manifest' }));
    expect(await rejection(collect(fake.client().pull('m')))).toMatchObject({ code: 'ollama/lost' });
  });

  it.each([
    ['no JSON', '<html>'],
    ['no object', '[1]'],
    ['null', 'null'],
    ['another shape', '{"message":{"content":5}}'],
    ['a figure that is none', '{"message":{"content":"x"},"done":true,"eval_count":-1}'],
  ])('sends %s', async (_what, text) => {
    expect(await broken(lines(text))).toMatchObject({ code: 'ollama/protocol' });
  });

  it('sends a line of a gigabyte: it is left after the first megabyte', async () => {
    let sent = 0;
    const before = process.memoryUsage().rss;
    const piece = Buffer.alloc(1024 * 1024, 0x61);
    const error = await broken(async (_request, response) => {
      response.writeHead(200);
      await pour(response, piece, () => {
        sent += piece.length;
        return sent < 1024 * 1024 * 1024;
      });
    });
    expect(error).toMatchObject({ code: 'ollama/protocol' });
    await sleep(50);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  it('never comes to an end: it is left when no model could have written that much', async () => {
    const piece = Buffer.from(`${JSON.stringify(line('x'.repeat(500_000)))}\n`);
    expect(
      await broken((_request, response) => {
        response.writeHead(200);
        void pour(response, piece, () => true);
      }),
    ).toMatchObject({ code: 'ollama/protocol' });
  });

  it('sends one value without end', async () => {
    fake.handlers.set('GET /api/tags', async (_request, response) => {
      response.writeHead(200);
      await pour(response, Buffer.alloc(1024 * 1024, 0x20), () => true);
    });
    expect(await rejection(fake.client().list())).toMatchObject({ code: 'ollama/protocol' });
  });

  it('is silent from the start, or in the middle', async () => {
    expect(await broken(() => undefined, { answer: 200 })).toMatchObject({ code: 'ollama/timeout' });
    expect(
      await broken((_request, response) => void response.writeHead(200).write(`${JSON.stringify(line('x'))}\n`), {
        answer: 200,
      }),
    ).toMatchObject({ code: 'ollama/timeout' });
  });

  it('is slow, which is no fault', async () => {
    fake.handlers.set('POST /api/chat', async (_request, response) => {
      response.writeHead(200);
      for (const piece of [line('a'), line('b'), line('c'), LAST]) {
        await sleep(150);
        const text = `${JSON.stringify(piece)}\n`;
        response.write(text.slice(0, 5));
        await sleep(50);
        response.write(text.slice(5));
      }
      response.end();
    });
    expect((await collect(fake.client({ answer: 300 }).chat(CHAT))).result.text).toBe('abc');
  });

  it('fails, with words and without', async () => {
    expect(await broken(json({ error: 'something broke' }, 500))).toMatchObject({
      code: 'ollama/server',
      message: expect.stringContaining('something broke') as string,
    });
    expect(
      await broken((_request, response) => void response.writeHead(502).end('<html>Bad gateway</html>')),
    ).toMatchObject({ code: 'ollama/server', message: expect.stringContaining('502') as string });
    expect(await broken((_request, response) => void response.writeHead(500).end())).toMatchObject({
      code: 'ollama/server',
    });
    expect(await broken(lines(line('x'), { error: 'out of memory' }))).toMatchObject({ code: 'ollama/memory' });
  });

  it('escapes what a server says for terminals', async () => {
    const error = await broken(json({ error: '\u001b[2Jgone' }, 500));
    expect((error as Error).message).not.toContain('\u001b');
  });

  it('says very much at once', async () => {
    const started = performance.now();
    const error = await broken(lines({ error: 'pull model manifest: '.repeat(45_000) }));
    expect(error).toMatchObject({ code: 'ollama/registry' });
    expect((error as Error).message.length).toBeLessThan(10_000);
    expect(performance.now() - started).toBeLessThan(HANG_LIMIT);
  });

  it('sends the request elsewhere: nobody is asked there', async () => {
    const other = await FakeOllama.start();
    try {
      for (const status of [301, 302, 307, 308]) {
        expect(
          await broken(
            (_request, response) =>
              void response.writeHead(status, { location: `http://${other.host}/api/chat` }).end(),
          ),
        ).toMatchObject({ code: 'ollama/redirect' });
      }
      expect(other.requests).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  it('hangs up at once', async () => {
    expect(await broken((request) => void request.socket.destroy())).toMatchObject({ code: 'ollama/lost' });
  });
});

describe('cancel', () => {
  it('ends its own operation within 250 ms and no other', async () => {
    fake.handlers.set(
      'POST /api/chat',
      (_request, response) => void response.writeHead(200).write(`${JSON.stringify(line('x'))}\n`),
    );
    fake.handlers.set('POST /api/pull', async (_request, response) => {
      response.writeHead(200);
      for (let done = 0; done < 10; done += 1) {
        response.write(`${JSON.stringify({ status: 'pulling', digest: 'sha256:a', total: 10, completed: done })}\n`);
        await sleep(50);
      }
      response.end('{"status":"success"}\n');
    });
    const client = fake.client();
    const abort = new AbortController();
    const cancelled = rejection(collect(client.chat(CHAT, { signal: abort.signal })));
    const other = collect(client.pull('m'));
    await sleep(150);
    const started = performance.now();
    abort.abort();
    expect(await cancelled).toMatchObject({ code: 'run/cancelled' });
    expect(performance.now() - started).toBeLessThan(250);
    await sleep(100);
    expect(fake.connections).toBe(1);
    expect((await other).events.length).toBeGreaterThan(8);
  });

  it('comes before anything is sent when it came before the call', async () => {
    const signal = AbortSignal.abort();
    const client = fake.client();
    for (const call of [
      () => client.list({ signal }),
      () => client.version({ signal }),
      () => collect(client.pull('m', { signal })),
      () => collect(client.create('{}', { signal })),
    ]) {
      expect(await rejection(call())).toMatchObject({ code: 'run/cancelled' });
    }
    expect(fake.requests).toEqual([]);
  });
});

describe('the state of a server', () => {
  it.each([
    ['0.32.15', { state: 'running', mayQuantise: true }],
    ['0.17.1', { state: 'running', mayQuantise: true }],
    ['0.17.0', { state: 'running', mayQuantise: false }],
    ['0.5.5', { state: 'running', mayQuantise: false }],
    ['0.5.4', { state: 'too-old', minimum: '0.5.5' }],
    ['0.1.32', { state: 'too-old' }],
    // A build without a version of its own.
    ['0.0.0', { state: 'running', mayQuantise: true }],
  ])('%s', async (version, expected) => {
    fake.handlers.set('GET /api/version', json({ version }));
    expect(await ollamaState(fake.client())).toMatchObject({ ...expected, version });
  });

  it('not running, not installed, no Ollama at all', async () => {
    const { host } = fake;
    await fake.stop();
    const client = new OllamaClient(resolveOllamaAddress({ setting: host }));
    const env = { PATH: process.cwd() };
    const installed = (await findOllama(env)) !== undefined;
    expect(await ollamaState(client, { env })).toEqual({ state: installed ? 'not-running' : 'not-installed' });
    expect(await rejection(requireOllama(client, { env }))).toMatchObject({
      code: installed ? 'ollama/not-running' : 'ollama/not-installed',
      message: expect.stringContaining(host) as string,
    });
    fake = await FakeOllama.start();
    fake.handlers.set('GET /api/version', (_request, response) => void response.end('<html>'));
    expect(await rejection(ollamaState(fake.client()))).toMatchObject({ code: 'ollama/protocol' });
  });

  it('a remote one that cannot be reached', async () => {
    const client = new OllamaClient(resolveOllamaAddress({ setting: 'http://no-such-host.invalid:11434' }));
    expect(await ollamaState(client)).toMatchObject({ state: 'unreachable' });
  });
});
