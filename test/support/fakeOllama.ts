import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { OllamaClient, type OllamaTimeouts } from '../../src/node/ollama/ollamaClient';

/** What a fake server does with one kind of request; it may keep the answer open, or break it off. */
export type FakeHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server for what a real Ollama cannot be made to do. Every request that it gets is written down. */
export class FakeOllama {
  readonly requests: string[] = [];
  /** `POST /api/chat` to what is done with it. */
  readonly handlers = new Map<string, FakeHandler>();
  /** Bodies of requests that were read to their end, by `POST /api/create`. */
  readonly bodies = new Map<string, string>();
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async start(version = '0.32.15', listen = '127.0.0.1'): Promise<FakeOllama> {
    const server = createServer();
    const fake = new FakeOllama(server);
    server.on('request', (request, response) => void fake.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, listen, resolve));
    fake.handlers.set('GET /api/version', json({ version }));
    fake.handlers.set('GET /api/tags', json({ models: [] }));
    fake.handlers.set('HEAD /api/blobs', (_request, response) => void response.writeHead(404).end());
    fake.handlers.set('POST /api/blobs', async (request, response) => {
      await fake.read(request);
      response.writeHead(201).end();
    });
    return fake;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.sockets.size;
  }

  client(timeouts: Partial<OllamaTimeouts> = {}): OllamaClient {
    return new OllamaClient(resolveOllamaAddress({ setting: this.host }), timeouts);
  }

  async read(request: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString('latin1');
    this.bodies.set(keyOf(request), text);
    return text;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = keyOf(request);
    this.requests.push(key);
    const handler = this.handlers.get(key);
    if (handler === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
      return;
    }
    try {
      await handler(request, response);
    } catch {
      // The client went away in the middle of its request.
      response.destroy();
    }
  }
}

function keyOf(request: IncomingMessage): string {
  return `${request.method ?? ''} ${(request.url ?? '').replace(/^(\/api\/blobs)\/.*/, '$1')}`;
}

/** Answers one JSON value. */
export function json(value: unknown, status = 200): FakeHandler {
  return (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Answers lines, each an object, and ends. */
export function lines(...records: readonly unknown[]): FakeHandler {
  return (_request, response) =>
    void response
      .writeHead(200, { 'content-type': 'application/x-ndjson' })
      .end(records.map((record) => `${typeof record === 'string' ? record : JSON.stringify(record)}\n`).join(''));
}
