import { StudioError } from '../errors';
import { GGML_TYPES, type GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { MixtureModel, TypeCandidate } from './typeCandidate';
import type { FileTypeName, WritableType } from './fileTypes';
import { isValueLike, layerOf, type TensorCategory } from './tensorCategory';

/** The rules count value-like and down projections as they go along; one state serves one model. */
export interface MixtureState {
  readonly model: MixtureModel;
  readonly fileType: FileTypeName;
  readonly hasImatrix: boolean;
  readonly outputTensorType: WritableType | undefined;
  /** No `output.weight`: the embedding is the head as well. */
  readonly tied: boolean;
  readonly valueCount: number;
  valueIndex: number;
  downIndex: number;
}

/** Layers that get more bits: the first and last eighth, and every third between (integer arithmetic). */
export function usesMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

/** Attention heads that share one key/value head, as the rules count them. */
function groupSize(model: MixtureModel): number {
  return model.kvHeads === 0 ? 0 : Math.floor(model.heads / model.kvHeads);
}

/** Architectures with 80 (or 68) layers whose value projections are small against the rest. */
function isSeventyBillion(model: MixtureModel): boolean {
  switch (model.architecture) {
    case 'llama':
      return model.layers === 80 && model.heads !== model.kvHeads && model.experts !== 8;
    case 'qwen2':
    case 'deci':
    case 'olmo':
      return model.layers === 80;
    case 'jais2':
      return model.layers === 68;
    default:
      return false;
  }
}

/**
 * The type of one tensor in a mixture such as Q4_K_M, before its shape is looked at.
 * Source: llama_tensor_get_type_impl of llama.cpp v0.5.0, for the file types that are built in.
 */
export function mixedType(
  base: GgmlTypeName,
  tensor: TypeCandidate,
  category: TensorCategory,
  state: MixtureState,
): GgmlTypeName {
  if (category === 'output' || (state.tied && category === 'tokenEmbedding')) {
    return headType(base, tensor, state);
  }
  if (state.fileType === 'MXFP4_MOE') {
    return (tensor.shape[2] ?? 1) > 1 ? 'MXFP4' : 'Q8_0';
  }
  if (isValueLike(category)) {
    return valueType(base, state);
  }
  switch (category) {
    case 'attentionK':
      return state.model.experts === 8 ? 'Q8_0' : base;
    case 'feedForwardDown':
      return downType(base, tensor.name, state);
    case 'attentionOutput':
      return attentionOutputType(base, state);
    default:
      return base;
  }
}

function headType(base: GgmlTypeName, tensor: TypeCandidate, state: MixtureState): GgmlTypeName {
  if (state.outputTensorType !== undefined) {
    return state.outputTensorType;
  }
  if (state.fileType === 'MXFP4_MOE') {
    return 'Q8_0';
  }
  if (state.model.architecture === 'falcon' || (tensor.shape[0] ?? 0) % GGML_TYPES[base].block !== 0) {
    return 'Q8_0';
  }
  return base === 'Q8_0' ? 'Q8_0' : 'Q6_K';
}

function valueType(base: GgmlTypeName, state: MixtureState): GgmlTypeName {
  const index = state.valueIndex++;
  if (state.model.experts === 8) {
    return 'Q8_0';
  }
  const type = valueTypeOfMixture(base, index, state);
  return isSeventyBillion(state.model) && (type === 'Q3_K' || type === 'Q4_K') ? 'Q5_K' : type;
}

function valueTypeOfMixture(base: GgmlTypeName, index: number, state: MixtureState): GgmlTypeName {
  const grouped = groupSize(state.model) >= 4;
  switch (state.fileType) {
    case 'Q2_K':
      return grouped ? 'Q4_K' : 'Q3_K';
    case 'Q3_K_M':
      return index < 2 ? 'Q5_K' : 'Q4_K';
    case 'Q3_K_L':
      return 'Q5_K';
    case 'IQ4_NL':
    case 'IQ4_XS':
      return grouped ? 'Q5_K' : base;
    case 'Q4_K_S':
      return index < 4 ? 'Q5_K' : base;
    case 'Q4_K_M':
    case 'Q5_K_M':
      return usesMoreBits(index, state.valueCount) ? 'Q6_K' : base;
    default:
      return base;
  }
}

function downType(base: GgmlTypeName, name: string, state: MixtureState): GgmlTypeName {
  const counted = state.downIndex++;
  const { layers, experts, architecture } = state.model;
  const layer = experts > 1 ? expertLayer(name, layers) : counted;
  const falcon = architecture === 'falcon';
  const early = layer < Math.floor(layers / 8);
  const first = layer < Math.floor(layers / 16);
  const more = usesMoreBits(layer, layers);
  switch (state.fileType) {
    case 'Q2_K':
      return 'Q3_K';
    case 'Q3_K_M':
      return first ? 'Q5_K' : !falcon || more ? 'Q4_K' : 'Q3_K';
    case 'Q3_K_L':
      return falcon ? 'Q4_K' : 'Q5_K';
    case 'Q4_K_M':
      return falcon ? (first ? 'Q6_K' : more ? 'Q5_K' : 'Q4_K') : more ? 'Q6_K' : base;
    case 'Q5_K_M':
      return more ? 'Q6_K' : base;
    case 'Q4_K_S':
      return !falcon && early ? 'Q5_K' : base;
    case 'IQ4_NL':
    case 'IQ4_XS':
      return early && !state.hasImatrix ? 'Q5_K' : base;
    case 'Q4_0':
      return early && state.hasImatrix ? 'Q4_1' : base;
    case 'Q5_0':
      return early && state.hasImatrix ? 'Q5_1' : base;
    default:
      return base;
  }
}

/** With experts the layer comes from the name, since their tensors do not follow one another by layer. */
function expertLayer(name: string, layers: number): number {
  const layer = layerOf(name);
  if (layer < 0 || layer >= layers) {
    throw new StudioError(
      'model/tensor-unknown',
      `${name} belongs to no layer of this model, which has ${layers}. The model's config and weights do not agree.`,
      { detail: { tensor: name, layers } },
    );
  }
  return layer;
}

const EIGHT_EXPERT_OUTPUT: readonly FileTypeName[] = [
  'Q2_K',
  'Q3_K_S',
  'Q3_K_M',
  'Q4_K_S',
  'Q4_K_M',
  'IQ4_NL',
  'IQ4_XS',
];

function attentionOutputType(base: GgmlTypeName, state: MixtureState): GgmlTypeName {
  const { fileType, model } = state;
  if (model.architecture === 'falcon') {
    return fileType === 'Q3_K_L' ? 'Q4_K' : base;
  }
  if (model.experts === 8) {
    return EIGHT_EXPERT_OUTPUT.includes(fileType) ? 'Q5_K' : base;
  }
  switch (fileType) {
    case 'Q2_K':
      return 'Q3_K';
    case 'Q3_K_M':
      return 'Q4_K';
    case 'Q3_K_L':
      return 'Q5_K';
    default:
      return base;
  }
}
