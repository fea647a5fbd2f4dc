import { TAB_NAMES, type TabName } from '../../../core/viewer/viewerProtocol';
import { el, setAttributes } from './dom';

export interface Tab {
  readonly name: TabName;
  readonly title: string;
  readonly badge?: string | undefined;
  /** Called once, when the tab is first opened. */
  readonly make: () => HTMLElement;
}

/** Tabs by the pattern of the ARIA practices: arrows, Home and End move, panels are made when they are first shown. */
export class Tabs {
  readonly list = el('div', { class: 'tabs', role: 'tablist' });
  readonly panels = el('div', { class: 'panels' });
  readonly #tabs = new Map<
    TabName,
    { readonly tab: Tab; readonly button: HTMLElement; panel: HTMLElement | undefined }
  >();
  #current: TabName | undefined;

  constructor(private readonly onOpen: (name: TabName) => void) {
    this.list.addEventListener('keydown', (event) => this.#key(event));
  }

  get names(): readonly TabName[] {
    return TAB_NAMES.filter((name) => this.#tabs.has(name));
  }

  /** Adds a tab at its place, or puts a new one in the place of the old. */
  put(tab: Tab): void {
    const old = this.#tabs.get(tab.name);
    const button = el(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-${tab.name}`,
        'aria-controls': `panel-${tab.name}`,
        'aria-selected': 'false',
        tabindex: -1,
      },
      el('span', {}, tab.title),
      tab.badge === undefined ? undefined : el('span', { class: 'badge' }, tab.badge),
    );
    button.addEventListener('click', () => this.open(tab.name));
    old?.panel?.remove();
    this.#tabs.set(tab.name, { tab, button, panel: undefined });
    this.list.replaceChildren(...this.names.map((name) => this.#tabs.get(name)!.button));
    if (this.#current === tab.name) {
      this.open(tab.name);
    }
  }

  open(name: TabName, focus = false): void {
    const wanted = this.#tabs.get(name);
    if (wanted === undefined) {
      return;
    }
    this.#current = name;
    if (wanted.panel === undefined) {
      wanted.panel = el('div', {
        class: 'panel',
        role: 'tabpanel',
        id: `panel-${name}`,
        'aria-labelledby': `tab-${name}`,
      });
      this.panels.append(wanted.panel);
      wanted.panel.append(wanted.tab.make());
    }
    for (const [other, { button, panel }] of this.#tabs) {
      const chosen = other === name;
      setAttributes(button, { 'aria-selected': chosen ? 'true' : 'false', tabindex: chosen ? 0 : -1 });
      if (panel !== undefined) {
        panel.hidden = !chosen;
      }
    }
    wanted.button.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (focus) {
      wanted.button.focus();
    }
    this.onOpen(name);
  }

  #key(event: KeyboardEvent): void {
    const { names } = this;
    const at = this.#current === undefined ? 0 : names.indexOf(this.#current);
    const moves: Readonly<Record<string, number>> = {
      ArrowRight: (at + 1) % names.length,
      ArrowLeft: (at + names.length - 1) % names.length,
      Home: 0,
      End: names.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.open(names[to]!, true);
    }
  }
}
