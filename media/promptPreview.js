// The page of the prompt preview. Everything from files arrives by message and is shown as text only.
(() => {
  const vscode = acquireVsCodeApi();
  const byId = (id) => document.getElementById(id);
  const conversation = byId('conversation');
  const question = byId('question');
  const prompt = byId('prompt');
  const notes = byId('notes');
  let strings = {};
  let text = '';

  const element = (name, className, content) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = content;
    return made;
  };

  function setUp({ state, strings: words }) {
    strings = words;
    document.querySelectorAll('[data-text]').forEach((one) => (one.textContent = strings[one.dataset.text]));
    conversation.replaceChildren(
      ...Object.keys(strings)
        .filter((key) => key.startsWith('conversation.'))
        .map((key) => {
          const option = element('option', '', strings[key]);
          option.value = key.slice('conversation.'.length);
          return option;
        }),
    );
    conversation.value = state.conversation;
    question.value = state.question;
    vscode.setState(state);
  }

  function show(preview) {
    if (preview === null) {
      notes.replaceChildren(element('p', 'note', strings.starting));
      return;
    }
    const { source, parts, error, notes: remarks } = preview;
    const lines = remarks.map((remark) => element('p', 'note', strings[`note.${remark}`]));
    if (source === 'base') {
      lines.unshift(element('p', 'note', strings['source.base']));
    }
    if (error !== undefined) {
      lines.unshift(
        element(
          'p',
          'note error',
          error.line === undefined
            ? error.message
            : `${strings['error.line'].replace('{0}', error.line)}: ${error.message}`,
        ),
      );
    }
    notes.replaceChildren(...lines);
    text = (parts ?? []).map((part) => part.text).join('');
    prompt.replaceChildren(
      ...(parts ?? []).map((part) =>
        part.isSpecial ? element('span', 'token', part.text) : document.createTextNode(part.text),
      ),
    );
    document.querySelector('.result').hidden = parts === undefined;
  }

  function choose() {
    const choice = { conversation: conversation.value, question: question.value };
    vscode.setState({ ...vscode.getState(), ...choice });
    vscode.postMessage({ type: 'choose', ...choice });
  }

  conversation.addEventListener('change', choose);
  question.addEventListener('input', choose);
  byId('form').addEventListener('submit', (event) => event.preventDefault());
  byId('copy').addEventListener('click', async ({ target }) => {
    await navigator.clipboard.writeText(text);
    target.textContent = strings.copied;
    setTimeout(() => (target.textContent = strings.copy), 1500);
  });
  window.addEventListener('message', ({ data }) => {
    if (data.type === 'set-up') {
      setUp(data);
    } else if (data.type === 'prompt') {
      show(data.preview);
    }
  });
  vscode.postMessage({ type: 'ready' });
})();
