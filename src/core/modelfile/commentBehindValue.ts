/**
 * A value without quotes, cut at a `#` that stands behind white space, which Ollama takes for a part of it; undefined where there is none.
 * Not for prose.
 */
export function commentBehindValue(text: string): { readonly value: string; readonly comment: string } | undefined {
  const [, value, comment] = /^(\S.*?)\s+(#(?:\s.*)?)$/s.exec(text) ?? [];
  return value === undefined || comment === undefined ? undefined : { value, comment };
}
