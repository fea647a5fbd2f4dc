import { isJsonObject, type Json, type JsonObject } from '../../../json';
import { translateRegex } from './onigRegex';

export type Normalizer = (text: string) => string;

const MAX_DEPTH = 20;
const UNICODE_FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

/** The normaliser of a tokenizer.json; undefined when it has a step that is not reproduced. */
export function makeNormalizer(step: JsonObject | undefined, depth = 0): Normalizer | undefined {
  if (step === undefined) {
    return (text) => text;
  }
  const form = UNICODE_FORMS.find((name) => name === step['type']);
  if (form !== undefined) {
    return (text) => text.normalize(form);
  }
  switch (step['type']) {
    case 'Sequence':
      return depth > MAX_DEPTH ? undefined : sequence(step['normalizers'], depth);
    case 'Lowercase':
      return (text) => text.toLowerCase();
    case 'Prepend': {
      const prefix = step['prepend'];
      return typeof prefix === 'string' ? (text) => (text === '' ? text : prefix + text) : undefined;
    }
    case 'Replace':
      return replace(step);
    default:
      return undefined;
  }
}

function sequence(inner: Json | undefined, depth: number): Normalizer | undefined {
  const steps = Array.isArray(inner)
    ? (inner as readonly Json[]).map((one) => (isJsonObject(one) ? makeNormalizer(one, depth + 1) : undefined))
    : [undefined];
  return steps.includes(undefined) ? undefined : (text) => steps.reduce((result, step) => step!(result), text);
}

function replace(step: JsonObject): Normalizer | undefined {
  const pattern = step['pattern'];
  const content = step['content'];
  if (!isJsonObject(pattern) || typeof content !== 'string') {
    return undefined;
  }
  const search = pattern['String'];
  if (typeof search === 'string') {
    return search === '' ? undefined : (text) => text.replaceAll(search, () => content);
  }
  const regex = typeof pattern['Regex'] === 'string' ? translateRegex(pattern['Regex']) : undefined;
  return regex === undefined ? undefined : (text) => text.replace(regex, () => content);
}
