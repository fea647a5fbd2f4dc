import { CompletionItemKind, InsertTextFormat, type CompletionItem } from 'vscode-languageserver-types';
import type { ModelfileValue } from '../../../src/core/modelfile/modelfileTypes';
import {
  fieldsOf,
  templateScopes,
  typeTitle,
  type ScopeArea,
  type ScopeType,
} from '../../../src/core/modelfile/templateScope';
import { parseTemplateTolerantly } from '../../../src/core/goTemplate/parseTemplate';
import { FIELD_DOCUMENTATION, FUNCTION_DOCUMENTATION, TEMPLATE_KEYWORDS } from './documentation';
import { markdown } from './markdown';
import type { ModelfileDocument } from './modelfileDocument';

/** What could stand at a place of a TEMPLATE: fields of what dot is there, variables, functions, words. */
export function completeTemplate(
  document: ModelfileDocument,
  value: ModelfileValue,
  index: number,
  offset: number,
): CompletionItem[] {
  const text = value.text;
  const before = text.slice(Math.max(0, index - 2000), index);
  const open = before.lastIndexOf('{{');
  if (open < 0 || before.indexOf('}}', open) >= 0) {
    return outside(document, before, offset);
  }
  const action = before.slice(open + 2);
  const name = /^-?\s*template\s+"([^"\\]*)$/.exec(action)?.[1];
  if (name !== undefined) {
    return partNames(text).map((part) =>
      item(document, offset - name.length, offset, part, part, CompletionItemKind.Function, { detail: 'named part' }),
    );
  }
  if (/^-?\s*\/\*/.test(action) || isInString(action)) {
    return [];
  }
  const area = areaAt(document, value, index);
  const chain = /(\$\w*|\)|)((?:\.\w*)+)$/.exec(action);
  if (chain !== null) {
    const parts = (chain[2] ?? '').slice(1).split('.');
    const typed = parts.pop() ?? '';
    const owner = chain[1] === ')' ? ownerByParsing(text, index) : ownerOf(chain[1] ?? '', parts, area);
    return fields(document, owner, offset - typed.length, offset);
  }
  const variable = /\$\w*$/.exec(action);
  if (variable !== null) {
    return [...area.variables.keys()].map((name) =>
      item(document, offset - variable[0].length, offset, name, name, CompletionItemKind.Variable, {}),
    );
  }
  const word = /[A-Za-z]*$/.exec(action)?.[0] ?? '';
  const start = offset - word.length;
  const isFirst = /^-?\s*(?:else\s+)?[A-Za-z]*$/.test(action);
  return [
    ...(isFirst
      ? [...TEMPLATE_KEYWORDS].map(([name, text]) =>
          item(document, start, offset, name, name, CompletionItemKind.Keyword, { documentation: markdown(text) }),
        )
      : []),
    ...[...FUNCTION_DOCUMENTATION].map(([name, { signature, text }]) =>
      item(document, start, offset, name, name, CompletionItemKind.Function, {
        detail: signature,
        documentation: markdown(text),
      }),
    ),
    ...fields(document, area.dot, start, offset, '.'),
  ];
}

function item(
  document: ModelfileDocument,
  start: number,
  end: number,
  label: string,
  newText: string,
  kind: CompletionItemKind,
  more: Partial<CompletionItem>,
): CompletionItem {
  return { label, kind, filterText: label, textEdit: { range: document.range({ start, end }), newText }, ...more };
}

/** Whether the text of an action so far ends within a string. */
function isInString(action: string): boolean {
  let quote = '';
  for (let i = 0; i < action.length; i += 1) {
    const char = action[i] ?? '';
    if (quote === '') {
      quote = char === '"' || char === '`' ? char : '';
    } else if (char === '\\' && quote === '"') {
      i += 1;
    } else if (char === quote) {
      quote = '';
    }
  }
  return quote !== '';
}

function areaAt(document: ModelfileDocument, value: ModelfileValue, index: number): ScopeArea {
  const { text } = value;
  // A TEMPLATE that another one takes the place of has scopes, too.
  const { areas } =
    document.template?.entry.value === value ? document.template.scopes : templateScopes(parseTemplateTolerantly(text));
  const found = areas.filter(({ start, end }) => start <= index && index <= end).at(-1);
  return found ?? { start: 0, end: text.length, dot: 'root', variables: new Map([['$', 'root']]) };
}

/** Names that `define` and `block` give. */
function partNames(text: string): string[] {
  return parseTemplateTolerantly(text)
    .template.definitions.map((definition) => definition.name)
    .filter((name) => /^[^"\\\n]+$/.test(name));
}

/** What a `(…).` is the value of: the text is read with a field in the place. */
function ownerByParsing(text: string, index: number): ScopeType {
  const { fields: uses } = templateScopes(parseTemplateTolerantly(`${text.slice(0, index)}Z${text.slice(index)}`));
  return uses.find(({ span }) => span.start <= index && index < span.end)?.owner;
}

function ownerOf(head: string, parts: readonly string[], area: ScopeArea): ScopeType {
  let owner: ScopeType = head === '' ? area.dot : head === ')' ? undefined : area.variables.get(head);
  for (const part of parts) {
    owner = fieldsOf(owner)?.get(part);
  }
  return owner;
}

function fields(document: ModelfileDocument, owner: ScopeType, start: number, end: number, dot = ''): CompletionItem[] {
  const title = owner === 'root' ? 'root' : typeTitle(owner);
  return [...(fieldsOf(owner) ?? [])].map(([name, type]) =>
    item(document, start, end, `${dot}${name}`, `${dot}${name}`, CompletionItemKind.Field, {
      detail: typeof type === 'object' ? type.name : '',
      documentation: markdown(FIELD_DOCUMENTATION.get(`${title}.${name}`)),
    }),
  );
}

const LOOP =
  '{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n';

/** Outside of actions: a beginning of one, and the usual loop. */
function outside(document: ModelfileDocument, before: string, offset: number): CompletionItem[] {
  const typed = /\{$/.test(before) ? 1 : 0;
  const start = offset - typed;
  return [
    item(document, start, offset, '{{ … }}', '{{ $1 \\}\\}', CompletionItemKind.Snippet, {
      insertTextFormat: InsertTextFormat.Snippet,
      filterText: '{{',
    }),
    item(document, start, offset, '{{ range .Messages }}', LOOP, CompletionItemKind.Snippet, {
      detail: 'the conversation, in ChatML',
      filterText: '{{ range',
    }),
  ];
}
