import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with the content of a file. */
export interface Fault {
  /** Closes the connection after so many bytes, this often. */
  cutAfter?: number;
  times?: number;
  /** Sends other bytes of the same length. */
  damaged?: boolean;
  /** Ignores ranges. */
  noRanges?: boolean;
}

export interface FakeHubOptions {
  readonly repository: string;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly faults?: Readonly<Record<string, Fault>>;
  /** Status of every answer of the API. */
  readonly status?: number;
  readonly message?: string;
  readonly token?: string;
}

export const COMMIT = 'c0ffee'.repeat(6) + 'beef';

/**
 * A hub and its content server, on two origins as the real ones are: the one answers the API and redirects large files to the other.
 * The real hub cannot be reached by tests, nor be made to fail.
 */
export class FakeHub {
  readonly requests: {
    readonly origin: 'hub' | 'content';
    readonly path: string;
    readonly range: string | undefined;
    readonly authorization: string | undefined;
  }[] = [];
  private readonly servers: Server[] = [];
  address = '';
  private content = '';

  constructor(private readonly options: FakeHubOptions) {}

  async start(): Promise<void> {
    this.content = await this.listen('content');
    this.address = await this.listen('hub');
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.servers.map(
        (server) =>
          new Promise((resolve) => {
            server.close(resolve);
            server.closeAllConnections();
          }),
      ),
    );
  }

  private async listen(origin: 'hub' | 'content'): Promise<string> {
    const server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
      this.requests.push({ origin, path, range: request.headers.range, authorization: request.headers.authorization });
      if (origin === 'hub') {
        this.answer(path, request, response);
      } else {
        this.send(path.slice(1), request, response);
      }
    });
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  private answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { repository, files, status, message, token } = this.options;
    const json = (code: number, body: unknown): void => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (status !== undefined) {
      json(status, { error: message ?? 'no' });
    } else if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      json(401, { error: 'Access to model is restricted. You must be authenticated to access it.' });
    } else if (path.startsWith(`/api/models/${repository}/revision/`)) {
      json(200, {
        _id: '1',
        id: repository,
        private: false,
        downloads: 0,
        likes: 0,
        gated: false,
        lastModified: '2026-01-01T00:00:00Z',
        sha: COMMIT,
      });
    } else if (path.startsWith(`/api/models/${repository}/tree/${COMMIT}`)) {
      json(
        200,
        Object.entries(files).map(([name, data]) => entryOf(name, data)),
      );
    } else if (path.startsWith(`/${repository}/resolve/${COMMIT}/`)) {
      const name = path.slice(`/${repository}/resolve/${COMMIT}/`.length);
      if (isLarge(name)) {
        response.writeHead(302, { location: `${this.content}/${name}` }).end();
      } else {
        this.send(name, request, response);
      }
    } else {
      json(404, { error: 'Repository not found' });
    }
  }

  private send(name: string, request: IncomingMessage, response: ServerResponse): void {
    const data = this.options.files[name];
    const fault = this.options.faults?.[name] ?? {};
    if (data === undefined) {
      response.writeHead(404).end();
      return;
    }
    const from = fault.noRanges === true ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = (fault.damaged === true ? Buffer.alloc(data.length, 1) : data).subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': body.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` } : {}),
    });
    if (fault.cutAfter !== undefined && (fault.times ?? 0) > 0) {
      fault.times = (fault.times ?? 0) - 1;
      response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 20));
      return;
    }
    response.end(body);
  }
}

function isLarge(name: string): boolean {
  return name.endsWith('.safetensors');
}

function entryOf(name: string, data: Buffer): unknown {
  const oid = createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
  const sha256 = createHash('sha256').update(data).digest('hex');
  return {
    type: 'file',
    path: name,
    size: data.length,
    oid,
    ...(isLarge(name) ? { lfs: { oid: sha256, size: data.length, pointerSize: 130 } } : {}),
  };
}
