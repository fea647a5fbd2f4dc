import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { downloadHubFile } from '../../src/node/hub/hubDownload';
import { openHubConnection } from '../../src/node/hub/hubConnection';
import { temporaryFolder } from '../support/models';

const folder = temporaryFolder();
const BYTES = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251));
const SHA256 = createHash('sha256').update(BYTES).digest('hex');

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

/** Fetches a file of BYTES from a server that answers so; the ranges that were asked for. */
async function fetchFrom(
  name: string,
  idle: number,
  answer: (request: IncomingMessage, response: ServerResponse, from: number) => void,
): Promise<string[]> {
  const ranges: string[] = [];
  server = createServer((request, response) => {
    const { range = '' } = request.headers;
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': BYTES.length - from,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` }),
    });
    answer(request, response, from);
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  process.env['HF_ENDPOINT'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = await openHubConnection('');
  const target = join(folder, name);
  try {
    await downloadHubFile({
      connection,
      url: `${connection.url}/${name}`,
      file: { path: name, bytes: BYTES.length, sha256: SHA256 },
      target,
      signal: new AbortController().signal,
      onBytes: () => undefined,
      idle,
    });
  } finally {
    await connection.close();
  }
  expect(readFileSync(target)).toEqual(BYTES);
  return ranges;
}

it('a connection that goes silent is given up, and the rest asked for anew', { timeout: 60_000 }, async () => {
  const ranges = await fetchFrom('silent', 300, (_request, response, from) => {
    if (from === 0) {
      // And then nothing, with the connection open.
      response.write(BYTES.subarray(0, 1000));
    } else {
      response.end(BYTES.subarray(from));
    }
  });
  expect(ranges[0]).toBe('');
  expect(ranges.at(-1)).toBe('bytes=1000-');
});

it('a slow connection that gives something again and again is kept, however long it takes', async () => {
  const idle = 2000;
  const ranges = await fetchFrom('slow', idle, (_request, response) => {
    const step = BYTES.length / 12;
    let at = 0;
    const timer = setInterval(() => {
      response.write(BYTES.subarray(at, (at += step)));
      if (at >= BYTES.length) {
        clearInterval(timer);
        response.end();
      }
    }, idle / 6);
  });
  expect(ranges).toEqual(['']);
});
