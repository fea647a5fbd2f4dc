import { SymbolKind, type DocumentSymbol } from 'vscode-languageserver-types';
import type { Instruction } from '../../../src/core/modelfile/modelfileTypes';
import { inDocument } from '../../../src/core/modelfile/templateAnalysis';
import type { ModelfileDocument } from './modelfileDocument';

const KINDS: Readonly<Record<string, SymbolKind>> = {
  FROM: SymbolKind.Class,
  ADAPTER: SymbolKind.Module,
  DRAFT: SymbolKind.Module,
  TEMPLATE: SymbolKind.Function,
  SYSTEM: SymbolKind.String,
  LICENSE: SymbolKind.String,
  MESSAGE: SymbolKind.Event,
  PARAMETER: SymbolKind.Property,
};

/** The outline: one entry for each instruction, named parts of the template below TEMPLATE. */
export function computeDocumentSymbols(document: ModelfileDocument): DocumentSymbol[] {
  return document.parsed.instructions
    .filter(({ keyword }) => keyword !== undefined)
    .map((instruction) => ({
      name: nameOf(instruction),
      detail: preview(instruction.value?.text ?? ''),
      kind: KINDS[instruction.keyword ?? ''] ?? SymbolKind.Constant,
      range: document.range(instruction.span),
      selectionRange: document.range(
        instruction.name !== undefined && instruction.name.text !== ''
          ? instruction.name.span
          : instruction.keywordSpan,
      ),
      ...definitions(document, instruction),
    }));
}

function nameOf({ keyword, name }: Instruction): string {
  return name === undefined || name.text === '' ? (keyword ?? '') : `${keyword ?? ''} ${name.text}`;
}

function preview(text: string): string {
  const line = text.trim().split('\n')[0]?.trim() ?? '';
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}

function definitions(document: ModelfileDocument, instruction: Instruction): { children?: DocumentSymbol[] } {
  const analysis = document.template;
  if (
    analysis === undefined ||
    analysis.entry.instruction !== instruction ||
    analysis.tolerant.template.definitions.length === 0
  ) {
    return {};
  }
  const { entry, tolerant } = analysis;
  const children = tolerant.template.definitions.map((definition) => ({
    name: definition.name === '' ? '""' : definition.name,
    detail: definition.kind,
    kind: SymbolKind.Function,
    range: document.range(inDocument(entry, definition)),
    selectionRange: document.range(inDocument(entry, definition.nameSpan)),
  }));
  return { children };
}
