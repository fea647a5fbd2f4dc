import type { ModelConfig, TensorMapping, TensorTransform } from './architecture';

/** What becomes of a module's weight or bias: its GGUF name, and what happens to its values. */
export interface TensorRule {
  readonly to: string;
  readonly transform?: ((config: ModelConfig) => TensorTransform) | undefined;
}

/** Module path within a layer (`self_attn.q_proj`), or at the top (`lm_head`), to its rule. */
export type TensorRules = Readonly<Record<string, string | TensorRule>>;

const NONE: TensorTransform = { kind: 'none' };
const permuteQ = (config: ModelConfig): TensorTransform => ({ kind: 'permute', heads: config.heads });
const permuteK = (config: ModelConfig): TensorTransform => ({ kind: 'permute', heads: config.kvHeads });

/** Outside the layers. */
export const GLOBAL_TENSORS: TensorRules = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
};

/** The attention and feed-forward of most families, without the rotary permutation. */
export const LAYER_TENSORS: TensorRules = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
};

/**
 * As {@link LAYER_TENSORS}, with the rotary pairs of queries and keys brought from halves to neighbours, as llama.cpp's
 * graphs of the llama family want them.
 */
export const PERMUTED_LAYER_TENSORS: TensorRules = {
  ...LAYER_TENSORS,
  'self_attn.q_proj': { to: 'attn_q', transform: permuteQ },
  'self_attn.k_proj': { to: 'attn_k', transform: permuteK },
};

/** These rules without the feed-forward, for families whose layers have experts instead. */
export function withoutDenseFeedForward(rules: TensorRules): TensorRules {
  return Object.fromEntries(Object.entries(rules).filter(([module]) => !module.startsWith('mlp.')));
}

/** Buffers that checkpoints of some ages carry and that no model needs. */
const BUFFERS = [
  '.rotary_emb.inv_freq',
  '.rotary_emb.cos_cached',
  '.rotary_emb.sin_cached',
  '.attention.masked_bias',
  '.attention.bias',
];
/** Parts of multimodal checkpoints that are not the text model. */
const OTHER_TOWERS =
  /^(?:model\.)?(?:vision_tower|vision_model|vision_embed_tokens|visual|multi_modal_projector|mm_projector|audio_tower|embed_vision|embed_audio)\./;

/** Mixtral's files keep the names of its first implementation; transformers 5 and PEFT under it say the same as for Qwen's experts. */
const MIXTRAL_MODULE = /^(model\.layers\.\d+\.)block_sparse_moe\.(gate|switch_mlp|experts)\./;
const MIXTRAL_PROJECTIONS: Readonly<Record<string, string>> = { w1: 'gate_proj', w2: 'down_proj', w3: 'up_proj' };

/**
 * The name that a tensor of a text model has in a text-only checkpoint: `model.language_model.X` (transformers 4.52 and
 * later) and `language_model.model.X` (before, and mlx) become `model.X`, `language_model.lm_head.X` becomes `lm_head.X`,
 * and Mixtral's `block_sparse_moe.experts.7.w1` becomes `mlp.experts.7.gate_proj`.
 */
export function normaliseTensorName(name: string): string {
  const text = textModelName(name);
  if (!MIXTRAL_MODULE.test(text)) {
    return text;
  }
  return text
    .replace(MIXTRAL_MODULE, '$1mlp.$2.')
    .replace(
      /^(.*\.experts\.\d+\.)(w[123])\./,
      (_all, before: string, projection: string) => `${before}${MIXTRAL_PROJECTIONS[projection]!}.`,
    );
}

function textModelName(name: string): string {
  if (name.startsWith('model.language_model.')) {
    const rest = name.slice('model.language_model.'.length);
    return rest.startsWith('model.') || rest.startsWith('lm_head.') ? rest : `model.${rest}`;
  }
  return name.startsWith('language_model.') ? name.slice('language_model.'.length) : name;
}

/** Maps the tensors of a text model by a family's rules; the `mapTensor` of most architectures. */
export function mapTextTensor(
  name: string,
  config: ModelConfig,
  layerRules: TensorRules,
  globalRules: TensorRules = GLOBAL_TENSORS,
): TensorMapping | 'drop' | undefined {
  if (OTHER_TOWERS.test(name) || BUFFERS.some((suffix) => name.endsWith(suffix))) {
    return 'drop';
  }
  const parts = /^(?:model\.layers\.(\d{1,5})\.)?(.+)\.(weight|bias)$/.exec(normaliseTensorName(name));
  if (parts === null) {
    return undefined;
  }
  const [, layer, module, suffix] = parts;
  const rule = ownRule(layer === undefined ? globalRules : layerRules, module!);
  if (rule === undefined || (layer !== undefined && Number(layer) >= config.layers)) {
    return undefined;
  }
  const prefix = layer === undefined ? '' : `blk.${Number(layer)}.`;
  return { name: `${prefix}${rule.to}.${suffix}`, transform: rule.transform?.(config) ?? NONE };
}

function ownRule(rules: TensorRules, module: string): TensorRule | undefined {
  const rule = Object.hasOwn(rules, module) ? rules[module] : undefined;
  return typeof rule === 'string' ? { to: rule } : rule;
}

/** The weights of these rules in every layer, and the global ones; the head only where it is not tied. */
export function requiredWeights(config: ModelConfig, layerRules: TensorRules): string[] {
  const names = ['token_embd.weight', 'output_norm.weight', ...(config.tiedEmbeddings ? [] : ['output.weight'])];
  const leaves = Object.values(layerRules).map((rule) => (typeof rule === 'string' ? rule : rule.to));
  for (let layer = 0; layer < config.layers; layer++) {
    names.push(...leaves.map((leaf) => `blk.${layer}.${leaf}.weight`));
  }
  return names;
}
