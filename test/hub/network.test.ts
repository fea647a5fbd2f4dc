import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliRun, FIXTURES, runCli } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { errorCode } from '../support/startCli';
import { FakeHub } from './fakeHub';

const folder = temporaryFolder();
const RUGBY = join(FIXTURES, 'rugby', 'base');
const MODEL = Object.fromEntries(
  ['config.json', 'model.safetensors', 'tokenizer.json'].map((name) => [name, readFileSync(join(RUGBY, name))]),
);

/** An authority of our own and a certificate of it for `*.mirror.test` and this machine. */
function certificates(): boolean {
  const openssl = (...args: string[]): boolean => spawnSync('openssl', args, { cwd: folder }).status === 0;
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:*.mirror.test,IP:127.0.0.1\n');
  return (
    openssl(...'req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Authority'.split(' ')) &&
    openssl(...'req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=mirror.test'.split(' ')) &&
    openssl(
      ...'x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem'.split(
        ' ',
      ),
    )
  );
}

const made = certificates();

describe.skipIf(!made)(
  `a mirror inside a company${made ? '' : ': skipped. There is no openssl here to make certificates with.'}`,
  () => {
    const token = 'hf_canary';
    const asked: string[] = [];
    let hub: FakeHub;
    let proxy: Server;
    let proxyAddress: string;
    beforeAll(async () => {
      hub = new FakeHub({
        repository: 'a/b',
        files: MODEL,
        token,
        tls: { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
        faults: { 'model.safetensors': { sendTo: 'https://content.mirror.test/model.safetensors' } },
      });
      await hub.start();
      // The names exist for the proxy alone: what does not go through it is not found.
      proxy = createServer((_request, response) => response.writeHead(500).end());
      proxy.on('connect', (request, client) => {
        asked.push(request.url ?? '');
        const target = request.url === 'content.mirror.test:443' ? hub.content : hub.address;
        const server = connect(Number(new URL(target).port), '127.0.0.1', () => {
          client.write('HTTP/1.1 200 Connection established\r\n\r\n');
          server.pipe(client).pipe(server);
        });
        server.on('error', () => client.destroy());
        client.on('error', () => server.destroy());
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      proxyAddress = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    });
    afterAll(async () => {
      await hub.stop();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    });
    const run = async (env: NodeJS.ProcessEnv): Promise<CliRun> => {
      asked.length = 0;
      const home = mkdtempSync(join(folder, 'home-'));
      return await runCli(['fetch-model', 'a/b', '--json'], {
        env: {
          ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$|^SSL_|_CA_/i.test(name))),
          HF_TOKEN: token,
          HF_HOME: home,
          HF_HUB_CACHE: '',
          HF_ENDPOINT: 'https://hub.mirror.test',
          ...env,
        },
        timeout: 60_000,
      });
    };
    const trusted = { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };

    it.each(['HTTPS_PROXY', 'https_proxy'])('is reached through %s, hub and content alike', async (name) => {
      const answer = await run({ [name]: proxyAddress, ...trusted });
      expect(answer.code, answer.stdout).toBe(0);
      expect(new Set(asked)).toEqual(new Set(['hub.mirror.test:443', 'content.mirror.test:443']));
      expect(hub.requests.filter(({ origin }) => origin === 'content').at(-1)?.authorization).toBeUndefined();
    });

    it.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'])(
      'is trusted by the authority that %s names, and not without it',
      async (name) => {
        const answer = await run({ HTTPS_PROXY: proxyAddress, [name]: join(folder, 'ca.pem') });
        expect(answer.code, answer.stdout).toBe(0);
      },
    );

    it('is not trusted without its authority', async () => {
      const before = hub.requests.length;
      const answer = await run({ HTTPS_PROXY: proxyAddress });
      expect(errorCode(answer)).toBe('hub/unreachable');
      expect((answer.json['error'] as { message: string }).message).toMatch(/certificate/);
      expect(hub.requests.length).toBe(before);
    });

    it.each(['*', '.mirror.test', 'hub.mirror.test', 'x.test, mirror.test'])(
      'NO_PROXY=%s goes past the proxy',
      async (NO_PROXY) => {
        const answer = await run({ HTTPS_PROXY: proxyAddress, NO_PROXY, ...trusted });
        expect(errorCode(answer)).toBe('hub/unreachable');
        expect(asked).toEqual([]);
      },
    );

    it('this machine is never asked for through the proxy', async () => {
      const answer = await run({ HTTPS_PROXY: 'http://127.0.0.1:9', HF_ENDPOINT: hub.address, ...trusted });
      // The content is sent for to a name that only the proxy knows.
      expect(errorCode(answer)).toBe('hub/unreachable');
      expect((answer.json['error'] as { message: string }).message).toContain('content.mirror.test');
    });

    it('an address of a proxy that is none, and certificates that are not there, are said', async () => {
      expect(errorCode(await run({ HTTPS_PROXY: 'http://', ...trusted }))).toBe('hub/address');
      expect(errorCode(await run({ SSL_CERT_FILE: join(folder, 'none.pem') }))).toBe('hub/address');
    });
  },
);
