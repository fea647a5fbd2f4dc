import { quote } from '../../golang/quote';
import { fromByteString } from '../../golang/byteString';
import type { CommandNode, Operand, PipeNode, Statement } from './nodes';

/** What remains to be written: nodes or literal pieces, the next one last. */
type Pending = (string | Operand | CommandNode)[];

function pushAll(pending: Pending, pieces: Pending): void {
  for (let i = pieces.length - 1; i >= 0; i--) {
    pending.push(pieces[i] ?? '');
  }
}

function pipePieces(pipe: PipeNode): Pending {
  const pieces: Pending = [];
  pipe.decl.forEach((variable, index) => {
    pieces.push(index > 0 ? ', ' : '', variable);
  });
  if (pipe.decl.length > 0) {
    pieces.push(pipe.isAssign ? ' = ' : ' := ');
  }
  pipe.cmds.forEach((command, index) => {
    pieces.push(index > 0 ? ' | ' : '', command);
  });
  return pieces;
}

function parenthesised(node: Operand): Pending {
  return node.kind === 'pipe' ? ['(', node, ')'] : [node];
}

function expand(node: Operand | CommandNode): Pending | string {
  switch (node.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return node.value ? 'true' : 'false';
    case 'number':
      return node.text;
    case 'string':
      return node.quoted;
    case 'identifier':
      return node.name;
    case 'field':
      return node.idents.map((ident) => `.${ident}`).join('');
    case 'variable':
      return node.idents.join('.');
    case 'chain':
      return [...parenthesised(node.node), node.fields.map((field) => `.${field}`).join('')];
    case 'command':
      return node.args.flatMap((arg, index) => [index > 0 ? ' ' : '', ...parenthesised(arg)]);
    case 'pipe':
      return pipePieces(node);
  }
}

/** The canonical text of an expression, as Go's `Node.String()` gives it in messages; nesting may be any deep. */
export function expressionText(root: Operand | CommandNode): string {
  const written: string[] = [];
  const pending: Pending = [root];
  for (;;) {
    const next = pending.pop();
    if (next === undefined) {
      return written.join('');
    }
    const pieces = typeof next === 'string' ? next : expand(next);
    if (typeof pieces === 'string') {
      written.push(pieces);
    } else {
      pushAll(pending, pieces);
    }
  }
}

/** Go's `Node.String()` of what can stand in a message: expressions, and actions that are not blocks. */
export function nodeText(node: Statement | CommandNode | Operand): string {
  switch (node.kind) {
    case 'text':
      return fromByteString(quote(node.text));
    case 'action':
      return `{{${expressionText(node.pipe)}}}`;
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`;
    case 'template': {
      const pipe = node.pipe === undefined ? '' : ` ${expressionText(node.pipe)}`;
      return `{{template ${fromByteString(quote(node.name))}${pipe}}}`;
    }
    case 'if':
    case 'range':
    case 'with':
      return `{{${node.kind} ${expressionText(node.pipe)}}}`;
    default:
      return expressionText(node);
  }
}
