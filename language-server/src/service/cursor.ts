import type { Instruction, ModelfileValue, NamePart, Span } from '../../../src/core/modelfile/modelfileTypes';
import { instructionBefore } from '../../../src/core/modelfile/ownerAt';
import { indexInValue } from '../../../src/core/modelfile/scanValue';
import type { ModelfileDocument } from './modelfileDocument';

/** What stands at a place of a Modelfile. */
export type Cursor =
  | { readonly kind: 'comment'; readonly span: Span }
  /** A word where an instruction belongs; the span is empty on an empty line. */
  | { readonly kind: 'keyword'; readonly span: Span; readonly instruction?: Instruction | undefined }
  | { readonly kind: 'name'; readonly span: Span; readonly instruction: Instruction; readonly name: NamePart }
  | {
      readonly kind: 'value';
      readonly span: Span;
      readonly instruction: Instruction;
      readonly value?: ModelfileValue | undefined;
    }
  | {
      readonly kind: 'template';
      readonly instruction: Instruction;
      readonly value: ModelfileValue;
      /** In the template's text. */ readonly index: number;
    };

/** Finds out what an offset of the document belongs to. */
export function cursorAt(document: ModelfileDocument, offset: number): Cursor {
  const { parsed, lines } = document;
  const comment = parsed.comments.find(({ start, end }) => start < offset && offset <= end);
  if (comment !== undefined) {
    return { kind: 'comment', span: comment };
  }
  const instruction = instructionAt(document, offset);
  if (instruction === undefined) {
    return { kind: 'keyword', span: wordAt(parsed.text, offset, lines.lineStart(lines.position(offset).line)) };
  }
  if (instruction.keyword === undefined || offset <= instruction.keywordSpan.end) {
    return { kind: 'keyword', span: instruction.keywordSpan, instruction };
  }
  const { name, value, keyword } = instruction;
  if (name !== undefined && (offset <= name.span.end || value === undefined)) {
    return {
      kind: 'name',
      span: offset <= name.span.end ? name.span : { start: offset, end: offset },
      instruction,
      name,
    };
  }
  if (keyword === 'TEMPLATE' && value !== undefined && value.content.start <= offset && offset <= value.content.end) {
    return { kind: 'template', instruction, value, index: indexInValue(value, offset) };
  }
  return { kind: 'value', span: value?.span ?? { start: offset, end: offset }, instruction, value };
}

/** The instruction whose lines hold the offset. */
function instructionAt({ parsed, lines }: ModelfileDocument, offset: number): Instruction | undefined {
  const found = instructionBefore(parsed.instructions, offset);
  if (found === undefined) {
    return undefined;
  }
  const end = lines.lineEnd(lines.position(Math.max(found.span.end, found.value?.span.end ?? 0)).line);
  return offset <= end ? found : undefined;
}

function wordAt(text: string, offset: number, lineStart: number): Span {
  let start = offset;
  while (start > lineStart && !/\s/.test(text[start - 1] ?? ' ')) {
    start -= 1;
  }
  return { start, end: offset };
}
