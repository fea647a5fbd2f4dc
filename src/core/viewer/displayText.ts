/** Controls but line feed and tab, and what reorders or hides text: shown as escapes wherever text from a file is shown. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** UTF-16 units of a name in a table. */
export const NAME_UNITS = 400;
/** UTF-16 units of a value in the metadata list. */
export const PREVIEW_UNITS = 240;

/** Text of several lines from a file, with everything invisible in it made visible; line feeds and tabs stay. */
export function displayText(text: string): string {
  return text.replace(HIDDEN, escape).replace(LONE_SURROGATE, escape);
}

/** The same in one line, cut to `units` UTF-16 units. */
export function displayLine(text: string, units: number = NAME_UNITS): string {
  const cut = text.length > units ? `${text.slice(0, units)}…` : text;
  return displayText(cut).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
