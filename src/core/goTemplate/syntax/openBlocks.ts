import type { ByteString } from '../../golang/byteString';
import type { BranchNode, Definition, ListNode, PipeNode, Span, Statement, TemplateCallNode } from './nodes';
import type { TreeState } from './treeState';

/** Stands for a pipeline that a visitor was given. */
export const VISITED_PIPE: PipeNode = { kind: 'pipe', pos: 0, start: 0, end: 0, isAssign: false, decl: [], cmds: [] };

export interface OpenList {
  readonly pos: number;
  readonly start: number;
  readonly nodes: Statement[];
}

/** An empty list that begins at the next token of a tree. */
export function openList(tree: TreeState): OpenList {
  const pos = tree.peekNonSpace().start;
  return { pos, start: pos, nodes: [] };
}

export interface OpenRoot {
  readonly scope: 'root';
  readonly tree: TreeState;
  readonly list: OpenList;
}

/** A `{{define}}` or `{{block}}` whose `{{end}}` has not come. */
export interface OpenDefinition {
  readonly scope: 'definition';
  readonly kind: 'define' | 'block';
  readonly tree: TreeState;
  readonly list: OpenList;
  readonly name: ByteString;
  /** Whether the opening action, the name too, could not be read. */
  readonly unreadable?: true;
  readonly nameSpan: Span;
  readonly header: Span;
  /** What a block leaves in the list around it. */
  readonly call?: TemplateCallNode;
}

export interface OpenBranch {
  readonly scope: 'branch';
  readonly kind: 'if' | 'range' | 'with';
  readonly tree: TreeState;
  readonly pipe: PipeNode;
  readonly header: Span;
  readonly mark: number;
  /** Opened by `{{else if}}` or `{{else with}}`: its end is also that of the branch around it. */
  readonly implied: boolean;
  readonly list: OpenList;
  elseList: OpenList | undefined;
  elseAction: Span | undefined;
}

/** A block whose end has not come. */
export type Open = OpenRoot | OpenDefinition | OpenBranch;

/** The words of an action that opens a block. */
export type Opener = OpenDefinition['kind'] | OpenBranch['kind'];

/** Where the next statement goes. */
export function statementsOf(open: Open): Statement[] {
  return open.scope === 'branch' ? (open.elseList ?? open.list).nodes : open.list.nodes;
}

export function closeList(list: OpenList, end: number): ListNode {
  return { kind: 'list', pos: list.pos, start: list.start, end, nodes: list.nodes };
}

export function closeBranch(open: OpenBranch, endAction: Span): BranchNode {
  const { kind, pipe, header, elseAction } = open;
  return {
    kind,
    pos: pipe.pos,
    start: header.start,
    end: endAction.end,
    pipe,
    header,
    list: closeList(open.list, elseAction?.start ?? endAction.start),
    ...(open.elseList === undefined ? {} : { elseList: closeList(open.elseList, endAction.start) }),
    ...(elseAction === undefined ? {} : { elseAction }),
    endAction,
  };
}

export function closeDefinition(open: OpenDefinition, endAction: Span): Definition {
  const { kind, name, nameSpan, header } = open;
  return {
    kind,
    name,
    nameSpan,
    header,
    start: header.start,
    end: endAction.end,
    root: closeList(open.list, endAction.start),
  };
}

/** A block whose opening action could not be read, so that its end has something to close. */
export function unreadableBlock(kind: Opener, tree: TreeState, ownTree: TreeState, header: Span): Open {
  const { end } = header;
  const place = { pos: end, start: end };
  const list = { ...place, nodes: [] };
  if (kind === 'define' || kind === 'block') {
    return {
      scope: 'definition',
      kind,
      tree: ownTree,
      list,
      name: '',
      unreadable: true,
      nameSpan: { start: end, end },
      header,
    };
  }
  if (kind === 'range') {
    tree.rangeDepth++;
  }
  const pipe: PipeNode = { kind: 'pipe', ...place, end, isAssign: false, decl: [], cmds: [] };
  const mark = tree.variableMark;
  return {
    scope: 'branch',
    kind,
    tree,
    pipe,
    header,
    mark,
    implied: false,
    list,
    elseList: undefined,
    elseAction: undefined,
  };
}
