import { basename } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { SAMPLE_CONVERSATIONS, type SampleConversation } from '../../core/goTemplate/sampleConversations';
import { panelHtml, panelOptions } from '../panelHtml';
import { registerCommand } from '../registerCommand';
import type { AskLanguageServer } from '../registerLanguageClient';
import type { Services } from '../services';
import { chooseModelfile } from './modelfileDocuments';

const VIEW_TYPE = 'modelfileStudio.promptPreview';

/** Milliseconds after the last keystroke. */
const DELAY = 150;

/** What the page sends: once it listens, and at every choice. */
const MESSAGE = z.object({
  type: z.literal('choose'),
  conversation: z.enum(SAMPLE_CONVERSATIONS),
  question: z.string().check(z.maxLength(20_000)),
});
const STATE = z.object({ uri: z.string(), conversation: z.enum(SAMPLE_CONVERSATIONS), question: z.string() });

/** A panel beside a Modelfile with the prompt that Ollama would make of a conversation; follows every change of the text. */
class PromptPreview {
  #conversation: SampleConversation = 'question';
  #question = vscode.l10n.t('How wide is a rugby league field?');
  #timer: NodeJS.Timeout | undefined;
  /** Only the newest answer counts. */
  #turn = 0;

  constructor(
    private readonly services: Services,
    private readonly ask: AskLanguageServer,
    private readonly uri: vscode.Uri,
    readonly panel: vscode.WebviewPanel,
    state?: z.infer<typeof STATE>,
  ) {
    this.#conversation = state?.conversation ?? this.#conversation;
    this.#question = state?.question ?? this.#question;
    const listeners = [
      panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.#changed(document.uri)),
      vscode.workspace.onDidOpenTextDocument((document) => this.#changed(document.uri)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.#changed(uri)),
    ];
    panel.onDidDispose(() => {
      clearTimeout(this.#timer);
      for (const listener of listeners) {
        listener.dispose();
      }
    });
    panel.title = titleOf(uri);
    panel.webview.options = panelOptions(services.context.extensionUri);
    panel.webview.html = panelHtml(panel.webview, services.context.extensionUri, {
      title: panel.title,
      script: ['media', 'promptPreview.js'],
      styles: ['panel.css', 'promptPreview.css'],
      body: BODY,
    });
  }

  #receive(message: unknown): void {
    if ((message as { readonly type?: unknown } | null)?.type === 'ready') {
      void this.panel.webview.postMessage({
        type: 'set-up',
        state: { uri: this.uri.toString(), conversation: this.#conversation, question: this.#question },
        strings: strings(),
      });
      void this.#render();
      return;
    }
    const parsed = MESSAGE.safeParse(message);
    if (!parsed.success) {
      this.services.log.warn(`Prompt preview: a message that is none: ${z.prettifyError(parsed.error)}`);
      return;
    }
    this.#conversation = parsed.data.conversation;
    this.#question = parsed.data.question;
    void this.#render();
  }

  #changed(uri: vscode.Uri): void {
    if (uri.toString() === this.uri.toString()) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#render(), DELAY);
    }
  }

  async #render(): Promise<void> {
    const turn = ++this.#turn;
    // The server knows open documents only.
    await vscode.workspace.openTextDocument(this.uri).then(undefined, () => undefined);
    const preview = await this.ask('modelfile/preview', {
      uri: this.uri.toString(),
      conversation: this.#conversation,
      question: this.#question,
    });
    if (turn === this.#turn) {
      await this.panel.webview.postMessage({ type: 'prompt', preview: preview ?? null });
    }
  }
}

function titleOf(uri: vscode.Uri): string {
  return vscode.l10n.t('Prompt of {0}', basename(uri.path));
}

/** Registers *Preview Prompt*, and brings open previews back after a reload. */
export function registerPromptPreview(services: Services, ask: AskLanguageServer): void {
  const open = new Map<string, PromptPreview>();
  const add = (uri: vscode.Uri, panel: vscode.WebviewPanel, state?: z.infer<typeof STATE>): void => {
    open.set(uri.toString(), new PromptPreview(services, ask, uri, panel, state));
    panel.onDidDispose(() => open.delete(uri.toString()));
  };
  registerCommand(
    services,
    'previewPrompt',
    async (argument) => {
      const { uri } = await chooseModelfile(argument, vscode.l10n.t('Preview Prompt'));
      const shown = open.get(uri.toString());
      if (shown === undefined) {
        add(
          uri,
          vscode.window.createWebviewPanel(VIEW_TYPE, titleOf(uri), {
            viewColumn: vscode.ViewColumn.Beside,
            preserveFocus: true,
          }),
        );
      } else {
        shown.panel.reveal(undefined, true);
      }
    },
    { untrusted: true },
  );
  services.context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel: vscode.WebviewPanel, state: unknown) => {
        const parsed = STATE.safeParse(state);
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

/** Everything that the page says. */
function strings(): Readonly<Record<string, string>> {
  return {
    conversation: vscode.l10n.t('Conversation'),
    question: vscode.l10n.t('Your question'),
    prompt: vscode.l10n.t('The prompt, as the model gets it'),
    copy: vscode.l10n.t('Copy'),
    copied: vscode.l10n.t('Copied'),
    'conversation.question': vscode.l10n.t('One question'),
    'conversation.turns': vscode.l10n.t('Several turns'),
    'conversation.system': vscode.l10n.t('With a system message'),
    'conversation.tools': vscode.l10n.t('With a tool'),
    'conversation.toolAnswer': vscode.l10n.t("After a tool's answer"),
    'conversation.thinking': vscode.l10n.t('Thinking'),
    'conversation.begun': vscode.l10n.t('An answer that is begun'),
    'conversation.infill': vscode.l10n.t('Text before and after a gap'),
    'source.base': vscode.l10n.t('No TEMPLATE here: this is the template of the model that FROM names.'),
    'note.renderer': vscode.l10n.t(
      'A RENDERER or PARSER is set, here or in the base: Ollama renders by itself, and this template is not used.',
    ),
    'note.jinja-preferred': vscode.l10n.t(
      "Ollama prefers the Jinja template of the model's file to this one, because it can do more. OLLAMA_GO_TEMPLATE=1 makes it use this one.",
    ),
    'note.jinja-only': vscode.l10n.t(
      "No TEMPLATE here: Ollama uses the Jinja template of the model's file. Insert Template from Library Model… adds one.",
    ),
    'note.no-template': vscode.l10n.t(
      'Neither the Modelfile nor the model has a template: Ollama falls back to ChatML for chats. Insert Template from Library Model… adds one.',
    ),
    'note.base-unknown': vscode.l10n.t(
      'No TEMPLATE here, and what FROM names is not known: Ollama uses the template of that model.',
    ),
    'error.line': vscode.l10n.t('Line {0} of the template', '{0}'),
    starting: vscode.l10n.t('Waiting for the language server'),
  };
}

const BODY = `<main>
<form class="bar" id="form">
  <label><span data-text="conversation"></span> <select id="conversation"></select></label>
  <label class="grow"><span data-text="question"></span> <input id="question" type="text" autocomplete="off"></label>
</form>
<div id="notes" role="status" aria-live="polite"></div>
<section class="result" aria-labelledby="heading">
  <div class="bar"><h2 id="heading" data-text="prompt"></h2><button type="button" id="copy" class="secondary" data-text="copy"></button></div>
  <pre id="prompt" tabindex="0" aria-labelledby="heading"></pre>
</section>
</main>`;
