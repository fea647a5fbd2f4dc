import { BudgetFailure } from '../execute/failures';
import {
  withoutParentheses,
  type ActionNode,
  type BranchNode,
  type CommandNode,
  type ListNode,
  type Operand,
  type PipeNode,
  type Statement,
} from '../syntax/nodes';

/** Ollama's server panics: the template has an `else` behind its `.Response`. */
export class CutPanic extends Error {
  constructor() {
    super('interface conversion: parse.Node is nil, not *parse.ListNode');
  }
}

/** Parentheses deeper than this are not walked. */
const MAX_DEPTH = 1_000;

interface Frame {
  /** Undefined for the template's own list. */
  readonly branch: BranchNode | undefined;
  source: ListNode;
  kept: Statement[];
  at: number;
  /** The first list of a branch, once its else is walked. */
  list: ListNode | undefined;
}

/**
 * Ollama's `deleteNode`, by which it ends a legacy prompt where the answer is to begin: what follows the first
 * `.Response` goes. It does not look into conditions, `(…).Field`, nor calls of templates. Throws {@link CutPanic}
 * where Ollama panics.
 */
export function cutAtResponse(root: ListNode): ListNode {
  const cutter = new Cutter();
  const frames: Frame[] = [{ branch: undefined, source: root, kept: [], at: 0, list: undefined }];
  for (;;) {
    const frame = frames.at(-1);
    if (frame === undefined) {
      return root;
    }
    const node = frame.source.nodes[frame.at++];
    if (node !== undefined) {
      cutter.statement(node, frame, frames);
      continue;
    }
    const done = finish(frame, cutter.cut);
    if (done === undefined) {
      continue;
    }
    frames.pop();
    if (done.kind === 'list') {
      return done;
    }
    frames.at(-1)?.kept.push(done);
  }
}

/** Ends a list: gives the whole list or branch, or undefined if its else comes now. */
function finish(frame: Frame, cut: boolean): ListNode | BranchNode | undefined {
  const { branch } = frame;
  const list: ListNode = { ...frame.source, nodes: frame.kept };
  if (branch === undefined) {
    return list;
  }
  if (branch.elseList === undefined) {
    return { ...branch, list };
  }
  if (frame.list !== undefined) {
    return { ...branch, list: frame.list, elseList: list };
  }
  if (cut) {
    throw new CutPanic();
  }
  frame.list = list;
  frame.source = branch.elseList;
  frame.kept = [];
  frame.at = 0;
  return undefined;
}

class Cutter {
  cut = false;

  statement(node: Statement, frame: Frame, frames: Frame[]): void {
    if (this.cut) {
      return;
    }
    switch (node.kind) {
      case 'if':
      case 'range':
      case 'with':
        frames.push({ branch: node, source: node.list, kept: [], at: 0, list: undefined });
        return;
      case 'action': {
        const pipe = this.pipe(node.pipe, 0);
        if (pipe !== undefined) {
          frame.kept.push({ ...node, pipe } satisfies ActionNode);
        }
        return;
      }
      default:
        frame.kept.push(node);
    }
  }

  private pipe(outer: PipeNode, depth: number): PipeNode | undefined {
    if (depth > MAX_DEPTH) {
      throw new BudgetFailure(`expressions nested more than ${MAX_DEPTH} deep`);
    }
    const pipe = withoutParentheses(outer);
    const cmds: CommandNode[] = [];
    for (const command of pipe.cmds) {
      const args = command.args.map((arg) => this.operand(arg, depth)).filter((arg) => arg !== undefined);
      if (args.length === 0) {
        return undefined;
      }
      cmds.push({ ...command, args });
    }
    return cmds.length === 0 ? undefined : inParenthesesOf(outer, pipe, { ...pipe, cmds });
  }

  private operand(arg: Operand, depth: number): Operand | undefined {
    if (arg.kind === 'field' && arg.idents.includes('Response')) {
      this.cut = true;
      return arg;
    }
    if (this.cut) {
      return undefined;
    }
    return arg.kind === 'pipe' ? this.pipe(arg, depth + 1) : arg;
  }
}

/** Puts back the parentheses that stood between `outer` and `inner`: errors show them. */
function inParenthesesOf(outer: PipeNode, inner: PipeNode, cut: PipeNode): PipeNode {
  const wrappers: PipeNode[] = [];
  for (let pipe = outer; pipe !== inner; pipe = pipe.cmds[0]?.args[0] as PipeNode) {
    wrappers.push(pipe);
  }
  return wrappers.reduceRight<PipeNode>(
    (result, wrapper) => ({ ...wrapper, cmds: wrapper.cmds.map((command) => ({ ...command, args: [result] })) }),
    cut,
  );
}
