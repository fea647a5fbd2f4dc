import { randomBytes } from 'node:crypto';
import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { toStudioError, type StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import {
  PageMessage,
  SummaryAnswer,
  type EditorMessage,
  type PageQuestion,
  type ViewerQuestion,
} from '../../core/viewer/viewerProtocol';
import { ViewerSession } from '../../node/viewer/viewerSession';
import type { Services } from '../services';
import { pickOtherFile } from './pickOtherFile';
import { viewerPage } from './viewerPage';

/** The largest header takes seconds, on a busy machine many; reading all values of two large tensors, or all factors of an adapter, takes as long as the disk needs. */
const DEADLINES: Readonly<Partial<Record<ViewerQuestion['ask'], number>>> = {
  summary: 180_000,
  values: 3_600_000,
  adapter: 300_000,
  compare: 120_000,
  json: 120_000,
};
/** A file that is being written changes many times a second. */
const SETTLE_MS = 400;

/** One open viewer: a page, and a thread that reads the file for it. */
export class ModelFileEditor implements vscode.Disposable {
  readonly #session: ViewerSession;
  readonly #disposables: vscode.Disposable[] = [];
  readonly #asked = new Map<number, AbortController>();
  readonly #opened = performance.now();
  #summary: Promise<EditorMessage>;
  #lastCompared: Extract<EditorMessage, { kind: 'compared' }> | undefined;
  /** The page has loaded and was sent the summary. */
  #isShown = false;
  /** Size and time of the file when it was read. */
  #state: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly services: Services,
    readonly uri: vscode.Uri,
    private readonly panel: vscode.WebviewPanel,
  ) {
    this.#session = new ViewerSession({
      path: uri.fsPath,
      workerScript: join(services.context.extensionPath, 'dist', 'viewerWorker.js'),
    });
    // The file is read while the page loads.
    this.#summary = this.#read();
    this.#fillPage();
    this.#watch();
    panel.onDidDispose(() => this.dispose(), undefined, this.#disposables);
  }

  /** Compares the file with another, and shows it. */
  async compareWith(other: vscode.Uri): Promise<void> {
    const name = basename(other.fsPath);
    this.#post({ kind: 'comparing', other: name });
    try {
      const result = await this.#ask({ ask: 'compare', path: other.fsPath });
      this.#lastCompared = {
        kind: 'compared',
        result: result as Extract<EditorMessage, { kind: 'compared' }>['result'],
        fresh: true,
      };
      this.#showCompared();
    } catch (thrown) {
      this.#note(thrown);
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const abort of this.#asked.values()) {
      abort.abort();
    }
    this.#disposables.forEach((disposable) => void disposable.dispose());
    void this.#session.close();
  }

  #fillPage(): void {
    const { webview } = this.panel;
    const root = this.services.context.extensionUri;
    const local = (...path: readonly string[]): vscode.Uri => vscode.Uri.joinPath(root, ...path);
    webview.options = { enableScripts: true, localResourceRoots: [local('media'), local('dist')] };
    webview.onDidReceiveMessage((message: unknown) => this.#receive(message), undefined, this.#disposables);
    webview.html = viewerPage({
      cspSource: webview.cspSource,
      nonce: randomBytes(24).toString('hex'),
      scriptUri: webview.asWebviewUri(local('dist', 'viewer.js')).toString(),
      styleUri: webview.asWebviewUri(local('media', 'viewer.css')).toString(),
    });
  }

  #receive(message: unknown): void {
    const parsed = PageMessage.safeParse(message);
    if (!parsed.success) {
      this.services.log.warn('The viewer sent a message that is not understood.');
      return;
    }
    switch (parsed.data.kind) {
      case 'ready':
        void this.#start();
        break;
      case 'ask':
        void this.#relay(parsed.data.id, parsed.data.question);
        break;
      case 'cancel':
        this.#asked.get(parsed.data.id)?.abort();
        break;
      case 'painted':
        this.services.log.info(
          `The viewer of ${escapeControls(basename(this.uri.fsPath))} was painted ${Math.round(performance.now() - this.#opened)} ms after it was opened, ${Math.round(parsed.data.milliseconds)} ms after its script began`,
        );
        break;
      case 'copy':
        void this.#copy(parsed.data.text);
        break;
      case 'do':
        void this.#do(parsed.data.action);
        break;
    }
  }

  async #start(): Promise<void> {
    this.#post({
      kind: 'start',
      name: basename(this.uri.fsPath),
      strings: stringsOf(vscode.l10n.bundle),
      trusted: vscode.workspace.isTrusted,
    });
    this.#post(await this.#summary);
    this.#isShown = true;
    this.#showCompared();
  }

  /** Once the page has the file itself; it opens the comparison only the first time. */
  #showCompared(): void {
    if (this.#lastCompared !== undefined && this.#isShown) {
      this.#post(this.#lastCompared);
      this.#lastCompared = { ...this.#lastCompared, fresh: false };
    }
  }

  async #read(): Promise<EditorMessage> {
    try {
      this.#state = await stateOf(this.uri);
      const summary = SummaryAnswer.parse(await this.#ask({ ask: 'summary' }));
      this.services.log.info(
        `Read the header of ${escapeControls(basename(this.uri.fsPath))} within ${Math.round(performance.now() - this.#opened)} ms of opening it`,
      );
      return { kind: 'summary', summary };
    } catch (thrown) {
      const { code, message } = toStudioError(thrown);
      return { kind: 'failed', error: { code, message } };
    }
  }

  #ask(question: ViewerQuestion, signal?: AbortSignal): Promise<unknown> {
    return this.#session.ask(question, { signal, deadline: DEADLINES[question.ask] });
  }

  async #relay(id: number, question: PageQuestion): Promise<void> {
    if (question.ask === 'goTemplate' && !vscode.workspace.isTrusted) {
      // The templates are compared by rendering them, in a thread that is bounded; but strangers' programs stay unrun until asked for.
      this.#post({
        kind: 'refused',
        id,
        error: {
          code: 'run/cancelled',
          message: vscode.l10n.t('Shown once this workspace is trusted: templates are compared by rendering them.'),
        },
      });
      return;
    }
    const abort = new AbortController();
    this.#asked.set(id, abort);
    try {
      this.#post({ kind: 'answer', id, answer: await this.#ask(question, abort.signal) });
    } catch (thrown) {
      const { code, message } = toStudioError(thrown);
      this.#post({ kind: 'refused', id, error: { code, message } });
    } finally {
      this.#asked.delete(id);
    }
  }

  async #do(action: Extract<PageMessage, { kind: 'do' }>['action']): Promise<void> {
    try {
      switch (action) {
        case 'reload':
          await this.#reload();
          break;
        case 'copyJson': {
          const { text } = (await this.#ask({ ask: 'json' })) as { readonly text: string };
          await this.#copy(text);
          break;
        }
        case 'quantise':
          await vscode.commands.executeCommand('modelfileStudio.quantize', this.uri);
          break;
        case 'compare': {
          const other = await pickOtherFile(this.services, this.uri);
          if (other !== undefined) {
            await this.compareWith(other);
          }
          break;
        }
        case 'chooseBase':
          await this.#chooseBase();
          break;
      }
    } catch (thrown) {
      this.#note(thrown);
    }
  }

  async #reload(): Promise<void> {
    await this.#session.reload();
    this.#lastCompared = undefined;
    this.#summary = this.#read();
    await this.#start();
  }

  async #chooseBase(): Promise<void> {
    const isGguf = this.uri.fsPath.toLowerCase().endsWith('.gguf');
    const chosen = await vscode.window.showOpenDialog({
      title: vscode.l10n.t('The base that the adapter was trained on'),
      openLabel: vscode.l10n.t('Choose Base'),
      defaultUri: vscode.Uri.joinPath(this.uri, '..'),
      canSelectFiles: isGguf,
      canSelectFolders: !isGguf,
      canSelectMany: false,
      ...(isGguf ? { filters: { GGUF: ['gguf'] } } : {}),
    });
    const base = chosen?.[0];
    if (base !== undefined) {
      this.#post({
        kind: 'adapter',
        result: (await this.#ask({ ask: 'adapter', base: base.fsPath })) as Extract<
          EditorMessage,
          { kind: 'adapter' }
        >['result'],
      });
    }
  }

  async #copy(text: string): Promise<void> {
    await vscode.env.clipboard.writeText(text);
    vscode.window.setStatusBarMessage(vscode.l10n.t('Copied'), 2000);
  }

  #note(thrown: unknown): void {
    const error: StudioError = toStudioError(thrown);
    if (error.code !== 'run/cancelled') {
      this.services.log.warn(`${error.code}: ${escapeControls(error.message)}`);
      this.#post({ kind: 'note', text: error.message, isError: true });
    }
  }

  #post(message: EditorMessage): void {
    void this.panel.webview.postMessage(message);
  }

  /** Offers to reload when the file is another than the one that was read. */
  #watch(): void {
    // What a glob would take for a pattern stands for any one character; the path is compared afterwards.
    const pattern = basename(this.uri.fsPath).replace(/[[\]{}*?!,\\]/g, '?');
    const watcher = vscode.workspace.createFileSystemWatcher(
      new vscode.RelativePattern(vscode.Uri.joinPath(this.uri, '..'), pattern),
    );
    const changed = (uri: vscode.Uri): void => {
      if (uri.fsPath === this.uri.fsPath) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#compareState(), SETTLE_MS);
      }
    };
    this.#disposables.push(
      watcher,
      watcher.onDidChange(changed),
      watcher.onDidCreate(changed),
      watcher.onDidDelete(changed),
    );
  }

  async #compareState(): Promise<void> {
    if ((await stateOf(this.uri)) !== this.#state) {
      this.#post({ kind: 'changed' });
    }
  }
}

async function stateOf(uri: vscode.Uri): Promise<string> {
  try {
    const { size, mtime } = await vscode.workspace.fs.stat(uri);
    return `${size} ${mtime}`;
  } catch {
    return 'gone';
  }
}

/** A bundle may hold messages with comments; the page needs the plain ones. */
function stringsOf(bundle: Readonly<Record<string, unknown>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(bundle ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
