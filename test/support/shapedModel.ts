import { writeFileSync } from 'node:fs';
import { buildGguf, f32, key as anyKey, textKey, u32Key } from '../hostile/ggufBuilder';

/** A model as far as the choice of types looks at it: names, layers, heads, experts. Its matrices have few rows. */
export interface ModelShape {
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly experts?: number;
  /** No output.weight. */
  readonly tied?: boolean;
  /** phi3's fused projections instead of q, k and v. */
  readonly fusedAttention?: boolean;
  /** Row length; default 256. */
  readonly columns?: number;
  /** Row length of the down projection; default `columns`. */
  readonly feedForward?: number;
}

/** Writes it with zeros for weights, F16 matrices and F32 vectors; the tensors stand in no helpful order, as a converter leaves them. */
export function writeShapedModel(path: string, shape: ModelShape): void {
  const {
    architecture,
    layers,
    heads,
    kvHeads,
    experts = 0,
    tied = false,
    fusedAttention = false,
    columns = 256,
    feedForward = columns,
  } = shape;
  const matrix = (name: string, rowLength: number, stack = 0): { name: string; dimensions: bigint[]; type: 'F16' } => ({
    name,
    dimensions: [BigInt(rowLength), 4n, ...(stack > 0 ? [BigInt(stack)] : [])],
    type: 'F16',
  });
  const vector = (name: string): { name: string; dimensions: bigint[]; type: 'F32' } => ({
    name,
    dimensions: [BigInt(columns)],
    type: 'F32',
  });
  const layer = (index: number): ReturnType<typeof matrix | typeof vector>[] => {
    const name = (part: string): string => `blk.${index}.${part}.weight`;
    const attention = fusedAttention
      ? [matrix(name('attn_qkv'), columns)]
      : ['attn_q', 'attn_k', 'attn_v'].map((part) => matrix(name(part), columns));
    const dense = [
      matrix(name('ffn_down'), feedForward),
      ...(fusedAttention ? [] : [matrix(name('ffn_gate'), columns)]),
      matrix(name('ffn_up'), columns),
    ];
    const sparse = [
      { ...matrix(name('ffn_gate_inp'), columns), type: 'F32' as const },
      matrix(name('ffn_down_exps'), feedForward, experts),
      matrix(name('ffn_gate_exps'), columns, experts),
      matrix(name('ffn_up_exps'), columns, experts),
    ];
    return [
      ...(experts > 0 ? sparse : dense),
      vector(name('attn_norm')),
      ...attention,
      matrix(name('attn_output'), columns),
      vector(name('ffn_norm')),
    ];
  };
  // Layers 0, 1, 10, 11, …: sorted by their names, as files of safetensors are.
  const order = Array.from({ length: layers }, (_, index) => index).sort((a, b) => (String(a) < String(b) ? -1 : 1));
  const key = (name: string, value: number): Uint8Array => u32Key(`${architecture}.${name}`, value);
  writeFileSync(
    path,
    buildGguf({
      keys: [
        textKey('general.architecture', architecture),
        key('block_count', layers),
        key('context_length', 128),
        key('embedding_length', heads * 64),
        key('feed_forward_length', heads * 128),
        anyKey(`${architecture}.attention.layer_norm_rms_epsilon`, 'f32', f32(1e-6)),
        key('attention.sliding_window', 64),
        key('rope.scaling.original_context_length', 128),
        key('attention.head_count', heads),
        key('attention.head_count_kv', kvHeads),
        ...(experts > 0
          ? [key('expert_count', experts), key('expert_used_count', 2), key('expert_feed_forward_length', 128)]
          : []),
      ],
      tensors: [
        ...(tied ? [] : [matrix('output.weight', columns)]),
        matrix('token_embd.weight', columns),
        ...order.flatMap(layer),
        vector('output_norm.weight'),
      ],
    }),
  );
}
