import { el, setAttributes } from './dom';
import { counted, t } from './l10n';

export interface GridColumn {
  readonly title: string;
  /** CSS track. */
  readonly width: string;
  readonly align?: 'end' | undefined;
  readonly code?: boolean | undefined;
  /** What the column sorts by, where it does. */
  readonly sort?: string | undefined;
}

export interface GridRow {
  readonly cells: readonly string[];
  readonly tooltips?: readonly (string | undefined)[] | undefined;
  /** A CSS class, with what it says in words for those who do not see it. */
  readonly mark?: { readonly kind: string; readonly says: string } | undefined;
}

export interface GridOptions {
  readonly label: string;
  readonly columns: readonly GridColumn[];
  /** A page of rows; `total` counts all of them. */
  readonly fetch: (
    start: number,
    count: number,
  ) => Promise<{ readonly total: number; readonly rows: readonly GridRow[] }>;
  readonly onOpen?: ((row: number) => void) | undefined;
  readonly onSelect?: ((row: number) => void) | undefined;
  readonly onSort?: ((sort: string) => void) | undefined;
  readonly onScroll?: ((top: number) => void) | undefined;
  readonly onTotal?: ((total: number) => void) | undefined;
  readonly onFailure?: ((error: Error) => void) | undefined;
  readonly sorted?: () => { readonly sort: string; readonly descending: boolean } | undefined;
}

const ROW_HEIGHT = 24;
const PAGE = 100;
/** Browsers lay out no element beyond some 33 million pixels; longer lists scroll in proportion. */
const MAX_PIXELS = 8_000_000;
const CACHED_PAGES = 60;
let grids = 0;

/** A table of any length of which only the rows in sight exist; the rows come page by page. */
export class Grid {
  readonly element: HTMLElement;
  readonly #options: GridOptions;
  readonly #id = `grid-${grids++}`;
  readonly #header: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #spacer: HTMLElement;
  readonly #rows: HTMLElement;
  readonly #empty: HTMLElement;
  #pages = new Map<number, readonly GridRow[] | 'coming'>();
  #total = 0;
  #active = 0;
  #version = 0;
  #frame = 0;

