import { fromByteString, toByteString, type ByteString } from '../../golang/byteString';
import { quoteText } from '../../golang/quote';
import { sortedKeys } from '../format/printer';
import { sprint, sprintReflected } from '../format/print';
import { OutputBuffer } from '../format/outputBuffer';
import { printableValue } from '../functions/printable';
import { isTrue } from '../functions/truth';
import { UINT8, indirect, intValue, stringValue, Value, type GoSequence } from '../reflect/value';
import type { ActionNode, BranchNode, ListNode, Statement, TemplateCallNode, TextNode, Tree } from '../syntax/nodes';
import { nodeText } from '../syntax/nodeText';
import type { BudgetMeter } from './budget';
import { Evaluator } from './evaluator';
import type { EvaluationOptions } from './evaluationOptions';
import { VariableStack } from './variableStack';

/** Go's limit of templates within each other. */
const MAX_TEMPLATE_DEPTH = 100_000;

type Maybe = Value | undefined;

/** Turns of a loop: the index or key (undefined where there is none) and the element. */
interface Turns {
  readonly next: () => readonly [Maybe, Maybe] | undefined;
}

interface ListFrame {
  readonly kind: 'list';
  readonly nodes: readonly Statement[];
  readonly dot: Maybe;
  at: number;
}

/** The end of an `if` or `with`: its variables go. */
interface ScopeFrame {
  readonly kind: 'scope';
  readonly mark: number;
}

interface RangeFrame {
  readonly kind: 'range';
  readonly node: BranchNode;
  readonly turns: Turns;
  readonly mark: number;
  readonly bodyMark: number;
}

/** The end of a template call: the caller's variables and name come back. */
interface CallFrame {
  readonly kind: 'call';
  readonly variables: VariableStack;
  readonly name: ByteString;
}

type Frame = ListFrame | ScopeFrame | RangeFrame | CallFrame;

/** Which template is executed, and how. */
export interface WalkOptions extends EvaluationOptions {
  readonly trees: ReadonlyMap<ByteString, Tree>;
  readonly now: Date;
}

/**
 * Executes statements as Go does. Open blocks and calls are on a list instead of the call stack, so that Go's own
 * limit of recursion holds.
 */
export class Walker {
  readonly output: OutputBuffer;
  private readonly evaluator: Evaluator;
  private readonly frames: Frame[] = [];
  private depth = 0;

  constructor(
    private readonly meter: BudgetMeter,
    private readonly options: WalkOptions,
  ) {
    this.output = new OutputBuffer(meter);
    this.evaluator = new Evaluator(meter, options.now, options);
  }

