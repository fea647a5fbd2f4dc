import { toByteString } from '../golang/byteString';
import { toLower } from '../golang/toLower';
import type { ListNode, Node, PipeNode, TemplateCallNode } from './syntax/nodes';
import type { PipelineVisitor } from './syntax/parserOptions';

const ASCII = /^[\x00-\x7f]*$/;

function compareBytes(a: string, b: string): number {
  if (ASCII.test(a) && ASCII.test(b)) {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  const left = toByteString(a);
  const right = toByteString(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

function pushPipe(pending: Node[], pipe: PipeNode | undefined): void {
  for (const command of pipe?.cmds ?? []) {
    for (const arg of command.args) {
      pending.push(arg);
    }
  }
}

export interface Identifiers {
  /** Names of fields and variables as written (variables with their `$`). */
  readonly names: ReadonlySet<string>;
  /** A `{{template "x"}}` without a value: Ollama refuses a template that has one. */
  readonly bareCall?: TemplateCallNode;
}

/**
 * The names that Ollama's `Identifiers` finds in some lists: of fields and variables in pipelines. Like Ollama it
 * does not look into `(…).Field`, nor at the variables that a pipeline declares.
 */
export function identifiers(roots: Iterable<ListNode>): Identifiers {
  const names = new Set<string>();
  const pending: Node[] = [...roots];
  let bareCall: TemplateCallNode | undefined;
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    switch (node.kind) {
      case 'list':
        for (const child of node.nodes) {
          pending.push(child);
        }
        break;
      case 'if':
      case 'range':
      case 'with':
        pending.push(node.list);
        if (node.elseList !== undefined) {
          pending.push(node.elseList);
        }
        pushPipe(pending, node.pipe);
        break;
      case 'action':
        pushPipe(pending, node.pipe);
        break;
      case 'template':
        if (node.pipe === undefined && (bareCall === undefined || node.start < bareCall.start)) {
          bareCall = node;
        }
        pushPipe(pending, node.pipe);
        break;
      case 'pipe':
        pushPipe(pending, node);
        break;
      case 'field':
      case 'variable':
        node.idents.forEach((ident) => names.add(ident));
        break;
      default:
    }
  }
  return { names, ...(bareCall === undefined ? {} : { bareCall }) };
}

/** The same for pipelines that come one by one. */
export class IdentifierCollector implements PipelineVisitor {
  readonly names = new Set<string>();
  firstBareCall: TemplateCallNode | undefined;
  private readonly pending: Node[] = [];

  pipeline(pipe: PipeNode): void {
    const { pending } = this;
    pushPipe(pending, pipe);
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      if (node.kind === 'pipe') {
        pushPipe(pending, node);
      } else if (node.kind === 'field' || node.kind === 'variable') {
        for (const ident of node.idents) {
          this.names.add(ident);
        }
      }
    }
  }

  bareCall(call: TemplateCallNode): void {
    this.firstBareCall ??= call;
  }

  result(): Identifiers {
    const { names, firstBareCall } = this;
    return { names, ...(firstBareCall === undefined ? {} : { bareCall: firstBareCall }) };
  }
}

/** Ollama's `Vars`: the names in lower case, each once, in the order of their bytes. */
export function variableNames(names: Iterable<string>): string[] {
  return [...new Set(Array.from(names, toLower))].sort(compareBytes);
}
