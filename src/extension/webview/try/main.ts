// The page of the Try panel. What models and files say is shown as text only.
(() => {
  const vscode = acquireVsCodeApi();
  const byId = (id) => document.getElementById(id);
  const OPTIONS = ['temperature', 'top_p', 'seed', 'num_ctx', 'num_predict'];
  const selects = [byId('model0'), byId('model1')];
  const fields = [...OPTIONS, 'system'].map(byId);
  const turns = byId('turns');
  const message = byId('message');
  let strings = {};
  let installed = [];
  let busy = false;
  /** models: names; history: [{question, system, options, answers: [{model, text, thinking, facts, failure}]}]; settings by field */
  let state = { models: [], history: [], settings: {}, draft: '' };

  const element = (name, className = '', content = '') => {
    const made = document.createElement(name);
    if (className !== '') {
      made.className = className;
    }
    made.textContent = content;
    return made;
  };
  const say = (key, value) => strings[key].replace('{0}', value);
  const save = () => vscode.setState(state);

  function setUp(models) {
    document.querySelectorAll('[data-text]').forEach((one) => (one.textContent = strings[one.dataset.text]));
    document
      .querySelectorAll('[data-placeholder]')
      .forEach((one) => (one.placeholder = strings[one.dataset.placeholder]));
    document
      .querySelectorAll('[data-label]')
      .forEach((one) => one.setAttribute('aria-label', strings[one.dataset.label]));
    const saved = vscode.getState();
    state = {
      history: [],
      settings: {},
      draft: '',
      ...saved,
      models: saved?.models?.length > 0 ? saved.models : models,
    };
    // What was running when the window went away did not end.
    state.history.forEach((turn) =>
      turn.answers.forEach((answer) => {
        if (answer.facts === undefined && answer.failure === undefined) {
          answer.failure = strings.stopped;
        }
      }),
    );
    fields.forEach((field) => (field.value = state.settings[field.id] ?? ''));
    message.value = state.draft;
    offerModels();
    drawAll();
    save();
    message.focus();
  }

  function offerModels() {
    selects.forEach((select, column) => {
      const chosen = state.models[column] ?? '';
      const names = [...new Set([...installed, ...(chosen === '' ? [] : [chosen])])];
      const options = names.map((name) => {
        const option = element(
          'option',
          '',
          installed.length > 0 && !installed.includes(name) ? say('missing', name) : name,
        );
        option.value = name;
        return option;
      });
      if (column === 1) {
        const none = element('option', '', strings.nothing);
        none.value = '';
        options.unshift(none);
      }
      select.replaceChildren(...options);
      select.value = chosen;
    });
  }

  function readModels() {
    state.models = selects.map((select) => select.value).filter((name) => name !== '');
    save();
  }

  function readOptions() {
    return Object.fromEntries(
      OPTIONS.flatMap((name) => {
        const field = byId(name);
        return field.value === '' || Number.isNaN(field.valueAsNumber) ? [] : [[name, field.valueAsNumber]];
      }),
    );
  }

  /** The conversation of one column up to a turn; turns in which that column failed are left out. */
  function chatOf(column, upTo) {
    const { system } = state.history[upTo];
    const messages = system === '' ? [] : [{ role: 'system', content: system }];
    state.history.slice(0, upTo + 1).forEach((turn, index) => {
      const answer = turn.answers[column];
      if (index === upTo) {
        messages.push({ role: 'user', content: turn.question });
      } else if (answer?.text) {
        messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content: answer.text });
      }
    });
    return messages;
  }

  function send(question) {
    readModels();
    if (busy || question.trim() === '' || state.models.length === 0) {
      return;
    }
    const turn = state.history.length;
    const options = readOptions();
    state.history.push({
      question,
      system: byId('system').value,
      options,
      answers: state.models.map((model) => ({ model, text: '', thinking: '' })),
    });
    drawAll();
    setBusy(true);
    vscode.postMessage({
      type: 'send',
      turn,
      chats: state.models.map((model, column) => ({ model, messages: chatOf(column, turn) })),
      options,
    });
    save();
  }

  function setBusy(value) {
    busy = value;
    byId('send').disabled = value;
    byId('stop').hidden = !value;
  }

  function drawAll() {
    turns.replaceChildren(...state.history.map(drawTurn));
    if (state.history.length === 0) {
      turns.append(element('p', 'empty', strings.empty));
    }
    turns.scrollTop = turns.scrollHeight;
  }

  function drawTurn(turn, index) {
    const made = element('div', 'turn');
    const user = element('div', 'user', turn.question);
    user.setAttribute('aria-label', `${strings.you}: ${turn.question}`);
    const columns = element('div', 'columns');
    columns.append(...turn.answers.map((answer, column) => drawAnswer(answer, index, column)));
    made.append(user, columns);
    return made;
  }

  function drawAnswer(answer, turn, column) {
    const made = element('article', 'answer');
    made.dataset.turn = String(turn);
    made.dataset.column = String(column);
    made.setAttribute('aria-label', answer.model);
    made.append(
      element('h2', '', answer.model),
      thoughts(answer),
      element('div', 'text', answer.text),
      element('div', 'failure', answer.failure ?? ''),
      element('div', 'facts', factsLine(answer)),
      promptSent(turn, column, answer),
    );
    refresh(made, answer);
    return made;
  }

  function thoughts(answer) {
    const made = element('details', 'thoughts');
    made.append(element('summary', 'faint', strings.thinking), element('pre', '', answer.thinking));
    return made;
  }

  function promptSent(turn, column, answer) {
    const made = element('details', 'prompt');
    const text = element('pre');
    text.tabIndex = 0;
    made.append(element('summary', 'faint', strings.promptSent), text);
    made.addEventListener('toggle', () => {
      if (made.open && text.childNodes.length === 0) {
        vscode.postMessage({
          type: 'show-prompt',
          turn,
          column,
          model: answer.model,
          messages: chatOf(column, turn),
          options: state.history[turn].options,
        });
      }
    });
    return made;
  }

  function factsLine({ facts }) {
    if (facts === undefined) {
      return '';
    }
    const { stopReason, tokens, tokensPerSecond, promptTokens, loadSeconds, seed } = facts;
    return [
      tokensPerSecond === undefined
        ? ''
        : say('tokensPerSecond', tokensPerSecond.toFixed(tokensPerSecond < 100 ? 1 : 0)),
      say('tokens', tokens),
      say('promptTokens', promptTokens),
      strings[`stop.${stopReason}`] ?? stopReason ?? '',
      say('seed', seed),
      loadSeconds >= 0.5 ? say('loaded', loadSeconds.toFixed(1)) : '',
    ]
      .filter((part) => part !== '')
      .map((part) => part.replaceAll(' ', '\u00a0'))
      .join(' · ');
  }

  const articleOf = ({ turn, column }) => turns.querySelector(`article[data-turn="${turn}"][data-column="${column}"]`);

  /** What can change while an answer comes. */
  function refresh(article, answer) {
    const working = answer.facts === undefined && answer.failure === undefined;
    article.classList.toggle('working', working);
    article.querySelector('.thoughts').hidden = answer.thinking === '';
    article.querySelector('.failure').textContent = answer.failure ?? '';
    article.querySelector('.facts').textContent =
      working && answer.text === '' ? (answer.begun ? strings.waiting : strings.queued) : factsLine(answer);
    article.querySelector('.prompt').hidden = working;
  }

  function update(data, change) {
    const answer = state.history[data.turn]?.answers[data.column];
    const article = articleOf(data);
    if (answer === undefined || article === null) {
      return;
    }
    const atEnd = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 40;
    change(answer, article);
    refresh(article, answer);
    if (atEnd) {
      turns.scrollTop = turns.scrollHeight;
    }
    save();
  }

  const HANDLERS = {
    'set-up': ({ models, strings: words }) => {
      strings = words;
      setUp(models);
    },
    models: (data) => {
      installed = data.installed;
      offerModels();
    },
    notice: (data) => {
      byId('notice').textContent = data.message;
      setBusy(false);
    },
    begin: (data) => update(data, (answer) => (answer.begun = true)),
    piece: (data) =>
      update(data, (answer, article) => {
        answer.text += data.text;
        answer.thinking += data.thinking;
        article.querySelector('.text').textContent = answer.text;
        article.querySelector('.thoughts pre').textContent = answer.thinking;
      }),
    done: (data) => update(data, (answer) => (answer.facts = data.facts)),
    failed: (data) => update(data, (answer) => (answer.failure = data.cancelled ? strings.stopped : data.message)),
    idle: (data) => {
      state.history[data.turn]?.answers.forEach((answer, column) => {
        if (answer.facts === undefined && answer.failure === undefined) {
          update({ turn: data.turn, column }, (one) => (one.failure = strings.stopped));
        }
      });
      setBusy(false);
      message.focus();
    },
    prompt: (data) => {
      const text = articleOf(data)?.querySelector('.prompt pre');
      text?.replaceChildren(
        ...(data.error === undefined
          ? data.parts.map((part) =>
              part.isSpecial ? element('span', 'token', part.text) : document.createTextNode(part.text),
            )
          : [element('span', 'failure', data.error)]),
      );
    },
  };

  window.addEventListener('message', ({ data }) => HANDLERS[data.type]?.(data));
  byId('form').addEventListener('submit', (event) => {
    event.preventDefault();
    byId('notice').textContent = '';
    const question = message.value;
    if (!busy && question.trim() !== '') {
      message.value = '';
      state.draft = '';
      send(question);
    }
  });
  message.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      byId('form').requestSubmit();
    } else if (event.key === 'Escape' && busy) {
      vscode.postMessage({ type: 'stop' });
    }
  });
  message.addEventListener('input', () => {
    state.draft = message.value;
    save();
  });
  fields.forEach((field) =>
    field.addEventListener('input', () => {
      state.settings[field.id] = field.value;
      save();
    }),
  );
  selects.forEach((select) => select.addEventListener('change', readModels));
  byId('stop').addEventListener('click', () => vscode.postMessage({ type: 'stop' }));
  byId('clear').addEventListener('click', () => {
    if (!busy) {
      state.history = [];
      drawAll();
      save();
      message.focus();
    }
  });
  vscode.postMessage({ type: 'ready' });
})();