  constructor(options: GridOptions) {
    this.#options = options;
    // The head is bold, and its digits wider: widths in `em` are the same in both.
    const tracks = options.columns
      .map(({ width }) => width.replace(/([\d.]+)ch/g, (_, digits: string) => `${Number(digits) * 0.62}em`))
      .join(' ');
    this.#header = el('div', { class: 'grid-row grid-header', role: 'row', 'aria-rowindex': 1 });
    this.#rows = el('div', { class: 'grid-rows', role: 'presentation' });
    this.#spacer = el('div', { class: 'grid-spacer', role: 'presentation' });
    this.#empty = el('p', { class: 'grid-empty', hidden: true, role: 'status' });
    this.#scroller = el('div', { class: 'grid-body', role: 'rowgroup' }, this.#spacer, this.#rows);
    this.element = el(
      'div',
      {
        class: 'grid',
        role: 'grid',
        tabindex: 0,
        'aria-label': options.label,
        'aria-colcount': options.columns.length,
        'aria-readonly': 'true',
      },
      this.#header,
      this.#scroller,
      this.#empty,
    );
    this.element.style.setProperty('--columns', tracks);
    this.#drawHeader();
    this.#scroller.addEventListener(
      'scroll',
      () => {
        this.#schedule();
        options.onScroll?.(this.#firstRow());
      },
      { passive: true },
    );
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.#rows.addEventListener('click', (event) => this.#click(event));
    new ResizeObserver(() => this.#schedule()).observe(this.#scroller);
  }

  /** Forgets all rows and asks for them anew, from `row` on. */
  reload(row = 0): void {
    this.#version++;
    this.#pages = new Map();
    this.#active = row;
    this.#drawHeader();
    void this.#fetch(Math.floor(row / PAGE), () => this.#scrollTo(row, 'start'));
  }

  /** Makes a row the active one and brings it into sight. */
  reveal(row: number): void {
    this.#active = Math.max(0, Math.min(this.#total - 1, row));
    this.#scrollTo(this.#active, 'nearest');
    this.#draw();
  }

  focus(): void {
    this.element.focus();
  }

  #drawHeader(): void {
    const sorted = this.#options.sorted?.();
    this.#header.replaceChildren(
      ...this.#options.columns.map((column, index) => {
        const direction =
          column.sort !== undefined && sorted?.sort === column.sort
            ? sorted.descending
              ? 'descending'
              : 'ascending'
            : 'none';
        const cell = el('div', {
          class: `grid-cell${column.align === 'end' ? ' end' : ''}`,
          role: 'columnheader',
          'aria-colindex': index + 1,
          'aria-sort': column.sort === undefined ? undefined : direction,
        });
        if (column.sort === undefined) {
          cell.append(column.title);
        } else {
          const { sort } = column;
          const sorter = el(
            'button',
            { type: 'button', class: 'sorter', title: t('Sort by {0}', column.title) },
            el('span', {}, column.title),
            direction === 'none'
              ? undefined
              : el('span', { class: 'arrow', 'aria-hidden': 'true' }, direction === 'ascending' ? '▲' : '▼'),
          );
          sorter.addEventListener('click', () => this.#options.onSort?.(sort));
          cell.append(sorter);
        }
        return cell;
      }),
    );
  }

  /** Pixels of the whole list, and how many a row takes in it. */
  #height(): number {
    return Math.min(MAX_PIXELS, this.#total * ROW_HEIGHT);
  }

  #visibleRows(): number {
    return Math.max(1, Math.floor(this.#scroller.clientHeight / ROW_HEIGHT));
  }

  #firstRow(): number {
    const room = this.#height() - this.#scroller.clientHeight;
    if (this.#height() < MAX_PIXELS) {
      return Math.floor(this.#scroller.scrollTop / ROW_HEIGHT);
    }
    return Math.round((this.#scroller.scrollTop / Math.max(1, room)) * Math.max(0, this.#total - this.#visibleRows()));
  }

  #scrollTo(row: number, where: 'start' | 'nearest'): void {
    const first = this.#firstRow();
    const visible = this.#visibleRows();
    if (where === 'nearest' && row >= first && row < first + visible) {
      return;
    }
    const top = where === 'start' || row < first ? row : row - visible + 1;
    const room = this.#height() - this.#scroller.clientHeight;
    this.#scroller.scrollTop =
      this.#height() < MAX_PIXELS ? top * ROW_HEIGHT : (top / Math.max(1, this.#total - visible)) * room;
  }

  #schedule(): void {
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw();
      });
    }
  }

  #row(index: number): GridRow | undefined {
    const page = this.#pages.get(Math.floor(index / PAGE));
    return page === undefined || page === 'coming' ? undefined : page[index % PAGE];
  }

  #draw(): void {
    const first = Math.max(0, this.#firstRow());
    const count = Math.min(this.#visibleRows() + 2, this.#total - first);
    const offset = this.#height() < MAX_PIXELS ? first * ROW_HEIGHT : this.#scroller.scrollTop;
    this.#rows.style.transform = `translateY(${offset}px)`;
    const rows: HTMLElement[] = [];
    for (let index = first; index < first + count; index++) {
      rows.push(this.#drawRow(index, this.#row(index)));
    }
    this.#rows.replaceChildren(...rows);
    setAttributes(this.element, {
      'aria-activedescendant': this.#total === 0 ? undefined : `${this.#id}-${this.#active}`,
    });
    for (let page = Math.floor(first / PAGE); page <= Math.floor((first + Math.max(0, count - 1)) / PAGE); page++) {
      if (count > 0 && !this.#pages.has(page)) {
        void this.#fetch(page);
      }
    }
  }

  #drawRow(index: number, row: GridRow | undefined): HTMLElement {
    const marks = row?.mark === undefined ? '' : ` ${row.mark.kind}`;
    const element = el('div', {
      class: `grid-row${marks}${row === undefined ? ' coming' : ''}`,
      role: 'row',
      id: `${this.#id}-${index}`,
      'aria-rowindex': index + 2,
      'aria-selected': index === this.#active ? 'true' : 'false',
    });
    this.#options.columns.forEach((column, at) => {
      const text = row?.cells[at] ?? '';
      const says =
        at === 0 && row?.mark !== undefined ? el('span', { class: 'unseen' }, `${row.mark.says} `) : undefined;
      element.append(
        el(
          'div',
          {
            class: `grid-cell${column.align === 'end' ? ' end' : ''}${column.code === true ? ' code' : ''}`,
            role: 'gridcell',
            'aria-colindex': at + 1,
            title: row?.tooltips?.[at] ?? text,
          },
          says,
          text,
        ),
      );
    });
    return element;
  }

  async #fetch(page: number, then?: () => void): Promise<void> {
    const version = this.#version;
    this.#pages.set(page, 'coming');
    try {
      const answer = await this.#options.fetch(page * PAGE, PAGE);
      if (version !== this.#version) {
        return;
      }
      this.#keep(page, answer.rows);
      this.#setTotal(answer.total);
      then?.();
      this.#draw();
    } catch (error) {
      if (version === this.#version && error instanceof Error) {
        this.#pages.delete(page);
        this.#options.onFailure?.(error);
        this.#empty.textContent = error.message;
        this.#empty.hidden = false;
      }
    }
  }

  #keep(page: number, rows: readonly GridRow[]): void {
    this.#pages.set(page, rows);
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= CACHED_PAGES) {
        break;
      }
      if (old !== page) {
        this.#pages.delete(old);
      }
    }
  }

  #setTotal(total: number): void {
    this.#total = total;
    this.#active = Math.max(0, Math.min(this.#active, total - 1));
    this.#spacer.style.height = `${this.#height()}px`;
    this.#empty.textContent = t('Nothing matches.');
    this.#empty.hidden = total > 0;
    setAttributes(this.element, { 'aria-rowcount': total + 1 });
    this.#options.onTotal?.(total);
  }

  #click(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest('.grid-row') : null;
    const index = row === null ? NaN : Number(row.id.slice(this.#id.length + 1));
    if (Number.isInteger(index)) {
      this.#activate(index);
      this.#options.onOpen?.(index);
    }
  }

  #activate(row: number): void {
    this.reveal(row);
    this.#options.onSelect?.(this.#active);
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.element || event.altKey || event.metaKey) {
      return;
    }
    const page = Math.max(1, this.#visibleRows() - 1);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: this.#active + 1,
      ArrowUp: this.#active - 1,
      PageDown: this.#active + page,
      PageUp: this.#active - page,
      Home: 0,
      End: this.#total - 1,
    };
    const move = moves[event.key];
    if (move !== undefined) {
      event.preventDefault();
      this.#activate(move);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#options.onOpen?.(this.#active);
    }
  }
}

/** `46`, or `12 of 46` where a filter hides some. */
export function shownOf(shown: number, all: number): string {
  return shown === all ? counted(all) : t('{0} of {1}', counted(shown), counted(all));
}
