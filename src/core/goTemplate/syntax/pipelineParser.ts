import { quoteText } from '../../golang/quote';
import { toByteString } from '../../golang/byteString';
import { unquote } from '../../golang/unquote';
import type { CommandNode, Operand, PipeNode, VariableNode } from './nodes';
import { expressionText } from './nodeText';
import { numberConstant } from './numberConstant';
import { TokenType, type Token } from './tokens';
import type { TreeState } from './treeState';

/** What Go says of a string constant that is none. */
export const INVALID_SYNTAX = 'invalid syntax';

/** Most pipelines declare nothing: they share this. */
const NO_VARIABLES: readonly VariableNode[] = [];

/**
 * A pipeline that is being read: the outermost one, or one in parentheses. Lists begin as literals of one
 * element, for an empty array that grows takes room for many.
 */
class OpenPipeline {
  isAssign = false;
  decl: VariableNode[] | undefined;
  cmds: CommandNode[] | undefined;
  /** Of the command that is being read; its operands so far. */
  inCommand = false;
  commandStart = 0;
  commandEnd = 0;
  args: Operand[] | undefined;

  constructor(
    readonly start: number,
    readonly context: string,
    readonly end: TokenType,
  ) {}

  addVariable(variable: VariableNode): number {
    return this.decl === undefined ? (this.decl = [variable]).length : this.decl.push(variable);
  }

  addOperand(operand: Operand): void {
    this.commandEnd = operand.end;
    if (this.args === undefined) {
      this.args = [operand];
    } else {
      this.args.push(operand);
    }
  }

  /** Ends the command in hand; false if it has no operands. */
  endCommand(): boolean {
    const { args, commandStart, commandEnd } = this;
    if (args === undefined) {
      return false;
    }
    const command: CommandNode = { kind: 'command', pos: commandStart, start: commandStart, end: commandEnd, args };
    if (this.cmds === undefined) {
      this.cmds = [command];
    } else {
      this.cmds.push(command);
    }
    this.args = undefined;
    this.inCommand = false;
    return true;
  }

  node(cmds: readonly CommandNode[]): PipeNode {
    const { start, isAssign, decl, commandEnd } = this;
    return { kind: 'pipe', pos: start, start, end: commandEnd, isAssign, decl: decl ?? NO_VARIABLES, cmds };
  }
}

const STARTS_OPERAND: ReadonlySet<TokenType> = new Set([
  TokenType.Bool,
  TokenType.CharConstant,
  TokenType.Complex,
  TokenType.Dot,
  TokenType.Field,
  TokenType.Identifier,
  TokenType.Number,
  TokenType.Nil,
  TokenType.RawString,
  TokenType.String,
  TokenType.Variable,
  TokenType.LeftParen,
]);

/** Kinds that only the first command of a pipeline may begin with. */
const NOT_EXECUTABLE: ReadonlySet<Operand['kind']> = new Set(['bool', 'dot', 'nil', 'number', 'string']);

/**
 * Reads a pipeline up to its end token as Go's parser does. Parentheses are kept on a list instead of the call
 * stack, for Go allows ten thousand of them.
 */
export class PipelineParser {
  private readonly open: OpenPipeline[] = [];
  private tree!: TreeState;

  /** Reads one; the parser can be used again, also after a failure. */
  parse(tree: TreeState, context: string): PipeNode {
    this.tree = tree;
    this.open.length = 0;
    this.begin(context, TokenType.RightDelim);
    for (;;) {
      const done = this.commands();
      if (done !== undefined) {
        return done;
      }
    }
  }

  private begin(context: string, end: TokenType): void {
    const token = this.tree.peekNonSpace();
    this.open.push(new OpenPipeline(token.start, context, end));
    if (token.type === TokenType.Variable) {
      this.declarations();
    }
  }

  private get current(): OpenPipeline {
    const open = this.open.at(-1);
    if (open === undefined) {
      throw new RangeError('no pipeline is open');
    }
    return open;
  }

  /** `$x :=`, `$x =`, `$i, $x :=`: as Go looks ahead for them. */
  private declarations(): void {
    const { tree } = this;
    const open = this.current;
    for (;;) {
      const variable = tree.peekNonSpace();
      if (variable.type !== TokenType.Variable) {
        return;
      }
      tree.next();
      const adjacent = tree.peek();
      const next = tree.peekNonSpace();
      const assigns = next.type === TokenType.Assign || next.type === TokenType.Declare;
      if (!assigns && !(next.type === TokenType.Char && tree.value(next) === ',')) {
        if (adjacent.type === TokenType.Space) {
          tree.backup3(variable, adjacent);
        } else {
          tree.backup2(variable);
        }
        return;
      }
      if (assigns) {
        open.isAssign = next.type === TokenType.Assign;
      }
      tree.nextNonSpace();
      const count = open.addVariable(this.variable(variable));
      tree.declare(tree.value(variable));
      if (assigns) {
        return;
      }
      this.checkAnotherVariable(open.context, count);
    }
  }

  private checkAnotherVariable(context: string, count: number): void {
    if (context !== 'range' || count >= 2) {
      this.tree.fail(`too many declarations in ${context}`);
    }
    const { type } = this.tree.peekNonSpace();
    if (type !== TokenType.Variable && type !== TokenType.RightDelim && type !== TokenType.RightParen) {
      this.tree.fail('range can only initialize variables');
    }
  }

