import type { ByteString } from '../../golang/byteString';

/** A range of the template's text in UTF-16 code units, `end` excluded. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What every node has: its exact range, and the place that Go's error messages give for it. */
export interface NodeBase extends Span {
  /** Offset that Go calls the node's position: for `.A.B` that of `.B`. */
  readonly pos: number;
}

export interface DotNode extends NodeBase {
  readonly kind: 'dot';
}

export interface NilNode extends NodeBase {
  readonly kind: 'nil';
}

export interface BoolNode extends NodeBase {
  readonly kind: 'bool';
  readonly value: boolean;
}

/** The value of a number or character constant under every type that can hold it. */
export interface NumberValue {
  readonly int?: bigint;
  readonly uint?: bigint;
  readonly float?: number;
  readonly complex?: { readonly real: number; readonly imaginary: number };
}

export interface NumberNode extends NodeBase {
  readonly kind: 'number';
  readonly text: string;
  readonly value: NumberValue;
}

export interface StringNode extends NodeBase {
  readonly kind: 'string';
  /** As written, with its quotes. */
  readonly quoted: string;
  readonly value: ByteString;
}

/** A function's name. */
export interface IdentifierNode extends NodeBase {
  readonly kind: 'identifier';
  readonly name: string;
}

/** `.A.B`: names without their dots. */
export interface FieldNode extends NodeBase {
  readonly kind: 'field';
  readonly idents: readonly string[];
}

/** `$x.A.B`: the first name keeps its `$`. */
export interface VariableNode extends NodeBase {
  readonly kind: 'variable';
  readonly idents: readonly string[];
}

/** `(pipeline).A.B`. */
export interface ChainNode extends NodeBase {
  readonly kind: 'chain';
  readonly node: Operand;
  readonly fields: readonly string[];
}

export interface CommandNode extends NodeBase {
  readonly kind: 'command';
  readonly args: readonly Operand[];
}

export interface PipeNode extends NodeBase {
  readonly kind: 'pipe';
  /** `=` instead of `:=`. */
  readonly isAssign: boolean;
  readonly decl: readonly VariableNode[];
  readonly cmds: readonly CommandNode[];
}

export type Operand =
  | DotNode
  | NilNode
  | BoolNode
  | NumberNode
  | StringNode
  | IdentifierNode
  | FieldNode
  | VariableNode
  | ChainNode
  | PipeNode;

export interface TextNode extends NodeBase {
  readonly kind: 'text';
  readonly text: string;
}

export interface ActionNode extends NodeBase {
  readonly kind: 'action';
  readonly pipe: PipeNode;
}

export interface BreakNode extends NodeBase {
  readonly kind: 'break';
}

export interface ContinueNode extends NodeBase {
  readonly kind: 'continue';
}

/** `{{if}}`, `{{range}}` or `{{with}}` with all that belongs to it; its range ends with its `{{end}}`. */
export interface BranchNode extends NodeBase {
  readonly kind: 'if' | 'range' | 'with';
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly elseList?: ListNode;
  /** The opening action; of an `else if`, that action. */
  readonly header: Span;
  /** The `{{else}}` action, or the `{{else if …}}` one. */
  readonly elseAction?: Span;
  /** The `{{end}}` action; shared by the members of an `else if` chain. */
  readonly endAction: Span;
}

/** `{{template "name" pipe}}`, and what a `{{block}}` leaves at its place. */
export interface TemplateCallNode extends NodeBase {
  readonly kind: 'template';
  readonly name: ByteString;
  readonly nameSpan: Span;
  readonly pipe?: PipeNode;
}

export interface ListNode extends NodeBase {
  readonly kind: 'list';
  readonly nodes: readonly Statement[];
}

export type Statement = TextNode | ActionNode | BreakNode | ContinueNode | BranchNode | TemplateCallNode;
export type Node = Statement | ListNode | CommandNode | Operand;

/** One named template: the text itself (named ""), a `{{define}}` or a `{{block}}`. */
export interface Tree {
  readonly name: ByteString;
  readonly root: ListNode;
}

/** Where a `{{define}}` or `{{block}}` stands. */
export interface Definition extends Span {
  readonly kind: 'define' | 'block';
  readonly name: ByteString;
  readonly nameSpan: Span;
  readonly header: Span;
  readonly root: ListNode;
}

/** The pipeline within parentheses around nothing else, however many; those around a declaration stay, for its value is printed. */
export function withoutParentheses(pipe: PipeNode): PipeNode {
  let inner = pipe;
  for (;;) {
    const [command] = inner.cmds;
    const only = command?.args[0];
    if (
      only?.kind !== 'pipe' ||
      only.decl.length > 0 ||
      inner.cmds.length > 1 ||
      inner.decl.length > 0 ||
      command?.args.length !== 1
    ) {
      return inner;
    }
    inner = only;
  }
}
