import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './freePort';

// The path is computed, so that type checking does not follow it into a plain script.
const installer = new URL('../../scripts/install/installRegistry.mjs', import.meta.url).href;

export const NO_REGISTRY =
  'There is no docker-registry here (DOCKER_REGISTRY_BIN, or scripts/install/installRegistry.mjs).';

export async function findRealRegistry(): Promise<string | undefined> {
  const { findRegistry } = (await import(installer)) as { findRegistry: () => string | undefined };
  return findRegistry();
}

/** A layer as Ollama makes it. */
export interface PushedLayer {
  readonly kind: 'template' | 'system' | 'params' | 'license' | 'messages' | 'model';
  readonly text: string;
}

export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** A distribution registry on loopback, as Debian ships it, with a storage folder of its own. */
export class RealRegistry {
  private constructor(
    readonly host: string,
    readonly folder: string,
    private readonly child: ChildProcess,
    private readonly store: Server | undefined,
    /** Paths that the second server, where redirects lead, was asked for, with the headers. */
    readonly redirected: readonly { readonly url: string; readonly headers: Readonly<Record<string, unknown>> }[],
  ) {}

  /** @param redirects blobs are served by a second server, to which the registry sends */
  static async start(path: string, { redirects = false } = {}): Promise<RealRegistry> {
    const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-registry-'));
    const host = `127.0.0.1:${await freePort()}`;
    const asked: { url: string; headers: Record<string, unknown> }[] = [];
    const store = redirects ? await serveFolder(join(folder, 'storage'), asked) : undefined;
    const middleware =
      store === undefined
        ? ''
        : `middleware:\n  storage:\n    - name: redirect\n      options:\n        baseurl: http://127.0.0.1:${(store.address() as AddressInfo).port}/\n`;
    const config = `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${join(folder, 'storage')}\n${middleware}http:\n  addr: ${host}\n`;
    writeFileSync(join(folder, 'config.yml'), config);
    const child = spawn(path, ['serve', join(folder, 'config.yml')], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    });
    const registry = new RealRegistry(host, folder, child, store, asked);
    for (let tries = 0; tries < 100; tries += 1) {
      const isUp = await fetch(`http://${host}/v2/`).then(
        (response) => response.ok,
        () => false,
      );
      if (isUp) {
        return registry;
      }
      await sleep(100);
    }
    await registry.stop();
    throw new Error('docker-registry did not start');
  }

  /** Pushes a model as `ollama push` does: blobs first, then the manifest. */
  async push(
    name: string,
    tag: string,
    layers: readonly PushedLayer[],
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const described = [];
    for (const { kind, text } of layers) {
      await this.upload(name, text);
      described.push({
        mediaType: `application/vnd.ollama.image.${kind}`,
        digest: digestOf(text),
        size: Buffer.byteLength(text),
      });
    }
    const configText = JSON.stringify(config);
    await this.upload(name, configText);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        digest: digestOf(configText),
        size: Buffer.byteLength(configText),
      },
      layers: described,
    });
    const response = await fetch(`http://${this.host}/v2/${name}/manifests/${tag}`, {
      method: 'PUT',
      body: manifest,
      headers: { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' },
    });
    if (response.status !== 201) {
      throw new Error(`the manifest was refused: ${response.status} ${await response.text()}`);
    }
  }

  /** Where the registry keeps a blob. */
  blobPath(digest: string): string {
    const hex = digest.slice(7);
    return join(this.folder, 'storage/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill();
    await Promise.race([gone, sleep(5000)]);
    this.store?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async upload(name: string, text: string): Promise<void> {
    const start = await fetch(`http://${this.host}/v2/${name}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(start.headers.get('location') ?? '', `http://${this.host}`);
    location.searchParams.set('digest', digestOf(text));
    const response = await fetch(location, {
      method: 'PUT',
      body: text,
      headers: { 'content-type': 'application/octet-stream' },
    });
    if (response.status !== 201) {
      throw new Error(`a blob was refused: ${response.status} ${await response.text()}`);
    }
  }
}

async function serveFolder(
  folder: string,
  asked: { url: string; headers: Record<string, unknown> }[],
): Promise<Server> {
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', headers: request.headers });
    const path = join(folder, new URL(request.url ?? '/', 'http://x').pathname);
    if (!path.startsWith(folder) || !existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
