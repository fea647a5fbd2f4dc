import * as z from 'zod';
import { StudioError } from '../../errors';
import { isJsonObject, type Json, type JsonObject } from '../../json';
import { type Architecture, type ModelConfig } from './architecture';
import { classNameOf, findArchitecture } from './architectures';
import { readRopeParameters } from './ropeParameters';

const count = (limit: number): z.ZodNumber => z.number().int().min(1).max(limit);

/** What no real model exceeds: numbers beyond these would only make loops and shapes absurd. */
const NUMBERS = z.object({
  num_hidden_layers: count(10_000),
  hidden_size: count(1_048_576),
  intermediate_size: z.union([count(16_777_216), z.array(count(16_777_216)).min(1).max(10_000)]).nullish(),
  num_attention_heads: count(65_536),
  num_key_value_heads: count(65_536).nullish(),
  head_dim: count(65_536).nullish(),
  vocab_size: count(16_777_216),
  max_position_embeddings: count(2 ** 32 - 1),
  rms_norm_eps: z.number().positive().max(1).nullish(),
  norm_eps: z.number().positive().max(1).nullish(),
  layer_norm_eps: z.number().positive().max(1).nullish(),
  layer_norm_epsilon: z.number().positive().max(1).nullish(),
  norm_epsilon: z.number().positive().max(1).nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  num_local_experts: count(65_536).or(z.literal(0)).nullish(),
  num_experts: count(65_536).or(z.literal(0)).nullish(),
  n_routed_experts: count(65_536).or(z.literal(0)).nullish(),
  num_experts_per_tok: count(65_536).or(z.literal(0)).nullish(),
  top_k_experts: count(65_536).nullish(),
});

const THETA = z.number().positive();

/**
 * The configuration of the text model in a parsed config.json: class defaults of transformers first, then the file, then
 * its `text_config`. `names` are those of its weights, where they are at hand: layers for multi-token prediction are there or not
 * whatever the file says. Throws `model/architecture` for a class that is not built in and `model/config` for values that are
 * missing, of the wrong type, or contradict each other.
 */
export function readModelConfig(json: JsonObject, names: Iterable<string> = []): ModelConfig {
  const named = classNameOf(json);
  const first = findArchitecture(named);
  const raw = mergeDefaults(json, first.defaults[named] ?? {});
  const className = first.classOf?.(raw) ?? named;
  const architecture = className === named ? first : findArchitecture(className);
  const mtpLayers = architecture.mtpLayers?.(raw, new Set(names)) ?? 0;
  const plain = { ...normalise(className, architecture, raw), mtpLayers };
  const kvHeadsByLayer = architecture.kvHeadsByLayer?.(plain);
  const config = kvHeadsByLayer === undefined ? plain : { ...plain, kvHeadsByLayer };
  if (config.feedForward === 0 && config.experts === 0) {
    throw new StudioError(
      'model/config',
      "config.json: `intermediate_size` is missing. Fetch the model's config.json again, or correct it.",
      { detail: { key: 'intermediate_size' } },
    );
  }
  checkHeads(config);
  architecture.check?.(config);
  return config;
}

/** A key that is there with null keeps its null where null means something (`sliding_window`), and is a gap elsewhere. */
function mergeDefaults(json: JsonObject, defaults: JsonObject): JsonObject {
  const nested = json['text_config'];
  const given = isJsonObject(nested) ? { ...json, ...nested } : json;
  return { ...defaults, ...given };
}

function normalise(className: string, architecture: Architecture, raw: JsonObject): ModelConfig {
  const numbers = parseNumbers(raw);
  const rope = readRopeParameters(raw).full;
  const heads = numbers.num_attention_heads;
  const derived = Math.floor(numbers.hidden_size / heads);
  const derives = architecture.derivesHeadDim?.includes(className) === true;
  const headDim = numbers.head_dim ?? derived;
  return {
    className,
    raw,
    layers: numbers.num_hidden_layers,
    hiddenSize: numbers.hidden_size,
    mtpLayers: 0,
    feedForward: feedForwardOf(numbers.intermediate_size),
    heads,
    kvHeads: numbers.num_key_value_heads ?? heads,
    headDim,
    hasHeadDim: derives || typeof numbers.head_dim === 'number',
    vocabSize: numbers.vocab_size,
    contextLength: numbers.max_position_embeddings,
    rmsNormEps: epsilonOf(numbers),
    ropeTheta: parseTheta(rope['rope_theta']),
    ropeScaling: rope['rope_type'] === 'default' ? undefined : rope,
    tiedEmbeddings: numbers.tie_word_embeddings ?? false,
    experts: numbers.num_local_experts ?? numbers.num_experts ?? numbers.n_routed_experts ?? 0,
    expertsUsed: numbers.num_experts_per_tok ?? numbers.top_k_experts ?? 0,
  };
}

function feedForwardOf(size: z.infer<typeof NUMBERS>['intermediate_size']): number {
  return (Array.isArray(size) ? size[0] : size) ?? 0;
}

function epsilonOf(numbers: z.infer<typeof NUMBERS>): number {
  const found =
    numbers.rms_norm_eps ??
    numbers.norm_eps ??
    numbers.layer_norm_eps ??
    numbers.layer_norm_epsilon ??
    numbers.norm_epsilon;
  if (typeof found !== 'number') {
    throw new StudioError(
      'model/config',
      "config.json: `rms_norm_eps` is missing. Fetch the model's config.json again, or correct it.",
      { detail: { key: 'rms_norm_eps' } },
    );
  }
  return found;
}

function parseNumbers(raw: JsonObject): z.infer<typeof NUMBERS> {
  const result = NUMBERS.safeParse(raw);
  if (result.success) {
    return result.data;
  }
  const issue = result.error.issues[0];
  const key = issue?.path.join('.') ?? '';
  throw new StudioError(
    'model/config',
    `config.json: \`${key}\` ${describe(raw[key])}. Fetch the model's config.json again, or correct it.`,
    {
      detail: { key, reason: issue?.message },
    },
  );
}

function describe(value: Json | undefined): string {
  if (value === undefined) {
    return 'is missing';
  }
  const text = JSON.stringify(value);
  return `cannot be ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
}

function parseTheta(value: Json | undefined): number {
  const theta = THETA.safeParse(value);
  if (!theta.success) {
    throw new StudioError(
      'model/config',
      `config.json: the rotary base (\`rope_theta\`) ${describe(value)}. Fetch the model's config.json again, or correct it.`,
      { detail: { key: 'rope_theta' } },
    );
  }
  return theta.data;
}

function checkHeads(config: ModelConfig): void {
  const { heads, kvHeads, hiddenSize, headDim, hasHeadDim, raw } = config;
  const explicit = hasHeadDim && typeof raw['head_dim'] === 'number';
  if (!explicit && hiddenSize % heads !== 0) {
    throw new StudioError(
      'model/config',
      `config.json: hidden_size ${hiddenSize} does not divide by num_attention_heads ${heads}. One of the two is wrong.`,
      { detail: { hiddenSize, heads } },
    );
  }
  if (heads % kvHeads !== 0) {
    throw new StudioError(
      'model/config',
      `config.json: num_attention_heads ${heads} does not divide by num_key_value_heads ${kvHeads}. One of the two is wrong.`,
      { detail: { heads, kvHeads } },
    );
  }
  if (headDim % 2 !== 0) {
    throw new StudioError(
      'model/config',
      `config.json: heads of ${headDim} values cannot be rotated in pairs. head_dim, hidden_size or num_attention_heads is wrong.`,
      { detail: { headDim } },
    );
  }
}
