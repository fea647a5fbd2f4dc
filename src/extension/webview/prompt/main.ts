// The page of the prompt preview. What files and models say is shown as text only.
import type { MarkedPart } from '../../../core/chatTemplate/markDifference';
import type { PromptMessage, PromptState } from '../../modelfile/promptMessages';
import type { OllamaCheck, PromptPost } from '../../modelfile/promptPosts';
import { el } from '../viewer/dom';

type Preview = Extract<PromptPost, { type: 'prompt' }>['preview'];
type Differences = Extract<PromptPost, { type: 'differences' }>['differences'];

interface EditorApi {
  postMessage(message: PromptMessage): void;
  setState(state: PromptState): void;
}

declare function acquireVsCodeApi(): EditorApi;

const vscode = acquireVsCodeApi();

/** An element of our own markup (promptPage.ts). */
function byId<Name extends keyof HTMLElementTagNameMap>(name: Name, id: string): HTMLElementTagNameMap[Name] {
  const found = document.getElementById(id);
  if (found?.localName !== name) {
    throw new Error(`The page has no ${name} ${id}.`);
  }
  return found as HTMLElementTagNameMap[Name];
}

const conversation = byId('select', 'conversation');
const question = byId('input', 'question');
const compare = byId('input', 'compare');
const notes = byId('div', 'notes');
const result = byId('section', 'result');
const prompt = byId('pre', 'prompt');
const tokenCount = byId('span', 'tokens');
const checkButton = byId('button', 'check');
const checked = byId('div', 'checked');
const differences = byId('section', 'differences');
const difference = byId('select', 'difference');
const marks = byId('select', 'marks');
const meaning = byId('p', 'meaning');
const pair = byId('div', 'pair');

let strings: Readonly<Record<string, string>> = {};
let uri = '';
/** The user wrote a question: until then the field shows the one that was chosen for the file. */
let hasQuestion = false;
let text = '';
let isRendered = false;
let found: Differences = null;

const word = (key: string): string => strings[key] ?? '';
const say = (key: string, ...values: readonly (string | number)[]): string =>
  word(key).replace(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)] ?? ''));
const note = (content: string, more = ''): HTMLElement => el('p', { class: `note${more}` }, content);

function options(select: HTMLSelectElement, entries: readonly (readonly [value: string, label: string])[]): void {
  select.replaceChildren(...entries.map(([value, label]) => el('option', { value }, label)));
}

function setUp(state: PromptState): void {
  document
    .querySelectorAll<HTMLElement>('[data-text]')
    .forEach((one) => (one.textContent = word(one.dataset['text'] ?? '')));
  const prefix = 'conversation.';
  options(
    conversation,
    Object.entries(strings).flatMap(([key, label]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), label] as const] : [],
    ),
  );
  options(marks, [
    ['tokens', word('marks.tokens')],
    ['characters', word('marks.characters')],
  ]);
  uri = state.uri;
  conversation.value = state.conversation;
  hasQuestion = state.question !== undefined;
  question.value = state.question ?? '';
  compare.checked = state.comparing === true;
  showMode();
  vscode.setState(state);
}

function choice(): Omit<PromptState, 'uri'> & { readonly comparing: boolean } {
  return {
    conversation: conversation.value as PromptState['conversation'],
    comparing: compare.checked,
    ...(hasQuestion ? { question: question.value } : {}),
  };
}

function choose(): void {
  showMode();
  vscode.setState({ uri, ...choice() });
  vscode.postMessage({ type: 'choose', ...choice() });
}

/** Either the prompt of the conversation that was chosen, or the standard ones beside the model's own template. */
function showMode(): void {
  result.hidden = compare.checked || !isRendered;
  differences.hidden = !compare.checked;
  conversation.disabled = compare.checked;
  question.disabled = compare.checked;
  if (compare.checked && found === null) {
    meaning.textContent = word('comparing');
  }
}

function showPrompt(preview: Preview): void {
  isRendered = preview?.parts !== undefined;
  if (preview === null) {
    notes.replaceChildren(note(word('starting')));
    showMode();
    return;
  }
  const { source, parts = [], error, notes: remarks, tokens } = preview;
  if (!hasQuestion) {
    question.value = preview.question;
  }
  const tooLong =
    tokens === undefined || tokens.count <= tokens.limit
      ? []
      : [tokens.dropped > 0 ? say('tokens.dropped', tokens.dropped) : say('tokens.over', tokens.count - tokens.limit)];
  const where = error?.line === undefined ? '' : `${say('error.line', error.line)}: `;
  notes.replaceChildren(
    ...(error === undefined ? [] : [note(where + error.message, ' error')]),
    ...(source === 'base' ? [note(word('source.base'))] : []),
    ...tooLong.map((line) => note(line, ' warning')),
    ...remarks.map((remark) => note(word(`note.${remark}`))),
  );
  tokenCount.textContent =
    tokens === undefined
      ? ''
      : say(tokens.isExact ? 'tokens.exact' : 'tokens.about', tokens.count, tokens.limit, tokens.source);
  tokenCount.classList.toggle('over', tokens !== undefined && tokens.count > tokens.limit);
  text = parts.map((part) => part.text).join('');
  prompt.replaceChildren(
    ...parts.map((part) => (part.isSpecial ? el('span', { class: 'token' }, part.text) : part.text)),
  );
  showMode();
}

