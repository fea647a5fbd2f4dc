import type { Conversation } from './chatFormat';
import { BEGIN_MARKERS, END_MARKERS, familyOf, markersIn } from './turnMarkers';

/** What a difference between two prompts means, gravest first. */
export type DifferenceKind =
  | 'error'
  | 'markers'
  | 'closed'
  | 'no-header'
  | 'header'
  | 'no-end'
  | 'system-lost'
  | 'system-twice'
  | 'message-lost'
  | 'past-header'
  | 'thinking-kept'
  | 'thinking-dropped'
  | 'default-system'
  | 'space'
  | 'text';

export interface Explanation {
  readonly kind: DifferenceKind;
  /** A part of a sentence: `the end of turn is missing: the model will not stop`. */
  readonly meaning: string;
  /** The model answers badly, or does not stop; everything else is to be known. */
  readonly isGrave: boolean;
  /** Where the two part, in characters of the model's own prompt, outer white space and BOS taken off. */
  readonly at: number;
}

/** End tokens at which a model ends by itself, whether or not its history shows them. */
const NATIVE_ENDS: ReadonlySet<string> = new Set([
  '</s>',
  '<eos>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|eos|>',
  '<|EOT|>',
]);

/** A prompt as it is compared: without outer white space, and without the marker that begins a text. */
export function barePrompt(text: string, bos: string | undefined): string {
  let bare = text.trim();
  for (const marker of bos === undefined || bos === '' ? BEGIN_MARKERS : new Set([bos, ...BEGIN_MARKERS])) {
    bare = bare.startsWith(marker) ? bare.slice(marker.length).trimStart() : bare;
  }
  return bare;
}

/**
 * What it means that a TEMPLATE writes `found` where the model's own template writes `expected`, for one conversation. Both are bare
 * prompts; undefined where they are the same.
 */
export function explainDifference(
  expected: string,
  found: string,
  conversation: Conversation,
): Explanation | undefined {
  if (expected === found) {
    return undefined;
  }
  let at = 0;
  while (at < expected.length && expected[at] === found[at]) {
    at += 1;
  }
  const explain = (kind: DifferenceKind, meaning: string, isGrave: boolean): Explanation => ({
    kind,
    meaning,
    isGrave,
    at,
  });
  const foreign = foreignMarkers(expected, found);
  if (foreign !== undefined) {
    return explain('markers', foreign, true);
  }
  const spoken = conversation.messages.filter(
    ({ role, content }) => role !== 'system' && role !== 'tool' && content !== '',
  );
  const contents = spoken.map(({ content }) => content);
  const theirs = gapsOf(expected, contents);
  const ours = gapsOf(found, contents);
  if (theirs === undefined) {
    return explain('text', 'the texts part', false);
  }
  if (ours === undefined) {
    return explain('message-lost', 'not every message is written, or not in its order', true);
  }
  return (
    ofHeader(theirs, ours, explain) ??
    ofTurns(theirs, ours, spoken, explain) ??
    ofSystem(expected, found, conversation, theirs, ours, explain) ??
    ofThinking(expected, found, conversation, explain) ??
    ofSpace(expected, found, at, explain) ??
    explain('text', `${shown(expected, at)} became ${shown(found, at)}`, false)
  );
}

type Explain = (kind: DifferenceKind, meaning: string, isGrave: boolean) => Explanation;

/** Markers of another family, where the two have none in common. */
function foreignMarkers(expected: string, found: string): string | undefined {
  const theirs = new Set(markersIn(expected));
  const ours = [...new Set(markersIn(found))].filter((marker) => familyOf(marker) !== undefined);
  if (ours.length === 0 || ours.some((marker) => theirs.has(marker))) {
    return undefined;
  }
  const family = (markers: Iterable<string>): string | undefined =>
    [...markers].map((marker) => familyOf(marker)?.name).find((name) => name !== undefined);
  const own = family(theirs);
  const what = `it writes the markers of ${family(ours) ?? 'another format'} (${ours.slice(0, 2).join(', ')})`;
  const model = [...theirs].slice(0, 2).join(', ');
  return own === undefined && model === ''
    ? what
    : `${what}, and the model was trained on ${own ?? 'others'} (${model})`;
}

