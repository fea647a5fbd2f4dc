import { TENSOR_SORTS } from '../../../core/viewer/tensorTable';
import type { TensorRowAnswer } from '../../../core/viewer/viewerProtocol';
import { button, el, searchField } from './dom';
import { Grid, shownOf, type GridRow } from './grid';
import { t } from './l10n';
import { mixChart } from './mixChart';
import type { View, ViewContext } from './view';

export interface TensorsView extends View {
  showTensor(index: number): void;
  showType(type: string): void;
}

/** All tensors: sorted, filtered, and as long as the file has them. */
export function tensorsView({ summary, channel }: ViewContext): TensorsView {
  const place = channel.place('tensors');
  const choice = {
    filter: place.filter ?? '',
    sort: TENSOR_SORTS.find((sort) => sort === place.sort) ?? 'file',
    descending: place.descending ?? false,
    onlyProblems: false,
  };
  const known = new Map<number, TensorRowAnswer>();
  const count = el('span', { class: 'count', role: 'status' });
  const detail = el('div', { class: 'detail', hidden: true, role: 'status' });
  const describe = (row: number): void => {
    const tensor = known.get(row);
    detail.hidden = tensor === undefined;
    if (tensor !== undefined) {
      const parts = [
        tensor.type,
        tensor.shape,
        tensor.bytes === '' ? tensor.size : t('{0} bytes', tensor.bytes),
        t('at {0}', tensor.offset),
      ];
      detail.replaceChildren(
        el(
          'div',
          { class: 'detail-line' },
          el('code', {}, tensor.name),
          el('span', { class: 'faint' }, parts.join(' · ')),
          button(t('Copy Name'), () => channel.send({ kind: 'copy', text: tensor.name }), { class: 'link' }),
        ),
        ...(tensor.problem === undefined ? [] : [el('p', { class: 'problem-text' }, tensor.problem)]),
      );
    }
  };
  const grid: Grid = new Grid({
    label: t('Tensors'),
    columns: [
      { title: t('Name'), width: 'minmax(12ch, 5fr)', code: true, sort: 'name' },
      { title: t('Shape'), width: 'minmax(9ch, 2fr)', align: 'end', sort: 'shape' },
      { title: t('Type'), width: 'minmax(6ch, 1fr)', sort: 'type' },
      { title: t('Size'), width: 'minmax(8ch, 1fr)', align: 'end', sort: 'size' },
      { title: t('Offset'), width: 'minmax(10ch, 1.2fr)', align: 'end', sort: 'offset' },
    ],
    fetch: async (start, rows) => {
      const page = await channel.ask({ ask: 'tensors', ...choice, start, count: rows });
      page.rows.forEach((row, at) => known.set(start + at, row));
      return { total: page.total, rows: page.rows.map(tensorRow) };
    },
    onTotal: (total) => {
      count.textContent = shownOf(total, summary.counts.tensors);
    },
    onSelect: describe,
    onScroll: (top) => channel.remember('tensors', { top }),
    sorted: () => (choice.sort === 'file' ? undefined : { sort: choice.sort, descending: choice.descending }),
    onSort: (sort) => {
      // Up, down, and back to the order of the file.
      const next =
        choice.sort !== sort
          ? { sort, descending: false }
          : choice.descending
            ? { sort: 'file', descending: false }
            : { sort, descending: true };
      choice.sort = TENSOR_SORTS.find((one) => one === next.sort) ?? 'file';
      choice.descending = next.descending;
      channel.remember('tensors', { sort: choice.sort, descending: choice.descending });
      changed();
    },
  });
  const changed = (row = 0): void => {
    known.clear();
    detail.hidden = true;
    grid.reload(row);
  };
  const search = searchField(t('Filter tensors: name, type or shape'), choice.filter, (filter) => {
    choice.filter = filter;
    channel.remember('tensors', { filter });
    changed();
  });
  const setFilter = (filter: string): void => {
    choice.filter = filter;
    channel.remember('tensors', { filter });
    search.querySelector('input')!.value = filter;
  };
  const only =
    summary.counts.problems === 0
      ? undefined
      : onlyProblems((checked) => {
          choice.onlyProblems = checked;
          changed();
        });
  const bar = el('div', { class: 'toolbar' }, search, only, count);
  const element = el(
    'div',
    { class: 'fill' },
    summary.mix.length > 1
      ? mixChart(summary.mix, (type) => {
          setFilter(type.toLowerCase());
          changed();
        })
      : undefined,
    bar,
    grid.element,
    detail,
  );
  grid.reload(place.top ?? 0);
  return {
    element,
    showTensor: (index) => {
      setFilter('');
      channel
        .ask({ ask: 'find', ...choice, filter: '', index })
        .then(({ row }) => {
          changed(Math.max(0, row));
          grid.focus();
        })
        .catch(() => changed());
    },
    showType: (type) => {
      setFilter(type.toLowerCase());
      changed();
    },
  };
}

function tensorRow({ name, shape, type, size, bytes, offset, problem }: TensorRowAnswer): GridRow {
  return {
    cells: [name, shape, type, size, offset],
    tooltips: [
      problem === undefined ? name : `${name}\n${problem}`,
      undefined,
      undefined,
      bytes === '' ? undefined : t('{0} bytes', bytes),
      undefined,
    ],
    mark: problem === undefined ? undefined : { kind: 'bad', says: t('Problem:') },
  };
}

function onlyProblems(onChange: (checked: boolean) => void): HTMLElement {
  const box = el('input', { type: 'checkbox' });
  box.addEventListener('change', () => onChange(box.checked));
  return el('label', { class: 'check' }, box, t('Only with problems'));
}
