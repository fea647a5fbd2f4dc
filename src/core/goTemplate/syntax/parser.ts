import { DefinedTrees } from './definedTrees';
import { isSpace } from './emptyTree';
import { Lexer, type CommentSpan } from './lexer';
import type { Definition, PipeNode, Span, Statement, TemplateCallNode } from './nodes';
import {
  closeBranch,
  closeDefinition,
  closeList,
  openList,
  statementsOf,
  unreadableBlock,
  VISITED_PIPE,
  type Open,
  type OpenBranch,
  type OpenDefinition,
  type Opener,
  type OpenRoot,
} from './openBlocks';
import type { ParseOutput, ParserOptions } from './parserOptions';
import { PipelineParser } from './pipelineParser';
import { resumeOffset } from './resumeOffset';
import { templateName } from './templateName';
import { TokenType, type Token } from './tokens';
import { asFailure, TreeState, type SyntaxFailure } from './treeState';

const CONTEXTS = { define: 'define clause', block: 'block clause' } as const;

/**
 * Go's template parser. Open blocks are on a list instead of the call stack, so that nesting has no limit but
 * Go's. Throws {@link SyntaxFailure} unless failures are to be collected.
 */
export class TemplateParser {
  private readonly comments: CommentSpan[] = [];
  private readonly pipelines = new PipelineParser();
  private readonly lexer: Lexer;
  private readonly trees = new DefinedTrees();
  private readonly definitions: Definition[] = [];
  private readonly open: Open[] = [];
  private readonly root: OpenRoot;
  private delim: Token = { type: TokenType.LeftDelim, start: 0, end: 0 };
  /** The keyword of a block whose opening action is being read, for recovery. */
  private opening: Opener | undefined;
  private skipRest = false;

  constructor(
    private readonly text: string,
    private readonly options: ParserOptions,
  ) {
    this.lexer = new Lexer(text, this.comments);
    this.root = { scope: 'root', tree: this.newTree(), list: { pos: 0, start: 0, nodes: [] } };
    this.open.push(this.root);
  }

  parse(): ParseOutput {
    for (;;) {
      try {
        if (this.statements()) {
          break;
        }
      } catch (thrown) {
        this.recover(thrown);
      }
    }
    const root = closeList(this.root.list, this.text.length);
    this.guarded(() => this.trees.define('', root, this.root.tree));
    return { trees: this.trees.byName, root, definitions: this.definitions, comments: this.comments };
  }

  private newTree(): TreeState {
    const report = (failure: SyntaxFailure): void => this.report(failure, undefined);
    return new TreeState(this.text, this.lexer, report, this.options.isFunction);
  }

  private report(failure: SyntaxFailure, unclosed: Span | undefined): void {
    if (this.options.onFailure === undefined) {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- caught in this folder, never seen outside
      throw failure;
    }
    this.skipRest ||= !this.options.onFailure(failure, unclosed);
  }

  private guarded(action: () => void): void {
    try {
      action();
    } catch (thrown) {
      this.report(asFailure(thrown), undefined);
    }
  }

  private get top(): Open {
    return this.open.at(-1) ?? this.root;
  }

  private add(statement: Statement): void {
    const nodes = statementsOf(this.top);
    if (this.options.visitor === undefined || (nodes.length === 0 && !isSpace(statement))) {
      nodes.push(statement);
    }
  }

  private pipeline(tree: TreeState, context: string): PipeNode {
    const pipe = this.pipelines.parse(tree, context);
    const { visitor } = this.options;
    visitor?.pipeline(pipe);
    return visitor === undefined ? pipe : VISITED_PIPE;
  }

  /** Reads to the end of the text; true once it is there. */
  private statements(): boolean {
    for (;;) {
      const { top } = this;
      const { tree } = top;
      if (top.scope === 'root') {
        if (tree.peek().type === TokenType.EndOfFile) {
          return true;
        }
        if (tree.peek().type === TokenType.LeftDelim && this.definition(tree)) {
          continue;
        }
      } else if (tree.peekNonSpace().type === TokenType.EndOfFile) {
        tree.fail('unexpected EOF');
      }
      this.textOrAction(tree);
    }
  }

