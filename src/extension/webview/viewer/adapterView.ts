import type { AdapterAnswer, AdapterCell } from '../../../core/viewer/viewerProtocol';
import { button, el, factList, setAttributes } from './dom';
import { counted, t } from './l10n';
import type { View, ViewContext } from './view';

export interface AdapterView extends View {
  show(answer: AdapterAnswer): void;
}

/** The adapter by layer and module: one cell each, shaded by how much it changes. */
export function adapterView({ channel }: ViewContext): AdapterView {
  const element = el(
    'div',
    { class: 'scroll adapter' },
    el('p', { class: 'faint', role: 'status' }, t('Measuring the adapter…')),
  );
  const show = (answer: AdapterAnswer): void => {
    element.replaceChildren(...contents(answer, channel));
  };
  channel
    .ask({ ask: 'adapter' })
    .then(show)
    .catch((error: unknown) => {
      element.replaceChildren(
        el('p', { class: 'problem-text' }, error instanceof Error ? error.message : String(error)),
      );
    });
  return { element, show };
}

function contents(answer: AdapterAnswer, channel: ViewContext['channel']): HTMLElement[] {
  const byRatio = answer.cells.some(({ ratio }) => ratio !== undefined);
  const choose = button(
    answer.base === undefined ? t('Choose Base…') : t('Other Base…'),
    () => channel.send({ kind: 'do', action: 'chooseBase' }),
    { class: 'secondary' },
  );
  const against = byRatio
    ? t('Shaded by |ΔW|/|W| against {0}.', answer.base ?? '')
    : t('Shaded by |ΔW|. With its base beside it, the change is shown against the weights.');
  const partly =
    answer.measured < answer.modules
      ? el(
          'p',
          { class: 'faint' },
          t('{0} of {1} modules were measured.', counted(answer.measured), counted(answer.modules)),
        )
      : undefined;
  return [
    factList(answer.facts, t),
    ...answer.notes.map((note) => el('p', { class: 'note info' }, note)),
    el('div', { class: 'toolbar' }, el('span', { class: 'faint grow' }, against), choose),
    ...(answer.cells.length === 0 ? [] : [strip(answer.cells, byRatio)]),
    ...(partly === undefined ? [] : [partly]),
  ];
}

/** Modules in the order in which a layer uses them; others keep theirs, at the end. */
const ORDER = [/q_proj|attn_q\b/, /k_proj|attn_k\b/, /v_proj|attn_v\b|qkv/, /o_proj|attn_output/, /gate/, /up/, /down/];

function orderOf(module: string): number {
  const at = ORDER.findIndex((pattern) => pattern.test(module));
  return at < 0 ? ORDER.length : at;
}

function sizeOf(cell: AdapterCell, byRatio: boolean): number | undefined {
  return byRatio ? cell.ratio : cell.delta;
}

/** Rows are modules, columns layers; arrows move between cells and the figures stand below. */
function strip(cells: readonly AdapterCell[], byRatio: boolean): HTMLElement {
  const layers = [...new Set(cells.map(({ layer }) => layer))].sort((a, b) => a - b);
  const modules = [...new Set(cells.map(({ module }) => module))].sort((a, b) => orderOf(a) - orderOf(b));
  const at = new Map(cells.map((cell) => [`${cell.layer}\n${cell.module}`, cell]));
  const sizes = cells.map((cell) => sizeOf(cell, byRatio)).filter((size) => size !== undefined);
  const largest = Math.max(...sizes, 0);
  const smallest = sizes.length === 0 ? 0 : Math.min(...sizes);
  const figures = el('p', { class: 'figures', role: 'status' }, t('Point at a cell for its figures.'));
  const table = el('div', {
    class: 'strip',
    role: 'grid',
    'aria-label': t('Change by module and layer'),
    'aria-rowcount': modules.length + 1,
    'aria-colcount': layers.length + 1,
  });
  table.style.setProperty('--layers', String(layers.length));
  table.append(
    el(
      'div',
      { class: 'strip-row', role: 'row' },
      el('span', { class: 'strip-head', role: 'columnheader' }, t('Layer')),
      ...layers.map((layer, index) =>
        el(
          'span',
          { class: 'strip-layer', role: 'columnheader' },
          layer < 0 ? '–' : layers.length <= 40 || index % 5 === 0 ? String(layer) : '',
        ),
      ),
    ),
  );
  const drawn: HTMLElement[][] = modules.map((module) =>
    layers.map((layer) => cellOf(at.get(`${layer}\n${module}`), byRatio, largest, figures)),
  );
  drawn.forEach((row, index) =>
    table.append(
      el(
        'div',
        { class: 'strip-row', role: 'row' },
        el('span', { class: 'strip-head', role: 'rowheader', title: modules[index] }, modules[index]),
        ...row,
      ),
    ),
  );
  setAttributes(drawn[0]![0]!, { tabindex: 0 });
  table.addEventListener('keydown', (event) => move(event, drawn));
  const legend = el(
    'div',
    { class: 'strip-legend', 'aria-hidden': 'true' },
    el('span', {}, figure(smallest)),
    el('span', { class: 'ramp' }),
    el('span', {}, figure(largest)),
  );
  return el('section', {}, table, legend, figures);
}

function cellOf(cell: AdapterCell | undefined, byRatio: boolean, largest: number, figures: HTMLElement): HTMLElement {
  if (cell === undefined) {
    return el('span', { class: 'cell absent', role: 'gridcell', tabindex: -1, 'aria-label': t('not changed') });
  }
  const size = sizeOf(cell, byRatio);
  const says = [
    cell.name,
    t('rank {0}', cell.rank),
    t('scale {0}', Number(cell.scale.toPrecision(4))),
    cell.delta === undefined ? undefined : `|ΔW| ${figure(cell.delta)}`,
    cell.ratio === undefined ? undefined : `|ΔW|/|W| ${figure(cell.ratio)}`,
    cell.problem,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
  const element = el('span', {
    class: `cell${size === undefined ? ' unknown' : ''}`,
    role: 'gridcell',
    tabindex: -1,
    'aria-label': says,
    title: says,
  });
  if (size !== undefined) {
    const shade = el('span', { class: 'shade', 'aria-hidden': 'true' });
    shade.style.opacity = String(largest === 0 ? 0 : 0.08 + 0.92 * (size / largest));
    element.append(shade);
  }
  const tell = (): void => {
    figures.textContent = says;
  };
  element.addEventListener('focus', tell);
  element.addEventListener('mouseenter', tell);
  return element;
}

function move(event: KeyboardEvent, cells: readonly (readonly HTMLElement[])[]): void {
  const row = cells.findIndex((line) => line.includes(event.target as HTMLElement));
  const column = row < 0 ? -1 : cells[row]!.indexOf(event.target as HTMLElement);
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowRight: [row, column + 1],
    ArrowLeft: [row, column - 1],
    ArrowDown: [row + 1, column],
    ArrowUp: [row - 1, column],
    Home: [row, 0],
    End: [row, (cells[row]?.length ?? 1) - 1],
  };
  const to = steps[event.key];
  const next = to === undefined || row < 0 ? undefined : cells[to[0]]?.[to[1]];
  if (next !== undefined) {
    event.preventDefault();
    setAttributes(event.target as HTMLElement, { tabindex: -1 });
    setAttributes(next, { tabindex: 0 });
    next.focus();
  }
}

function figure(value: number): string {
  return value === 0 ? '0' : String(Number(value.toPrecision(3)));
}
