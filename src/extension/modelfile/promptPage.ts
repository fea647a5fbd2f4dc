import * as vscode from 'vscode';

/** Everything that the page of the prompt preview says. */
export function promptStrings(): Readonly<Record<string, string>> {
  return {
    conversation: vscode.l10n.t('Conversation'),
    question: vscode.l10n.t('Your question'),
    prompt: vscode.l10n.t('The prompt, as the model gets it'),
    copy: vscode.l10n.t('Copy'),
    copied: vscode.l10n.t('Copied'),
    compare: vscode.l10n.t("Compare with the model's own template"),
    check: vscode.l10n.t('Check Against Ollama'),
    'conversation.question': vscode.l10n.t('One question'),
    'conversation.turns': vscode.l10n.t('Several turns'),
    'conversation.system': vscode.l10n.t('With a system message'),
    'conversation.tools': vscode.l10n.t('With a tool'),
    'conversation.toolAnswer': vscode.l10n.t("After a tool's answer"),
    'conversation.thinking': vscode.l10n.t('Thinking'),
    'conversation.thinkingOff': vscode.l10n.t('Thinking switched off'),
    'conversation.pastThinking': vscode.l10n.t('After thinking'),
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
    'note.tools-unwritten': vscode.l10n.t(
      'The template does not write the tools of a request: the model never sees them, and Ollama refuses requests that have some.',
    ),
    'note.thinking-unwritten': vscode.l10n.t(
      'The template does not write thinking: whether a request switches it on or off, the prompt is the same.',
    ),
    'tokens.exact': vscode.l10n.t('{0} tokens of {1} ({2})', '{0}', '{1}', '{2}'),
    'tokens.about': vscode.l10n.t('about {0} tokens of {1} ({2})', '{0}', '{1}', '{2}'),
    'tokens.dropped': vscode.l10n.t(
      'Too long: Ollama leaves out the first messages of the conversation ({0}), and keeps the system message.',
      '{0}',
    ),
    'tokens.over': vscode.l10n.t(
      'Too long by {0} tokens even with the last message alone: Ollama cuts the prompt in its middle, or refuses it.',
      '{0}',
    ),
    'error.line': vscode.l10n.t('Line {0} of the template', '{0}'),
    starting: vscode.l10n.t('Waiting for the language server'),
    comparing: vscode.l10n.t('Rendering both templates'),
    own: vscode.l10n.t("The model's own template"),
    file: vscode.l10n.t('TEMPLATE of this file'),
    difference: vscode.l10n.t('Difference'),
    marks: vscode.l10n.t('Marked'),
    'marks.characters': vscode.l10n.t('by character'),
    'marks.tokens': vscode.l10n.t('by token'),
    'compare.same': vscode.l10n.t(
      'No difference that means anything: {0} standard conversations come out as by {1}.',
      '{0}',
      '{1}',
    ),
    'compare.no-template': vscode.l10n.t('The file has no TEMPLATE that could be compared.'),
    'compare.no-model': vscode.l10n.t(
      'What FROM names has no template of its own that is known here: there is nothing to compare with.',
    ),
    'compare.unrendered': vscode.l10n.t(
      "The model's own template renders none of the standard conversations, or was stopped: nothing was compared.",
    ),
    'compare.unreadable': vscode.l10n.t('TEMPLATE cannot be parsed, so that it renders nothing.'),
    'check.asking': vscode.l10n.t('Asking Ollama'),
    'check.same': vscode.l10n.t('{0} gets exactly this prompt from Ollama.', '{0}'),
    'check.differs': vscode.l10n.t(
      '{0} gets another prompt from Ollama. Was it created from this file as it is now?',
      '{0}',
    ),
    'check.ollama': vscode.l10n.t("Ollama's prompt"),
    'check.here': vscode.l10n.t('The prompt here'),
  };
}

/** The page's own markup. */
export const PROMPT_BODY = `<main>
<form class="bar" id="form">
  <label><span data-text="conversation"></span> <select id="conversation"></select></label>
  <label class="grow"><span data-text="question"></span> <input id="question" type="text" autocomplete="off"></label>
  <label><input type="checkbox" id="compare"> <span data-text="compare"></span></label>
</form>
<div id="notes" role="status" aria-live="polite"></div>
<section id="result" aria-labelledby="heading">
  <div class="bar"><h2 id="heading" data-text="prompt"></h2><span id="tokens" class="faint"></span><span class="spacer"></span><button type="button" id="check" class="secondary" data-text="check"></button><button type="button" id="copy" class="secondary" data-text="copy"></button></div>
  <pre id="prompt" tabindex="0" aria-labelledby="heading"></pre>
  <div id="checked" role="status" aria-live="polite"></div>
</section>
<section id="differences" hidden>
  <div class="bar">
    <label class="grow"><span data-text="difference"></span> <select id="difference"></select></label>
    <label id="markLabel"><span data-text="marks"></span> <select id="marks"></select></label>
  </div>
  <p id="meaning" class="note" role="status" aria-live="polite"></p>
  <div id="pair" class="pair"></div>
</section>
</main>`;
