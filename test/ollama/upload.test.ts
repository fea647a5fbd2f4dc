import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejection } from '../support/collect';
import { FakeOllama, json } from '../support/fakeOllama';
import { until } from '../support/startCli';

let fake: FakeOllama;
let folder: string;
let path: string;
let digest: string;
const BYTES = Buffer.alloc(5 * 1024 * 1024 + 7, 'rugby');
beforeEach(async () => {
  fake = await FakeOllama.start();
  folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
  path = join(folder, 'model.gguf');
  writeFileSync(path, BYTES);
  digest = `sha256:${createHash('sha256').update(BYTES).digest('hex')}`;
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true });
});

describe('uploads', () => {
  it('ask first, send the bytes, and tell how far they are', async () => {
    const steps: number[] = [];
    expect(
      await fake.client().uploadBlob(path, digest, { onProgress: (done, total) => steps.push(done / total) }),
    ).toBe(true);
    expect(fake.requests).toEqual(['HEAD /api/blobs', 'POST /api/blobs']);
    expect(fake.bodies.get('POST /api/blobs')).toBe(BYTES.toString('latin1'));
    expect(steps.at(-1)).toBe(1);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });

  it('send nothing that is there', async () => {
    fake.handlers.set('HEAD /api/blobs', (_request, response) => void response.writeHead(200).end());
    expect(await fake.client().uploadBlob(path, digest)).toBe(false);
    expect(fake.requests).toEqual(['HEAD /api/blobs']);
  });

  it('never give a server all bytes of a file that is not what was announced', async () => {
    let got = 0;
    fake.handlers.set('POST /api/blobs', async (request, response) => {
      for await (const chunk of request) {
        got += (chunk as Buffer).length;
      }
      response.writeHead(201).end();
    });
    const flipped = Buffer.from(BYTES);
    flipped[1000]! ^= 1;
    writeFileSync(path, flipped);
    expect(await rejection(fake.client().uploadBlob(path, digest))).toMatchObject({ code: 'input/changed' });
    await sleep(50);
    expect(got).toBeLessThan(BYTES.length);
  });

  it('notice a file that changes while it is sent', async () => {
    let changed = false;
    const error = await rejection(
      fake.client().uploadBlob(path, digest, {
        onProgress: () => {
          if (!changed) {
            changed = true;
            appendFileSync(path, 'more');
          }
        },
      }),
    );
    expect(error).toMatchObject({ code: 'input/changed' });
  });

  it("end with the server's words when its disk is full", async () => {
    // As Go's server does it: the answer while bytes still come, and the end half a second later.
    fake.handlers.set('POST /api/blobs', async (request, response) => {
      await new Promise((resolve) => request.once('data', resolve));
      request.pause();
      const body = JSON.stringify({ error: 'write /models/blobs/sha256-1: no space left on device' });
      response.writeHead(500, { 'content-type': 'application/json', 'content-length': body.length });
      response.write(body);
      setTimeout(() => request.socket.destroy(), 500).unref();
    });
    expect(await rejection(fake.client().uploadBlob(path, digest))).toMatchObject({ code: 'ollama/disk-full' });
  });

  it('end when the server is gone, silent, or says that the digest is wrong', async () => {
    fake.handlers.set('POST /api/blobs', async (request) => {
      await new Promise((resolve) => request.once('data', resolve));
      request.socket.destroy();
    });
    expect(await rejection(fake.client().uploadBlob(path, digest))).toMatchObject({ code: 'ollama/lost' });
    // A server that takes a few bytes and then nothing more.
    fake.handlers.set('POST /api/blobs', (request) => void request.pause());
    expect(await rejection(fake.client({ transfer: 300 }).uploadBlob(path, digest))).toMatchObject({
      code: 'ollama/timeout',
    });
    fake.handlers.set('POST /api/blobs', async (request, response) => {
      await fake.read(request);
      void json({ error: 'digest mismatch, expected "a", got "b"' }, 400)(request, response);
    });
    expect(await rejection(fake.client().uploadBlob(path, digest))).toMatchObject({ code: 'ollama/digest' });
  });

  it('are cancelled within 250 ms', async () => {
    fake.handlers.set('POST /api/blobs', async (request) => {
      for await (const chunk of request) {
        await sleep((chunk as Buffer).length > 0 ? 40 : 0);
      }
    });
    const abort = new AbortController();
    const upload = rejection(fake.client().uploadBlob(path, digest, { signal: abort.signal }));
    await sleep(150);
    const started = performance.now();
    abort.abort();
    expect(await upload).toMatchObject({ code: 'run/cancelled' });
    expect(performance.now() - started).toBeLessThan(250);
    // What lies in the system's buffers is still read by a slow server.
    await until(() => fake.connections === 0, 'the connection is closed');
  });

  it('build no address from a digest that is none', async () => {
    for (const bad of ['sha256:../../etc/passwd', `sha256:${'a'.repeat(63)}`, '', 'x']) {
      expect(await rejection(fake.client().uploadBlob(path, bad))).toMatchObject({ code: 'ollama/digest' });
      expect(await rejection(fake.client().hasBlob(bad))).toMatchObject({ code: 'ollama/digest' });
    }
    expect(fake.requests).toEqual([]);
  });
});
