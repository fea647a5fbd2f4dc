import { FoldingRangeKind, type FoldingRange } from 'vscode-languageserver-types';
import { inDocument } from '../../../src/core/modelfile/templateAnalysis';
import type { ListNode, Span } from '../../../src/core/goTemplate/syntax/nodes';
import type { ModelfileDocument } from './modelfileDocument';

/** Deeper blocks of a template are not folded. */
const MAX_DEPTH = 100;

/** Values over several lines, comments that follow one another, and the blocks of the template. */
export function computeFoldingRanges(document: ModelfileDocument): FoldingRange[] {
  const { parsed, lines } = document;
  const folds: FoldingRange[] = [];
  const add = (span: Span, kind?: FoldingRangeKind): void => {
    const startLine = lines.position(span.start).line;
    const endLine = lines.position(span.end).line;
    if (endLine > startLine) {
      folds.push({ startLine, endLine, ...(kind === undefined ? {} : { kind }) });
    }
  };
  for (const { span, value } of parsed.instructions) {
    if (value !== undefined) {
      add(span);
    }
  }
  for (const block of commentBlocks(document)) {
    add(block, FoldingRangeKind.Comment);
  }
  const analysis = document.template;
  if (analysis !== undefined) {
    const roots = [analysis.tolerant.root, ...analysis.tolerant.template.definitions.map(({ root }) => root)];
    for (const span of roots.flatMap((root) => blocksOf(root, 0))) {
      add(inDocument(analysis.entry, span));
    }
  }
  return folds;
}

function commentBlocks({ parsed, lines }: ModelfileDocument): Span[] {
  const blocks: { start: number; end: number }[] = [];
  let lastLine = -2;
  for (const { start, end } of parsed.comments) {
    const { line } = lines.position(start);
    const block = blocks.at(-1);
    if (block !== undefined && line === lastLine + 1) {
      block.end = end;
    } else {
      blocks.push({ start, end });
    }
    lastLine = line;
  }
  return blocks;
}

function blocksOf(list: ListNode, depth: number): Span[] {
  if (depth > MAX_DEPTH) {
    return [];
  }
  return list.nodes.flatMap((node) => {
    if (node.kind !== 'if' && node.kind !== 'range' && node.kind !== 'with') {
      return [];
    }
    const end = node.elseAction?.start ?? node.endAction.start;
    const inner = [
      ...blocksOf(node.list, depth + 1),
      ...(node.elseList === undefined ? [] : blocksOf(node.elseList, depth + 1)),
    ];
    return [{ start: node.start, end }, ...inner];
  });
}
