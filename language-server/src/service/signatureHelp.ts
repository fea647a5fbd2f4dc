import type { Position, SignatureHelp } from 'vscode-languageserver-types';
import { PARAMETERS } from '../../../src/core/modelfile/parameters';
import { cursorAt } from './cursor';
import { FUNCTION_DOCUMENTATION, INSTRUCTION_DOCUMENTATION, parameterFacts } from './documentation';
import { markdown } from './markdown';
import type { ModelfileDocument } from './modelfileDocument';

/** The shape of the instruction, or of the template's function call, at a position, and which part of it is there. */
export function computeSignatureHelp(document: ModelfileDocument, position: Position): SignatureHelp | undefined {
  const cursor = cursorAt(document, document.offset(position));
  if (cursor.kind === 'template') {
    return functionCall(cursor.value.text.slice(Math.max(0, cursor.index - 2000), cursor.index));
  }
  if (cursor.kind !== 'name' && cursor.kind !== 'value') {
    return undefined;
  }
  const { keyword, name } = cursor.instruction;
  if (keyword === undefined) {
    return undefined;
  }
  const info = keyword === 'PARAMETER' ? PARAMETERS.get(name?.text ?? '') : undefined;
  const label =
    info === undefined ? INSTRUCTION_DOCUMENTATION[keyword].usage : `PARAMETER ${info.name} ${TYPES[info.type]}`;
  const text =
    info === undefined
      ? markdown(INSTRUCTION_DOCUMENTATION[keyword].text)
      : markdown(info.documentation, parameterFacts(info));
  const parts =
    keyword === 'PARAMETER' || keyword === 'MESSAGE' ? label.split(' ').slice(1) : [label.slice(keyword.length + 1)];
  return signature(label, parts, parts.length > 1 && cursor.kind === 'value' ? 1 : 0, text);
}

const TYPES = { float: 'number', int: 'integer', bool: 'true|false', strings: 'text' } as const;

function signature(
  label: string,
  parts: readonly string[],
  active: number,
  documentation: ReturnType<typeof markdown>,
): SignatureHelp {
  let from = 0;
  const parameters = parts.map((part) => {
    const start = label.indexOf(part, from);
    from = start + part.length;
    return { label: [start, from] as [number, number] };
  });
  return { signatures: [{ label, documentation, parameters }], activeSignature: 0, activeParameter: active };
}

/** The innermost function call before the cursor: the words of its pipeline or parenthesis so far. */
function functionCall(before: string): SignatureHelp | undefined {
  const open = before.lastIndexOf('{{');
  if (open < 0 || before.indexOf('}}', open) >= 0) {
    return undefined;
  }
  const words = innermostCall(before.slice(open + 2).replace(/^-/, ''));
  const name = words.find((word) => !/^(?:if|else|with|range|template|block|:?=|\$\w*)$/.test(word)) ?? '';
  const documentation = FUNCTION_DOCUMENTATION.get(name);
  if (documentation === undefined) {
    return undefined;
  }
  const parts = documentation.signature.split(' ').slice(1);
  const given = words.length - 1 - words.indexOf(name);
  return signature(
    documentation.signature,
    parts,
    Math.min(Math.max(given - 1, 0), Math.max(parts.length - 1, 0)),
    markdown(documentation.text),
  );
}

/** Words of the call that the text ends in; the last one is the word being written, empty after a space. */
function innermostCall(action: string): string[] {
  const calls: string[][] = [['']];
  for (const [token] of action.matchAll(/"(?:[^"\\]|\\.)*"?|`[^`]*`?|[()|]|\s+|[^\s()|"`]+/g)) {
    const words = calls.at(-1) ?? [''];
    if (token === '(') {
      calls.push(['']);
    } else if (token === ')') {
      calls.pop();
      const around = calls.at(-1) ?? [''];
      around[around.length - 1] = '()';
    } else if (token === '|') {
      words.splice(0, words.length, '');
    } else if (/^\s/.test(token)) {
      if (words.at(-1) !== '') {
        words.push('');
      }
    } else {
      words[words.length - 1] = `${words.at(-1) ?? ''}${token}`;
    }
  }
  return calls.at(-1) ?? [''];
}