/** White space that differs is shown as signs, for else nobody sees it. */
function visible(content: string): string {
  return content.replaceAll(' ', '·').replaceAll('\t', '→\t').replaceAll('\r', '␍').replaceAll('\n', '↵\n');
}

function column(heading: string, parts: readonly MarkedPart[], kind: 'own' | 'file', perToken: boolean): HTMLElement {
  const mark = kind === 'own' ? 'del' : 'ins';
  return el(
    'section',
    { 'aria-label': heading },
    el('h2', {}, heading),
    el(
      'pre',
      { tabindex: 0, class: `${kind}${perToken ? ' cut' : ''}` },
      ...parts.map((part) =>
        part.differs ? el(mark, {}, visible(part.text)) : perToken ? el('span', {}, part.text) : part.text,
      ),
    ),
  );
}

function showDifferences(): void {
  const entries = found?.differences ?? [];
  const before = difference.value;
  options(
    difference,
    entries.map(({ conversation: name, meaning: sense }, index) => [String(index), `${name}: ${sense}`]),
  );
  if (entries[Number(before)] !== undefined && before !== '') {
    difference.value = before;
  }
  showDifference();
}

function showDifference(): void {
  const entry = found?.differences[Number(difference.value)];
  difference.disabled = entry === undefined;
  marks.disabled = entry?.tokens === undefined;
  if (entry === undefined) {
    pair.replaceChildren();
    meaning.className = 'note';
    meaning.textContent =
      found === null
        ? word('comparing')
        : found.state === 'compared'
          ? say('compare.same', found.compared, found.own)
          : word(`compare.${found.state}`);
    return;
  }
  if (entry.tokens === undefined) {
    marks.value = 'characters';
  }
  meaning.className = entry.isGrave ? 'note warning' : 'note';
  meaning.textContent = entry.meaning;
  const perToken = marks.value === 'tokens' && entry.tokens !== undefined;
  const { own, file } = perToken ? entry.tokens : entry.characters;
  pair.replaceChildren(column(word('own'), own, 'own', perToken), column(word('file'), file, 'file', perToken));
}

function showCheck(check: OllamaCheck): void {
  checkButton.disabled = check.state === 'asking';
  switch (check.state) {
    case 'none':
      checked.replaceChildren();
      break;
    case 'asking':
      checked.replaceChildren(note(word('check.asking')));
      break;
    case 'failed':
      checked.replaceChildren(note(check.message, ' error'));
      break;
    case 'done':
      checked.replaceChildren(
        ...(check.marks === undefined
          ? [note(say('check.same', check.model), ' same')]
          : [
              note(say('check.differs', check.model), ' warning'),
              el(
                'div',
                { class: 'pair' },
                column(word('check.ollama'), check.marks.own, 'own', false),
                column(word('check.here'), check.marks.file, 'file', false),
              ),
            ]),
      );
  }
}

function receive(data: PromptPost): void {
  switch (data.type) {
    case 'set-up':
      strings = data.strings;
      setUp(data.state);
      break;
    case 'state':
      compare.checked = data.comparing;
      showMode();
      vscode.setState({ uri, ...choice() });
      break;
    case 'prompt':
      showPrompt(data.preview);
      break;
    case 'differences':
      found = data.differences;
      showDifferences();
      break;
    case 'check':
      showCheck(data.check);
  }
}

conversation.addEventListener('change', choose);
compare.addEventListener('change', choose);
question.addEventListener('input', () => {
  // An empty field is the way back to the question that fits the file.
  hasQuestion = question.value !== '';
  choose();
});
difference.addEventListener('change', showDifference);
marks.addEventListener('change', showDifference);
byId('form', 'form').addEventListener('submit', (event) => event.preventDefault());
checkButton.addEventListener('click', () => vscode.postMessage({ type: 'check' }));
const copy = byId('button', 'copy');
copy.addEventListener('click', () => {
  void navigator.clipboard.writeText(text).then(() => {
    copy.textContent = word('copied');
    setTimeout(() => (copy.textContent = word('copy')), 1500);
  });
});
// Only the editor can send to this page.
window.addEventListener('message', (event: MessageEvent<PromptPost>) => receive(event.data));
vscode.postMessage({ type: 'ready' });
