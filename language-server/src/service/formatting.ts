import type { Range, TextEdit } from 'vscode-languageserver-types';
import { formatModelfile } from '../../../src/core/modelfile/formatModelfile';
import type { ModelfileDocument } from './modelfileDocument';

/** Edits that bring the document, or the instructions that a range touches, into their usual shape. */
export function computeFormatting(document: ModelfileDocument, range?: Range): TextEdit[] {
  const span =
    range === undefined ? undefined : { start: document.offset(range.start), end: document.offset(range.end) };
  return formatModelfile(document.parsed, span).map(({ span: edited, newText }) => ({
    range: document.range(edited),
    newText,
  }));
}
