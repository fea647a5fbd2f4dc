import type { LogicalTensor } from './logicalTensor';
import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { outerSlice, type TensorRef } from '../formats/tensorRef';
import { canonicalTensorName, expertOfStack } from '../formats/huggingface/tensorNames';
import { type Family, fusedExperts, isFusedScale } from './fusedExperts';
import { isMlxPart, mlxWeight } from './mlxWeight';
import { isScalePart, scaledWeight } from './scaledWeight';
import { storedMatrix, storedType } from './storedMatrix';

/**
 * The weights of a base by their normalised names: quantised ones are one tensor of their full shape, stacked experts one
 * tensor an expert.
 * @param family what the model is, where that is known: without it experts that stand as one tensor stay one
 * @throws StudioError model/quantised for packed weights that cannot be read exactly, model/dtype
 */
export function logicalTensors(model: HuggingFaceModel, family?: Family): Map<string, LogicalTensor> {
  const tensors = new Map<string, LogicalTensor>();
  for (const ref of model.tensors.values()) {
    if (isMlxPart(ref.name, model) || isScalePart(ref.name, model) || isFusedScale(ref.name)) {
      continue;
    }
    for (const tensor of expertOfStack(ref.name, 0) !== undefined && ref.shape.length === 3
      ? experts(ref, model)
      : ((family && fusedExperts(ref, model, family)) ?? [logicalTensor(ref, model, ref.name)])) {
      tensors.set(tensor.name, tensor);
    }
  }
  return tensors;
}

function logicalTensor(ref: TensorRef, model: HuggingFaceModel, storedName: string): LogicalTensor {
  const tensor = ref.dtype === 'U32' ? mlxWeight(ref, model) : (scaledWeight(ref, model) ?? plainTensor(ref));
  return {
    ...tensor,
    name: canonicalTensorName(storedName.replace(/\.weight_packed$/, '.weight')),
    storedName: storedName.replace(/\.weight_packed$/, '.weight'),
  };
}

/** mlx keeps the experts of a layer as one tensor [experts, out, in]; each is a weight of its own. */
function experts(ref: TensorRef, model: HuggingFaceModel): LogicalTensor[] {
  const module = ref.name.replace(/weight$/, '');
  const count = ref.shape[0] ?? 0;
  return Array.from({ length: count }, (_, expert) => {
    const parts = new Map(model.tensors);
    for (const part of ['scales', 'biases']) {
      const whole = model.tensors.get(`${module}${part}`);
      if (whole !== undefined) {
        parts.set(whole.name, expertSlice(whole, expert, count));
      }
    }
    return logicalTensor(outerSlice(ref, expert), { ...model, tensors: parts }, expertOfStack(ref.name, expert)!);
  });
}

/** @throws StudioError model/tensor-shape where a part is not of as many experts */
function expertSlice(ref: TensorRef, index: number, count: number): TensorRef {
  if (ref.shape[0] !== count) {
    throw new StudioError(
      'model/tensor-shape',
      `${ref.name} has shape [${ref.shape.join(', ')}], where a stack of ${count} experts is needed. The file is damaged: fetch it again.`,
      { path: ref.file, detail: { tensor: ref.name, shape: ref.shape } },
    );
  }
  return outerSlice(ref, index);
}

function plainTensor(ref: TensorRef): Omit<LogicalTensor, 'name' | 'storedName'> {
  return {
    shape: ref.shape,
    encoding: ref.dtype,
    dtype: ref.dtype,
    file: ref.file,
    source: (files, asColumn) => {
      checkReadable(ref);
      return { kind: 'stored', matrix: storedMatrix(ref, files.number(ref.file), asColumn) };
    },
  };
}

function checkReadable(ref: TensorRef): void {
  if (storedType(ref.dtype) === undefined) {
    throw new StudioError(
      'model/quantised',
      `${ref.name} is stored as ${ref.dtype}: this base is quantised in a form that cannot be undone exactly. Pass the 16-bit model that it was made from.`,
      {
        path: ref.file,
        detail: { tensor: ref.name, dtype: ref.dtype },
      },
    );
  }
}
