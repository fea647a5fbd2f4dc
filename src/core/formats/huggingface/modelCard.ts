import { smallest } from '../../extremes';
/**
 * The front matter of a model card, in the subset of YAML that model cards use: top-level keys with a scalar, a sequence of
 * scalars (block or flow) or a literal text. Anything nested deeper (`model-index`) is skipped. Values that YAML 1.1
 * would not read as text (numbers, booleans, null) are left out, as nothing in a GGUF could hold them as text.
 */
export type ModelCard = ReadonlyMap<string, string | readonly string[]>;

/** Front matter beyond this is not a model card's. */
const MAX_LINES = 20_000;
const EMPTY: ModelCard = new Map();

/** Reads the front matter of a README.md; empty when it has none. Never throws: a card is help, not input. */
export function readModelCard(readme: string): ModelCard {
  const lines = frontMatter(readme);
  if (lines === undefined) {
    return EMPTY;
  }
  const card = new Map<string, string | readonly string[]>();
  let at = 0;
  while (at < lines.length) {
    const key = /^([A-Za-z_][\w.-]*|"[^"]*"|'[^']*')\s*:(?:\s+(.*))?$/.exec(lines[at]!);
    const end = blockEnd(lines, at + 1);
    if (key !== null) {
      const value = readValue((key[2] ?? '').trim(), lines.slice(at + 1, end));
      if (value !== undefined) {
        card.set(key[1]!.replace(/^["']|["']$/g, ''), value);
      }
    }
    at = end;
  }
  return card;
}

function frontMatter(readme: string): string[] | undefined {
  const lines = readme.slice(0, 4 * 1024 * 1024).split(/\r\n|\n|\r/, MAX_LINES);
  if (lines[0] !== '---') {
    return undefined;
  }
  const end = lines.indexOf('---', 1);
  return lines.slice(1, end < 0 ? lines.length : end).map((line) => line.replaceAll('\t', '  '));
}

/** First line after `from` that begins another top-level key: sequences may stand unindented under their key. */
function blockEnd(lines: readonly string[], from: number): number {
  let at = from;
  while (at < lines.length && (lines[at] === '' || /^(?:\s|-(?:\s|$)|#)/.test(lines[at]!))) {
    at++;
  }
  return at;
}

function readValue(inline: string, block: readonly string[]): string | readonly string[] | undefined {
  if (/^[|>][+-]?\d?\s*(?:#.*)?$/.test(inline)) {
    return blockText(inline, block);
  }
  if (inline.startsWith('[')) {
    return flowSequence([inline, ...block].join(' '));
  }
  const text = stripComment(inline);
  if (text === '') {
    return blockSequence(block);
  }
  const folded = block.filter((line) => line.trim() !== '').map((line) => line.trim());
  return scalar([text, ...(/^["']/.test(text) ? folded : folded.filter((line) => !line.startsWith('#')))].join(' '));
}

function blockSequence(block: readonly string[]): readonly string[] | undefined {
  const content = block.filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  const indent = content[0]?.search(/\S/) ?? 0;
  const items: string[] = [];
  for (const line of content) {
    if (line.search(/\S/) !== indent) {
      continue; // the inside of a nested value
    }
    const item = /^\s*-\s+(.*)$/.exec(line)?.[1];
    if (item === undefined) {
      return undefined; // a mapping
    }
    // Norwegian: an unquoted `no` in a list is the language, as the converter has it too.
    const text =
      item.trim() === 'no' ? 'no' : /^[\w-]+:(?:\s|$)/.test(item) ? undefined : scalar(stripComment(item.trim()));
    if (text !== undefined) {
      items.push(text);
    }
  }
  return content.length === 0 ? undefined : items;
}

function flowSequence(text: string): readonly string[] | undefined {
  const inside = /^\[((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\]"'])*)\]/.exec(text)?.[1];
  if (inside === undefined) {
    return undefined;
  }
  const items = inside.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^,\s][^,]*/g) ?? [];
  return items.map((item) => scalar(item.trim())).filter((item) => item !== undefined);
}

function blockText(header: string, block: readonly string[]): string {
  const indent = smallest(
    block.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)),
    1000,
  );
  const lines = block.map((line) => line.slice(indent));
  const body = header.startsWith('|') ? lines.join('\n') : lines.join(' ').replace(/ {2,}/g, '\n');
  const trimmed = body.replace(/\s+$/, '');
  return header.includes('-') ? trimmed : `${trimmed}\n`;
}

function stripComment(text: string): string {
  if (text.startsWith('#')) {
    return '';
  }
  return /^["']/.test(text) ? text : text.replace(/\s+#.*$/, '').trimEnd();
}

/** Plain scalars that YAML 1.1 reads as something other than text. */
const NOT_TEXT =
  /^(?:|~|null|true|false|yes|no|on|off|[-+]?(?:\d[\d_]*|0x[\da-f_]+|0b[01_]+)|[-+]?(?:\d[\d_]*)?\.\d[\d_]*(?:e[-+]\d+)?|[-+]?\d[\d_]*\.(?:\d[\d_]*)?(?:e[-+]\d+)?|[-+]?\.(?:inf|nan)|\d{4}-\d{1,2}-\d{1,2}.*)$/i;

function scalar(text: string): string | undefined {
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  if (double !== undefined) {
    return double.replace(
      /\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|(.))/g,
      (_, u: string | undefined, x: string | undefined, c: string | undefined) =>
        c === undefined
          ? String.fromCharCode(parseInt(u ?? x ?? '0', 16))
          : ({ n: '\n', t: '\t', r: '\r', 0: '\0' }[c] ?? c),
    );
  }
  const single = /^'((?:[^']|'')*)'/.exec(text)?.[1];
  if (single !== undefined) {
    return single.replaceAll("''", "'");
  }
  return NOT_TEXT.test(text) || /^[{[&*!|>%@`]/.test(text) ? undefined : text;
}
