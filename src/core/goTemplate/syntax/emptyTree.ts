import type { ListNode, Statement } from './nodes';

/** Go's `unicode.IsSpace`. */
const ONLY_SPACE = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** Nothing but space (comments are no nodes). */
export function isSpace(statement: Statement): boolean {
  return statement.kind === 'text' && ONLY_SPACE.test(statement.text);
}

/** Go's `parse.IsEmptyTree`. */
export function isEmptyList(list: ListNode): boolean {
  return list.nodes.every(isSpace);
}
