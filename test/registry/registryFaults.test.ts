import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LAYER_LIMIT, MANIFEST_LIMIT } from '../../src/core/ollama/registryManifest';
import { lookUpModel, type LookedUpModel } from '../../src/node/registry/libraryLookup';
import { HANG_LIMIT } from '../support/hangLimit';
import { CLI } from '../support/cli';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const BUNDLE = join(CLI, '..');
const TEMPLATE = '{{ .Prompt }}';
const CONFIG = '{"model_family":"llama"}';
const TYPE = 'application/vnd.ollama.image';
const digest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const layer = (kind: string, text: string, more: object = {}): object => ({
  mediaType: `${TYPE}.${kind}`,
  digest: digest(text),
  size: text.length,
  ...more,
});
const manifest = (layers: readonly object[] = [layer('template', TEMPLATE)], more: object = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: digest(CONFIG),
      size: CONFIG.length,
    },
    layers,
    ...more,
  });

/** What a registry cannot be made to do by itself. */
describe('registries that misbehave', () => {
  const servers: Server[] = [];
  let cacheFolder = '';
  let requests: { url: string; headers: IncomingMessage['headers'] }[] = [];

  beforeEach(() => {
    cacheFolder = mkdtempSync(join(tmpdir(), 'modelfile-studio-faults-'));
    requests = [];
  });
  afterEach(async () => {
    await Promise.all(
      servers.splice(0).map(
        (server) =>
          new Promise((resolve) => {
            server.closeAllConnections();
            server.close(resolve);
          }),
      ),
    );
    rmSync(cacheFolder, { recursive: true, force: true });
  });

  async function serve(handler: Handler): Promise<string> {
    const server = createServer((request, response) => {
      requests.push({ url: request.url ?? '', headers: request.headers });
      handler(request, response);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Serves a manifest and the blobs that are known; `broken` may answer first. */
  const texts =
    (manifestText: string, blobs: readonly string[] = [TEMPLATE, CONFIG]): Handler =>
    (request, response) => {
      const wanted =
        request.url?.includes('/manifests/') === true
          ? manifestText
          : blobs.find((blob) => request.url?.endsWith(digest(blob)));
      response.writeHead(wanted === undefined ? 404 : 200).end(wanted);
    };

  const ask = (
    host: string,
    name = 'rugby',
    more: Partial<Parameters<typeof lookUpModel>[1]> = {},
  ): Promise<LookedUpModel> =>
    lookUpModel(name, {
      bundleFolder: BUNDLE,
      cacheFolder,
      registry: host,
      timeouts: { idle: 400, total: 1500 },
      ...more,
    });

  async function failsWith(handler: Handler, code: string, words = ''): Promise<void> {
    const host = await serve(handler);
    await expect(ask(host)).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
    // Nothing of a bad answer is kept as an answer.
    await expect(ask(host, 'rugby', { offline: true })).rejects.toMatchObject({ code: 'registry/missing' });
  }

  it('has a twin that behaves', async () => {
    const { model, source } = await ask(await serve(texts(manifest())));
    expect({ source, template: model.template, family: model.family }).toEqual({
      source: 'registry',
      template: TEMPLATE,
      family: 'llama',
    });
    expect(requests.map(({ url }) => url)).toEqual([
      '/v2/library/rugby/manifests/latest',
      `/v2/library/rugby/blobs/${digest(CONFIG)}`,
      `/v2/library/rugby/blobs/${digest(TEMPLATE)}`,
    ]);
    for (const { headers } of requests) {
      expect(Object.keys(headers).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host']);
    }
  });

  it.each<[string, string, string]>([
    ['no JSON', '<html>', 'no JSON'],
    ['a list', '[]', ''],
    ['version 1', manifest([], { schemaVersion: 1 }), ''],
    ['no layers', JSON.stringify({ schemaVersion: 2 }), ''],
    [
      'a digest that is a path',
      manifest([{ mediaType: `${TYPE}.template`, digest: 'sha256:../../../etc/passwd', size: 3 }]),
      'digest',
    ],
    [
      'a digest with a path behind it',
      manifest([{ mediaType: `${TYPE}.template`, digest: `${digest('x')}/../y`, size: 3 }]),
      'digest',
    ],
    ['a negative size', manifest([layer('template', TEMPLATE, { size: -1 })]), ''],
    ['a size that is no number', manifest([layer('template', TEMPLATE, { size: '3' })]), ''],
    ['a text of a gigabyte', manifest([layer('template', TEMPLATE, { size: 2 ** 30 })]), String(2 ** 30)],
    ['a hundred texts', manifest(Array.from({ length: 100 }, (_, index) => layer('license', `${index}`))), '101'],
  ])('refuses a manifest with %s', async (_name, text, words) => {
    await failsWith(texts(text), 'registry/protocol', words);
  });

  it.each<[string, string, string]>([
    ['params', '{"stop": {"a": 1}}', 'parameters'],
    ['params', 'temperature 0.7', 'parameters'],
    ['messages', '{"role":"user"}', 'messages'],
  ])('refuses a text of the kind %s that is none: %s', async (kind, text, words) => {
    await failsWith(texts(manifest([layer(kind, text)]), [CONFIG, text]), 'registry/protocol', words);
  });

  it('refuses what is no UTF-8', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x41]);
    const own = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await failsWith(
      (request, response) => {
        response.end(
          request.url?.includes('/manifests/') === true
            ? manifest([{ mediaType: `${TYPE}.template`, digest: own, size: 3 }])
            : request.url?.endsWith(own) === true
              ? bytes
              : CONFIG,
        );
      },
      'registry/protocol',
      'no text',
    );
  });

  it('refuses a text with another digest, and a manifest with another than its header names', async () => {
    await failsWith((request, response) => {
      response.end(request.url?.includes('/manifests/') === true ? manifest() : 'something else');
    }, 'registry/digest');
    await failsWith((_request, response) => {
      response.setHeader('docker-content-digest', digest('another'));
      response.end(manifest());
    }, 'registry/digest');
  });

  it('stops reading at the limit, whatever the length says', async () => {
    let sent = 0;
    const flood: Handler = (_request, response) => {
      const chunk = Buffer.alloc(1024 * 1024, 0x20);
      const more = (): void => {
        sent += chunk.length;
        if (!response.destroyed && sent < 512 * 1024 * 1024) {
          response.write(chunk, () => setImmediate(more));
        }
      };
      more();
    };
    await failsWith(flood, 'registry/protocol', String(MANIFEST_LIMIT));
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    await failsWith(
      (request, response) => {
        if (request.url?.includes('/manifests/') === true) {
          response.end(manifest());
        } else {
          response.end(Buffer.alloc(LAYER_LIMIT + 1, 0x20));
        }
      },
      'registry/protocol',
      String(LAYER_LIMIT),
    );
  });

  it('gives up a registry that is silent, drips or hangs up', async () => {
    await failsWith(() => undefined, 'registry/unreachable', 'took longer');
    await failsWith(
      (_request, response) => {
        response.write('{');
        const drip = setInterval(() => (response.destroyed ? clearInterval(drip) : response.write(' ')), 100);
      },
      'registry/unreachable',
      'took longer',
    );
    await failsWith(
      (_request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write(manifest().slice(0, 20));
        setTimeout(() => response.destroy(), 20);
      },
      'registry/unreachable',
      'broke off',
    );
    await failsWith(
      (request) => {
        request.socket.destroy();
      },
      'registry/unreachable',
      'broke off',
    );
    await failsWith(
      (request) => {
        request.socket.end('garbage\r\n\r\n');
      },
      'registry/unreachable',
      'broke off',
    );
  });

  it.each([
    [401, 'registry/refused'],
    [403, 'registry/refused'],
    [404, 'registry/missing'],
    [429, 'registry/unreachable'],
    [500, 'registry/unreachable'],
    [503, 'registry/unreachable'],
  ])('tells status %i', async (status, code) => {
    await failsWith((_request, response) => {
      response.writeHead(status, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' }).end('no');
    }, code);
    expect(requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('follows redirects on this machine, but not for ever', async () => {
    const store = await serve(texts(manifest()));
    const seen = requests.length;
    const host = await serve((request, response) => {
      response
        .writeHead(request.url?.includes('/blobs/') === true ? 307 : 200, {
          location: `http://${store}${request.url ?? ''}`,
        })
        .end(request.url?.includes('/blobs/') === true ? '' : manifest());
    });
    expect((await ask(host)).model.template).toBe(TEMPLATE);
    expect(requests.length - seen).toBe(5);
    await failsWith(
      (request, response) => {
        response.writeHead(302, { location: `${request.url ?? ''}x` }).end();
      },
      'registry/protocol',
      'from one address to the next',
    );
  });

  it.each([
    'ftp://127.0.0.1/x',
    'file:///etc/passwd',
    'http://user:secret@127.0.0.1/x',
    'http://[',
    'javascript:alert(1)',
  ])('does not follow a redirect to %s', async (location) => {
    await failsWith(
      (_request, response) => {
        response.writeHead(302, { location }).end();
      },
      'registry/protocol',
      'not followed',
    );
  });

  it('cancels at once and keeps nothing', async () => {
    const abort = new AbortController();
    const host = await serve(() => setTimeout(() => abort.abort(), 30));
    const started = Date.now();
    await expect(ask(host, 'rugby', { signal: abort.signal })).rejects.toMatchObject({ code: 'run/cancelled' });
    expect(Date.now() - started).toBeLessThan(HANG_LIMIT);
    expect(readdirSync(cacheFolder)).toEqual([]);
  });

  it('asks no registry but that of Ollama unless it is named, and then only that one', async () => {
    await expect(ask('127.0.0.1:1', 'evil.example/library/rugby')).rejects.toMatchObject({
      code: 'registry/host',
      message: expect.stringContaining('--registry evil.example') as string,
    });
    await expect(lookUpModel('127.0.0.1:1/library/rugby', { bundleFolder: BUNDLE, cacheFolder })).rejects.toMatchObject(
      { code: 'registry/host' },
    );
    await expect(ask('http://user:secret@127.0.0.1:1')).rejects.toMatchObject({
      code: 'registry/host',
      message: expect.not.stringContaining('secret') as string,
    });
  });

  it('takes the bundled table where it may not ask, and says from when it is', async () => {
    const found = await lookUpModel('qwen3:4b', { bundleFolder: BUNDLE, cacheFolder, offline: true });
    expect(found.source).toBe('bundled');
    expect(found.sourceNote).toMatch(
      /^Offline, as asked: from the table that comes with this product \(@huggingface\/ollama-utils [\d.]+ of \d{4}-\d\d-\d\d\), which may be out of date\. It has qwen3:0\.6b only/,
    );
    expect(found.model.template).toContain('<|im_start|>');
    await expect(
      lookUpModel('no-such-model', { bundleFolder: BUNDLE, cacheFolder, offline: true }),
    ).rejects.toMatchObject({ code: 'registry/missing', message: expect.stringContaining('--offline') as string });
    await expect(lookUpModel('a b', { bundleFolder: BUNDLE, cacheFolder })).rejects.toMatchObject({
      code: 'ollama/model-name',
    });
  });

  it('keeps two registries apart in its cache', async () => {
    const one = await serve(texts(manifest()));
    const other = await serve(texts(manifest([layer('template', 'other')]), ['other', CONFIG]));
    expect((await ask(one)).model.template).toBe(TEMPLATE);
    expect((await ask(other)).model.template).toBe('other');
    expect((await ask(one, 'rugby', { offline: true })).model.template).toBe(TEMPLATE);
    expect((await ask(other, 'rugby', { offline: true })).model.template).toBe('other');
  });
});
