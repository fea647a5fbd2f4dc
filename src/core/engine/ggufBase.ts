import type { SafetensorsDtype } from '../formats/tensorRef';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import { GGML_TYPES } from '../formats/gguf/ggmlTypes';
import type { GgufTensor } from '../formats/gguf/ggufTypes';
import { targetOfGguf } from './adapterTarget';
import type { Architecture, ModelConfig, TensorMapping } from './architectures/architecture';
import type { LogicalTensor } from './logicalTensor';
import type { GgufPart } from './planQuantize';

/** A GGUF taken for the base of a merge: its tensors under the names that adapters know, with the way back. */
export interface GgufBase {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  /** By Hugging Face name; one of every expert. */
  readonly tensors: ReadonlyMap<string, LogicalTensor>;
  /** Where each of them stands in the GGUF. */
  readonly mappings: ReadonlyMap<string, TensorMapping>;
}

/** Everything that a layer or a model can have, in the architectures that are built in. */
const GLOBAL_MODULES = ['model.embed_tokens', 'model.norm', 'lm_head'];
const LAYER_MODULES = [
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
  'self_attn.qkv_proj',
  'self_attn.q_norm',
  'self_attn.k_norm',
  'mlp.gate_proj',
  'mlp.up_proj',
  'mlp.down_proj',
  'mlp.gate_up_proj',
  'mlp.gate',
  'mlp.shared_expert_gate',
  'mlp.shared_expert.gate_proj',
  'mlp.shared_expert.up_proj',
  'mlp.shared_expert.down_proj',
  'input_layernorm',
  'post_attention_layernorm',
  'pre_feedforward_layernorm',
  'post_feedforward_layernorm',
];
const EXPERT_MODULES = ['gate_proj', 'up_proj', 'down_proj'];

/**
 * Names the tensors of a GGUF as a Hugging Face checkpoint would: the architecture's own map, read backwards.
 * @throws StudioError model/architecture, model/config where the GGUF does not tell enough
 */
export function ggufBase(parts: readonly GgufPart[]): GgufBase {
  const [{ path, file }] = parts as readonly [GgufPart];
  const stored = new Map(
    parts.flatMap((part) => part.file.tensors.map((tensor) => [tensor.name, { tensor, part }] as const)),
  );
  const { architecture, config } = targetOfGguf({
    path,
    value: (key) => {
      const found = file.metadata.get(key)?.value;
      return typeof found === 'string' || typeof found === 'number' ? found : undefined;
    },
    tensors: new Map([...stored].map(([name, { tensor }]) => [name, tensor.shape])),
  });
  const tensors = new Map<string, LogicalTensor>();
  const mappings = new Map<string, TensorMapping>();
  for (const name of candidateNames(config)) {
    const mapping = architecture.mapTensor(name, config);
    const found = mapping === undefined || mapping === 'drop' ? undefined : stored.get(mapping.name);
    if (mapping !== undefined && mapping !== 'drop' && found !== undefined) {
      tensors.set(name, storedTensor(name, mapping, found.tensor, found.part));
      mappings.set(name, mapping);
    }
  }
  return { architecture, config, tensors, mappings };
}

function* candidateNames({ layers, experts }: ModelConfig): Generator<string> {
  yield* GLOBAL_MODULES.map((module) => `${module}.weight`);
  for (let layer = 0; layer < layers; layer++) {
    for (const module of LAYER_MODULES) {
      yield `model.layers.${layer}.${module}.weight`;
      yield `model.layers.${layer}.${module}.bias`;
    }
    for (let expert = 0; expert < experts; expert++) {
      yield* EXPERT_MODULES.map((module) => `model.layers.${layer}.mlp.experts.${expert}.${module}.weight`);
    }
  }
}

/** A tensor of a GGUF, or one expert of a stack, with the order of its rows to be undone before anything is added. */
function storedTensor(name: string, mapping: TensorMapping, tensor: GgufTensor, part: GgufPart): LogicalTensor {
  const ne = mapping.stack === undefined ? tensor.shape : tensor.shape.slice(0, 2);
  const [columns = 1, rows = 1] = ne;
  const rowBytes = (length: number): number => (length / GGML_TYPES[tensor.type].block) * GGML_TYPES[tensor.type].bytes;
  const first = part.file.dataOffset + tensor.offset + (mapping.stack?.expert ?? 0) * rows * rowBytes(columns);
  return {
    name,
    storedName: mapping.name,
    shape: [...ne].reverse(),
    encoding: tensor.type,
    dtype: dtypeOf(tensor.type),
    file: part.path,
    source: (files, asColumn) => ({
      kind: 'stored',
      matrix: {
        file: files.number(part.path),
        offset: first,
        type: tensor.type,
        rows: asColumn ? columns : ne.length < 2 ? 1 : rows,
        columns: asColumn ? 1 : columns,
      },
      ...(mapping.transform.kind === 'none' ? {} : { undo: mapping.transform }),
    }),
  };
}

/** The dtype that comes nearest; what is packed counts as bf16. */
function dtypeOf(type: GgmlTypeName): SafetensorsDtype {
  return type === 'F32' || type === 'F16' ? type : 'BF16';
}
