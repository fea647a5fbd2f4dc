import { StudioError } from '../../errors';
import { bools, type GgufEntry, u32 } from '../../formats/gguf/ggufValue';
import type { JsonObject } from '../../json';
import type { ModelConfig, RowRun, TensorRule, TensorRules, TensorTable, TensorTransform } from './architecture';
import { baseHyperparameters, checkRopeType, checkSilu } from './baseHyperparameters';
import { expertLengths } from './qwenMoe';
import { readRopeParameters, ropeNumber } from './ropeParameters';
import { each, GLOBAL_TENSORS, HEAD_NORMS, LAYER_TENSORS, ofHiddenSize } from './textTensors';

/** Sizes of a gated delta net: linear attention whose value heads share key heads in groups. */
export interface DeltaNet {
  readonly keyHeads: number;
  readonly valueHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
}

/** @throws StudioError model/config where config.json does not give them */
export function deltaNet(config: ModelConfig): DeltaNet {
  const sizes = {
    keyHeads: count(config, 'linear_num_key_heads'),
    valueHeads: count(config, 'linear_num_value_heads'),
    keyDim: count(config, 'linear_key_head_dim'),
    // A GGUF tells the width of all value heads together.
    valueDim:
      config.raw['linear_inner_size'] === undefined
        ? count(config, 'linear_value_head_dim')
        : count(config, 'linear_inner_size') / count(config, 'linear_num_value_heads'),
  };
  if (sizes.valueHeads % sizes.keyHeads !== 0) {
    throw new StudioError(
      'model/config',
      `config.json: linear_num_value_heads ${sizes.valueHeads} does not divide by linear_num_key_heads ${sizes.keyHeads}. Fetch the model's config.json again.`,
    );
  }
  // llama.cpp's loader takes the width of key heads for both (check_tensor_dims); every published model has them equal.
  if (sizes.valueDim !== sizes.keyDim) {
    throw new StudioError(
      'model/config',
      `config.json: linear_value_head_dim is ${sizes.valueDim} and linear_key_head_dim ${sizes.keyDim}, and llama.cpp loads such a model only where they are the same. No GGUF of it would run.`,
      { detail: { key: 'linear_value_head_dim' } },
    );
  }
  return sizes;
}

