import type { Hover, Position } from 'vscode-languageserver-types';
import { DIAGNOSTICS, isDiagnosticCode } from '../../../src/core/modelfile/diagnosticCodes';
import type { Instruction, ModelfileValue, Span } from '../../../src/core/modelfile/modelfileTypes';
import { availabilityText, judgedFor } from '../../../src/core/ollama/ollamaProfile';
import { ollamaNames } from '../../../src/core/ollama/ollamaTable';
import { DEPRECATED_PARAMETERS, PARAMETERS, REMOVED_PARAMETERS } from '../../../src/core/modelfile/parameters';
import { inDocument } from '../../../src/core/modelfile/templateAnalysis';
import { typeTitle } from '../../../src/core/modelfile/templateScope';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { cursorAt } from './cursor';
import {
  FIELD_DOCUMENTATION,
  FUNCTION_DOCUMENTATION,
  namesAvailability,
  INSTRUCTION_DOCUMENTATION,
  instructionAvailability,
  parameterFacts,
  TEMPLATE_KEYWORDS,
} from './documentation';
import { code, markdown } from './markdown';
import type { ModelfileDocument } from './modelfileDocument';
import { describeModelName, describePath } from './pathHover';

/** What is known of the word at a position. */
export async function computeHover(
  document: ModelfileDocument,
  position: Position,
  facts: WorkspaceFacts,
  signal?: AbortSignal,
): Promise<Hover | undefined> {
  const offset = document.offset(position);
  const cursor = cursorAt(document, offset);
  switch (cursor.kind) {
    case 'comment':
      return ignoredCode(document, cursor.span, offset);
    case 'keyword': {
      const keyword = cursor.instruction?.keyword;
      if (keyword === undefined) {
        return undefined;
      }
      const { usage, text } = INSTRUCTION_DOCUMENTATION[keyword];
      return hover(document, cursor.span, `**${usage}**`, text, instructionAvailability(keyword));
    }
    case 'name':
      return cursor.instruction.keyword === 'MESSAGE'
        ? role(document, cursor.name.span, cursor.name.text)
        : parameter(document, cursor.name.span, cursor.name.text);
    case 'template':
      return template(document, cursor.instruction, cursor.index);
    case 'value':
      return cursor.value === undefined ? undefined : value(document, cursor.instruction, cursor.value, facts, signal);
  }
}

function hover(document: ModelfileDocument, span: Span, ...paragraphs: readonly (string | undefined)[]): Hover {
  return { range: document.range(span), contents: markdown(...paragraphs) };
}

function ignoredCode(document: ModelfileDocument, comment: Span, offset: number): Hover | undefined {
  const text = document.parsed.text.slice(comment.start, comment.end);
  for (const match of text.matchAll(/[\w/-]+/g)) {
    const start = comment.start + match.index;
    const name = match[0].includes('/') ? match[0] : `modelfile/${match[0]}`;
    if (start <= offset && offset <= start + match[0].length && isDiagnosticCode(name)) {
      const { severity, documentation } = DIAGNOSTICS[name];
      return hover(document, { start, end: start + match[0].length }, `**${name}** (${severity})`, documentation);
    }
  }
  return undefined;
}

function role(document: ModelfileDocument, span: Span, name: string): Hover | undefined {
  const texts: Readonly<Record<string, string>> = {
    system: 'Instructions that stand above the conversation.',
    user: 'What a person says.',
    assistant: 'What the model answers.',
  };
  const text = texts[name];
  return text === undefined ? undefined : hover(document, span, `**${name}**`, text);
}

function parameter(document: ModelfileDocument, span: Span, name: string): Hover | undefined {
  const info = PARAMETERS.get(name);
  if (info !== undefined) {
    return hover(document, span, `**${info.name}**`, info.documentation, parameterFacts(info));
  }
  if (DEPRECATED_PARAMETERS.has(name)) {
    return hover(document, span, `**${name}**`, 'Deprecated: Ollama ignores it.');
  }
  const removed = REMOVED_PARAMETERS.get(name);
  return removed === undefined
    ? undefined
    : hover(document, span, `**${name}**`, `No longer known to Ollama. ${removed}`);
}