  /** Opens a `{{define}}` if that is what comes at the top level. */
  private definition(tree: TreeState): boolean {
    const delim = tree.next();
    if (tree.nextNonSpace().type !== TokenType.Define) {
      tree.backup2(delim);
      return false;
    }
    this.delim = delim;
    this.opening = 'define';
    const own = this.newTree();
    const token = own.nextNonSpace();
    const name = templateName(own, token, CONTEXTS.define);
    const end = own.expect(TokenType.RightDelim, CONTEXTS.define);
    const header = { start: delim.start, end: end.end };
    this.push({
      scope: 'definition',
      kind: 'define',
      tree: own,
      list: openList(own),
      name,
      nameSpan: token,
      header,
    });
    return true;
  }

  private push(open: Open): void {
    this.opening = undefined;
    this.open.push(open);
  }

  private textOrAction(tree: TreeState): void {
    const token = tree.nextNonSpace();
    switch (token.type) {
      case TokenType.Text:
        this.add({ kind: 'text', pos: token.start, start: token.start, end: token.end, text: tree.value(token) });
        return;
      case TokenType.LeftDelim:
        tree.actionStart = token.start;
        this.delim = token;
        // Of a block that opens, Go remembers the line until the first action in it is complete.
        if (this.action(tree)) {
          tree.actionStart = undefined;
        }
        return;
      default:
        tree.unexpected(token, 'input');
    }
  }

  /** Reads an action behind its `{{`; false if it opened a block. */
  private action(tree: TreeState): boolean {
    const token = tree.nextNonSpace();
    switch (token.type) {
      case TokenType.Block:
        this.block(tree);
        return false;
      case TokenType.If:
        this.branch(tree, 'if', false);
        return false;
      case TokenType.Range:
        this.branch(tree, 'range', false);
        return false;
      case TokenType.With:
        this.branch(tree, 'with', false);
        return false;
      case TokenType.Break:
        this.leave(tree, token, 'break');
        return true;
      case TokenType.Continue:
        this.leave(tree, token, 'continue');
        return true;
      case TokenType.Else:
        return this.elseAction(tree);
      case TokenType.End:
        this.endAction(tree);
        return true;
      case TokenType.Template:
        this.templateCall(tree);
        return true;
      default: {
        tree.backup();
        const pos = tree.peek().start;
        const pipe = this.pipeline(tree, 'command');
        this.add({ kind: 'action', pos, start: this.delim.start, end: tree.lastRead.end, pipe });
        return true;
      }
    }
  }

  /** From the action's `{{` to the end of the token that was read last, its `}}`. */
  private actionSpan(tree: TreeState): Span {
    return { start: this.delim.start, end: tree.lastRead.end };
  }

  private leave(tree: TreeState, keyword: Token, kind: 'break' | 'continue'): void {
    const token = tree.nextNonSpace();
    if (token.type !== TokenType.RightDelim) {
      tree.unexpected(token, `{{${kind}}}`);
    }
    if (tree.rangeDepth === 0) {
      tree.fail(`{{${kind}}} outside {{range}}`, keyword);
    }
    this.add({ kind, pos: keyword.start, ...this.actionSpan(tree) });
  }

  private branch(tree: TreeState, kind: OpenBranch['kind'], implied: boolean): void {
    this.opening = kind;
    const mark = tree.variableMark;
    const pipe = this.pipeline(tree, kind);
    const header = this.actionSpan(tree);
    if (kind === 'range') {
      tree.rangeDepth++;
    }
    this.push({
      scope: 'branch',
      kind,
      tree,
      pipe,
      header,
      mark,
      implied,
      list: openList(tree),
      elseList: undefined,
      elseAction: undefined,
    });
  }

  private block(tree: TreeState): void {
    this.opening = 'block';
    const token = tree.nextNonSpace();
    const name = templateName(tree, token, CONTEXTS.block);
    const pipe = this.pipeline(tree, CONTEXTS.block);
    const header = this.actionSpan(tree);
    const call: TemplateCallNode = { kind: 'template', pos: token.start, ...header, name, nameSpan: token, pipe };
    const own = this.newTree();
    this.push({
      scope: 'definition',
      kind: 'block',
      tree: own,
      list: openList(own),
      name,
      nameSpan: token,
      header,
      call,
    });
  }

