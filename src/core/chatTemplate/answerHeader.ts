import type { TemplateProbe } from './templateProbe';
import { BEGIN_MARKERS, END_MARKERS, markersIn } from './turnMarkers';

/** What is wrong where the answer is to begin. */
export type HeaderProblem =
  /** Nothing opens the assistant's turn; `end` is the marker that the prompt ends with, if any. */
  | { readonly kind: 'missing'; readonly end?: string | undefined }
  /** The turn is opened, and closed by `end`. */
  | { readonly kind: 'closed'; readonly end: string }
  /** Answers of the history are headed otherwise than the one to come. */
  | { readonly kind: 'mismatch'; readonly past: string; readonly next: string };

/** Looks at what a template writes before an answer; undefined where nothing is wrong with it. */
export function headerProblem(probe: TemplateProbe): HeaderProblem | undefined {
  const { answerHeader, pastHeader, turnEnd, completion, question } = probe;
  if (answerHeader === undefined || completion !== undefined) {
    return undefined;
  }
  const isEnd = (marker: string): boolean => END_MARKERS.has(marker) || marker === turnEnd;
  const markers = markersIn(answerHeader);
  const last = markers.at(-1);
  if (last !== undefined && isEnd(last) && answerHeader.trimEnd().endsWith(last)) {
    const before = answerHeader.slice(0, answerHeader.lastIndexOf(last));
    const opened = isEnd(markers[0] ?? '') ? before.replace(markers[0] ?? '', '') : before;
    if (markers.length > 1 && opened.trim() !== '') {
      return { kind: 'closed', end: last };
    }
    // Texts for translation and the like end with `</s>` and nothing else: their format has no turns.
    return opensTurns(question) ? { kind: 'missing', end: last } : undefined;
  }
  if (pastHeader === undefined) {
    return undefined;
  }
  const past = comparable(pastHeader, isEnd);
  const next = comparable(answerHeader, isEnd);
  if (next === '' && past !== '') {
    return { kind: 'missing' };
  }
  const isPart = next.startsWith(past) || (past.startsWith(next) && !/\p{L}/u.test(past.slice(next.length)));
  return isPart || !areHeads(past, next)
    ? undefined
    : { kind: 'mismatch', past: lastLine(pastHeader), next: lastLine(answerHeader) };
}

function opensTurns(question: TemplateProbe['question']): boolean {
  return (
    question.ok && markersIn(question.text).some((marker) => !BEGIN_MARKERS.has(marker) && !END_MARKERS.has(marker))
  );
}

/** What follows the end of the turn before. White space tells nothing, and thoughts are begun or kept by rules of their own. */
function comparable(header: string, isEnd: (marker: string) => boolean): string {
  const bare = header.replace(/<(think|thought)>[\s\S]*?(?:<\/\1>|$)|<\/?(?:think|thought)>/g, '').replace(/\s+/g, '');
  const end = markersIn(bare).findLast(isEnd);
  return end === undefined ? bare : bare.slice(bare.lastIndexOf(end) + end.length) || bare;
}

/** Two heads of one format: behind the same marker, or words with a colon. Templates for one task have other words there. */
function areHeads(past: string, next: string): boolean {
  const [theirs] = markersIn(past);
  const [ours] = markersIn(next);
  const isWord = (head: string): boolean => /^[\p{L}_]{1,20}:?$/u.test(head);
  return theirs === undefined || ours === undefined
    ? isWord(past) && isWord(next)
    : theirs === ours && past.startsWith(theirs) && next.startsWith(ours);
}

function lastLine(header: string): string {
  const line = header.trim().split('\n').at(-1)?.trim() ?? '';
  return line.slice(-80);
}
