import { MarkupKind, type MarkupContent } from 'vscode-languageserver-types';
import { escapeControls } from '../../../src/core/escapeControls';

/** Text from a file as code within Markdown: its own backticks and control characters cannot end it. */
export function code(text: string, longest = 200): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  const clean = escapeControls(cut);
  const runs = clean.match(/`+/g)?.map((run) => run.length) ?? [];
  const fence = '`'.repeat(Math.max(0, ...runs) + 1);
  const pad = clean.startsWith('`') || clean.endsWith('`') || clean.trim() === '' ? ' ' : '';
  return `${fence}${pad}${clean}${pad}${fence}`;
}

/** Several lines of a file as a block of code. */
export function codeBlock(text: string, language = '', longest = 1500): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}\n…` : text;
  const clean = cut.split('\n').map(escapeControls).join('\n');
  const runs = clean.match(/`+/g)?.map((run) => run.length) ?? [];
  const fence = '`'.repeat(Math.max(2, ...runs) + 1);
  return `${fence}${language}\n${clean}\n${fence}`;
}

export function markdown(...paragraphs: readonly (string | undefined)[]): MarkupContent {
  return {
    kind: MarkupKind.Markdown,
    value: paragraphs.filter((text) => text !== undefined && text !== '').join('\n\n'),
  };
}