function count(config: ModelConfig, key: string): number {
  const value = config.raw[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 1_048_576) {
    throw new StudioError(
      'model/config',
      `config.json: \`${key}\` must be a positive whole number. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return value;
}

/** What a GGUF calls the sizes of {@link deltaNet}. */
export const DELTA_NET_KEYS = {
  linear_num_key_heads: 'ssm.group_count',
  linear_num_value_heads: 'ssm.time_step_rank',
  linear_key_head_dim: 'ssm.state_size',
  linear_inner_size: 'ssm.inner_size',
} as const;

/** llama.cpp's graph repeats key heads as tiles, so value heads stand by their place in a group first: which one comes where. */
function tiledHeads({ keyHeads, valueHeads }: DeltaNet): readonly number[] {
  const group = valueHeads / keyHeads;
  return Array.from({ length: valueHeads }, (_, at) => (at % keyHeads) * group + Math.floor(at / keyHeads));
}

/** The rows of value heads of `size` rows each, behind `before` rows that stay. */
function tiledRows(net: DeltaNet, size: number, before = 0): readonly RowRun[] {
  const heads = tiledHeads(net).map((head) => ({ first: before + head * size, count: size }));
  return before === 0 ? heads : [{ first: 0, count: before }, ...heads];
}

const plusOne = (): TensorTransform => ({ kind: 'add', value: 1 });
const norm = (to: string): TensorRule => ({ to, shape: ofHiddenSize, transform: plusOne });

/** A rule whose value heads stand in another order in the GGUF. */
function tiled(
  rule: TensorRule,
  size: (net: DeltaNet) => number,
  before: (net: DeltaNet) => number = () => 0,
): TensorRule {
  return {
    ...rule,
    rows: (config) => {
      const net = deltaNet(config);
      return tiledRows(net, size(net), before(net));
    },
  };
}

const keyRows = ({ keyHeads, keyDim }: DeltaNet): number => 2 * keyHeads * keyDim;
const valueSize = ({ valueDim }: DeltaNet): number => valueDim;
const one = (): number => 1;

/** Linear attention of Qwen3.5: value heads in tiles. */
export const TILED_DELTA_NET: TensorRules = {
  'linear_attn.in_proj_qkv': tiled({ to: 'attn_qkv', bias: 'none' }, valueSize, keyRows),
  'linear_attn.in_proj_z': tiled({ to: 'attn_gate', bias: 'none' }, valueSize),
  'linear_attn.in_proj_a': tiled({ to: 'ssm_alpha', bias: 'none' }, one),
  'linear_attn.in_proj_b': tiled({ to: 'ssm_beta', bias: 'none' }, one),
  'linear_attn.A_log': tiled({ to: 'ssm_a', parameter: true, transform: () => ({ kind: 'negativeExp' }) }, one),
  'linear_attn.dt_bias': tiled({ to: 'ssm_dt.bias', parameter: true }, one),
  'linear_attn.conv1d': tiled({ to: 'ssm_conv1d', bias: 'none' }, valueSize, keyRows),
  'linear_attn.norm': { to: 'ssm_norm', shape: (c) => [deltaNet(c).valueDim] },
  'linear_attn.out_proj': {
    to: 'ssm_out',
    bias: 'none',
    transform: (c) => {
      const net = deltaNet(c);
      return { kind: 'columns', group: net.valueDim, order: tiledHeads(net) };
    },
  },
};

/** Queries, keys, values and gates stand together for each key head; the GGUF has all queries, then all keys, … and the gates apart. */
function apart(part: 'qkv' | 'z'): (config: ModelConfig) => readonly RowRun[] {
  return (config) => {
    const { keyHeads, valueHeads, keyDim, valueDim } = deltaNet(config);
    const values = (valueHeads / keyHeads) * valueDim;
    const group = 2 * keyDim + 2 * values;
    const runs = (from: number, size: number): RowRun[] =>
      Array.from({ length: keyHeads }, (_, head) => ({ first: head * group + from, count: size }));
    return part === 'z'
      ? runs(2 * keyDim + values, values)
      : [...runs(0, keyDim), ...runs(keyDim, keyDim), ...runs(2 * keyDim, values)];
  };
}

/** Linear attention of Qwen3-Next, as it was published and as transformers keeps it. */
export const GROUPED_DELTA_NET: TensorRules = {
  'linear_attn.in_proj_qkvz': [
    { to: 'attn_qkv', bias: 'none', rows: apart('qkv') },
    { to: 'attn_gate', bias: 'none', rows: apart('z') },
  ],
  'linear_attn.in_proj_ba': { to: 'ssm_ba', bias: 'none' },
  'linear_attn.A_log': { to: 'ssm_a', parameter: true, transform: () => ({ kind: 'negativeExp' }) },
  'linear_attn.dt_bias': { to: 'ssm_dt.bias', parameter: true },
  'linear_attn.conv1d': { to: 'ssm_conv1d', bias: 'none' },
  'linear_attn.norm': { to: 'ssm_norm', shape: (c) => [deltaNet(c).valueDim] },
  'linear_attn.out_proj': { to: 'ssm_out', bias: 'none' },
};

/** Full attention; queries come with as many gates. */
const ATTENTION: TensorRules = {
  'self_attn.q_proj': { to: 'attn_q', shape: (c) => [2 * c.heads * c.headDim, c.hiddenSize] },
  'self_attn.k_proj': LAYER_TENSORS['self_attn.k_proj'],
  'self_attn.v_proj': LAYER_TENSORS['self_attn.v_proj'],
  'self_attn.o_proj': LAYER_TENSORS['self_attn.o_proj'],
  ...each(HEAD_NORMS, { transform: plusOne }),
};

const NORMS: TensorRules = {
  input_layernorm: norm('attn_norm'),
  post_attention_layernorm: norm('post_attention_norm'),
};

/**
 * The table of a hybrid of linear and full attention. Layers of which nothing is known (a GGUF tells none) may be either.
 * @param linear its linear attention
 * @param feedForward its dense layers or experts
 */
export function hybridTable(config: ModelConfig, linear: TensorRules, feedForward: TensorRules): TensorTable {
  const types = layerTypes(config);
  const rules = {
    linear: { ...NORMS, ...linear, ...feedForward },
    full: { ...NORMS, ...ATTENTION, ...feedForward },
  };
  const either = { ...each({ ...linear, ...ATTENTION }, { optional: true }), ...NORMS, ...feedForward };
  const mtp = Array.from({ length: config.mtpLayers }, (_, index) =>
    Object.entries(rules.full).map(
      ([path, rule]) =>
        [`mtp.layers.${index}.${path}`, each({ path: rule }, {})['path']!, `blk.${config.layers + index}.`] as const,
    ),
  ).flat();
  const next = `blk.${config.layers}.nextn.`;
  const globals: TensorRules = {
    ...GLOBAL_TENSORS,
    'model.norm': norm('output_norm'),
    ...Object.fromEntries(mtp.map(([path, list, prefix]) => [path, moved(list, prefix)])),
    ...(config.mtpLayers === 0
      ? {}
      : {
          'mtp.fc': { to: `${next}eh_proj`, bias: 'none' },
          'mtp.pre_fc_norm_embedding': norm(`${next}enorm`),
          'mtp.pre_fc_norm_hidden': norm(`${next}hnorm`),
          'mtp.norm': norm(`${next}shared_head_norm`),
        }),
  };
  return {
    globals,
    layers: config.layers,
    layer: (index) => (types === undefined ? either : types[index] === 'linear_attention' ? rules.linear : rules.full),
  };
}

/** The same rules for another place. */
function moved(rules: TensorRules[string], prefix: string): readonly TensorRule[] {
  return ([rules].flat() as readonly TensorRule[]).map((rule) => ({ ...rule, to: `${prefix}${rule.to}` }));
}

/** What every layer is, as transformers works it out where config.json does not say; undefined where nothing tells. */
function layerTypes(config: ModelConfig): readonly string[] | undefined {
  const types: unknown = config.raw['layer_types'];
  if (Array.isArray(types)) {
    if (types.length !== config.layers) {
      throw new StudioError(
        'model/config',
        `config.json: \`layer_types\` names ${types.length} layers, and num_hidden_layers is ${config.layers}. One of the two is wrong.`,
      );
    }
    return types as readonly string[];
  }
  const interval = config.raw['full_attention_interval'];
  return typeof interval === 'number' && interval >= 1
    ? Array.from({ length: config.layers }, (_, index) =>
        (index + 1) % interval === 0 ? 'full_attention' : 'linear_attention',
      )
    : undefined;
}

