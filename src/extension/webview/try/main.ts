// The page of the Try panel. What models and files say is shown as text only.
import type { TryChat, TryMessage, TryOptions } from '../../try/tryMessages';
import type { TryFacts, TryPlace, TryPost } from '../../try/tryPosts';

interface EditorApi {
  postMessage(message: TryMessage): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): EditorApi;

interface Answer {
  readonly model: string;
  text: string;
  thinking: string;
  begun?: boolean;
  facts?: TryFacts;
  failure?: string;
}

interface Turn {
  readonly question: string;
  readonly system: string;
  readonly options: TryOptions;
  readonly answers: readonly Answer[];
}

/** What survives when the page is hidden or the window reloaded; written here alone. */
interface State {
  models: readonly string[];
  history: Turn[];
  readonly settings: Record<string, string>;
  draft: string;
}

const vscode = acquireVsCodeApi();

/** An element of our own markup (tryPage.ts). */
function byId<Name extends keyof HTMLElementTagNameMap>(name: Name, id: string): HTMLElementTagNameMap[Name] {
  const found = document.getElementById(id);
  if (found?.localName !== name) {
    throw new Error(`The page has no ${name} ${id}.`);
  }
  return found as HTMLElementTagNameMap[Name];
}

/** A part of an article that this page made itself. */
function partOf(article: Element, selector: string): HTMLElement {
  return article.querySelector<HTMLElement>(selector)!;
}
const OPTIONS = ['temperature', 'top_p', 'seed', 'num_ctx', 'num_predict'] as const;
const selects = [byId('select', 'model0'), byId('select', 'model1')];
const system = byId('textarea', 'system');
const fields = [...OPTIONS.map((name) => byId('input', name)), system];
const turns = byId('div', 'turns');
const message = byId('textarea', 'message');
const notice = byId('div', 'notice');
const form = byId('form', 'form');
const sendButton = byId('button', 'send');
const stopButton = byId('button', 'stop');
let strings: Readonly<Record<string, string>> = {};
let installed: readonly string[] = [];
let busy = false;
let state: State = { models: [], history: [], settings: {}, draft: '' };

/** Text is text: nothing that a model or a file says becomes markup. */
function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  content = '',
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== '') {
    made.className = className;
  }
  made.textContent = content;
  return made;
}

const word = (key: string): string => strings[key] ?? '';
const say = (key: string, value: string | number): string => word(key).replace('{0}', String(value));
const save = (): void => vscode.setState(state);
const isRunning = ({ facts, failure }: Answer): boolean => facts === undefined && failure === undefined;

function setUp(models: readonly string[]): void {
  const marked = (name: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(`[data-${name}]`)];
  marked('text').forEach((one) => (one.textContent = word(one.dataset['text']!)));
  marked('placeholder').forEach((one) => one.setAttribute('placeholder', word(one.dataset['placeholder']!)));
  marked('label').forEach((one) => one.setAttribute('aria-label', word(one.dataset['label']!)));
  const saved = (vscode.getState() ?? {}) as Partial<State>;
  const chosen = saved.models ?? [];
  state = { history: [], settings: {}, draft: '', ...saved, models: chosen.length > 0 ? chosen : models };
  // What was running when the window went away did not end.
  state.history
    .flatMap(({ answers }) => answers.filter(isRunning))
    .forEach((answer) => (answer.failure = word('stopped')));
  fields.forEach((field) => (field.value = state.settings[field.id] ?? ''));
  message.value = state.draft;
  offerModels();
  drawAll();
  save();
  message.focus();
}

function offerModels(): void {
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
      const none = element('option', '', word('nothing'));
      none.value = '';
      options.unshift(none);
    }
    select.replaceChildren(...options);
    select.value = chosen;
  });
}

function readModels(): void {
  state.models = selects.map((select) => select.value).filter((name) => name !== '');
  save();
}

function readOptions(): TryOptions {
  return Object.fromEntries(
    OPTIONS.flatMap((name): [string, number][] => {
      const { value, valueAsNumber } = byId('input', name);
      return value === '' || Number.isNaN(valueAsNumber) ? [] : [[name, valueAsNumber]];
    }),
  );
}

/** The conversation of one column up to a turn; turns in which that column failed are left out. */
function chatOf(column: number, upTo: number): TryChat['messages'] {
  const instructions = state.history[upTo]?.system ?? '';
  const messages: TryChat['messages'] = instructions === '' ? [] : [{ role: 'system', content: instructions }];
  state.history.slice(0, upTo + 1).forEach((turn, index) => {
    const answer = turn.answers[column];
    if (index === upTo) {
      messages.push({ role: 'user', content: turn.question });
    } else if (answer !== undefined && answer.text !== '') {
      messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content: answer.text });
    }
  });
  return messages;
}

