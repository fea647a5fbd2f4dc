/** What a tensor does in a model, as far as the choice of its type depends on it. */
export type TensorCategory =
  | 'output'
  | 'tokenEmbedding'
  | 'attentionQkv'
  | 'attentionKvB'
  | 'attentionV'
  | 'attentionK'
  | 'attentionQ'
  | 'attentionOutput'
  | 'feedForwardUp'
  | 'feedForwardGate'
  | 'feedForwardDown'
  | 'other';

/** First substring that occurs decides, in this order (llama.cpp v0.5.0, llama-quant.cpp). */
const SUBSTRINGS: readonly (readonly [string, TensorCategory])[] = [
  ['attn_qkv.weight', 'attentionQkv'],
  ['attn_kv_b.weight', 'attentionKvB'],
  ['attn_v.weight', 'attentionV'],
  ['attn_k.weight', 'attentionK'],
  ['attn_q.weight', 'attentionQ'],
  ['attn_output.weight', 'attentionOutput'],
  ['ffn_up', 'feedForwardUp'],
  ['ffn_gate', 'feedForwardGate'],
  ['ffn_down', 'feedForwardDown'],
];

/** The category of a GGUF tensor name. */
export function tensorCategory(name: string): TensorCategory {
  if (name === 'output.weight') {
    return 'output';
  }
  if (name === 'token_embd.weight' || name === 'per_layer_token_embd.weight') {
    return 'tokenEmbedding';
  }
  return SUBSTRINGS.find(([part]) => name.includes(part))?.[1] ?? 'other';
}

/** True for the tensors that the rules treat as value projections. */
export function isValueLike(category: TensorCategory): boolean {
  return category === 'attentionV' || category === 'attentionQkv' || category === 'attentionKvB';
}

/** Names with one of these parts keep their type in every quantisation. */
const KEPT_PARTS = [
  '_norm.weight',
  'ffn_gate_inp.weight',
  'ffn_gate_tid2eid.weight',
  'altup',
  'laurel',
  'per_layer_model_proj',
  'ssm_conv1d',
  'shortconv.conv.weight',
  'indexer.k_proj.weight',
  'indexer.q_proj.weight',
  'time_mix_first.weight',
  'time_mix_w0.weight',
  'time_mix_w1.weight',
  'time_mix_w2.weight',
  'time_mix_v0.weight',
  'time_mix_v1.weight',
  'time_mix_v2.weight',
  'time_mix_a0.weight',
  'time_mix_a1.weight',
  'time_mix_a2.weight',
  'time_mix_g1.weight',
  'time_mix_g2.weight',
  'time_mix_decay_w1.weight',
  'time_mix_decay_w2.weight',
  'time_mix_lerp_fused.weight',
  'attn_rel_b.weight',
  '.position_embd',
  'sam.pos_embd',
  'sam.neck.',
  'sam.net_',
  '.rel_pos',
  '.patch_embd',
  '.patch_merger',
  'a.rvq.codebook',
  'mm.a.code_embd',
];
const KEPT_NAMES = new Set(['position_embd.weight', 'token_types.weight']);

/**
 * Whether a tensor takes part in a conversion of types at all: matrices of weights do; vectors, norms, routers
 * and the like stay as they are.
 * @param shape GGUF order; trailing ones do not count as dimensions
 */
export function allowsQuantisation(name: string, shape: readonly number[], leaveOutput: boolean): boolean {
  if (!shape.slice(1).some((dimension) => dimension > 1)) {
    return false;
  }
  if (!name.endsWith('weight') || KEPT_NAMES.has(name) || (leaveOutput && name === 'output.weight')) {
    return false;
  }
  return !KEPT_PARTS.some((part) => name.includes(part));
}

/** Small matrices that the converter takes part in a conversion of types and llama-quantize does not. */
const CONVERTED_PARTS = /^altup_(?:proj|unembd_proj)\.|\.(?:altup_router|laurel_[lr])\.weight$|^per_layer_model_proj\./;

/**
 * As {@link allowsQuantisation}, of llama.cpp's converter: it counts dimensions of 1 as well, but for the gate of a shared
 * expert, and converts some matrices that llama-quantize keeps.
 * @param shape GGUF order
 */
export function allowsConversion(name: string, shape: readonly number[]): boolean {
  if (CONVERTED_PARTS.test(name)) {
    return true;
  }
  return allowsQuantisation(name, shape, false);
}

const BLOCK_NUMBER = /^blk\.(\d+)\./;

/** The layer of a tensor, -1 for those outside any. */
export function layerOf(name: string): number {
  const found = BLOCK_NUMBER.exec(name);
  return found === null ? -1 : Number(found[1]);
}

/** llama-quantize's order: by layer, tensors outside any layer first, then by name. */
export function compareTensorNames(a: string, b: string): number {
  const byLayer = layerOf(a) - layerOf(b);
  return byLayer !== 0 ? byLayer : a < b ? -1 : a > b ? 1 : 0;
}
