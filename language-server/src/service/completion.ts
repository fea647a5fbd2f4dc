import { CompletionItemKind, InsertTextFormat, type CompletionItem, type Position } from 'vscode-languageserver-types';
import { DIAGNOSTICS } from '../../../src/core/modelfile/diagnosticCodes';
import { readBaseModel } from '../../../src/core/modelfile/modelFacts';
import { type Instruction, type Span } from '../../../src/core/modelfile/modelfileTypes';
import { INSTRUCTION_NAMES } from '../../../src/core/ollama/instructionNames';
import { PARSERS, RENDERERS } from '../../../src/core/modelfile/ollamaFeatures';
import { PARAMETERS } from '../../../src/core/modelfile/parameters';
import { stopTextOf } from '../../../src/core/chatTemplate/templateProbe';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { cursorAt } from './cursor';
import { INSTRUCTION_DOCUMENTATION, parameterFacts } from './documentation';
import { markdown } from './markdown';
import type { ModelfileDocument } from './modelfileDocument';
import { completeTemplate } from './templateCompletion';

/** What could stand at a position. */
export async function computeCompletions(
  document: ModelfileDocument,
  position: Position,
  facts: WorkspaceFacts,
  signal?: AbortSignal,
): Promise<CompletionItem[]> {
  const offset = document.offset(position);
  const cursor = cursorAt(document, offset);
  switch (cursor.kind) {
    case 'comment':
      return ignoredCodes(document, cursor.span, offset);
    case 'keyword':
      return keywords(document, cursor.span, offset);
    case 'name': {
      const span = { start: cursor.span.start, end: offset };
      return cursor.instruction.keyword === 'MESSAGE'
        ? roles(document, span)
        : parameters(document, span, cursor.instruction);
    }
    case 'template':
      return completeTemplate(document, cursor.value, cursor.index, offset);
    case 'value': {
      const start = Math.min(cursor.value?.content.start ?? offset, offset);
      return values(document, cursor.instruction, { start, end: offset }, facts, signal);
    }
  }
}

function item(
  document: ModelfileDocument,
  span: Span,
  label: string,
  newText: string,
  more: Partial<CompletionItem>,
): CompletionItem {
  return { label, textEdit: { range: document.range(span), newText }, filterText: label, ...more };
}

function keywords(document: ModelfileDocument, span: Span, offset: number): CompletionItem[] {
  const edited = { start: span.start, end: Math.min(Math.max(offset, span.start), span.end) };
  return INSTRUCTION_NAMES.map((name) => {
    const { snippet, text, usage } = INSTRUCTION_DOCUMENTATION[name];
    return item(document, edited, name, snippet, {
      kind: CompletionItemKind.Keyword,
      detail: usage,
      documentation: markdown(text),
      insertTextFormat: InsertTextFormat.Snippet,
    });
  });
}

function roles(document: ModelfileDocument, span: Span): CompletionItem[] {
  return ['user', 'assistant', 'system'].map((role) =>
    item(document, span, role, role, { kind: CompletionItemKind.EnumMember }),
  );
}

function parameters(document: ModelfileDocument, span: Span, instruction: Instruction): CompletionItem[] {
  const hasValue = instruction.value !== undefined && instruction.value.text !== '';
  return [...PARAMETERS.values()].map((info) => {
    const value =
      info.type === 'strings'
        ? '"$1"'
        : info.type === 'bool'
          ? '${1|true,false|}'
          : `\${1:${info.defaultValue ?? '0'}}`;
    return item(document, span, info.name, hasValue ? info.name : `${info.name} ${value}`, {
      kind: CompletionItemKind.Property,
      detail: info.defaultValue === undefined ? info.type : `${info.type}, ${info.defaultValue}`,
      documentation: markdown(info.documentation, parameterFacts(info)),
      insertTextFormat: hasValue ? InsertTextFormat.PlainText : InsertTextFormat.Snippet,
    });
  });
}