/** What stands before, between and behind the contents; undefined where one is missing. */
function gapsOf(text: string, contents: readonly string[]): string[] | undefined {
  const gaps: string[] = [];
  let at = 0;
  for (const content of contents) {
    const found = text.indexOf(content, at);
    if (found < 0) {
      return undefined;
    }
    gaps.push(text.slice(at, found));
    at = found + content.length;
  }
  gaps.push(text.slice(at));
  return gaps;
}

const plain = (text: string): string => text.replace(/\s+/g, '');
const withoutThoughts = (text: string): string =>
  text.replace(/<(think|thought)>[\s\S]*?(?:<\/\1>|$)|<\/?(?:think|thought)>/g, '');
/** What follows the last end of a turn. */
function headOf(text: string): string {
  const end = markersIn(text).findLast((marker) => END_MARKERS.has(marker));
  return end === undefined ? text : text.slice(text.lastIndexOf(end) + end.length);
}
const lastWord = (text: string): string =>
  headOf(withoutThoughts(text)).trim().split('\n').at(-1)?.trim().slice(-60) ?? '';

/** Where the answer is to begin. */
function ofHeader(theirs: readonly string[], ours: readonly string[], explain: Explain): Explanation | undefined {
  const expected = theirs.at(-1) ?? '';
  const found = ours.at(-1) ?? '';
  const last = markersIn(found).at(-1);
  const isClosed = last !== undefined && END_MARKERS.has(last) && found.trimEnd().endsWith(last);
  if (isClosed && !expected.trimEnd().endsWith(last) && plain(found).startsWith(plain(expected))) {
    return explain('closed', `the answer is closed (${last}) before it begins`, true);
  }
  const [their, our] = [plain(headOf(withoutThoughts(expected))), plain(headOf(withoutThoughts(found)))];
  if (their === our) {
    const begins = plain(headOf(expected)) === plain(headOf(found)) ? undefined : thoughtsDiffer(expected, found);
    return begins === undefined ? undefined : explain('text', begins, false);
  }
  if (their.startsWith(our) && /\p{L}/u.test(their.slice(our.length))) {
    return explain(
      'no-header',
      `the assistant's header is missing (${lastWord(expected)}): it will continue the question`,
      true,
    );
  }
  if (our.startsWith(their)) {
    return explain('text', `it begins the answer with ${JSON.stringify(found.trim().slice(-40))}`, false);
  }
  const [wanted, written] = [lastWord(expected), lastWord(found)];
  return wanted === written
    ? undefined
    : explain('header', `the answer is headed ${JSON.stringify(written)} instead of ${JSON.stringify(wanted)}`, true);
}

function thoughtsDiffer(expected: string, found: string): string {
  return found.includes('<think>') && !expected.includes('<think>')
    ? 'it begins the answer with <think>, and the model’s own does not'
    : expected.includes('<think>') && !found.includes('<think>')
      ? 'the model’s own begins the answer with <think>, and this one does not'
      : 'the thoughts before the answer begin otherwise';
}

/** The ends of answers, and their heads in the history. */
function ofTurns(
  theirs: readonly string[],
  ours: readonly string[],
  spoken: readonly { readonly role: string }[],
  explain: Explain,
): Explanation | undefined {
  for (let i = 0; i + 1 < spoken.length; i += 1) {
    const expected = theirs[i + 1] ?? '';
    const found = ours[i + 1] ?? '';
    if (plain(expected) === plain(found)) {
      continue;
    }
    if (spoken[i]?.role === 'assistant') {
      const end = markersIn(expected).find((marker) => END_MARKERS.has(marker));
      if (end !== undefined && !markersIn(found).some((marker) => END_MARKERS.has(marker))) {
        const isNative = NATIVE_ENDS.has(end);
        return explain(
          'no-end',
          `the end of turn is missing (${end})${isNative ? ' behind past answers' : ': the model will not stop'}`,
          !isNative,
        );
      }
    } else if (spoken[i + 1]?.role === 'assistant') {
      const [wanted, written] = [lastWord(expected), lastWord(found)];
      if (plain(wanted) !== plain(written) && written !== '') {
        return explain(
          'past-header',
          `past answers are headed ${JSON.stringify(written)} instead of ${JSON.stringify(wanted)}`,
          false,
        );
      }
    }
  }
  return undefined;
}

