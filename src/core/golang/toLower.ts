/** All of ASCII. */
const ASCII = /^[\x00-\x7f]*$/;

/** Go's `strings.ToLower`: rune by rune, without JavaScript's rules for context. */
export function toLower(text: string): string {
  return ASCII.test(text)
    ? text.toLowerCase()
    : Array.from(text, (char) => (char === '\u0130' ? 'i' : char.toLowerCase())).join('');
}
