/**
 * Texts that stand for what a conversation brings: put into a Jinja template, looked for in what it renders. Letters only, for
 * templates trim, split and escape. In texts taken apart, single characters of the private use area stand for them.
 */
export const MARKS = {
  system: 'qxSystemqx',
  laterSystem: 'qxLaterqx',
  user: (turn: number): string => `qxUser${turn}qx`,
  assistant: (turn: number): string => `qxAnswer${turn}qx`,
  thinking: 'qxThoughtqx',
  /** With a quote, to see whether it is written as JSON. */
  result: (number: number): string => `qxResult${number}"qx`,
  tool: (number: number): string => `qxtool${number}qx`,
  callId: (number: number): string => `qxid${number}idqx`.slice(0, 9),
  argument: (number: number): string => `qxValue${number}qx`,
} as const;

/** Placeholders within pieces of a template. */
export const HOLE = {
  system: '\ue001',
  tools: '\ue002',
  thinking: '\ue003',
  callId: '\ue004',
  toolName: '\ue005',
  /** Of a result: the id of the call it answers. */
  resultId: '\ue006',
  /** Stand before and after the format of a date. */
  dateStart: '\ue007',
  dateEnd: '\ue008',
} as const;

/** The longest text that both begin with. */
export function commonPrefix(a: string, b: string): string {
  let end = 0;
  while (end < a.length && end < b.length && a[end] === b[end]) {
    end += 1;
  }
  return a.slice(0, end);
}

/** The longest text that both end with. */
export function commonSuffix(a: string, b: string): string {
  let size = 0;
  while (size < a.length && size < b.length && a[a.length - 1 - size] === b[b.length - 1 - size]) {
    size += 1;
  }
  return a.slice(a.length - size);
}

/** What stands before a mark; undefined where it is not there. */
export function beforeMark(text: string, mark: string): string | undefined {
  const at = text.indexOf(mark);
  return at < 0 ? undefined : text.slice(0, at);
}

/** What stands behind a mark. */
export function after(text: string, mark: string): string | undefined {
  const at = text.indexOf(mark);
  return at < 0 ? undefined : text.slice(at + mark.length);
}

/** What stands between two marks, the second one behind the first. */
export function between(text: string, start: string, end: string): string | undefined {
  const rest = after(text, start);
  return rest === undefined ? undefined : beforeMark(rest, end);
}
