import { basename } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { SampleConversation } from '../../core/goTemplate/sampleConversations';
import type {
  PromptPreview as Preview,
  TemplateDifferences,
} from '../../../language-server/src/service/languageService';
import { OllamaServer } from '../ollama/ollamaServer';
import { panelHtml, panelOptions } from '../panelHtml';
import { registerCommand } from '../registerCommand';
import type { AskLanguageServer } from '../registerLanguageClient';
import type { Services } from '../services';
import { checkAgainstOllama } from './checkAgainstOllama';
import { chooseModelfile } from './modelfileDocuments';
import { PROMPT_MESSAGE, PROMPT_STATE, type PromptState } from './promptMessages';
import { PROMPT_BODY, promptStrings } from './promptPage';
import type { OllamaCheck, PromptPost } from './promptPosts';

const VIEW_TYPE = 'modelfileStudio.promptPreview';

/** Milliseconds after the last keystroke. */
const DELAY = 150;

/** A panel beside a Modelfile with the prompt that Ollama would make of a conversation; follows every change of the text. */
class PromptPreview {
  #conversation: SampleConversation = 'question';
  /** Undefined until the user writes one: the language server has one that fits the file. */
  #question: string | undefined;
  #comparing = false;
  #timer: NodeJS.Timeout | undefined;
  /** Only the newest answer counts. */
  #turn = 0;
  #shown: Preview | undefined;
  #check: AbortController | undefined;

  constructor(
    private readonly services: Services,
    private readonly ask: AskLanguageServer,
    private readonly uri: vscode.Uri,
    readonly panel: vscode.WebviewPanel,
    state: Partial<PromptState> = {},
  ) {
    this.#conversation = state.conversation ?? this.#conversation;
    this.#question = state.question;
    this.#comparing = state.comparing ?? false;
    const listeners = [
      panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.#changed(document.uri)),
      vscode.workspace.onDidOpenTextDocument((document) => this.#changed(document.uri)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.#changed(uri)),
    ];
    panel.onDidDispose(() => {
      clearTimeout(this.#timer);
      this.#check?.abort();
      for (const listener of listeners) {
        listener.dispose();
      }
    });
    panel.title = titleOf(uri);
    panel.webview.options = panelOptions(services.context.extensionUri);
    panel.webview.html = panelHtml(panel.webview, services.context.extensionUri, {
      title: panel.title,
      script: ['dist', 'prompt.js'],
      styles: ['panel.css', 'promptPreview.css'],
      body: PROMPT_BODY,
    });
  }

  /** *Show Differences* for a panel that is open. */
  compare(): void {
    this.#comparing = true;
    this.#post({ type: 'state', comparing: true });
    void this.#render();
  }

  #receive(message: unknown): void {
    const parsed = PROMPT_MESSAGE.safeParse(message);
    if (!parsed.success) {
      this.services.log.warn(`Prompt preview: a message that is none: ${z.prettifyError(parsed.error)}`);
      return;
    }
    switch (parsed.data.type) {
      case 'ready': {
        const state = {
          uri: this.uri.toString(),
          conversation: this.#conversation,
          comparing: this.#comparing,
          ...(this.#question === undefined ? {} : { question: this.#question }),
        };
        this.#post({ type: 'set-up', state, strings: promptStrings() });
        void this.#render();
        return;
      }
      case 'choose':
        this.#conversation = parsed.data.conversation;
        this.#question = parsed.data.question;
        this.#comparing = parsed.data.comparing;
        void this.#render();
        return;
      case 'check':
        void this.#checkAgainstOllama();
    }
  }

  #changed(uri: vscode.Uri): void {
    if (uri.toString() === this.uri.toString()) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#render(), DELAY);
    }
  }

  async #render(): Promise<void> {
    const turn = ++this.#turn;
    this.#check?.abort();
    // The server knows open documents only.
    await vscode.workspace.openTextDocument(this.uri).then(undefined, () => undefined);
    const uri = this.uri.toString();
    const preview = (await this.ask('modelfile/preview', {
      uri,
      conversation: this.#conversation,
      question: this.#question ?? null,
    })) as Preview | undefined;
    if (turn !== this.#turn) {
      return;
    }
    this.#shown = preview;
    this.#post({ type: 'prompt', preview: preview ?? null });
    this.#post({ type: 'check', check: { state: 'none' } });
    if (this.#comparing) {
      const differences = (await this.ask('modelfile/differences', { uri })) as TemplateDifferences | undefined;
      if (turn === this.#turn) {
        this.#post({ type: 'differences', differences: differences ?? null });
      }
    }
  }

  async #checkAgainstOllama(): Promise<void> {
    const { parts, question } = this.#shown ?? {};
    if (parts === undefined || question === undefined) {
      return;
    }
    if (!this.services.trust.isTrusted) {
      void this.services.trust.refuse();
      return;
    }
    this.#check?.abort();
    const abort = new AbortController();
    this.#check = abort;
    this.#post({ type: 'check', check: { state: 'asking' } });
    const prompt = parts.map(({ text }) => text).join('');
    const checked = { path: this.uri.fsPath, conversation: this.#conversation, question, prompt };
    const check = await checkAgainstOllama(new OllamaServer(this.services), checked, abort.signal).catch(
      (thrown: unknown): OllamaCheck => {
        const { code, message } = toStudioError(thrown);
        return code === 'run/cancelled' ? { state: 'none' } : { state: 'failed', message: escapeControls(message) };
      },
    );
    // What a newer question is about, this answer is not.
    if (this.#check === abort && !abort.signal.aborted) {
      this.#post({ type: 'check', check });
    }
  }

  #post(message: PromptPost): void {
    void this.panel.webview.postMessage(message);
  }
}

function titleOf(uri: vscode.Uri): string {
  return vscode.l10n.t('Prompt of {0}', basename(uri.path));
}

/** Registers *Preview Prompt* and *Show Differences*, and brings open previews back after a reload. */
export function registerPromptPreview(services: Services, ask: AskLanguageServer): void {
  const open = new Map<string, PromptPreview>();
  const add = (uri: vscode.Uri, panel: vscode.WebviewPanel, state?: Partial<PromptState>): void => {
    open.set(uri.toString(), new PromptPreview(services, ask, uri, panel, state));
    panel.onDidDispose(() => open.delete(uri.toString()));
  };
  const show = async (argument: unknown, title: string, comparing: boolean): Promise<void> => {
    const { uri } = await chooseModelfile(argument, title);
    const shown = open.get(uri.toString());
    if (shown === undefined) {
      const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
      add(uri, vscode.window.createWebviewPanel(VIEW_TYPE, titleOf(uri), column), { comparing });
      return;
    }
    shown.panel.reveal(undefined, true);
    if (comparing) {
      shown.compare();
    }
  };
  registerCommand(services, 'previewPrompt', (argument) => show(argument, vscode.l10n.t('Preview Prompt'), false), {
    untrusted: true,
  });
  registerCommand(services, 'showTemplateDifferences', (argument) =>
    show(
      typeof argument === 'string' ? vscode.Uri.parse(argument, true) : argument,
      vscode.l10n.t('Show Differences'),
      true,
    ),
  );
  services.context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel: vscode.WebviewPanel, state: unknown) => {
        const parsed = PROMPT_STATE.safeParse(state);
        if (parsed.success) {
          add(vscode.Uri.parse(parsed.data.uri), panel, parsed.data);
        } else {
          panel.dispose();
        }
        return Promise.resolve();
      },
    }),
  );
}
