import * as vscode from 'vscode';

/** Everything that the page says. */
export function tryStrings(): Readonly<Record<string, string>> {
  return {
    model: vscode.l10n.t('Model'),
    beside: vscode.l10n.t('Beside'),
    nothing: vscode.l10n.t('nothing'),
    parameters: vscode.l10n.t('Parameters'),
    own: vscode.l10n.t("the model's own"),
    random: vscode.l10n.t('random'),
    system: vscode.l10n.t('System message'),
    message: vscode.l10n.t('Your message'),
    hint: vscode.l10n.t('Enter sends, Shift+Enter begins a new line'),
    send: vscode.l10n.t('Send'),
    stop: vscode.l10n.t('Stop'),
    again: vscode.l10n.t('Again'),
    clear: vscode.l10n.t('Clear'),
    you: vscode.l10n.t('You'),
    waiting: vscode.l10n.t('Waiting for the model'),
    queued: vscode.l10n.t('Next'),
    thinking: vscode.l10n.t('Thoughts'),
    promptSent: vscode.l10n.t('Prompt sent'),
    stopped: vscode.l10n.t('Stopped'),
    tokensPerSecond: vscode.l10n.t('{0} tokens a second', '{0}'),
    tokens: vscode.l10n.t('{0} tokens', '{0}'),
    promptTokens: vscode.l10n.t('prompt of {0}', '{0}'),
    seed: vscode.l10n.t('seed {0}', '{0}'),
    loaded: vscode.l10n.t('loaded in {0} s', '{0}'),
    'stop.stop': vscode.l10n.t('ended by itself'),
    'stop.length': vscode.l10n.t('cut off at the length limit'),
    empty: vscode.l10n.t(
      'Ask something. With a second model beside it, both get the same question and the same seed, one after the other.',
    ),
    missing: vscode.l10n.t('{0} is not installed', '{0}'),
  };
}

export const TRY_BODY = `<main>
<header>
  <div class="bar">
    <label><span data-text="model"></span> <select id="model0"></select></label>
    <label><span data-text="beside"></span> <select id="model1"></select></label>
    <span class="spacer"></span>
    <button type="button" id="clear" class="secondary" data-text="clear"></button>
  </div>
  <details id="settings">
    <summary data-text="parameters"></summary>
    <div class="grid">
      <label>temperature <input id="temperature" type="number" min="0" step="0.1" data-placeholder="own"></label>
      <label>top_p <input id="top_p" type="number" min="0" max="1" step="0.05" data-placeholder="own"></label>
      <label>seed <input id="seed" type="number" step="1" data-placeholder="random"></label>
      <label>num_ctx <input id="num_ctx" type="number" min="1" step="1" data-placeholder="own"></label>
      <label>num_predict <input id="num_predict" type="number" min="-2" step="1" data-placeholder="own"></label>
      <label class="wide"><span data-text="system"></span> <textarea id="system" rows="2" data-placeholder="own"></textarea></label>
    </div>
  </details>
</header>
<div id="notice" role="alert"></div>
<div id="turns" role="log" aria-live="polite" tabindex="0"></div>
<form id="form">
  <textarea id="message" rows="2" data-label="message" data-placeholder="message"></textarea>
  <div class="bar"><span class="faint" data-text="hint"></span><span class="spacer"></span><button type="button" id="stop" class="secondary" data-text="stop" hidden></button><button type="submit" id="send" data-text="send"></button></div>
</form>
</main>`;
