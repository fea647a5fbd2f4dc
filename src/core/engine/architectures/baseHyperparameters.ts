import { StudioError } from '../../errors';
import { bool, f32, type GgufEntry, i32s, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { ModelConfig } from './architecture';
import { readRopeParameters, ropeNumber } from './ropeParameters';

/**
 * The hyperparameters that most families share, in the order of llama.cpp's converter
 * (`TextModel.set_gguf_parameters`), up to but without `general.file_type`.
 */
export function baseHyperparameters(name: string, config: ModelConfig): GgufEntry[] {
  return [
    [`${name}.block_count`, u32(config.layers + config.mtpLayers)],
    [`${name}.context_length`, u32(config.contextLength)],
    [`${name}.embedding_length`, u32(config.hiddenSize)],
    ...feedForwardLength(name, config),
    [`${name}.attention.head_count`, u32(config.heads)],
    [
      `${name}.attention.head_count_kv`,
      config.kvHeadsByLayer === undefined ? u32(config.kvHeads) : i32s(config.kvHeadsByLayer),
    ],
    ...(config.raw['is_causal'] === false ? [[`${name}.attention.causal`, bool(false)] as const] : []),
    ...ropeScaling(name, config.ropeScaling),
    ...ropeSections(name, config),
    ...ropeBases(name, config),
    ...epsilons(name, config),
    ...(saysOf(config, EXPERT_KEYS) ? [[`${name}.expert_count`, u32(config.experts)] as const] : []),
    ...(saysOf(config, EXPERTS_USED_KEYS) ? [[`${name}.expert_used_count`, u32(config.expertsUsed)] as const] : []),
    ...expertGroups(name, config),
    ...headLengths(name, config),
  ];
}

function feedForwardLength(name: string, config: ModelConfig): GgufEntry[] {
  const sizes: unknown = config.raw['intermediate_size'];
  const value = Array.isArray(sizes) ? i32s(sizes as readonly number[]) : u32(config.feedForward);
  return config.feedForward === 0 ? [] : [[`${name}.feed_forward_length`, value]];
}

/** Which parts of each head's rotation follow time, height and width (mrope), padded to four. */
function ropeSections(name: string, config: ModelConfig): GgufEntry[] {
  const sections: unknown = readRopeParameters(config.raw).full['mrope_section'];
  if (!Array.isArray(sections)) {
    return [];
  }
  if (!sections.every((size) => Number.isInteger(size) && size >= 0 && size < 2 ** 31)) {
    throw new StudioError(
      'model/config',
      "config.json: `mrope_section` must be whole numbers. Fetch the model's config.json again.",
    );
  }
  return [[`${name}.rope.dimension_sections`, i32s([...(sections as number[]), 0, 0, 0, 0].slice(0, 4))]];
}

function epsilons(name: string, config: ModelConfig): GgufEntry[] {
  const given = (key: string): boolean => typeof config.raw[key] === 'number';
  return [
    ...(given('rms_norm_eps') || given('norm_eps')
      ? [[`${name}.attention.layer_norm_rms_epsilon`, f32(config.rmsNormEps)] as const]
      : []),
    ...(LAYER_NORM_KEYS.some(given)
      ? [[`${name}.attention.layer_norm_epsilon`, f32(firstNumber(config, LAYER_NORM_KEYS))] as const]
      : []),
  ];
}

const EXPERT_KEYS = ['num_local_experts', 'num_experts', 'n_routed_experts'];
const EXPERTS_USED_KEYS = ['num_experts_per_tok', 'num_experts_per_token', 'top_k_experts'];

/** Dense models of a family with experts say that there are 0. */
function saysOf(config: ModelConfig, keys: readonly string[]): boolean {
  return keys.some((key) => typeof config.raw[key] === 'number');
}

const LAYER_NORM_KEYS = ['layer_norm_eps', 'layer_norm_epsilon', 'norm_epsilon'];
const SCORE_KEYS = [
  'score_function',
  'scoring_func',
  'score_func',
  'moe_router_activation',
  'moe_router_activation_func',
  'expert_selection_fn',
];
const GATING: Readonly<Record<string, number>> = { softmax: 1, sigmoid: 2, sqrtsoftplus: 4 };

function firstNumber(config: ModelConfig, keys: readonly string[]): number {
  const found = keys.map((key) => config.raw[key]).find((value) => typeof value === 'number');
  return typeof found === 'number' ? found : 0;
}

/** Groups of experts, and how the router turns its scores into shares. */
function expertGroups(name: string, config: ModelConfig): GgufEntry[] {
  const groups = ropeNumber(config.raw, 'n_group');
  const used = ropeNumber(config.raw, 'topk_group');
  const score = SCORE_KEYS.map((key) => config.raw[key]).find((value) => typeof value === 'string');
  const gating = typeof score === 'string' && Object.hasOwn(GATING, score) ? GATING[score] : undefined;
  if (typeof score === 'string' && gating === undefined) {
    throw new StudioError(
      'model/config',
      `config.json scores experts by ${JSON.stringify(score)}, which a GGUF cannot express. Check it against the original model's.`,
      { detail: { score } },
    );
  }
  return [
    ...(groups === undefined ? [] : [[`${name}.expert_group_count`, u32(groups)] as const]),
    ...(used === undefined ? [] : [[`${name}.expert_group_used_count`, u32(used)] as const]),
    ...(gating === undefined ? [] : [[`${name}.expert_gating_func`, u32(gating)] as const]),
  ];
}

/** `key_length` and `value_length`, where the class or config has a head_dim of its own. */
export function headLengths(name: string, config: ModelConfig): GgufEntry[] {
  if (!config.hasHeadDim) {
    return [];
  }
  return [
    [`${name}.attention.key_length`, u32(config.headDim)],
    [`${name}.attention.value_length`, u32(config.headDim)],
  ];
}

function ropeBases(name: string, config: ModelConfig): GgufEntry[] {
  const { sliding } = readRopeParameters(config.raw);
  const local = sliding === undefined ? undefined : ropeNumber(sliding, 'rope_theta');
  return [
    [`${name}.rope.freq_base`, f32(config.ropeTheta)],
    ...(local === undefined ? [] : [[`${name}.rope.freq_base_swa`, f32(local)] as const]),
  ];
}

function ropeScaling(name: string, rope: JsonObject | undefined): GgufEntry[] {
  const type = rope?.['rope_type'];
  if (rope === undefined || (type !== 'linear' && type !== 'yarn')) {
    return [];
  }
  const factor = ropeNumber(rope, 'factor');
  if (factor === undefined) {
    throw new StudioError(
      'model/config',
      `config.json asks for ${type} rope scaling without a \`factor\`. Fetch the model's config.json again.`,
      { detail: { rope } },
    );
  }
  const key = `${name}.rope.scaling`;
  const entries: GgufEntry[] = [
    [`${key}.type`, { type: 'string', value: type }],
    [`${key}.factor`, f32(factor)],
  ];
  return type === 'linear' ? entries : [...entries, ...yarn(key, rope)];
}

function yarn(key: string, rope: JsonObject): GgufEntry[] {
  const entries: GgufEntry[] = [];
  const original = ropeNumber(rope, 'original_max_position_embeddings');
  if (original === undefined || !Number.isInteger(original) || original < 1) {
    throw new StudioError(
      'model/config',
      "config.json asks for yarn rope scaling without a usable `original_max_position_embeddings`. Fetch the model's config.json again.",
    );
  }
  entries.push([`${key}.original_context_length`, u32(original)]);
  const optional = (suffix: string, value: number | undefined): void => {
    if (value !== undefined) {
      entries.push([`${key}.${suffix}`, f32(value)]);
    }
  };
  optional('yarn_ext_factor', ropeNumber(rope, 'extrapolation_factor'));
  optional(
    'yarn_attn_factor',
    ropeNumber(rope, rope['attention_factor'] === undefined ? 'attn_factor' : 'attention_factor'),
  );
  optional('yarn_beta_fast', ropeNumber(rope, 'beta_fast'));
  optional('yarn_beta_slow', ropeNumber(rope, 'beta_slow'));
  return entries;
}

/**
 * Refuses rope settings that would not survive the conversion: types other than `supported`, and rotation of a part of
 * each head, which the llama and Qwen graphs of llama.cpp do not do.
 */
export function checkRope(config: ModelConfig, supported: readonly string[]): void {
  checkRopeType(config, supported);
  const rope = config.ropeScaling ?? readRopeParameters(config.raw).full;
  const part = ropeNumber(rope, 'partial_rotary_factor') ?? 1;
  if (part !== 1) {
    throw new StudioError(
      'model/config',
      `config.json rotates ${part} of each head (\`partial_rotary_factor\`), which this architecture of llama.cpp does not. Check config.json against the original model's.`,
      { detail: { part } },
    );
  }
}

/** Refuses rope settings of other types than `supported`. */
export function checkRopeType(config: ModelConfig, supported: readonly string[]): void {
  const type = config.ropeScaling?.['rope_type'];
  if (config.ropeScaling !== undefined && (typeof type !== 'string' || !supported.includes(type))) {
    throw new StudioError(
      'model/config',
      `config.json asks for rope scaling of type ${JSON.stringify(type)}, which a GGUF of this architecture cannot express (it can: ${supported.join(', ')}). The result would forget long contexts. Remove \`rope_scaling\` to convert for the original context length only.`,
      {
        detail: { ropeType: type },
      },
    );
  }
}

/** Refuses an activation other than SiLU, the only one in llama.cpp's graphs of these families. */
export function checkSilu(config: ModelConfig): void {
  const activation = config.raw['hidden_act'];
  if (activation !== undefined && activation !== null && activation !== 'silu' && activation !== 'swish') {
    throw new StudioError(
      'model/config',
      `config.json names the activation ${JSON.stringify(activation)}; llama.cpp runs this architecture with silu only, so the answers would be wrong. Check config.json against the original model's.`,
      { detail: { activation } },
    );
  }
}
