import { append } from '../../append';
import { normaliseTensorName, towerOf } from '../../formats/huggingface/tensorNames';
import type { Architecture, ModelConfig, TensorMapping, TensorRule, TensorRules, TensorTable } from './architecture';

/** Buffers that checkpoints of some ages carry and that no model needs. */
const BUFFERS = [
  '.rotary_emb.inv_freq',
  '.rotary_emb.cos_cached',
  '.rotary_emb.sin_cached',
  '.attention.masked_bias',
  '.attention.bias',
];

const tables = new WeakMap<Architecture, WeakMap<ModelConfig, TensorTable>>();

/** The table of a family for one configuration, made once. */
function tableOf(architecture: Architecture, config: ModelConfig): TensorTable {
  const ofFamily = tables.get(architecture) ?? new WeakMap<ModelConfig, TensorTable>();
  tables.set(architecture, ofFamily);
  const table = ofFamily.get(config) ?? architecture.tensors(config);
  ofFamily.set(config, table);
  return table;
}

/**
 * Where a tensor of a checkpoint goes: one place, or several where it is split. Undefined: unknown to this architecture
 * (refused). `drop`: left out on purpose (rotary buffers, other towers).
 */
export function mapTensor(
  architecture: Architecture,
  name: string,
  config: ModelConfig,
): readonly TensorMapping[] | 'drop' | undefined {
  const canonical = normaliseTensorName(name);
  if (
    towerOf(name) !== undefined ||
    BUFFERS.some((suffix) => name.endsWith(suffix)) ||
    architecture.dropped?.test(canonical) === true
  ) {
    return 'drop';
  }
  const table = tableOf(architecture, config);
  const layered = /^model\.layers\.(\d{1,5})\.(.+)$/.exec(canonical);
  const layer = layered === null ? undefined : Number(layered[1]);
  if (layer !== undefined && layer >= table.layers) {
    return architecture.dropsFurtherLayers === true ? 'drop' : undefined;
  }
  const rules = layer === undefined ? table.globals : table.layer(layer);
  return mapPath(rules, layered?.[2] ?? canonical, layer === undefined ? '' : `blk.${layer}.`, config);
}

function mapPath(
  rules: TensorRules,
  path: string,
  prefix: string,
  config: ModelConfig,
): readonly TensorMapping[] | undefined {
  const bare = ruleOf(rules, path);
  if (bare?.rules.every(({ parameter }) => parameter === true) === true) {
    return mappings(bare, prefix, undefined, config);
  }
  const suffix = /\.(weight|bias)$/.exec(path)?.[1];
  const found = suffix === undefined ? undefined : ruleOf(rules, path.slice(0, -suffix.length - 1));
  if (
    found === undefined ||
    found.rules.some(({ parameter, bias }) => parameter === true || (suffix === 'bias' && bias === 'none'))
  ) {
    return undefined;
  }
  return mappings(found, prefix, suffix, config);
}

interface FoundRule {
  readonly rules: readonly TensorRule[];
  /** Which of a stack it is. */
  readonly index?: number;
}

/** The rule of a path; the last number in it is what the `*` of a stack stands for. */
function ruleOf(rules: TensorRules, path: string): FoundRule | undefined {
  const own = ownRule(rules, path);
  if (own !== undefined) {
    return { rules: own };
  }
  const numbered = /^(?:(.*)\.)?(\d{1,5})((?:\.[^.\d][^.]*)*)$/.exec(path);
  const stacked =
    numbered === null
      ? undefined
      : ownRule(rules, `${numbered[1] === undefined ? '' : `${numbered[1]}.`}*${numbered[3]!}`);
  return stacked === undefined ? undefined : { rules: stacked, index: Number(numbered![2]) };
}

function ownRule(rules: TensorRules, path: string): readonly TensorRule[] | undefined {
  return Object.hasOwn(rules, path) ? rulesOf(rules[path]!) : undefined;
}

function rulesOf(rule: TensorRules[string]): readonly TensorRule[] {
  return typeof rule === 'string'
    ? [{ to: rule }]
    : Array.isArray(rule)
      ? (rule as readonly TensorRule[])
      : [rule as TensorRule];
}

function mappings(
  { rules, index }: FoundRule,
  prefix: string,
  suffix: string | undefined,
  config: ModelConfig,
): readonly TensorMapping[] | undefined {
  const list: TensorMapping[] = [];
  for (const rule of rules) {
    const experts = index === undefined ? undefined : (rule.stack?.(config) ?? 0);
    if (index !== undefined && index >= experts!) {
      return undefined;
    }
    const expected = rule.shape?.(config);
    const rows = rule.rows?.(config);
    list.push({
      name: `${prefix}${rule.to}${suffix === undefined ? '' : `.${suffix}`}`,
      transform: rule.transform?.(config, suffix) ?? { kind: 'none' },
      ...(index === undefined ? {} : { stack: { expert: index, experts: experts! } }),
      ...(rule.within === undefined ? {} : { within: rule.within }),
      ...(rule.padded === true ? { paddedTo: config.vocabSize } : {}),
      ...(rule.reshape === undefined ? {} : { reshape: rule.reshape(config) }),
      ...(rule.matrices === undefined ? {} : { matrices: rule.matrices }),
      ...(rows === undefined ? {} : { rows }),
      ...(expected === undefined ? {} : { expected: suffix === 'bias' ? expected.slice(0, 1) : expected }),
    });
  }
  return list;
}

/** The names that the tensors of such a model have in a text-only checkpoint, whether it must have them or not; one of every expert. */
export function* tensorNames(architecture: Architecture, config: ModelConfig): Generator<string> {
  const table = tableOf(architecture, config);
  yield* pathsOf(table.globals, '', config);
  for (let layer = 0; layer < table.layers; layer++) {
    yield* pathsOf(table.layer(layer), `model.layers.${layer}.`, config);
  }
}

function* pathsOf(rules: TensorRules, prefix: string, config: ModelConfig): Generator<string> {
  for (const [path, rule] of Object.entries(rules)) {
    const [first] = rulesOf(rule);
    const suffixes = first?.parameter === true ? [''] : first?.bias === 'none' ? ['.weight'] : ['.weight', '.bias'];
    const count = first?.stack?.(config);
    for (const suffix of suffixes) {
      if (count === undefined) {
        yield `${prefix}${path}${suffix}`;
      }
      for (let index = 0; index < (count ?? 0); index++) {
        yield `${prefix}${path.replace('*', String(index))}${suffix}`;
      }
    }
  }
}

/** GGUF names that must be there for the model to load. */
export function requiredTensors(architecture: Architecture, config: ModelConfig): string[] {
  const table = tableOf(architecture, config);
  const names = requiredOf(table.globals, '', config);
  for (let layer = 0; layer < table.layers; layer++) {
    append(names, requiredOf(table.layer(layer), `blk.${layer}.`, config));
  }
  return names;
}

function requiredOf(rules: TensorRules, prefix: string, config: ModelConfig): string[] {
  return Object.values(rules).flatMap((rule) =>
    rulesOf(rule).flatMap(({ to, parameter, optional, bias }) => [
      ...((typeof optional === 'function' ? optional(config) : optional === true)
        ? []
        : [`${prefix}${to}${parameter === true ? '' : '.weight'}`]),
      ...(bias === 'required' ? [`${prefix}${to}.bias`] : []),
    ]),
  );
}
