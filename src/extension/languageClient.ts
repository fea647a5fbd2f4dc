import { join } from 'node:path';
import * as vscode from 'vscode';
import {
  LanguageClient,
  State,
  TransportKind,
  type LanguageClientOptions,
  type ServerOptions,
} from 'vscode-languageclient/node';
import { MODELFILE } from './modelfile/modelfileDocuments';
import { OllamaServer } from './ollama/ollamaServer';
import type { Services } from './services';

/** Also the prefix of the setting `trace.server`, which the client reads itself. */
const CLIENT_ID = 'modelfileStudio';

/** As the language server calls it. */
const TRUST_NOTIFICATION = 'modelfile/trust';

/**
 * Runs `dist/server.js` in a process of its own and shows how it is in the language status. Starts and stops follow each
 * other: a restart waits for the one before it.
 */
export class ModelfileLanguageClient implements vscode.Disposable {
  readonly #client: LanguageClient;
  readonly #status: vscode.LanguageStatusItem;
  readonly #listeners: { dispose(): unknown }[] = [];
  #queue: Promise<void> = Promise.resolve();

  constructor(private readonly services: Services) {
    this.#status = vscode.languages.createLanguageStatusItem('modelfileStudio.server', [MODELFILE]);
    this.#status.name = vscode.l10n.t('Modelfile Language Server');
    this.#status.command = { command: 'modelfileStudio.restartLanguageServer', title: vscode.l10n.t('Restart') };
    this.#client = new LanguageClient(
      CLIENT_ID,
      vscode.l10n.t('Modelfile Language Server'),
      this.#server(),
      this.#options(),
    );
    this.#listeners.push(
      this.#status,
      this.#client.onDidChangeState(({ newState }) => this.#show(newState)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.#tellTrust()),
    );
    this.#show(State.Stopped);
  }

  start(): Promise<void> {
    return this.#next(async () => {
      await this.#client.start();
    });
  }

  restart(): Promise<void> {
    return this.#next(async () => {
      await (this.#client.isRunning() ? this.#client.restart() : this.#client.start());
    });
  }

  /** Asks the server something beyond the protocol, once it runs. */
  async request(method: string, params: unknown): Promise<unknown> {
    await this.#queue;
    return await this.#client.sendRequest(method, params);
  }

  dispose(): void {
    this.#listeners.forEach((one) => one.dispose());
    void this.#next(async () => {
      await this.#client.dispose();
    });
  }

  /** Does not reject: what failed is in the log and in the status. */
  #next(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work).catch((error: unknown) => {
      this.services.log.error('The language server did not start.', error instanceof Error ? error : String(error));
      this.#failed();
    });
    return this.#queue;
  }

  #server(): ServerOptions {
    const module = join(this.services.context.extensionPath, 'dist', 'server.js');
    return { module, transport: TransportKind.ipc };
  }

  #options(): LanguageClientOptions {
    // The log of the server's own words, and a trace that is made when somebody asks for one.
    const channel = vscode.window.createOutputChannel('Modelfile Language Server', { log: true });
    this.#listeners.push(channel);
    return {
      documentSelector: [MODELFILE],
      outputChannel: channel,
      traceOutputChannel: channel,
      initializationOptions: () => ({ isTrusted: vscode.workspace.isTrusted, canBuild: true, canCompare: true }),
      middleware: {
        workspace: {
          // A server on another machine is asked for its models only when the user has allowed it.
          configuration: async (params, token, next) => {
            const answers = await next(params, token);
            return Array.isArray(answers) && !this.#mayAsk() ? answers.map(withoutOllama) : answers;
          },
        },
      },
    };
  }

  #mayAsk(): boolean {
    try {
      return new OllamaServer(this.services).isAllowed;
    } catch {
      // An address that is none: nobody is asked.
      return false;
    }
  }

  async #tellTrust(): Promise<void> {
    if (this.#client.isRunning()) {
      await this.#client.sendNotification(TRUST_NOTIFICATION, { isTrusted: vscode.workspace.isTrusted });
    }
  }

  #show(state: State): void {
    this.#status.busy = state === State.Starting;
    this.#status.severity = vscode.LanguageStatusSeverity.Information;
    this.#status.text =
      state === State.Running
        ? vscode.l10n.t('Checked as Ollama does')
        : state === State.Starting
          ? vscode.l10n.t('Starting the language server')
          : vscode.l10n.t('The language server is stopped');
    this.#status.detail =
      state === State.Running && !vscode.workspace.isTrusted
        ? vscode.l10n.t('Text only: the workspace is not trusted')
        : '';
    if (state === State.Stopped) {
      this.#status.severity = vscode.LanguageStatusSeverity.Warning;
    }
  }

  #failed(): void {
    this.#status.busy = false;
    this.#status.severity = vscode.LanguageStatusSeverity.Error;
    this.#status.text = vscode.l10n.t('The language server does not start');
    this.#status.detail = vscode.l10n.t('See Show Logs');
  }
}

function withoutOllama(settings: unknown): unknown {
  return typeof settings === 'object' && settings !== null ? { ...settings, ollama: { enabled: false } } : settings;
}