function send(question: string): void {
  readModels();
  if (busy || question.trim() === '' || state.models.length === 0) {
    return;
  }
  const turn = state.history.length;
  const options = readOptions();
  state.history.push({
    question,
    system: system.value,
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

function setBusy(value: boolean): void {
  busy = value;
  sendButton.disabled = value;
  stopButton.hidden = !value;
}

function drawAll(): void {
  turns.replaceChildren(...state.history.map(drawTurn));
  if (state.history.length === 0) {
    turns.append(element('p', 'empty', word('empty')));
  }
  turns.scrollTop = turns.scrollHeight;
}

function drawTurn(turn: Turn, index: number): HTMLElement {
  const made = element('div', 'turn');
  const user = element('div', 'user', turn.question);
  user.setAttribute('aria-label', `${word('you')}: ${turn.question}`);
  const columns = element('div', 'columns');
  columns.append(...turn.answers.map((answer, column) => drawAnswer(answer, index, column)));
  made.append(user, columns);
  return made;
}

function drawAnswer(answer: Answer, turn: number, column: number): HTMLElement {
  const made = element('article', 'answer');
  made.dataset['turn'] = String(turn);
  made.dataset['column'] = String(column);
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

function thoughts(answer: Answer): HTMLElement {
  const made = element('details', 'thoughts');
  made.append(element('summary', 'faint', word('thinking')), element('pre', '', answer.thinking));
  return made;
}

function promptSent(turn: number, column: number, answer: Answer): HTMLElement {
  const made = element('details', 'prompt');
  const text = element('pre');
  text.tabIndex = 0;
  made.append(element('summary', 'faint', word('promptSent')), text);
  made.addEventListener('toggle', () => {
    if (made.open && text.childNodes.length === 0) {
      vscode.postMessage({
        type: 'show-prompt',
        turn,
        column,
        model: answer.model,
        messages: chatOf(column, turn),
        options: state.history[turn]?.options ?? {},
      });
    }
  });
  return made;
}

const told = (key: string, value: number | undefined): string => (value === undefined ? '' : say(key, value));

function factsLine({ facts }: Answer): string {
  if (facts === undefined) {
    return '';
  }
  const { stopReason, tokens, tokensPerSecond, promptTokens, loadSeconds, seed } = facts;
  return [
    tokensPerSecond === undefined ? '' : say('tokensPerSecond', tokensPerSecond.toFixed(tokensPerSecond < 100 ? 1 : 0)),
    told('tokens', tokens),
    told('promptTokens', promptTokens),
    strings[`stop.${stopReason ?? ''}`] ?? stopReason ?? '',
    told('seed', seed),
    loadSeconds !== undefined && loadSeconds >= 0.5 ? say('loaded', loadSeconds.toFixed(1)) : '',
  ]
    .filter((part) => part !== '')
    .map((part) => part.replaceAll(' ', '\u00a0'))
    .join(' · ');
}

const articleOf = ({ turn, column }: TryPlace): Element | null =>
  turns.querySelector(`article[data-turn="${turn}"][data-column="${column}"]`);

/** What can change while an answer comes. */
function refresh(article: Element, answer: Answer): void {
  const working = isRunning(answer);
  article.classList.toggle('working', working);
  partOf(article, '.thoughts').hidden = answer.thinking === '';
  partOf(article, '.failure').textContent = answer.failure ?? '';
  partOf(article, '.facts').textContent =
    working && answer.text === '' ? word(answer.begun === true ? 'waiting' : 'queued') : factsLine(answer);
  partOf(article, '.prompt').hidden = working;
}

function update(data: TryPlace, change: (answer: Answer, article: Element) => void): void {
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

function receive(data: TryPost): void {
  switch (data.type) {
    case 'set-up':
      strings = data.strings;
      setUp(data.models);
      break;
    case 'models':
      installed = data.installed;
      offerModels();
      break;
    case 'notice':
      notice.textContent = data.message;
      setBusy(false);
      break;
    case 'begin':
      update(data, (answer) => (answer.begun = true));
      break;
    case 'piece':
      update(data, (answer, article) => {
        answer.text += data.text;
        answer.thinking += data.thinking;
        partOf(article, '.text').textContent = answer.text;
        partOf(article, '.thoughts pre').textContent = answer.thinking;
      });
      break;
    case 'done':
      update(data, (answer) => (answer.facts = data.facts));
      break;
    case 'failed':
      update(data, (answer) => (answer.failure = data.cancelled ? word('stopped') : data.message));
      break;
    case 'idle':
      state.history[data.turn]?.answers.forEach((answer, column) => {
        if (isRunning(answer)) {
          update({ turn: data.turn, column }, (one) => (one.failure = word('stopped')));
        }
      });
      setBusy(false);
      message.focus();
      break;
    case 'prompt':
      articleOf(data)
        ?.querySelector('.prompt pre')
        ?.replaceChildren(
          ...(data.error === undefined
            ? (data.parts ?? []).map(({ isSpecial, text }) => (isSpecial ? element('span', 'token', text) : text))
            : [element('span', 'failure', data.error)]),
        );
      break;
  }
}

// Only the editor can send to this page.
window.addEventListener('message', (event: MessageEvent<TryPost>) => receive(event.data));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  notice.textContent = '';
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
    form.requestSubmit();
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
stopButton.addEventListener('click', () => vscode.postMessage({ type: 'stop' }));
byId('button', 'clear').addEventListener('click', () => {
  if (!busy) {
    state.history = [];
    drawAll();
    save();
    message.focus();
  }
});
vscode.postMessage({ type: 'ready' });
