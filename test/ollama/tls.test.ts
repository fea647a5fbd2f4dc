import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { OllamaClient } from '../../src/node/ollama/ollamaClient';
import { rejection } from '../support/collect';
import { FakeOllama } from '../support/fakeOllama';

const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
/** A certificate that nobody vouches for, made for this run. */
const made = spawnSync(
  'openssl',
  [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    join(folder, 'key.pem'),
    '-out',
    join(folder, 'cert.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ],
  { stdio: 'ignore' },
);

describe.skipIf(made.status !== 0)(
  `encryption${made.status === 0 ? '' : ': skipped. There is no openssl here to make a certificate with.'}`,
  () => {
    let server: Server;
    let asked = 0;
    beforeAll(async () => {
      server = createServer(
        { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
        (_request, response) => {
          asked += 1;
          response.end('{"version":"0.32.15"}');
        },
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterAll(async () => {
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    });
    const client = (setting: string): OllamaClient => new OllamaClient(resolveOllamaAddress({ setting }));

    it('that cannot be trusted is not used', async () => {
      const { port } = server.address() as AddressInfo;
      const error = await rejection(client(`https://127.0.0.1:${port}`).version());
      expect(error).toMatchObject({
        code: 'ollama/unreachable',
        message: expect.stringMatching(/certificate/) as string,
      });
      expect(asked).toBe(0);
    });

    it('where there is none, and none where there is some, is said', async () => {
      const { port } = server.address() as AddressInfo;
      expect(['ollama/lost', 'ollama/protocol', 'ollama/server']).toContain(
        (await rejection(client(`http://127.0.0.1:${port}`).version())).code,
      );
      const plain = await FakeOllama.start();
      try {
        expect(await rejection(client(`https://${plain.host}`).version())).toMatchObject({
          code: 'ollama/unreachable',
          message: expect.stringContaining('http://') as string,
        });
      } finally {
        await plain.stop();
      }
    });
  },
);
