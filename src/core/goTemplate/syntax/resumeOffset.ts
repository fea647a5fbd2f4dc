import { TokenType, type Token } from './tokens';

/**
 * Where reading goes on after an action that failed: behind the next `}}`, or at the next `{{` if that comes first.
 * @param at the token on which the failure is reported
 * @param delim the `{{` of the action
 * @param offset where the lexer stands
 */
export function resumeOffset(text: string, at: Token, delim: Token, offset: number): number {
  if (at.type === TokenType.RightDelim) {
    return offset;
  }
  const from = Math.max(at.start, delim.start + 2);
  const close = text.indexOf('}}', from);
  const open = text.indexOf('{{', from);
  if (open >= 0 && (close < 0 || open < close)) {
    return open;
  }
  return close < 0 ? text.length : close + 2;
}