/** Layers for multi-token prediction: as many as config.json says or the weights have, none where a fine-tune dropped them. */
export function mtpLayers(raw: JsonObject, names: ReadonlySet<string>): number {
  let found = 0;
  for (const name of names) {
    const index = /^(?:model\.)?mtp\.layers\.(\d{1,3})\./.exec(name)?.[1];
    found = index === undefined ? found : Math.max(found, Number(index) + 1);
  }
  const said = raw['mtp_num_hidden_layers'];
  return found === 0 ? 0 : typeof said === 'number' && said > 0 ? said : found;
}

/** Keys after `general.file_type`. */
export function hybridParameters(name: string, config: ModelConfig): GgufEntry[] {
  const { keyHeads, valueHeads, keyDim, valueDim } = deltaNet(config);
  const types = layerTypes(config) ?? [];
  const interval = ropeNumber(config.raw, 'full_attention_interval') ?? 4;
  const part = ropeNumber(readRopeParameters(config.raw).full, 'partial_rotary_factor') ?? 0.25;
  return [
    ...expertLengths(name, config),
    ...(config.mtpLayers === 0 ? [] : [[`${name}.nextn_predict_layers`, u32(config.mtpLayers)] as const]),
    [`${name}.ssm.conv_kernel`, u32(count(config, 'linear_conv_kernel_dim'))],
    [`${name}.ssm.state_size`, u32(keyDim)],
    [`${name}.ssm.group_count`, u32(keyHeads)],
    [`${name}.ssm.time_step_rank`, u32(valueHeads)],
    [`${name}.ssm.inner_size`, u32(valueDim * valueHeads)],
    [
      `${name}.attention.recurrent_layers`,
      bools([
        ...types.map((type) => type === 'linear_attention'),
        ...Array.from({ length: config.mtpLayers }, () => false),
      ]),
    ],
    [`${name}.full_attention_interval`, u32(interval)],
    [`${name}.rope.dimension_count`, u32(Math.floor(config.headDim * part))],
  ];
}

/** @throws StudioError model/config */
export function checkHybrid(config: ModelConfig): void {
  checkRopeType(config, ['linear', 'yarn']);
  checkSilu(config);
  const types = layerTypes(config);
  const other = types?.find((type) => type !== 'linear_attention' && type !== 'full_attention');
  if (other !== undefined) {
    throw new StudioError(
      'model/config',
      `config.json names layers of the kind ${JSON.stringify(other)}, which this family does not have. Fetch the model's config.json again.`,
    );
  }
  deltaNet(config);
}

export const hybridHyperparameters = baseHyperparameters;
