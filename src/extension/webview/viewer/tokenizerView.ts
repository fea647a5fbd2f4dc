import { TRIAL_UNITS, VOCABULARY_KINDS, type AnswerOf, type TokenAnswer } from '../../../core/viewer/viewerProtocol';
import { el, searchField, setAttributes } from './dom';
import { Grid, shownOf } from './grid';
import { counted, t } from './l10n';
import type { View, ViewContext } from './view';

/** Shades of neighbouring tokens, in turn. */
const SHADES = 4;
const SAMPLE = 'How wide is the field? It is 68 metres wide.';

/** The vocabulary: searched, and tried on a text. */
export function tokenizerView({ summary, channel }: ViewContext): View {
  const place = channel.place('tokenizer');
  const choice = {
    filter: place.filter ?? '',
    kind: VOCABULARY_KINDS.find((kind) => kind === place.kind) ?? ('all' as const),
  };
  const facts = el('p', { class: 'lead' });
  const count = el('span', { class: 'count', role: 'status' });
  const kinds = el('select', { 'aria-label': t('Kind of token') });
  let all = summary.counts.tokens ?? 0;
  const grid: Grid = new Grid({
    label: t('Vocabulary'),
    columns: [
      { title: t('Id'), width: 'minmax(7ch, 0.4fr)', align: 'end' },
      { title: t('Text'), width: 'minmax(10ch, 2fr)', code: true },
      { title: t('As stored'), width: 'minmax(10ch, 2fr)', code: true },
      { title: t('Kind'), width: 'minmax(10ch, 1fr)' },
      ...(summary.hasScores ? [{ title: t('Score'), width: 'minmax(8ch, 0.7fr)', align: 'end' as const }] : []),
    ],
    fetch: async (start, rows) => {
      const page = await channel.ask({ ask: 'vocabulary', ...choice, start, count: rows });
      all = page.kinds.reduce((sum, { count: each }) => sum + each, 0);
      describe(page);
      return {
        total: page.total,
        rows: page.rows.map(({ id, text, stored, kind, score }) => ({
          cells: [
            String(id),
            visible(text),
            stored,
            t(kind),
            score === undefined ? '' : String(Number(score.toPrecision(6))),
          ],
          mark: kind === 'control' || kind === 'user-defined' ? { kind: 'special', says: t('Special:') } : undefined,
        })),
      };
    },
    onTotal: (total) => {
      count.textContent = shownOf(total, all);
    },
    onFailure: (error) => {
      facts.textContent = error.message;
      trial.element.hidden = true;
    },
  });
  const describe = (page: AnswerOf<'vocabulary'>): void => {
    const special = page.special.map(({ role, id, text }) => `${role} ${text} (${id})`);
    facts.textContent = [
      page.model === 'gpt2' ? t('Byte pair encoding') : page.model === 'llama' ? 'SentencePiece' : page.model,
      page.pre,
      t('{0} tokens', counted(all)),
      page.merges === 0 ? '' : t('{0} merges', counted(page.merges)),
      ...special,
    ]
      .filter((part) => part !== '')
      .join(' · ');
    if (kinds.options.length === 0) {
      kinds.append(
        el('option', { value: 'all' }, t('All kinds')),
        ...page.kinds.map(({ kind, count: each }) => el('option', { value: kind }, `${t(kind)} (${counted(each)})`)),
      );
      kinds.value = choice.kind;
    }
    trial.refuse(page.refusal);
  };
  const trial = trialBox(channel, place.text ?? SAMPLE);
  const reload = (): void => {
    channel.remember('tokenizer', { filter: choice.filter, kind: choice.kind });
    grid.reload();
  };
  const search = searchField(t('Search tokens: text or id'), choice.filter, (filter) => {
    choice.filter = filter;
    reload();
  });
  kinds.addEventListener('change', () => {
    choice.kind = VOCABULARY_KINDS.find((kind) => kind === kinds.value) ?? 'all';
    reload();
  });
  grid.reload();
  return {
    element: el(
      'div',
      { class: 'fill' },
      facts,
      trial.element,
      el('div', { class: 'toolbar' }, search, kinds, count),
      grid.element,
    ),
  };
}

interface TrialBox {
  readonly element: HTMLElement;
  refuse(reason: string | undefined): void;
}

/** A text and the tokens that the model sees of it. */
function trialBox(channel: ViewContext['channel'], text: string): TrialBox {
  const input = el('textarea', {
    rows: 2,
    maxlength: TRIAL_UNITS,
    'aria-label': t('Text to tokenise'),
    placeholder: t('Type a text to see its tokens'),
    spellcheck: 'false',
  });
  input.value = text;
  const total = el('span', { class: 'count', role: 'status' });
  const tokens = el('ol', { class: 'tokens', 'aria-label': t('Tokens') });
  let version = 0;
  const run = (): void => {
    const mine = ++version;
    channel.remember('tokenizer', { text: input.value });
    channel
      .ask({ ask: 'tokenise', text: input.value })
      .then((answer) => {
        if (mine === version) {
          total.textContent = t(
            '{0} characters, {1} tokens',
            counted(Array.from(input.value).length),
            counted(answer.total),
          );
          tokens.replaceChildren(...answer.tokens.map(tokenChip));
        }
      })
      .catch((error: unknown) => {
        total.textContent = error instanceof Error ? error.message : String(error);
      });
  };
  let timer: number | undefined;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(run, 120);
  });
  run();
  const refusal = el('p', { class: 'note info', hidden: true });
  const box = el('div', { class: 'trial-box' }, input, el('div', { class: 'trial-result' }, tokens, total));
  return {
    element: el('section', { class: 'trial' }, refusal, box),
    refuse: (reason) => {
      refusal.hidden = reason === undefined;
      refusal.textContent = reason ?? '';
      box.hidden = reason !== undefined;
    },
  };
}

function tokenChip(token: TokenAnswer, at: number): HTMLElement {
  const special = token.kind === 'control' || token.kind === 'user-defined' || token.kind === 'unknown';
  const says = [
    t('token {0}', token.id),
    special || token.kind === 'byte' ? t(token.kind) : '',
    token.added ? t('added by the runtime') : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
  const chip = el('li', {
    class: `token shade-${at % SHADES}${special ? ' special' : ''}${token.added ? ' added' : ''}`,
    title: says,
  });
  setAttributes(chip, { 'aria-label': `${token.text}: ${says}` });
  chip.append(visible(token.text));
  return chip;
}

/** Spaces at the ends of a token are a part of it. */
function visible(text: string): string {
  return text.replace(/^ +| +$/g, (spaces) => '·'.repeat(spaces.length));
}
