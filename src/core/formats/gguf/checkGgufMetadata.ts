import * as z from 'zod';
import { StudioError } from '../../errors';
import { ggufArrayLength, type GgufMetadata, type GgufValue } from './ggufTypes';
import { cutName, quoteName } from '../../quoteName';

/** More layers than any model has, few enough to loop over. */
const LAYER_LIMIT = 65_536;
const U32_LIMIT = 2 ** 32 - 1;

const INTEGERS = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64'] as const;

/** What a known key must hold: a schema, and the same in words. */
interface Rule {
  readonly schema: z.ZodType;
  readonly words: string;
}

const arrayOf = (...elements: string[]): z.ZodType =>
  z.object({ type: z.literal('array'), elements: z.enum(elements) });

/** Writers differ in the width of integers; type and range are what counts. */
const integer = (least: number, most: number = U32_LIMIT): Rule => ({
  schema: z
    .object({ type: z.enum(INTEGERS), value: z.union([z.number(), z.bigint()]) })
    .refine(({ value }) => value >= least && value <= most),
  words: `an integer from ${least} to ${most}`,
});
const float: Rule = {
  schema: z.object({ type: z.enum(['f32', 'f64']), value: z.number() }),
  words: 'a finite number of type f32',
};
const text: Rule = { schema: z.object({ type: z.literal('string') }), words: 'a string' };
const flag: Rule = { schema: z.object({ type: z.literal('bool') }), words: 'a bool' };
const texts: Rule = { schema: arrayOf('string'), words: 'an array of strings' };
const scores: Rule = { schema: arrayOf('f32'), words: 'an array of f32' };
const tokenTypes: Rule = { schema: arrayOf('i32', 'u32'), words: 'an array of i32' };
const bytes: Rule = { schema: arrayOf('u8', 'i8'), words: 'an array of u8' };
/** One value for all layers, or one a layer. */
const perLayer: Rule = {
  schema: z.union([integer(0).schema, arrayOf('i32', 'u32', 'bool')]),
  words: `an integer from 0 to ${U32_LIMIT}, or an array of i32 with one a layer`,
};

/** Keys with fixed names (llama.cpp, gguf-py/gguf/constants.py). */
const FIXED: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['general.architecture', text],
  ['general.type', text],
  ['general.name', text],
  ['general.basename', text],
  ['general.finetune', text],
  ['general.size_label', text],
  ['general.license', text],
  ['general.file_type', integer(0)],
  ['general.quantization_version', integer(0)],
  ['general.tags', texts],
  ['general.languages', texts],
  ['general.datasets', texts],
  ['general.base_model.count', integer(0)],
  ['tokenizer.ggml.model', text],
  ['tokenizer.ggml.pre', text],
  ['tokenizer.ggml.tokens', texts],
  ['tokenizer.ggml.merges', texts],
  ['tokenizer.ggml.scores', scores],
  ['tokenizer.ggml.token_type', tokenTypes],
  ['tokenizer.ggml.precompiled_charsmap', bytes],
  ['tokenizer.chat_template', text],
  ['tokenizer.chat_templates', texts],
  ['adapter.type', text],
  ['adapter.lora.alpha', float],
  ['imatrix.datasets', texts],
  ['imatrix.chunk_count', integer(0)],
  ['imatrix.chunk_size', integer(0)],
  ['split.no', integer(0)],
  ['split.count', integer(0)],
  ['split.tensors.count', integer(0)],
]);

/** Keys that begin with the architecture's name. */
const OF_ARCHITECTURE: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['block_count', integer(1, LAYER_LIMIT)],
  ['context_length', integer(1)],
  ['embedding_length', integer(1)],
  ['vocab_size', integer(1)],
  ['feed_forward_length', perLayer],
  ['attention.head_count', perLayer],
  ['attention.head_count_kv', perLayer],
  ['attention.key_length', integer(1)],
  ['attention.value_length', integer(1)],
  ['attention.layer_norm_rms_epsilon', float],
  ['attention.layer_norm_epsilon', float],
  ['rope.dimension_count', integer(0)],
  ['rope.freq_base', float],
  ['rope.scaling.factor', float],
  ['rope.scaling.type', text],
  ['expert_count', integer(0, LAYER_LIMIT)],
  ['expert_used_count', integer(0, LAYER_LIMIT)],
]);

/** Patterns within the tokenizer's keys. */
const OF_TOKENIZER: readonly (readonly [RegExp, Rule])[] = [
  [/^tokenizer\.ggml\.\w+_token_id$/, integer(0)],
  [/^tokenizer\.ggml\.(?:add_\w+|remove_extra_whitespaces|escape_whitespaces)$/, flag],
  [/^tokenizer\.chat_template\.\w+$/, text],
];

/** Arrays with one element for each token. */
const PER_TOKEN = ['tokenizer.ggml.scores', 'tokenizer.ggml.token_type'];

/**
 * Checks the known keys of a GGUF against the types and ranges that programs read them with, so that nobody reads
 * an i8 array as floats or divides by a block count of zero. Unknown keys pass. `report` gets a `gguf/metadata` error
 * for each, and may throw it.
 */
export function checkGgufMetadata(metadata: GgufMetadata, report: (problem: StudioError) => void): void {
  const architecture = metadata.get('general.architecture');
  const prefix = architecture?.type === 'string' ? `${architecture.value}.` : undefined;
  for (const [key, value] of metadata) {
    const rule = ruleFor(key, prefix);
    if (rule !== undefined && !rule.schema.safeParse(value).success) {
      report(metadataError(key, `is ${show(value)}, where ${rule.words} is needed`));
    }
  }
  checkTokenArrays(metadata, report);
}

function ruleFor(key: string, prefix: string | undefined): Rule | undefined {
  const fixed = FIXED.get(key);
  if (fixed !== undefined) {
    return fixed;
  }
  if (prefix !== undefined && key.startsWith(prefix)) {
    return OF_ARCHITECTURE.get(key.slice(prefix.length));
  }
  return key.startsWith('tokenizer.') ? OF_TOKENIZER.find(([pattern]) => pattern.test(key))?.[1] : undefined;
}

/** llama.cpp reads scores and types of as many tokens as there are, without asking how many were written. */
function checkTokenArrays(metadata: GgufMetadata, report: (problem: StudioError) => void): void {
  const tokens = metadata.get('tokenizer.ggml.tokens');
  for (const key of PER_TOKEN) {
    const array = metadata.get(key);
    if (tokens?.type === 'array' && array?.type === 'array' && ggufArrayLength(array) !== ggufArrayLength(tokens)) {
      report(
        metadataError(
          key,
          `has ${ggufArrayLength(array)} elements, where each of the ${ggufArrayLength(tokens)} tokens needs one`,
        ),
      );
    }
  }
}

function show(value: GgufValue): string {
  if (value.type === 'array') {
    return `an array of ${value.elements}`;
  }
  return value.type === 'string' ? 'a string' : `${value.value.toString()} of type ${value.type}`;
}

function metadataError(key: string, what: string): StudioError {
  return new StudioError(
    'gguf/metadata',
    `The metadata key ${quoteName(key)} ${what}. Programs would misread the file: convert the model again.`,
    { detail: { key: cutName(key) } },
  );
}
