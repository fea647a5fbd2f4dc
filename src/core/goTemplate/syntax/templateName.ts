import { toByteString, type ByteString } from '../../golang/byteString';
import { unquote } from '../../golang/unquote';
import { INVALID_SYNTAX } from './pipelineParser';
import { TokenType, type Token } from './tokens';
import type { TreeState } from './treeState';

/** The name that a `{{define}}`, `{{block}}` or `{{template}}` has in quotes; fails on any other token. */
export function templateName(tree: TreeState, token: Token, context: string): ByteString {
  const named = token.type === TokenType.String || token.type === TokenType.RawString;
  if (!named) {
    return tree.unexpected(token, context);
  }
  return unquote(toByteString(tree.value(token))) ?? tree.fail(INVALID_SYNTAX);
}
