import { PassThrough } from 'node:stream';
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type ProtocolConnection,
} from 'vscode-languageserver-protocol/node';
import {
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  InitializedNotification,
  InitializeRequest,
  PublishDiagnosticsNotification,
  ShutdownRequest,
  type ClientCapabilities,
  type InitializeResult,
  type PublishDiagnosticsParams,
  type TextDocumentContentChangeEvent,
} from 'vscode-languageserver-protocol';
import { createConnection } from 'vscode-languageserver/node';
import { startServer } from '../../language-server/src/server/startServer';

export interface TestOptions {
  readonly capabilities?: ClientCapabilities;
  readonly rootUri?: string;
  readonly initializationOptions?: unknown;
  readonly ollamaHost?: string;
  /** Where `jinja.js` lies; without it no TEMPLATE is compared with the model's own. */
  readonly bundleFolder?: string;
}

/** A real client and the real server, in one process over two streams. */
export class TestConnection {
  private readonly published = new Map<string, PublishDiagnosticsParams>();
  private readonly waiting = new Set<() => void>();

  private constructor(
    readonly client: ProtocolConnection,
    readonly initialized: InitializeResult,
  ) {
    client.onNotification(PublishDiagnosticsNotification.type, (params) => {
      this.published.set(params.uri, params);
      this.waiting.forEach((wake) => wake());
    });
  }

  static async start(options: TestOptions = {}): Promise<TestConnection> {
    const toServer = new PassThrough();
    const toClient = new PassThrough();
    startServer(createConnection(new StreamMessageReader(toServer), new StreamMessageWriter(toClient)), {
      // A port on which nobody listens: tests do not ask an Ollama of this machine.
      ollamaHost: options.ollamaHost ?? 'http://127.0.0.1:9',
      version: '0.0.0-test',
      bundleFolder: options.bundleFolder,
    });
    const client = createProtocolConnection(new StreamMessageReader(toClient), new StreamMessageWriter(toServer));
    client.listen();
    const { capabilities = {}, rootUri, initializationOptions } = options;
    const workspaceFolders = rootUri === undefined ? null : [{ uri: rootUri, name: 'root' }];
    const params = { processId: null, rootUri: null, capabilities, workspaceFolders, initializationOptions };
    const initialized = await client.sendRequest(InitializeRequest.type, params);
    const connection = new TestConnection(client, initialized);
    await client.sendNotification(InitializedNotification.type, {});
    return connection;
  }

  async open(uri: string, text: string, version = 1): Promise<void> {
    await this.client.sendNotification(DidOpenTextDocumentNotification.type, {
      textDocument: { uri, languageId: 'modelfile', version, text },
    });
  }

  async change(uri: string, version: number, ...contentChanges: TextDocumentContentChangeEvent[]): Promise<void> {
    await this.client.sendNotification(DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version },
      contentChanges,
    });
  }

  /** The diagnostics that were pushed for this version, or are about to be. */
  async diagnostics(uri: string, version: number): Promise<PublishDiagnosticsParams> {
    for (;;) {
      const found = this.published.get(uri);
      if (found?.version === version) {
        return found;
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          resolve();
        };
        this.waiting.add(wake);
      });
    }
  }

  async stop(): Promise<void> {
    await this.client.sendRequest(ShutdownRequest.type);
    // No exit notification: it ends the process, which is the tests' own.
    this.client.dispose();
  }
}