async function value(
  document: ModelfileDocument,
  instruction: Instruction,
  { span, text }: ModelfileValue,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<Hover | undefined> {
  switch (instruction.keyword) {
    case 'FROM':
    case 'ADAPTER':
    case 'DRAFT': {
      const path = await facts.path(text, signal);
      const lines =
        path.kind === 'absent' || path.kind === 'unknown'
          ? await describeModelName(text, instruction.keyword, path, facts, signal)
          : describePath(text, path);
      return lines.length === 0 ? undefined : hover(document, span, ...lines);
    }
    case 'RENDERER':
    case 'PARSER': {
      const kind = instruction.keyword === 'RENDERER' ? 'renderer' : 'parser';
      const availability = ollamaNames(kind).get(text);
      const versions = availability === undefined ? undefined : availabilityText(availability);
      return hover(
        document,
        span,
        code(text),
        availability === undefined
          ? `No ${kind} that Modelfile Studio knows (${judgedFor(await facts.ollama(signal))}).`
          : `A ${kind} built into Ollama${versions === undefined ? '' : `: ${versions}`}.`,
      );
    }
    case 'PARAMETER': {
      const info = PARAMETERS.get(instruction.name?.text ?? '');
      const meaning = info?.special?.[text];
      return info === undefined || meaning === undefined
        ? undefined
        : hover(document, span, `${code(text)}: ${meaning}`);
    }
    default:
      return undefined;
  }
}

function template(document: ModelfileDocument, instruction: Instruction, index: number): Hover | undefined {
  const analysis = document.template;
  if (analysis === undefined || analysis.entry.instruction !== instruction) {
    return undefined;
  }
  const holds = ({ start, end }: Span): boolean => start <= index && index <= end;
  const field = analysis.scopes.fields.find(({ span }) => holds(span));
  if (field !== undefined) {
    const title = field.owner === 'root' ? 'root' : typeTitle(field.owner);
    const type = typeof field.type === 'object' ? field.type.name : undefined;
    const facts =
      type === undefined
        ? undefined
        : `Type ${code(type)}${field.owner === undefined ? '' : `, of ${typeTitle(field.owner)}`}`;
    const text = field.isUnknown
      ? `No field of ${typeTitle(field.owner)}.`
      : FIELD_DOCUMENTATION.get(`${title}.${field.name}`);
    const versions = field.owner === 'root' ? namesAvailability('templateField', field.name) : undefined;
    return hover(document, inDocument(analysis.entry, field.span), `**.${field.name}**`, text, facts, versions);
  }
  const used = analysis.scopes.functions.find(({ span }) => holds(span));
  const documentation = used === undefined ? undefined : FUNCTION_DOCUMENTATION.get(used.name);
  if (used !== undefined && documentation !== undefined) {
    return hover(
      document,
      inDocument(analysis.entry, used.span),
      code(documentation.signature),
      documentation.text,
      namesAvailability('templateFunction', used.name),
    );
  }
  return keyword(document, analysis.entry, index);
}

function keyword(
  document: ModelfileDocument,
  entry: NonNullable<ModelfileDocument['template']>['entry'],
  index: number,
): Hover | undefined {
  const text = entry.command.args;
  let start = index;
  let end = index;
  while (/[a-z]/.test(text[start - 1] ?? '')) {
    start -= 1;
  }
  while (/[a-z]/.test(text[end] ?? '')) {
    end += 1;
  }
  const open = text.lastIndexOf('{{', start);
  const isAction =
    open >= 0 && text.lastIndexOf('}}', start - 1) < open && /^\{\{-?\s*(?:else\s+)?$/.test(text.slice(open, start));
  const meaning = isAction ? TEMPLATE_KEYWORDS.get(text.slice(start, end)) : undefined;
  return meaning === undefined
    ? undefined
    : hover(document, inDocument(entry, { start, end }), `**${text.slice(start, end)}**`, meaning);
}