function count(text: string, part: string): number {
  return part === '' ? 0 : text.split(part).length - 1;
}

function ofSystem(
  expected: string,
  found: string,
  { messages }: Conversation,
  theirs: readonly string[],
  ours: readonly string[],
  explain: Explain,
): Explanation | undefined {
  for (const { content } of messages.filter(({ role }) => role === 'system')) {
    const [wanted, written] = [count(expected, content), count(found, content)];
    if (written > wanted && wanted > 0) {
      return explain(
        'system-twice',
        `the system message is written ${written === 2 ? 'twice' : `${written} times`}`,
        true,
      );
    }
    if (written < wanted) {
      return explain('system-lost', 'the system message is not written', true);
    }
    if (written > wanted) {
      return explain('text', 'the system message is written, which the model’s own leaves out', false);
    }
  }
  const [head = ''] = theirs;
  const [own = ''] = ours;
  if (
    !messages.some(({ role }) => role === 'system') &&
    plain(head).length > plain(own).length + 12 &&
    head.includes(' ')
  ) {
    const text = head
      .replace(/<[^<>]{1,40}>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    return explain('default-system', `the model’s own begins with a text of its own (“${text.slice(0, 60)}”)`, false);
  }
  return undefined;
}

function ofThinking(
  expected: string,
  found: string,
  { messages }: Conversation,
  explain: Explain,
): Explanation | undefined {
  const thoughts = messages.map(({ reasoning_content: text }) => text).filter((text) => text !== undefined);
  for (const text of thoughts) {
    const [wanted, written] = [expected.includes(text), found.includes(text)];
    if (wanted !== written) {
      return written
        ? explain('thinking-kept', 'past thinking is kept', false)
        : explain('thinking-dropped', 'past thinking is left out', false);
    }
  }
  return undefined;
}

/** `one newline instead of two after <|end_header_id|>`. */
function ofSpace(expected: string, found: string, at: number, explain: Explain): Explanation | undefined {
  if (plain(expected) !== plain(found)) {
    return undefined;
  }
  let start = at;
  while (start > 0 && /\s/.test(expected[start - 1] ?? '')) {
    start -= 1;
  }
  const run = (text: string): string => /^\s*/.exec(text.slice(start))?.[0] ?? '';
  const before = expected.slice(Math.max(start - 40, 0), start);
  const after = markersIn(before).at(-1);
  const place = after !== undefined && before.endsWith(after) ? after : JSON.stringify(before.slice(-16));
  return explain('space', `${spaceName(run(found))} instead of ${spaceName(run(expected))} after ${place}`, false);
}

const NUMBERS = ['no', 'one', 'two', 'three', 'four'];

function spaceName(space: string): string {
  if (space === '') {
    return 'no white space';
  }
  const newlines = count(space, '\n');
  if (/^\n+$/.test(space)) {
    return `${NUMBERS[newlines] ?? newlines} ${newlines === 1 ? 'newline' : 'newlines'}`;
  }
  if (/^ +$/.test(space)) {
    return `${NUMBERS[space.length] ?? space.length} ${space.length === 1 ? 'space' : 'spaces'}`;
  }
  return JSON.stringify(space);
}

function shown(text: string, at: number): string {
  return JSON.stringify(text.slice(Math.max(at - 8, 0), at + 40));
}
