/** What a chat template has no business with, and what to say of it. */
const SIGNS: readonly (readonly [RegExp, (found: string) => string])[] = [
  [
    /[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069]/,
    (found) => `has characters that nobody sees (U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase()})`,
  ],
  [/https?:\/\/[^\s'"]{1,80}/, (found) => `has an address in it (${found})`],
  [
    /[A-Za-z0-9+/]{120,}={0,2}/,
    (found) => `has ${found.length} characters of encoded text in it (${found.slice(0, 20)}…)`,
  ],
  // A word that is looked for in what people write; marks of the format itself (`</think>`, `[TOOL`) are looked for by many.
  [
    /(?:if|elif)\b[^%]{0,200}?['"]([A-Za-z][^'"<>[\]|]{2,60})['"]\s+in\s+(?:message|messages\[[^\]]{1,20}\]|msg|m)(?:\.content|\[['"]content['"]\])/,
    (found) => `does something else when a message has certain words in it (${found.slice(0, 100)})`,
  ],
];

/**
 * Signs that a chat template may do more than format messages: sentences that begin with what it has. An empty list is no proof of
 * anything. The template is not run.
 */
export function suspiciousJinja(jinja: string): readonly string[] {
  // Comments are never written into a prompt.
  const text = jinja.replace(/\{#[\s\S]*?#\}/g, '');
  return SIGNS.flatMap(([pattern, describe]) => {
    const found = pattern.exec(text)?.[0];
    return found === undefined
      ? []
      : [`The model's own template ${describe(found)}: read it before you trust this model.`];
  });
}
