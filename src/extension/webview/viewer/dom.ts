type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * An element with attributes and children. Text becomes text nodes: nothing from a file is ever parsed as HTML. `true` sets an empty
 * attribute, `false` and undefined leave it out.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

export function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) {
      element.removeAttribute(name);
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
}

/** A button that does something. */
export function button(label: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const element = el('button', { type: 'button', ...attributes }, label);
  element.addEventListener('click', onClick);
  return element;
}

let labels = 0;

/** A filter with its label; `onInput` comes when typing pauses. */
export function searchField(label: string, value: string, onInput: (value: string) => void): HTMLElement {
  const id = `field-${labels++}`;
  const input = el('input', {
    id,
    type: 'search',
    placeholder: label,
    'aria-label': label,
    spellcheck: 'false',
    autocomplete: 'off',
    maxlength: 500,
  });
  input.value = value;
  let timer: number | undefined;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => onInput(input.value), 120);
  });
  return el('div', { class: 'search' }, input);
}

/** A definition list of facts. */
export function factList(
  facts: readonly { readonly label: string; readonly value: string }[],
  translate: (text: string) => string,
): HTMLElement {
  return el(
    'dl',
    { class: 'facts' },
    ...facts.map(({ label, value }) =>
      el('div', {}, el('dt', {}, translate(label)), el('dd', { title: value }, value)),
    ),
  );
}
