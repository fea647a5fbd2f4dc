import { DIFFERENCE_PARTS, type CompareAnswer, type DifferenceRowAnswer } from '../../../core/viewer/viewerProtocol';
import { button, el, searchField, setAttributes } from './dom';
import { Grid, shownOf } from './grid';
import { counted, t } from './l10n';
import type { View, ViewContext } from './view';

type Part = (typeof DIFFERENCE_PARTS)[number];

/** How this file and another differ: keys and tensors, and on request the values of a tensor. */
export function compareView({ channel }: ViewContext, result: CompareAnswer): View {
  const choice: { part: Part; filter: string } = {
    part: hasDifferences(result.tensors) && !hasDifferences(result.metadata) ? 'tensors' : 'metadata',
    filter: '',
  };
  const known = new Map<number, DifferenceRowAnswer>();
  const count = el('span', { class: 'count', role: 'status' });
  const detail = el('div', { class: 'detail', hidden: true, role: 'status' });
  const all = (): number => Object.values(result[choice.part]).reduce((sum, each) => sum + each, 0);
  const grid: Grid = new Grid({
    label: t('Differences'),
    columns: [
      { title: t('Difference'), width: 'minmax(11ch, 0.8fr)' },
      { title: t('Name'), width: 'minmax(14ch, 2fr)', code: true },
      { title: result.name, width: 'minmax(12ch, 2fr)', code: true },
      { title: result.other, width: 'minmax(12ch, 2fr)', code: true },
    ],
    fetch: async (start, rows) => {
      const page = await channel.ask({ ask: 'differences', ...choice, start, count: rows });
      page.rows.forEach((row, at) => known.set(start + at, row));
      return {
        total: page.total,
        rows: page.rows.map((row) => ({
          cells: [kindText(row.kind), row.name, row.here, row.there],
          mark: row.kind === 'same' ? { kind: 'same', says: '' } : { kind: 'differs', says: '' },
        })),
      };
    },
    onTotal: (total) => {
      count.textContent = shownOf(total, all());
    },
    onSelect: (row) => describe(known.get(row)),
  });
  const describe = (row: DifferenceRowAnswer | undefined): void => {
    detail.hidden = row === undefined;
    if (row === undefined) {
      return;
    }
    const figures = el('p', { class: 'figures', role: 'status' });
    const both = choice.part === 'tensors' && (row.kind === 'same' || row.kind === 'different');
    detail.replaceChildren(
      el(
        'div',
        { class: 'detail-line' },
        el('code', {}, row.name),
        el('span', { class: 'faint' }, kindText(row.kind)),
        both ? button(t('Compare Values'), () => compareValues(row.index, figures), { class: 'link' }) : undefined,
      ),
      ...(choice.part === 'metadata'
        ? [
            el(
              'dl',
              { class: 'sides' },
              el('dt', {}, result.name),
              el('dd', {}, row.here === '' ? '–' : row.here),
              el('dt', {}, result.other),
              el('dd', {}, row.there === '' ? '–' : row.there),
            ),
          ]
        : [figures]),
    );
  };
  const compareValues = (index: number, figures: HTMLElement): void => {
    figures.textContent = t('Reading both…');
    channel
      .ask({ ask: 'values', index })
      .then(({ text }) => {
        figures.textContent = text;
      })
      .catch((error: unknown) => {
        figures.textContent = error instanceof Error ? error.message : String(error);
      });
  };
  const reload = (): void => {
    known.clear();
    detail.hidden = true;
    grid.reload();
  };
  const parts = DIFFERENCE_PARTS.map((part) => {
    const choose = button(
      `${part === 'metadata' ? t('Metadata') : t('Tensors')}: ${countsText(result[part])}`,
      () => {
        choice.part = part;
        parts.forEach((other) => setAttributes(other, { 'aria-pressed': other === choose ? 'true' : 'false' }));
        reload();
      },
      { class: 'part', 'aria-pressed': part === choice.part ? 'true' : 'false' },
    );
    return choose;
  });
  const search = searchField(t('Filter by name'), '', (filter) => {
    choice.filter = filter;
    reload();
  });
  reload();
  const lead = el('p', { class: 'lead' }, `${result.other}: ${result.otherHeadline.join(' · ')}`);
  return {
    element: el(
      'div',
      { class: 'fill' },
      lead,
      el(
        'div',
        { class: 'toolbar' },
        el('div', { class: 'parts', role: 'group', 'aria-label': t('Part') }, ...parts),
        search,
        count,
      ),
      grid.element,
      detail,
    ),
  };
}

function hasDifferences(counts: CompareAnswer['tensors']): boolean {
  return counts.different + counts.onlyHere + counts.onlyThere > 0;
}

function countsText({ same, different, onlyHere, onlyThere }: CompareAnswer['tensors']): string {
  if (different + onlyHere + onlyThere === 0) {
    return t('all {0} the same', counted(same));
  }
  const parts = [
    different === 0 ? '' : t('{0} differ', counted(different)),
    onlyHere === 0 ? '' : t('{0} only here', counted(onlyHere)),
    onlyThere === 0 ? '' : t('{0} only there', counted(onlyThere)),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function kindText(kind: DifferenceRowAnswer['kind']): string {
  return { same: t('same'), different: t('different'), onlyHere: t('only here'), onlyThere: t('only there') }[kind];
}
