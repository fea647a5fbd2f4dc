import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that went by. */
export interface LoggedRequest {
  readonly method: string;
  /** With every digest as `…`. */
  readonly path: string;
  /** Of POST /api/create. */
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  readonly status: number;
}

/** Hands everything on to a server, and notes what was asked. */
export class LoggingProxy {
  private constructor(
    private readonly server: Server,
    readonly host: string,
    private readonly log: LoggedRequest[],
  ) {}

  static async start(target: string): Promise<LoggingProxy> {
    const [hostname, port] = target.split(':');
    const log: LoggedRequest[] = [];
    const server = createServer((incoming, outgoing) => {
      handOn(incoming, outgoing, { hostname: hostname ?? '', port: port ?? '' }, log);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new LoggingProxy(server, `127.0.0.1:${(server.address() as AddressInfo).port}`, log);
  }

  /** What was asked since the last time. */
  take(): LoggedRequest[] {
    return this.log.splice(0);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function handOn(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { hostname, port }: { readonly hostname: string; readonly port: string },
  log: LoggedRequest[],
): void {
  const { method = '', url = '', headers } = incoming;
  const chunks: Buffer[] = [];
  const isCreate = url === '/api/create';
  const forward = request({ hostname, port, method, path: url, headers }, (answer) => {
    const body = isCreate
      ? (JSON.parse(Buffer.concat(chunks).toString('utf8')) as Readonly<Record<string, unknown>>)
      : undefined;
    log.push({
      method,
      path: url.replace(/sha256:[0-9a-f]{64}/, 'sha256:…'),
      status: answer.statusCode ?? 0,
      ...(body === undefined ? {} : { body }),
    });
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  forward.on('error', () => outgoing.destroy());
  incoming.on('data', (chunk: Buffer) => {
    if (isCreate) {
      chunks.push(chunk);
    }
  });
  incoming.pipe(forward);
}
