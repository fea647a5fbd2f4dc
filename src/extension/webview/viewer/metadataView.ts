import type { MetadataRowAnswer } from '../../../core/viewer/viewerProtocol';
import { button, el, searchField } from './dom';
import { Grid, shownOf } from './grid';
import { t } from './l10n';
import type { View, ViewContext } from './view';

/** The keys of the header; one that is opened shows its whole value below. */
export function metadataView({ summary, channel }: ViewContext): View {
  const place = channel.place('metadata');
  let filter = place.filter ?? '';
  const known = new Map<number, MetadataRowAnswer>();
  const count = el('span', { class: 'count', role: 'status' });
  const value = el('section', { class: 'value', hidden: true, 'aria-live': 'polite' });
  const close = (): void => {
    value.hidden = true;
    grid.focus();
  };
  const open = (row: number): void => {
    const entry = known.get(row);
    if (entry !== undefined) {
      value.hidden = false;
      void showValue(entry, value, close, channel);
    }
  };
  const grid: Grid = new Grid({
    label: t('Metadata'),
    columns: [
      { title: t('Key'), width: 'minmax(14ch, 2fr)', code: true },
      { title: t('Type'), width: 'minmax(8ch, 0.7fr)' },
      { title: t('Value'), width: 'minmax(14ch, 3fr)', code: true },
    ],
    fetch: async (start, rows) => {
      const page = await channel.ask({ ask: 'metadata', filter, start, count: rows });
      page.rows.forEach((row, at) => known.set(start + at, row));
      return {
        total: page.total,
        rows: page.rows.map(({ key, type, preview, more }) => ({
          cells: [key, type, preview === '' && more ? t('Open to see the elements') : preview],
        })),
      };
    },
    onTotal: (total) => {
      count.textContent = shownOf(total, summary.counts.metadata);
    },
    onOpen: open,
    onScroll: (top) => channel.remember('metadata', { top }),
  });
  const search = searchField(t('Filter metadata: key or value'), filter, (text) => {
    filter = text;
    channel.remember('metadata', { filter });
    known.clear();
    grid.reload();
  });
  grid.reload(place.top ?? 0);
  value.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      close();
    }
  });
  return { element: el('div', { class: 'fill' }, el('div', { class: 'toolbar' }, search, count), grid.element, value) };
}

async function showValue(
  entry: MetadataRowAnswer,
  place: HTMLElement,
  close: () => void,
  channel: ViewContext['channel'],
): Promise<void> {
  const heading = el(
    'header',
    { class: 'value-head' },
    el('code', {}, entry.key),
    el('span', { class: 'faint' }, entry.type),
  );
  const tools = el('span', { class: 'value-tools' });
  heading.append(tools);
  place.replaceChildren(heading);
  const closer = button(t('Close'), close, { class: 'link' });
  try {
    const first = await channel.ask({ ask: 'value', index: entry.index, start: 0, count: 100 });
    if (first.isText || first.total === 1) {
      const text = first.rows[0] ?? '';
      tools.append(
        button(t('Copy'), () => channel.send({ kind: 'copy', text }), { class: 'link' }),
        closer,
      );
      place.append(
        el('pre', { class: 'text', tabindex: 0 }, text),
        ...(first.cut ? [el('p', { class: 'faint' }, t('Only its beginning is shown.'))] : []),
      );
      return;
    }
    tools.append(closer);
    const elements = new Grid({
      label: entry.key,
      columns: [
        { title: t('Index'), width: 'minmax(8ch, 0.2fr)', align: 'end' },
        { title: t('Element'), width: '1fr', code: true },
      ],
      fetch: async (start, count) => {
        const page = start === 0 ? first : await channel.ask({ ask: 'value', index: entry.index, start, count });
        return { total: page.total, rows: page.rows.map((text, at) => ({ cells: [String(start + at), text] })) };
      },
    });
    place.append(elements.element);
    elements.reload();
    elements.focus();
  } catch (error) {
    tools.append(closer);
    place.append(el('p', { class: 'problem-text' }, error instanceof Error ? error.message : String(error)));
  }
}
