import type { ByteString } from '../../golang/byteString';
import type { CommentSpan } from './lexer';
import type { Definition, ListNode, PipeNode, Span, TemplateCallNode, Tree } from './nodes';
import type { SyntaxFailure } from './treeState';

/** What a parse of the whole text gave; after errors, as much as could be read. */
export interface ParseOutput {
  readonly trees: ReadonlyMap<ByteString, Tree>;
  readonly root: ListNode;
  /** Every `{{define}}` and `{{block}}` in the order of their ends, those that Go drops included. */
  readonly definitions: readonly Definition[];
  readonly comments: readonly CommentSpan[];
}

export interface ParserOptions {
  readonly isFunction: (name: string) => boolean;
  /** Called with every failure; if it is absent the first failure is thrown. False skips the rest of the text. */
  readonly onFailure?: (failure: SyntaxFailure, unclosed: Span | undefined) => boolean;
  /** Given what statements hold, in place of the tree: its lists then have one statement, where they are not empty. */
  readonly visitor?: PipelineVisitor;
}

/** Told of every pipeline of a statement, and of calls without one. */
export interface PipelineVisitor {
  pipeline(pipe: PipeNode): void;
  bareCall(call: TemplateCallNode): void;
}