  /** Writes what the list gives on the data. */
  run(root: ListNode, data: Value): void {
    this.evaluator.variables = new VariableStack(data);
    this.enterList(root, data);
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      switch (frame.kind) {
        case 'list':
          this.stepList(frame);
          break;
        case 'scope':
          this.evaluator.variables.popTo(frame.mark);
          this.frames.pop();
          break;
        case 'range':
          this.stepRange(frame);
          break;
        case 'call':
          this.evaluator.variables = frame.variables;
          this.evaluator.templateName = frame.name;
          this.depth--;
          this.frames.pop();
          break;
      }
    }
  }

  private enterList(list: ListNode, dot: Maybe): void {
    this.frames.push({ kind: 'list', nodes: list.nodes, dot, at: 0 });
  }

  private stepList(frame: ListFrame): void {
    const node = frame.nodes[frame.at];
    if (node === undefined) {
      this.frames.pop();
      return;
    }
    frame.at++;
    this.meter.step();
    this.evaluator.place = node;
    this.statement(node, frame.dot);
  }

  private statement(node: Statement, dot: Maybe): void {
    switch (node.kind) {
      case 'text':
        return this.output.write(textBytes(node));
      case 'action':
        return this.action(node, dot);
      case 'if':
      case 'with':
        return this.branch(node, dot);
      case 'range':
        return this.range(node, dot);
      case 'template':
        return this.templateCall(node, dot);
      case 'break':
        return this.leaveRange();
      case 'continue':
        return this.unwindToRange();
    }
  }

  private action(node: ActionNode, dot: Maybe): void {
    const value = this.evaluator.pipeline(dot, node.pipe);
    if (node.pipe.decl.length > 0) {
      return;
    }
    this.evaluator.place = node;
    const printable = printableValue(value);
    if (!printable.ok) {
      this.evaluator.fail(`can't print ${nodeText(node)} of type ${printable.type}`);
    }
    this.output.append(sprint([printable.value], this.meter));
  }

  private branch(node: BranchNode, dot: Maybe): void {
    const mark = this.evaluator.variables.mark;
    const value = this.evaluator.pipeline(dot, node.pipe);
    this.frames.push({ kind: 'scope', mark });
    if (isTrue(value)) {
      this.enterList(node.list, node.kind === 'with' ? value : dot);
    } else if (node.elseList !== undefined) {
      this.enterList(node.elseList, dot);
    }
  }

  private range(node: BranchNode, dot: Maybe): void {
    const { evaluator } = this;
    const mark = evaluator.variables.mark;
    const { value } = indirect(evaluator.pipeline(dot, node.pipe));
    const bodyMark = evaluator.variables.mark;
    const turns = this.turns(node, value);
    if (turns === undefined) {
      this.frames.push({ kind: 'scope', mark });
      if (node.elseList !== undefined) {
        this.enterList(node.elseList, dot);
      }
      return;
    }
    this.frames.push({ kind: 'range', node, turns, mark, bodyMark });
  }

  /** The turns over a value; undefined if there are none. */
  private turns(node: BranchNode, value: Maybe): Turns | undefined {
    switch (value?.kind) {
      case undefined:
        return undefined;
      case 'int':
      case 'uint8':
        if (node.pipe.decl.length > 1) {
          this.evaluator.fail(`can't use ${this.shown(value)} to iterate over more than one variable`);
        }
        return value.integer > 0n ? integerTurns(value) : undefined;
      case 'slice':
        return value.length === 0 ? undefined : sliceTurns(value);
      case 'map':
        this.meter.step(value.length);
        return value.length === 0 ? undefined : mapTurns(value);
      case 'func':
        return sequenceTurns(value.data as GoSequence, node.pipe.decl.length > 1);
      default:
        return this.evaluator.fail(`range can't iterate over ${this.shown(value)}`);
    }
  }

  private shown(value: Maybe): string {
    return fromByteString(sprintReflected(value, 'v', this.meter));
  }

  private stepRange(frame: RangeFrame): void {
    const { variables } = this.evaluator;
    variables.popTo(frame.bodyMark);
    const turn = frame.turns.next();
    if (turn === undefined) {
      variables.popTo(frame.mark);
      this.frames.pop();
      return;
    }
    this.meter.step();
    const [index, element] = turn;
    this.setLoopVariables(frame.node, index, element);
    this.enterList(frame.node.list, element);
  }

  private setLoopVariables(node: BranchNode, index: Maybe, element: Maybe): void {
    const { decl, isAssign } = node.pipe;
    const { variables } = this.evaluator;
    const [first, second] = decl.map((variable) => variable.idents[0] ?? '');
    if (first === undefined) {
      return;
    }
    if (!isAssign) {
      variables.setFromTop(1, element);
      if (second !== undefined) {
        variables.setFromTop(2, index);
      }
      return;
    }
    variables.set(first, second === undefined ? element : index);
    if (second !== undefined) {
      variables.set(second, element);
    }
  }

  /** Drops everything inside the innermost loop; its next turn comes then. */
  private unwindToRange(): void {
    while (this.frames.length > 0 && this.frames.at(-1)?.kind !== 'range') {
      this.frames.pop();
    }
  }

  private leaveRange(): void {
    this.unwindToRange();
    const loop = this.frames.pop();
    if (loop?.kind === 'range') {
      this.evaluator.variables.popTo(loop.mark);
    }
  }

  private templateCall(node: TemplateCallNode, dot: Maybe): void {
    const { evaluator } = this;
    const tree = this.options.trees.get(node.name);
    if (tree === undefined) {
      return evaluator.fail(`template ${quoteText(fromByteString(node.name))} not defined`);
    }
    if (this.depth === MAX_TEMPLATE_DEPTH) {
      evaluator.fail(`exceeded maximum template depth (${MAX_TEMPLATE_DEPTH})`);
    }
    const value = evaluator.pipeline(dot, node.pipe);
    this.frames.push({ kind: 'call', variables: evaluator.variables, name: evaluator.templateName });
    this.depth++;
    evaluator.templateName = tree.name;
    evaluator.variables = new VariableStack(value);
    this.enterList(tree.root, value);
  }
}

const cachedText = new WeakMap<TextNode, ByteString>();

/** The UTF-8 of a text, made once per node. */
function textBytes(node: TextNode): ByteString {
  let bytes = cachedText.get(node);
  if (bytes === undefined) {
    bytes = toByteString(node.text);
    cachedText.set(node, bytes);
  }
  return bytes;
}

function integerTurns(value: Value): Turns {
  let at = 0n;
  const end = value.integer;
  return {
    next: () => (at < end ? [undefined, new Value(value.type, value.type === UINT8 ? Number(at++) : at++)] : undefined),
  };
}

function sliceTurns(value: Value): Turns {
  let at = 0;
  return { next: () => (at < value.length ? [intValue(at), value.index(at++)] : undefined) };
}

function mapTurns(value: Value): Turns {
  const keys = sortedKeys(value);
  let at = 0;
  return {
    next: () => {
      const key = keys[at++];
      return key === undefined ? undefined : [stringValue(key), value.mapIndex(key)];
    },
  };
}

/** With one variable or none, the element is the key. */
function sequenceTurns({ pairs }: GoSequence, two: boolean): Turns | undefined {
  let at = 0;
  return pairs.length === 0
    ? undefined
    : {
        next: () => {
          const pair = pairs[at++];
          return pair === undefined ? undefined : two ? pair : [undefined, pair[0]];
        },
      };
}