  /** Reads commands until the pipeline in hand ends or one in parentheses begins; gives the outermost when it is complete. */
  private commands(): PipeNode | undefined {
    const { tree } = this;
    const open = this.current;
    if (!open.inCommand) {
      const token = tree.nextNonSpace();
      if (token.type === open.end) {
        return this.finish(token);
      }
      if (!STARTS_OPERAND.has(token.type)) {
        tree.unexpected(token, open.context);
      }
      tree.backup();
      open.inCommand = true;
      open.commandStart = token.start;
    }
    this.operands();
    return undefined;
  }

  /** Reads the operands of the command in hand, until it ends or parentheses open. */
  private operands(): void {
    const { tree } = this;
    for (;;) {
      tree.peekNonSpace();
      const token = tree.nextNonSpace();
      if (token.type === TokenType.LeftParen) {
        tree.openParen();
        this.begin('parenthesized pipeline', TokenType.RightParen);
        return;
      }
      const term = this.term(token);
      if (term === undefined) {
        tree.backup();
      } else {
        this.addOperand(term);
      }
      if (!this.continueCommand()) {
        return;
      }
    }
  }

  /** Looks at what follows an operand: false when the command is complete. */
  private continueCommand(): boolean {
    const { tree } = this;
    const open = this.current;
    const token = tree.next();
    switch (token.type) {
      case TokenType.Space:
        return true;
      case TokenType.RightDelim:
      case TokenType.RightParen:
        tree.backup();
        break;
      case TokenType.Pipe:
        break;
      default:
        tree.unexpected(token, 'operand');
    }
    if (!open.endCommand()) {
      tree.fail('empty command');
    }
    return false;
  }

  private addOperand(term: Operand): void {
    this.current.addOperand(this.tree.peek().type === TokenType.Field ? this.chain(term) : term);
  }

  private finish(end: Token): PipeNode | undefined {
    const { tree } = this;
    const pipe = this.checked(this.current);
    this.open.pop();
    const outer = this.open.at(-1);
    if (outer === undefined) {
      return pipe;
    }
    tree.closeParen();
    this.addOperand(pipe);
    outer.commandEnd = Math.max(outer.commandEnd, end.end);
    // The outer command goes on unless this was its last operand.
    if (this.continueCommand()) {
      this.operands();
    }
    return undefined;
  }

  private checked(open: OpenPipeline): PipeNode {
    const { cmds, context } = open;
    if (cmds === undefined) {
      return this.tree.fail(`missing value for ${context}`);
    }
    for (let stage = 1; stage < cmds.length; stage++) {
      const first = cmds[stage]?.args[0];
      if (first !== undefined && NOT_EXECUTABLE.has(first.kind)) {
        this.tree.fail(`non executable command in pipeline stage ${stage + 1}`);
      }
    }
    return open.node(cmds);
  }

  /** `.A.B` or `$x.A` stay what they are and grow; parentheses and functions become the root of a chain. */
  private chain(root: Operand): Operand {
    const { tree } = this;
    const pos = tree.peek().start;
    const fields: string[] = [];
    let end = pos;
    while (tree.peek().type === TokenType.Field) {
      const token = tree.next();
      fields.push(tree.value(token).slice(1));
      end = token.end;
    }
    const { start } = root;
    switch (root.kind) {
      case 'field':
      case 'variable':
        return { ...root, pos, start, end, idents: [...root.idents, ...fields] };
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return tree.fail(`unexpected . after term ${quoteText(expressionText(root))}`);
      default:
        return { kind: 'chain', pos, start, end, node: root, fields };
    }
  }

  private variable(token: Token): VariableNode {
    return { kind: 'variable', pos: token.start, start: token.start, end: token.end, idents: [this.tree.value(token)] };
  }

  /** An operand of one token; undefined if the token begins none. */
  private term(token: Token): Operand | undefined {
    const { tree } = this;
    const { start, end } = token;
    switch (token.type) {
      case TokenType.Identifier: {
        const name = tree.value(token);
        tree.checkFunction(name, token);
        return { kind: 'identifier', pos: start, start, end, name };
      }
      case TokenType.Dot:
        return { kind: 'dot', pos: start, start, end };
      case TokenType.Nil:
        return { kind: 'nil', pos: start, start, end };
      case TokenType.Variable:
        tree.checkVariable(tree.value(token), token);
        return this.variable(token);
      case TokenType.Field:
        return { kind: 'field', pos: start, start, end, idents: [tree.value(token).slice(1)] };
      case TokenType.Bool:
        return { kind: 'bool', pos: start, start, end, value: tree.value(token) === 'true' };
      case TokenType.CharConstant:
      case TokenType.Complex:
      case TokenType.Number: {
        const text = tree.value(token);
        const constant = numberConstant(text, token.type);
        return constant.ok
          ? { kind: 'number', pos: start, start, end, text, value: constant.value }
          : tree.fail(constant.error);
      }
      case TokenType.String:
      case TokenType.RawString: {
        const quoted = tree.value(token);
        const value = unquote(toByteString(quoted));
        return value === undefined
          ? tree.fail(INVALID_SYNTAX)
          : { kind: 'string', pos: start, start, end, quoted, value };
      }
      default:
        return undefined;
    }
  }
}
