import { StudioError } from '../../../errors';
import { isJsonObject, type Json, type JsonObject } from '../../../json';
import hashes from '../pretokenizerHashes.json';
import { makeBpeEncoder } from './bpeEncoder';
import type { TokenizerJson } from './tokenizerJson';
import type { Sha256 } from './sha256';

/**
 * The text whose token ids identify a tokenizer: a fact of llama.cpp's converter, which hashes what a tokenizer makes of it.
 * Whitespace runs, emoji, digits, Khmer, Chinese, Cyrillic, punctuation and English contractions.
 */
const CHECK_TEXT =
  '\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n\u{1f680} (normal) \u{1f636}\u200d\u{1f32b}\ufe0f (multiple emojis concatenated) \u2705 \u{1f999}\u{1f999} ' +
  '3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 ' +
  '\u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785\u{1f601} ?\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e ------======= ' +
  '\u043d\u0435\u0449\u043e \u043d\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438 ' +
  "''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? We'Ve a'lL";

const HASHES: Readonly<Record<string, string>> = hashes;

/**
 * `tokenizer.ggml.pre` of a byte-level BPE tokenizer: by the hash of what it makes of the check text, where the vocabulary is
 * known; else by its split, where llama.cpp has the same one; else `tokenizer/unknown-pre`, since a wrong
 * pre-tokenizer makes a model that runs and is silently worse.
 */
export function findPreTokenizer(tokenizer: TokenizerJson, sha256: Sha256): string {
  const hash = checkTextHash(tokenizer, sha256);
  const known = hash !== undefined && Object.hasOwn(HASHES, hash) ? HASHES[hash] : undefined;
  const found = known ?? preTokenizerOfSplits(tokenizer);
  if (found !== undefined) {
    return found;
  }
  throw new StudioError(
    'tokenizer/unknown-pre',
    'The tokenizer splits text in a way that llama.cpp has no name for, so a GGUF of it would tokenise wrongly and answer worse. If this is a fine-tune, use the tokenizer.json of its base. Otherwise see whether a newer llama.cpp knows it: convert with its convert_hf_to_gguf.py, then run `modelfile-studio quantize` on the GGUF.',
    { detail: { hash, splits: describeSteps(tokenizer.preTokenizer) } },
  );
}

/** SHA-256 of the check text's ids, written as Python writes a list; undefined when the tokenizer cannot be reproduced. */
export function checkTextHash(tokenizer: TokenizerJson, sha256: Sha256): string | undefined {
  const ids = makeBpeEncoder(tokenizer)?.(CHECK_TEXT);
  return ids === undefined ? undefined : sha256(new TextEncoder().encode(`[${ids.join(', ')}]`));
}

const LLAMA3_SPLIT = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const QWEN2_SPLIT = LLAMA3_SPLIT.replace('{1,3}', '');
const QWEN35_SPLIT = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const PREFIX = String.raw`[^\r\n\p{L}\p{N}]?`;
const REST = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const TEKKEN_SPLIT = `${PREFIX}${UPPER}*${LOWER}+|${PREFIX}${UPPER}+${LOWER}*|\\p{N}${REST}`;
const SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
const GPT4O_SPLIT = `${PREFIX}${UPPER}*${LOWER}+${SUFFIX}|${PREFIX}${UPPER}+${LOWER}*${SUFFIX}|\\p{N}{1,3}${REST}`;
const DEEPSEEK_V3_SPLITS = [
  String.raw`\p{N}{1,3}`,
  '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` +
    '`' +
    String.raw`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
];

/** Steps before the bytes, as {@link describeSteps} writes them, to llama.cpp's name for the same split. */
const BY_STEPS: ReadonlyMap<string, string> = new Map([
  [QWEN2_SPLIT, 'qwen2'],
  [QWEN35_SPLIT, 'qwen35'],
  [GPT4O_SPLIT, 'gpt-4o'],
  [TEKKEN_SPLIT, 'tekken'],
  [DEEPSEEK_V3_SPLITS.join('\n'), 'deepseek-v3'],
  ['gpt2', 'gpt-2'],
  ['digits\ngpt2', 'smollm'],
]);

function preTokenizerOfSplits(tokenizer: TokenizerJson): string | undefined {
  const steps = describeSteps(tokenizer.preTokenizer);
  if (steps === LLAMA3_SPLIT) {
    // llama.cpp's llama-bpe adds BOS; the same split without it has a name of its own.
    return beginsWithSpecial(tokenizer.postProcessor, 0) ? 'llama-bpe' : 'smaug-bpe';
  }
  return steps === undefined ? undefined : BY_STEPS.get(steps);
}

/** The splitting steps, one a line: a regular expression, `digits` (one by one) or `gpt2`; undefined when there is another. */
function describeSteps(preTokenizer: JsonObject | undefined): string | undefined {
  const inner =
    preTokenizer?.['type'] === 'Sequence'
      ? preTokenizer['pretokenizers']
      : preTokenizer === undefined
        ? []
        : [preTokenizer];
  const steps = Array.isArray(inner)
    ? (inner as readonly Json[]).map((step) => (isJsonObject(step) ? describeStep(step) : undefined))
    : [undefined];
  return steps.includes(undefined) || !hasByteLevel(inner) ? undefined : steps.filter((step) => step !== '').join('\n');
}

function hasByteLevel(steps: Json | undefined): boolean {
  const last = Array.isArray(steps) ? (steps as readonly Json[]).at(-1) : undefined;
  return isJsonObject(last) && last['type'] === 'ByteLevel' && last['add_prefix_space'] !== true;
}

function describeStep(step: JsonObject): string | undefined {
  const pattern = step['pattern'];
  if (step['type'] === 'ByteLevel') {
    return step['use_regex'] === false ? '' : 'gpt2';
  }
  if (step['type'] === 'Digits') {
    return step['individual_digits'] === true ? 'digits' : undefined;
  }
  const keepsAll = step['behavior'] === 'Isolated' || (step['behavior'] === 'Removed' && step['invert'] === true);
  return step['type'] === 'Split' && keepsAll && isJsonObject(pattern) && typeof pattern['Regex'] === 'string'
    ? pattern['Regex']
    : undefined;
}

/** Whether a single text gets a special token in front. */
function beginsWithSpecial(post: Json | undefined, depth: number): boolean {
  if (!isJsonObject(post) || depth > 5) {
    return false;
  }
  const inner = post['processors'];
  const single = post['single'];
  const first = Array.isArray(single) ? (single as readonly Json[])[0] : undefined;
  return (
    (isJsonObject(first) && 'SpecialToken' in first) ||
    (Array.isArray(inner) && (inner as readonly Json[]).some((one) => beginsWithSpecial(one, depth + 1)))
  );
}
