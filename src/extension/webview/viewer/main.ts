import type {
  AdapterAnswer,
  CompareAnswer,
  EditorMessage,
  ErrorAnswer,
  SummaryAnswer,
} from '../../../core/viewer/viewerProtocol';
import { TAB_NAMES } from '../../../core/viewer/viewerProtocol';
import { adapterView, type AdapterView } from './adapterView';
import { Channel } from './channel';
import { compareView } from './compareView';
import { button, el } from './dom';
import { counted, setStrings, t } from './l10n';
import { metadataView } from './metadataView';
import { problemsView } from './problemsView';
import { summaryView } from './summaryView';
import { Tabs } from './tabs';
import { templateView } from './templateView';
import { tensorsView, type TensorsView } from './tensorsView';
import { tokenizerView } from './tokenizerView';
import type { ViewContext } from './view';

const started = performance.now();
const root = document.getElementById('viewer')!;
const notices = el('div', { class: 'notices', 'aria-live': 'polite' });
const channel = new Channel(receive);

/** What is on the page, once the file has been read. */
let page:
  | {
      readonly context: ViewContext;
      readonly tabs: Tabs;
      tensors: TensorsView | undefined;
      adapter: AdapterView | undefined;
    }
  | undefined;
let name = '';
/** A tab that was open before the page was hidden, and is added later than the others. */
let awaited = TAB_NAMES.find((tab) => tab === channel.tab && ['tokenizer', 'template', 'compare'].includes(tab));

function receive(message: EditorMessage): void {
  switch (message.kind) {
    case 'start':
      setStrings(message.strings);
      name = message.name;
      showReading();
      break;
    case 'summary':
      show(message.summary);
      break;
    case 'failed':
      showFailure(message.error);
      break;
    case 'changed':
      notify(
        'changed',
        t('The file has changed on disk.'),
        'warning',
        button(t('Reload'), () => channel.send({ kind: 'do', action: 'reload' }), { class: 'secondary' }),
      );
      break;
    case 'comparing':
      notify('compare', t('Reading {0}…', message.other), 'info');
      break;
    case 'compared':
      dismiss('compare');
      showComparison(message.result, message.fresh);
      break;
    case 'adapter':
      showAdapter(message.result);
      break;
    case 'note':
      dismiss('compare');
      notify('note', message.text, message.isError ? 'warning' : 'info');
      break;
    case 'answer':
    case 'refused':
      break;
  }
}

function showReading(): void {
  root.replaceChildren(
    el('header', { class: 'head' }, el('div', { class: 'title' }, el('h1', {}, name))),
    el('p', { class: 'reading', role: 'status' }, t('Reading the header…')),
  );
}

function showFailure({ code, message }: ErrorAnswer): void {
  page = undefined;
  root.replaceChildren(
    el('header', { class: 'head' }, el('div', { class: 'title' }, el('h1', {}, name))),
    el(
      'main',
      { class: 'failure' },
      el('p', { class: 'note error', role: 'alert' }, message),
      el('p', {}, el('code', { class: 'faint' }, code)),
      button(t('Try Again'), () => channel.send({ kind: 'do', action: 'reload' })),
    ),
  );
}

function show(summary: SummaryAnswer): void {
  const tabs = new Tabs((tab) => {
    channel.tab = tab;
  });
  const context: ViewContext = {
    channel,
    summary,
    showTensor: (index) => withTensors((view) => view.showTensor(index)),
  };
  page = { context, tabs, tensors: undefined, adapter: undefined };
  putTabs(context, tabs);
  notices.replaceChildren(
    ...summary.notes.map((note) => el('p', { class: `note ${summary.complete ? 'info' : 'warning'}` }, t(note))),
  );
  root.replaceChildren(header(summary), notices, tabs.list, tabs.panels);
  const wanted = TAB_NAMES.find((tab) => tab === channel.tab && tabs.names.includes(tab));
  awaited = wanted === undefined ? awaited : undefined;
  tabs.open(wanted ?? (summary.complete ? 'summary' : 'problems'));
  requestAnimationFrame(() => channel.send({ kind: 'painted', milliseconds: performance.now() - started }));
  if (summary.format === 'safetensors') {
    void addFolderTabs(context, tabs);
  }
}

