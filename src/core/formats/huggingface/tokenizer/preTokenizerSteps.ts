import { isJsonObject, type Json, type JsonObject } from '../../../json';
import { toByteAlphabet } from './byteAlphabet';
import { translateRegex } from './onigRegex';

/** Cuts a text into the words that are merged one by one, spelt as the vocabulary spells them. */
export type PreTokenizer = (text: string) => string[];

const MAX_DEPTH = 20;
/** GPT-2's own split, which `ByteLevel` applies unless told not to. */
const GPT2_SPLIT =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The pre-tokenizer of a tokenizer.json; undefined when it has a step that is not reproduced. */
export function makePreTokenizer(step: JsonObject | undefined, depth = 0): PreTokenizer | undefined {
  if (step === undefined) {
    return (text) => [text];
  }
  switch (step['type']) {
    case 'Sequence':
      return depth > MAX_DEPTH ? undefined : sequence(step['pretokenizers'], depth);
    case 'ByteLevel':
      return byteLevel(step);
    case 'Digits':
      return step['individual_digits'] === true
        ? (text) => isolate(text, /\p{N}/gu)
        : (text) => isolate(text, /\p{N}+/gu);
    case 'Split':
      return split(step);
    default:
      return undefined;
  }
}

function sequence(inner: Json | undefined, depth: number): PreTokenizer | undefined {
  const steps = Array.isArray(inner)
    ? (inner as readonly Json[]).map((one) => (isJsonObject(one) ? makePreTokenizer(one, depth + 1) : undefined))
    : [undefined];
  return steps.includes(undefined)
    ? undefined
    : (text) => steps.reduce((words, step) => words.flatMap((word) => step!(word)), [text]);
}

function byteLevel(step: JsonObject): PreTokenizer {
  const prefix = step['add_prefix_space'] === true;
  const cut = step['use_regex'] !== false;
  return (text) => {
    const spaced = prefix && !text.startsWith(' ') ? ` ${text}` : text;
    return (cut ? isolate(spaced, GPT2_SPLIT) : [spaced]).map(toByteAlphabet);
  };
}

function split(step: JsonObject): PreTokenizer | undefined {
  const pattern = step['pattern'];
  const regex = isJsonObject(pattern) ? patternOf(pattern) : undefined;
  const inverted = step['invert'] === true;
  if (regex === undefined) {
    return undefined;
  }
  if (step['behavior'] === 'Isolated') {
    return (text) => isolate(text, regex);
  }
  if (step['behavior'] === 'Removed') {
    return (text) =>
      pieces(text, regex)
        .filter(({ matched }) => matched === inverted)
        .map(({ text: word }) => word);
  }
  return undefined;
}

function patternOf(pattern: JsonObject): RegExp | undefined {
  const exact = pattern['String'];
  if (typeof exact === 'string') {
    return exact === '' ? undefined : new RegExp(exact.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&'), 'gu');
  }
  return typeof pattern['Regex'] === 'string' ? translateRegex(pattern['Regex']) : undefined;
}

/** Matches and the texts between them, all kept. */
function isolate(text: string, regex: RegExp): string[] {
  return pieces(text, regex).map(({ text: word }) => word);
}

function pieces(text: string, regex: RegExp): { readonly text: string; readonly matched: boolean }[] {
  const result: { text: string; matched: boolean }[] = [];
  let from = 0;
  for (const match of text.matchAll(regex)) {
    if (match[0] === '') {
      continue;
    }
    if (match.index > from) {
      result.push({ text: text.slice(from, match.index), matched: false });
    }
    result.push({ text: match[0], matched: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) {
    result.push({ text: text.slice(from), matched: false });
  }
  return result;
}
