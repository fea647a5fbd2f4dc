import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
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
  /** Sends on to this address instead of to the content server. */
  sendTo?: string;
  /** Answers a range with another one. */
  otherRange?: boolean;
  /** Bytes without an end, whatever was promised. */
  endless?: boolean;
}

/** An entry of a listing, as the hub writes it. */
export type Entry = Record<string, unknown> & { path: string; lfs?: Record<string, unknown> };

/** One page of a listing, and what it says of the next. */
export interface Page {
  readonly body: unknown;
  readonly link?: string;
}

export interface FakeHubOptions {
  readonly repository: string;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly faults?: Readonly<Record<string, Fault>>;
  /** Status of every answer of the API. */
  readonly status?: number;
  readonly message?: string;
  readonly token?: string;
  /** Another listing than the honest one; `page` counts from 0, `url` is that of the request. */
  readonly listing?: (entries: Entry[], page: number, url: string) => Page;
  /** Another description of the repository; a text is sent as it is. */
  readonly info?: unknown;
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer };
  /** Milliseconds between pieces of content, so that a fetch can be met in the middle. */
  readonly pause?: number;
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
  /** Of the content server. */
  content = '';
  private page = 0;

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
    const { tls } = this.options;
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
      this.requests.push({ origin, path, range: request.headers.range, authorization: request.headers.authorization });
      if (origin === 'hub') {
        this.answer(path, request, response);
      } else {
        this.send(path.slice(1), request, response);
      }
    };
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  private answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { repository, files, status, message, token } = this.options;
    const json = (code: number, body: unknown): void => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      response.writeHead(code, { 'content-type': 'application/json' }).end(text);
    };
    if (status !== undefined) {
      json(status, { error: message ?? 'no' });
    } else if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      json(401, { error: 'Access to model is restricted. You must be authenticated to access it.' });
    } else if (path.startsWith(`/api/models/${repository}/revision/`)) {
      json(
        200,
        this.options.info ?? {
          _id: '1',
          id: repository,
          private: false,
          downloads: 0,
          likes: 0,
          gated: false,
          lastModified: '2026-01-01T00:00:00Z',
          sha: COMMIT,
        },
      );
    } else if (path.startsWith(`/api/models/${repository}/tree/${COMMIT}`)) {
      const entries = Object.entries(files).map(([name, data]) => entryOf(name, data));
      const url = `${this.address}${request.url ?? ''}`;
      const { body, link } = this.options.listing?.(entries, this.page++, url) ?? { body: entries };
      if (link !== undefined) {
        response.setHeader('link', `<${link}>; rel="next"`);
      }
      json(200, body);
    } else if (path.startsWith(`/${repository}/resolve/${COMMIT}/`)) {
      const name = path.slice(`/${repository}/resolve/${COMMIT}/`.length);
      if (isLarge(name)) {
        const location = this.options.faults?.[name]?.sendTo ?? `${this.content}/${name}`;
        response.writeHead(302, { location }).end();
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
    if (fault.endless === true) {
      response.writeHead(200);
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536, 97))) {}
      };
      response.on('drain', more);
      more();
      return;
    }
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': body.length,
      ...(from > 0
        ? { 'content-range': `bytes ${fault.otherRange === true ? 0 : from}-${data.length - 1}/${data.length}` }
        : {}),
    });
    if (fault.cutAfter !== undefined && (fault.times ?? 0) > 0) {
      fault.times = (fault.times ?? 0) - 1;
      response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 20));
      return;
    }
    const { pause } = this.options;
    if (pause === undefined) {
      response.end(body);
      return;
    }
    let at = 0;
    const timer = setInterval(() => {
      response.write(body.subarray(at, (at += 200_000)));
      if (at >= body.length) {
        clearInterval(timer);
        response.end();
      }
    }, pause);
    response.on('close', () => clearInterval(timer));
  }
}

function isLarge(name: string): boolean {
  return name.endsWith('.safetensors');
}

function entryOf(name: string, data: Buffer): Entry {
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