  private templateCall(tree: TreeState): void {
    const context = 'template clause';
    const token = tree.nextNonSpace();
    const name = templateName(tree, token, context);
    let pipe: PipeNode | undefined;
    if (tree.nextNonSpace().type !== TokenType.RightDelim) {
      tree.backup();
      pipe = this.pipeline(tree, context);
    }
    const call = { kind: 'template' as const, pos: token.start, ...this.actionSpan(tree), name, nameSpan: token };
    if (pipe === undefined) {
      this.options.visitor?.bareCall(call);
    }
    this.add(pipe === undefined ? call : { ...call, pipe });
  }

  /** False if it opened the branch of an `else if` or `else with`, for which Go remembers no line. */
  private elseAction(tree: TreeState): boolean {
    const keyword = tree.peekNonSpace();
    const chained = keyword.type === TokenType.If || keyword.type === TokenType.With;
    const pos = chained ? keyword.start : tree.expect(TokenType.RightDelim, 'else').start;
    const { top } = this;
    if (top.scope === 'root') {
      return tree.fail('unexpected {{else}}');
    }
    if (top.scope === 'definition') {
      return this.reporter(top).fail(`unexpected {{else}} in ${CONTEXTS[top.kind]}`);
    }
    if (top.elseList !== undefined) {
      return tree.fail('expected end; found {{else}}');
    }
    if (top.kind === 'range') {
      tree.rangeDepth--;
    }
    tree.actionStart = undefined;
    return this.openElse(top, pos, keyword);
  }

  private openElse(top: OpenBranch, pos: number, keyword: Token): boolean {
    const { tree } = top;
    const start = this.delim.start;
    const kind = keyword.type === TokenType.If ? 'if' : 'with';
    if (top.kind === kind && keyword.type !== TokenType.RightDelim) {
      tree.next();
      top.elseList = { pos, start: pos, nodes: [] };
      this.branch(tree, kind, true);
      top.elseAction = { start, end: (this.top as OpenBranch).header.end };
      return false;
    }
    top.elseAction = this.actionSpan(tree);
    top.elseList = openList(tree);
    return true;
  }

  /** The tree on whose account Go reports what is wrong at the end of a definition: of a block, the one around it. */
  private reporter(definition: OpenDefinition): TreeState {
    return definition.kind === 'define' ? definition.tree : (this.open.at(-2) ?? this.root).tree;
  }

  private endAction(tree: TreeState): void {
    const delim = tree.expect(TokenType.RightDelim, 'end');
    if (this.top.scope === 'root') {
      tree.fail('unexpected {{end}}');
    }
    this.closeTop({ start: this.delim.start, end: delim.end });
  }

  /** Closes the innermost block, and with an implied branch the ones that its end closes too. */
  private closeTop(endAction: Span): void {
    for (;;) {
      const closed = this.open.pop();
      if (closed === undefined || closed.scope === 'root') {
        return;
      }
      if (closed.scope === 'definition') {
        this.finishDefinition(closed, endAction);
        return;
      }
      closed.tree.popVariables(closed.mark);
      if (closed.kind === 'range' && closed.elseList === undefined) {
        closed.tree.rangeDepth--;
      }
      closed.tree.actionStart = undefined;
      this.add(closeBranch(closed, endAction));
      if (!closed.implied) {
        return;
      }
    }
  }

  private finishDefinition(open: OpenDefinition, endAction: Span): void {
    const definition = closeDefinition(open, endAction);
    this.definitions.push(definition);
    if (open.call !== undefined) {
      this.top.tree.actionStart = undefined;
      this.add(open.call);
    }
    if (open.unreadable !== true) {
      this.guarded(() => this.trees.define(definition.name, definition.root, open.tree));
    }
  }

  /** Goes on behind the action that failed, with the block that it would have opened. */
  private recover(thrown: unknown): void {
    const failure = asFailure(thrown);
    const atEnd = failure.at.type === TokenType.EndOfFile;
    const { top } = this;
    this.report(failure, atEnd && top.scope !== 'root' ? top.header : undefined);
    top.tree.dropLookAhead();
    this.lexer.resume(
      atEnd || this.skipRest ? this.text.length : resumeOffset(this.text, failure.at, this.delim, this.lexer.offset),
    );
    if (this.opening !== undefined) {
      const header = { start: this.delim.start, end: this.lexer.offset };
      this.push(unreadableBlock(this.opening, top.tree, this.newTree(), header));
    }
    if (this.lexer.offset >= this.text.length) {
      while (this.top.scope !== 'root') {
        this.closeTop({ start: this.text.length, end: this.text.length });
      }
    }
  }
}
