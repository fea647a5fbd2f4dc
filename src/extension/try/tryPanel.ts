import { randomInt } from 'node:crypto';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { markSpecialTokens } from '../../core/goTemplate/markSpecialTokens';
import type { OllamaClient } from '../../node/ollama/ollamaClient';
import type { OllamaServer } from '../ollama/ollamaServer';
import { readModels } from '../ollama/pickModel';
import { panelHtml, panelOptions } from '../panelHtml';
import type { Services } from '../services';
import { TRY_BODY, tryStrings } from './tryPage';
import { TRY_MESSAGE, type TryChat, type TryMessage, type TryOptions } from './tryMessages';
import type { TryPost } from './tryPosts';

/** Milliseconds between two messages with new text. */
const BEAT = 40;

/** Ollama's own choice is a new seed every time; chosen here, it can be shown and used again. */
const SEEDS = 2 ** 31;

/** One panel: a conversation with a model, or the same one with two side by side. */
export class TryPanel {
  #abort: AbortController | undefined;
  readonly #models: readonly string[];

  constructor(
    private readonly services: Services,
    private readonly server: OllamaServer,
    readonly panel: vscode.WebviewPanel,
    models: readonly string[],
  ) {
    this.#models = models;
    panel.title = tryTitle(models);
    panel.webview.options = panelOptions(services.context.extensionUri);
    panel.webview.html = panelHtml(panel.webview, services.context.extensionUri, {
      title: panel.title,
      script: ['dist', 'try.js'],
      styles: ['panel.css', 'try.css'],
      body: TRY_BODY,
    });
    const listener = panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message));
    panel.onDidDispose(() => {
      this.#abort?.abort();
      listener.dispose();
    });
  }

  #receive(message: unknown): void {
    const parsed = TRY_MESSAGE.safeParse(message);
    if (!parsed.success) {
      this.services.log.warn(`Try: a message that is none: ${z.prettifyError(parsed.error)}`);
      return;
    }
    void this.#answer(parsed.data).catch((thrown: unknown) => {
      const error = toStudioError(thrown);
      this.services.log.error(`Try: ${error.code}: ${error.message}`);
      this.#post({ type: 'notice', message: escapeControls(error.message) });
    });
  }

  async #answer(message: TryMessage): Promise<void> {
    if (message.type === 'ready') {
      this.#post({ type: 'set-up', models: this.#models, strings: tryStrings() });
    }
    if (!this.services.trust.isTrusted) {
      this.#post({ type: 'notice', message: vscode.l10n.t('This workspace is not trusted, so no model is asked.') });
      return;
    }
    switch (message.type) {
      case 'ready':
        this.#post({ type: 'models', installed: (await readModels(this.server)).map(({ name }) => name) });
        return;
      case 'send':
        await this.#send(message.turn, message.chats, message.options);
        return;
      case 'stop':
        this.#abort?.abort();
        return;
      case 'show-prompt':
        await this.#showPrompt(message);
    }
  }

  /** One after the other, so that neither slows the other down while it is timed. */
  async #send(turn: number, chats: readonly TryChat[], options: TryOptions): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.panel.title = tryTitle(chats.map(({ model }) => model));
    const seeded = { ...options, seed: options.seed ?? randomInt(SEEDS) };
    try {
      const client = await this.server.client();
      for (const [column, chat] of chats.entries()) {
        await this.#stream(client, { turn, column, chat, options: seeded }, abort.signal);
      }
    } finally {
      if (this.#abort === abort) {
        this.#abort = undefined;
        this.#post({ type: 'idle', turn });
      }
    }
  }

  async #stream(
    client: OllamaClient,
    {
      turn,
      column,
      chat,
      options,
    }: { readonly turn: number; readonly column: number; readonly chat: TryChat; readonly options: TryOptions },
    signal: AbortSignal,
  ): Promise<void> {
    const pending = { text: '', thinking: '' };
    const flush = (): void => {
      if (pending.text !== '' || pending.thinking !== '') {
        this.#post({ type: 'piece', turn, column, ...pending });
        pending.text = '';
        pending.thinking = '';
      }
    };
    this.#post({ type: 'begin', turn, column });
    const beat = setInterval(flush, BEAT);
    try {
      const answer = client.chat({ model: chat.model, messages: chat.messages, options: defined(options) }, { signal });
      for (;;) {
        const step = await answer.next();
        if (step.done === true) {
          flush();
          const { stopReason, tokens, tokensPerSecond, promptTokens, seconds, loadSeconds } = step.value;
          this.#post({
            type: 'done',
            turn,
            column,
            facts: { stopReason, tokens, tokensPerSecond, promptTokens, seconds, loadSeconds, seed: options.seed },
          });
          return;
        }
        pending[step.value.event] += step.value.text;
      }
    } catch (thrown) {
      flush();
      const error = toStudioError(thrown);
      this.#post({
        type: 'failed',
        turn,
        column,
        cancelled: error.code === 'run/cancelled',
        message: escapeControls(error.message),
      });
    } finally {
      clearInterval(beat);
    }
  }

  async #showPrompt({
    turn,
    column,
    model,
    messages,
    options,
  }: Extract<TryMessage, { type: 'show-prompt' }>): Promise<void> {
    try {
      const client = await this.server.client();
      const prompt = await client.renderPrompt({ model, messages, options: defined(options) });
      this.#post({ type: 'prompt', turn, column, parts: markSpecialTokens(prompt) });
    } catch (thrown) {
      this.#post({ type: 'prompt', turn, column, error: escapeControls(toStudioError(thrown).message) });
    }
  }

  #post(message: TryPost): void {
    void this.panel.webview.postMessage(message);
  }
}

export function tryTitle(models: readonly string[]): string {
  return models.length === 0
    ? vscode.l10n.t('Try')
    : vscode.l10n.t('Try {0}', models.map((name) => escapeControls(name)).join(' | '));
}

function defined(options: TryOptions): Record<string, number> {
  return Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}
