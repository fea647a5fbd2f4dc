import { escapeControls } from '../escapeControls';
import { DIAGNOSTICS, type DiagnosticCode } from './diagnosticCodes';
import { type Severity } from './diagnostics/diagnosticInfo';
import type { Span } from './modelfileTypes';

export interface TextEdit {
  readonly span: Span;
  readonly newText: string;
}

export interface Fix {
  readonly title: string;
  readonly edits: readonly TextEdit[];
  /** Right beyond doubt: `lint --fix` and "fix all" apply it. */
  readonly isSure: boolean;
  /** Set where the fix is a build, whose result then takes the place of what it was made from; `edits` is empty. */
  readonly build?: BuildRequest | undefined;
}

/** What a fix would build: the values of the file as they stand there. */
export interface BuildRequest {
  /** FROM: a path relative to the Modelfile, or the name of a model. */
  readonly base: string;
  /** ADAPTER, where there is one. */
  readonly adapters: readonly string[];
}

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  readonly message: string;
  readonly span: Span;
  readonly fixes: readonly Fix[];
  /** How an editor may draw it besides. */
  readonly tag?: 'unnecessary' | 'deprecated' | undefined;
  /** The TEMPLATE was compared with the model's own: an editor can show both. */
  readonly isCompared?: boolean | undefined;
}

/** What fills the braces of a message. */
export type MessageValues = Readonly<Record<string, string | number | undefined>>;

export interface DiagnosticExtras {
  readonly fixes?: readonly Fix[];
  readonly tag?: 'unnecessary' | 'deprecated';
  /** Where the case at hand weighs less than the code does in general; never more. */
  readonly severity?: Severity | undefined;
  readonly isCompared?: boolean | undefined;
}

const LONGEST_VALUE = 120;

/** A diagnostic of the table, with its message filled in; values are cut and their control characters escaped. */
export function diagnostic(
  code: DiagnosticCode,
  span: Span,
  values: MessageValues = {},
  extras: DiagnosticExtras = {},
): Diagnostic {
  const info = DIAGNOSTICS[code];
  const message = info.message.replace(/\{(\w+)\}/g, (_, name: string) => shown(values[name]));
  return {
    code,
    severity: extras.severity ?? info.severity,
    message,
    span,
    fixes: extras.fixes ?? [],
    tag: extras.tag,
    ...(extras.isCompared === true ? { isCompared: true } : {}),
  };
}

function shown(value: string | number | undefined): string {
  const text = String(value ?? '');
  return escapeControls(text.length > LONGEST_VALUE * 4 ? `${text.slice(0, LONGEST_VALUE * 4)}…` : text);
}

/** A value of the file in quotes, short enough to be read in a sentence. */
export function quoted(text: string): string {
  const cut = text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
  return `“${cut.replace(/\s+/g, ' ')}”`;
}

export function fix(title: string, isSure: boolean, ...edits: readonly TextEdit[]): Fix {
  return { title, isSure, edits };
}

/** A fix of as many edits as a text needs. */
export function fixAll(title: string, isSure: boolean, edits: readonly TextEdit[]): Fix {
  return { title, isSure, edits };
}

export function edit(span: Span, newText: string): TextEdit {
  return { span, newText };
}

/** ` Did you mean x?`, or nothing. */
export function suggestion(word: string | undefined): string {
  return word === undefined ? '' : ` Did you mean ${word}?`;
}