async function values(
  document: ModelfileDocument,
  instruction: Instruction,
  span: Span,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<CompletionItem[]> {
  switch (instruction.keyword) {
    case 'FROM':
      return [...(await paths(document, span, facts, signal)), ...(await models(document, span, facts, signal))];
    case 'ADAPTER':
    case 'DRAFT':
      return paths(document, span, facts, signal);
    case 'RENDERER':
      return versioned(document, span, RENDERERS);
    case 'PARSER':
      return versioned(document, span, PARSERS);
    case 'PARAMETER':
      return parameterValues(document, instruction, span, facts, signal);
    case 'REQUIRES': {
      const version = await facts.ollamaVersion(signal);
      return version === undefined
        ? []
        : [item(document, span, version, version, { kind: CompletionItemKind.Value, detail: 'the configured Ollama' })];
    }
    default:
      return [];
  }
}

function versioned(document: ModelfileDocument, span: Span, names: ReadonlyMap<string, string>): CompletionItem[] {
  return [...names].map(([name, since]) =>
    item(document, span, name, name, { kind: CompletionItemKind.EnumMember, detail: `since Ollama ${since}` }),
  );
}

const PATH_DETAILS = {
  gguf: 'GGUF file',
  adapter: 'adapter',
  'model-folder': 'model folder',
  folder: 'folder',
} as const;

async function paths(
  document: ModelfileDocument,
  span: Span,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<CompletionItem[]> {
  const prefix = document.parsed.text.slice(span.start, span.end);
  const found = await facts.suggestPaths(prefix, signal);
  return found.map(({ path, kind, detail }) =>
    item(document, span, path, path, {
      kind: path.endsWith('/') ? CompletionItemKind.Folder : CompletionItemKind.File,
      detail: detail ?? PATH_DETAILS[kind],
      sortText: `${kind === 'folder' ? 'b' : 'a'}${path}`,
    }),
  );
}

async function models(
  document: ModelfileDocument,
  span: Span,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<CompletionItem[]> {
  const names = (await facts.installedModels(signal)) ?? [];
  return names.map((name) => {
    const short = name.replace(/:latest$/, '');
    return item(document, span, short, short, {
      kind: CompletionItemKind.Module,
      detail: 'installed',
      sortText: `c${short}`,
    });
  });
}

async function parameterValues(
  document: ModelfileDocument,
  instruction: Instruction,
  span: Span,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<CompletionItem[]> {
  const info = PARAMETERS.get(instruction.name?.text ?? '');
  if (info === undefined) {
    return [];
  }
  if (info.name === 'stop') {
    return stopTexts(document, span, facts, signal);
  }
  if (info.type === 'bool') {
    return ['true', 'false'].map((text) => item(document, span, text, text, { kind: CompletionItemKind.Value }));
  }
  const special = Object.entries(info.special ?? {}).map(([value, meaning]) =>
    item(document, span, value, value, { kind: CompletionItemKind.Value, detail: meaning }),
  );
  const { defaultValue } = info;
  const usual =
    defaultValue === undefined || defaultValue in (info.special ?? {})
      ? []
      : [item(document, span, defaultValue, defaultValue, { kind: CompletionItemKind.Value, detail: 'default' })];
  return [...usual, ...special];
}

/** Where the model of this file ends its turns, and what its template puts there. */
async function stopTexts(
  document: ModelfileDocument,
  span: Span,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<CompletionItem[]> {
  const base = await readBaseModel(document.context, facts, signal);
  const found = new Map<string, string>();
  const probe = document.template?.probe;
  const marker = probe === undefined ? undefined : stopTextOf(probe);
  if (marker !== undefined) {
    found.set(marker, 'ends a turn in TEMPLATE');
  }
  for (const token of base.endTokens) {
    found.set(token, 'end token of the model');
  }
  for (const stop of base.installed?.stops ?? []) {
    found.set(stop, 'stop text of the base');
  }
  const isQuoted = document.parsed.text[span.start - 1] === '"';
  return [...found].map(([text, detail]) =>
    item(document, span, text, isQuoted ? text : `"${text}"`, {
      kind: CompletionItemKind.Constant,
      detail,
      filterText: text,
    }),
  );
}

function ignoredCodes(document: ModelfileDocument, comment: Span, offset: number): CompletionItem[] {
  const before = document.parsed.text.slice(comment.start, offset);
  const match = /^#[ \t]*modelfile-studio:[ \t]*ignore[ \t](?:.*[\s,])?([^\s,]*)$/s.exec(before);
  if (match === null) {
    return /^#[ \t]*[a-z-]*$/.test(before)
      ? [
          item(
            document,
            { start: comment.start, end: offset },
            '# modelfile-studio: ignore',
            '# modelfile-studio: ignore ',
            { kind: CompletionItemKind.Snippet, detail: 'silences a diagnostic below' },
          ),
        ]
      : [];
  }
  const span = { start: offset - (match[1] ?? '').length, end: offset };
  return Object.entries(DIAGNOSTICS).map(([name, info]) =>
    item(document, span, name, name, {
      kind: CompletionItemKind.Constant,
      detail: info.severity,
      documentation: markdown(info.documentation),
    }),
  );
}
