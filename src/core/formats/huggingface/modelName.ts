/**
 * What a model's name says of it, by the heuristics of gguf-py's `metadata.py` (the GGUF naming convention read
 * backwards): `Qwen2.5-0.5B-Instruct` is basename `Qwen2.5`, size `0.5B`, fine-tune `Instruct`.
 */
export interface NameParts {
  /** The name without its organisation. */
  readonly full?: string | undefined;
  readonly organization?: string | undefined;
  readonly basename?: string | undefined;
  readonly finetune?: string | undefined;
  readonly version?: string | undefined;
  readonly sizeLabel?: string | undefined;
}

type PartKind = 'basename' | 'size' | 'finetune' | 'version' | 'type';

interface Part {
  text: string;
  readonly kinds: Set<PartKind>;
}

const VERSION = /^(?:v|iter)?\d+(?:[.]\d+)*$/i;
const QUANT_TYPE = /^(?:i?q\d(?:_\w)*|b?fp?(?:16|32))$/i;
const SIZE = /^(?:(?:[A]|\d+[x])?\d+(?:[._]\d+)?[KMBT]\d?|small|mini|medium|large|x?xl)$/i;
const FINETUNE = /^(?:chat|instruct|vision|lora)$/i;

/** Words of an identifier with capitals, acronyms and versions left alone: `llama-3-8b` is `Llama 3 8b`. */
export function idToTitle(id: string): string {
  return id
    .trim()
    .replaceAll('-', ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => (isLower(word) && !/^(?:v\d+(?:\.\d+)*|\d.*)$/.test(word) ? titleCase(word) : word))
    .join(' ');
}

function isLower(word: string): boolean {
  return /\p{Ll}/u.test(word) && !/[\p{Lu}\p{Lt}]/u.test(word);
}

function titleCase(word: string): string {
  return word.replace(/\p{L}+/gu, (run) => {
    const first = String.fromCodePoint(run.codePointAt(0) ?? 0);
    return first.toUpperCase() + run.slice(first.length).toLowerCase();
  });
}

/** Takes a model id (`organisation/name` or a folder's name) apart. `parameters` tells sizes from context lengths. */
export function parseHubModelId(id: string, parameters: number): NameParts {
  if (id.includes(' ')) {
    return { full: id };
  }
  const slash = id.indexOf('/');
  const full = slash < 0 ? id : id.slice(slash + 1);
  const owner = slash < 0 ? undefined : id.slice(0, slash);
  const organization = owner?.startsWith('.') === true ? undefined : owner;
  const parts: Part[] = full
    .split('-')
    .filter((text) => text !== '')
    .map((text) => ({ text, kinds: new Set() }));
  parts.forEach((part, index) => annotate(part, index, parameters));
  dropWordSizes(parts);
  markBasename(parts);
  return { full, organization, ...collect(parts) };
}

function annotate(part: Part, index: number, parameters: number): void {
  if (VERSION.test(part.text)) {
    part.kinds.add('version');
  } else if (QUANT_TYPE.test(part.text)) {
    part.kinds.add('type');
    part.text = part.text.toUpperCase();
  } else if (index > 0 && SIZE.test(part.text)) {
    annotateSize(part, parameters);
  } else if (index > 0 && FINETUNE.test(part.text)) {
    part.kinds.add('finetune');
  }
}

function annotateSize(part: Part, parameters: number): void {
  let text = part.text.replaceAll('_', '.');
  if (/\d$/.test(text)) {
    // bloom-7b1 means 7.1b
    text = `${text.slice(0, -2)}.${text.slice(-1)}${text.slice(-2, -1)}`;
  }
  if (/\d[kmbt]$/.test(text)) {
    text = text.slice(0, -1) + text.slice(-1).toUpperCase();
  }
  const size = Number(text.slice(0, -1)) * 1000 ** ' KMBT'.indexOf(text.slice(-1));
  if (parameters !== 0 && !Number.isNaN(size) && Math.abs(size - parameters) > Math.floor((7 * parameters) / 8)) {
    // Far from the model's own size: a context length.
    part.kinds.add('finetune');
    text = text.slice(0, -1) + text.slice(-1).toLowerCase();
  }
  if (part.kinds.size === 0) {
    part.kinds.add('size');
  }
  part.text = text;
}

/** `mini` and `large` say nothing where a number does. */
function dropWordSizes(parts: readonly Part[]): void {
  const sizes = parts.filter((part) => part.kinds.has('size'));
  if (sizes.some((part) => /\p{Nd}/u.test(part.text))) {
    sizes.filter((part) => /^\p{L}+$/u.test(part.text)).forEach((part) => part.kinds.delete('size'));
  }
}

function markBasename(parts: readonly Part[]): void {
  let atStart = true;
  for (const part of parts) {
    if (atStart && ((part.kinds.size === 0 && /^\p{L}/u.test(part.text)) || part.kinds.has('version'))) {
      part.kinds.add('basename');
      continue;
    }
    atStart = false;
    if (part.kinds.size === 0) {
      part.kinds.add('finetune');
    }
  }
  for (const part of [...parts].reverse()) {
    if (!part.kinds.has('basename') || part.kinds.size === 1) {
      break;
    }
    part.kinds.delete('basename');
  }
}

function collect(parts: readonly Part[]): NameParts {
  const join = (kind: PartKind, unlessBasename = false): string | undefined => {
    const texts = parts
      .filter((part) => part.kinds.has(kind) && !(unlessBasename && part.kinds.has('basename')))
      .map((part) => part.text);
    return (kind === 'size' ? [...new Set(texts)] : texts).join('-') || undefined;
  };
  const sizeLabel = join('size');
  const finetune = join('finetune');
  const version = join('version', true);
  const ambiguous = sizeLabel === undefined && finetune === undefined && version === undefined;
  return { basename: ambiguous ? undefined : join('basename'), finetune, version, sizeLabel };
}