function header(summary: SummaryAnswer): HTMLElement {
  const act = (label: string, action: 'compare' | 'copyJson' | 'quantise', primary = false): HTMLElement =>
    button(label, () => channel.send({ kind: 'do', action }), { class: primary ? undefined : 'secondary' });
  return el(
    'header',
    { class: 'head' },
    el(
      'div',
      { class: 'title' },
      el('h1', { title: summary.name }, summary.name),
      el('p', { class: 'headline' }, summary.headline.join(' · ')),
    ),
    el(
      'div',
      { class: 'actions' },
      act(t('Compare with…'), 'compare'),
      act(t('Copy as JSON'), 'copyJson'),
      summary.canQuantise ? act(t('Quantise…'), 'quantise', true) : undefined,
    ),
  );
}

function putTabs(context: ViewContext, tabs: Tabs): void {
  const { counts, isAdapter, hasTemplate } = context.summary;
  tabs.put({
    name: 'summary',
    title: t('Summary'),
    make: () => summaryView(context, (type) => withTensors((view) => view.showType(type))).element,
  });
  tabs.put({
    name: 'metadata',
    title: t('Metadata'),
    badge: counted(counts.metadata),
    make: () => metadataView(context).element,
  });
  tabs.put({
    name: 'tensors',
    title: t('Tensors'),
    badge: counted(counts.tensors),
    make: () => {
      const view = tensorsView(context);
      page!.tensors = view;
      return view.element;
    },
  });
  if (counts.tokens !== undefined) {
    tabs.put({
      name: 'tokenizer',
      title: t('Tokenizer'),
      badge: counted(counts.tokens),
      make: () => tokenizerView(context).element,
    });
  }
  if (hasTemplate) {
    tabs.put({ name: 'template', title: t('Template'), make: () => templateView(context).element });
  }
  if (isAdapter) {
    tabs.put({ name: 'adapter', title: t('Adapter'), make: () => makeAdapter(context) });
  }
  tabs.put({
    name: 'problems',
    title: t('Problems'),
    badge: counts.problems === 0 ? undefined : counted(counts.problems),
    make: () => problemsView(context).element,
  });
}

/** The tokenizer and template of the folder that safetensors lie in. */
async function addFolderTabs(context: ViewContext, tabs: Tabs): Promise<void> {
  const beside = await channel.ask({ ask: 'origin' }).catch(() => undefined);
  if (beside?.hasTokenizer === true) {
    tabs.put({ name: 'tokenizer', title: t('Tokenizer'), make: () => tokenizerView(context).element });
  }
  if (beside?.hasTemplate === true) {
    tabs.put({ name: 'template', title: t('Template'), make: () => templateView(context).element });
  }
  openAwaited(tabs);
}

/** Opens the tab that was open before the page was hidden, where it came only now. */
function openAwaited(tabs: Tabs): void {
  if (awaited !== undefined && tabs.names.includes(awaited)) {
    tabs.open(awaited);
    awaited = undefined;
  }
}

function makeAdapter(context: ViewContext): HTMLElement {
  const view = adapterView(context);
  page!.adapter = view;
  return view.element;
}

function withTensors(work: (view: TensorsView) => void): void {
  page?.tabs.open('tensors');
  if (page?.tensors !== undefined) {
    work(page.tensors);
  }
}

function showComparison(result: CompareAnswer, fresh: boolean): void {
  if (page === undefined) {
    return;
  }
  const { context, tabs } = page;
  tabs.put({ name: 'compare', title: t('Compare'), make: () => compareView(context, result).element });
  if (fresh) {
    tabs.open('compare');
  }
  openAwaited(tabs);
}

function showAdapter(result: AdapterAnswer): void {
  page?.tabs.open('adapter');
  page?.adapter?.show(result);
}

function notify(id: string, text: string, kind: 'info' | 'warning', action?: HTMLElement): void {
  dismiss(id);
  notices.append(
    el(
      'div',
      { class: `note ${kind}`, id: `notice-${id}` },
      el('span', { class: 'grow' }, text),
      action,
      button(t('Dismiss'), () => dismiss(id), { class: 'link' }),
    ),
  );
}

function dismiss(id: string): void {
  document.getElementById(`notice-${id}`)?.remove();
}

channel.send({ kind: 'ready' });
