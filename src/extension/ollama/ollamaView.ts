import * as vscode from 'vscode';
import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { Services } from '../services';
import { AdapterLayers } from './adapterLayers';
import { ollamaModelItem, type OllamaModelNode } from './ollamaModelItem';
import type { OllamaServer } from './ollamaServer';

export const OLLAMA_VIEW = 'modelfileStudio.ollama';

/** What the view shows in place of models; one welcome text each. */
type ViewState =
  'checking' | 'disabled' | 'notInstalled' | 'notRunning' | 'tooOld' | 'unreachable' | 'notAllowed' | 'empty' | 'ready';

interface Snapshot {
  readonly state: ViewState;
  readonly models: readonly OllamaModelNode[];
  readonly version?: string | undefined;
  /** What a server said that is no Ollama, or why it does not answer. */
  readonly reason?: string | undefined;
}

/** Milliseconds between two looks at the server while the view is visible. */
const INTERVAL = 4000;

/** The tree of installed and running models. The server is asked only while the view is visible, or when a command wants to know. */
export class OllamaView implements vscode.TreeDataProvider<OllamaModelNode>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #view: vscode.TreeView<OllamaModelNode>;
  readonly #listeners: { dispose(): unknown }[] = [];
  #snapshot: Snapshot = { state: 'checking', models: [] };
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  readonly #adapters = new AdapterLayers();

  constructor(
    private readonly services: Services,
    private readonly server: OllamaServer,
  ) {
    this.#view = vscode.window.createTreeView(OLLAMA_VIEW, { treeDataProvider: this, canSelectMany: true });
    this.#show(this.#snapshot);
    const again = (): void => {
      if (this.#view.visible) {
        void this.refresh();
      }
    };
    const forgetJobs = services.jobs.onChange((job) => {
      if (job?.state === 'done' && job.spec.model !== undefined) {
        again();
      }
    });
    this.#listeners.push(
      this.#view,
      this.#changed,
      this.#view.onDidChangeVisibility(({ visible }) => {
        if (visible) {
          void this.refresh();
        } else {
          this.#pause();
        }
      }),
      services.configuration.onChange('ollama', again),
      vscode.workspace.onDidGrantWorkspaceTrust(again),
      { dispose: forgetJobs },
    );
  }

  getTreeItem(node: OllamaModelNode): vscode.TreeItem {
    return ollamaModelItem(node);
  }

  getChildren(node?: OllamaModelNode): OllamaModelNode[] {
    return node === undefined ? [...this.#snapshot.models] : [];
  }

  getParent(): undefined {
    return undefined;
  }

  /** Asks the server now. Never rejects: what is wrong is shown. */
  async refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  dispose(): void {
    this.#pause();
    this.#listeners.forEach((one) => one.dispose());
  }

  #pause(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    this.#pause();
    const next = await this.#ask();
    if (JSON.stringify(next) !== JSON.stringify(this.#snapshot)) {
      this.#snapshot = next;
      this.#show(next);
      this.#changed.fire(undefined);
    }
    if (this.#view.visible && this.services.trust.isTrusted) {
      this.#timer = setTimeout(() => void this.refresh(), INTERVAL);
    }
  }

  async #ask(): Promise<Snapshot> {
    if (!this.services.trust.isTrusted) {
      return { state: 'checking', models: [] };
    }
    try {
      if (!this.server.isEnabled) {
        return { state: 'disabled', models: [] };
      }
      if (!this.server.isAllowed) {
        return { state: 'notAllowed', models: [] };
      }
      return await this.#askServer();
    } catch (thrown) {
      const error = toStudioError(thrown);
      this.services.log.debug(`Ollama view: ${error.code}: ${error.message}`);
      return { state: 'unreachable', models: [], reason: error.message };
    }
  }

  async #askServer(): Promise<Snapshot> {
    const client = await this.server.client();
    const { ollamaState } = await import('../../node/ollama/ollamaState');
    const found = await ollamaState(client);
    switch (found.state) {
      case 'not-installed':
        return { state: 'notInstalled', models: [] };
      case 'not-running':
        return { state: 'notRunning', models: [] };
      case 'unreachable':
        return { state: 'unreachable', models: [], reason: found.reason };
      case 'too-old':
        return { state: 'tooOld', models: [], version: found.version };
      case 'running': {
        const [installed, running] = await Promise.all([client.list(), client.running()]);
        const models = installed.map((model) => ({
          name: model.name,
          installed: model,
          running: running.find(({ name }) => name === model.name),
          hasAdapter: this.#adapters.has(model),
        }));
        this.#adapters.learn(client, installed, () => void this.refresh());
        return { state: models.length === 0 ? 'empty' : 'ready', models, version: found.version };
      }
    }
  }

  #show({ state, version, reason }: Snapshot): void {
    void vscode.commands.executeCommand('setContext', 'modelfileStudio.ollamaState', state);
    this.#view.description = version ?? '';
    this.#view.message =
      state === 'ready' || state === 'empty' ? this.#exposure() : reason === undefined ? '' : escapeControls(reason);
  }

  /** What somebody should know about where this server can be reached. */
  #exposure(): string {
    const { isLoopback, host } = this.server.address;
    if (!isLoopback) {
      return vscode.l10n.t('On another machine: {0}. What you send goes over the network.', host);
    }
    return this.server.listensToOthers
      ? vscode.l10n.t('Reachable from the network: OLLAMA_HOST lets this Ollama listen to other machines.')
      : '';
  }
}
