import type { TensorRef } from '../tensorRef';
import type { HuggingFaceModel } from './huggingFaceModel';
import { normaliseTensorName } from '../../engine/architectures/textTensors';

/** Wrappers that torch.compile, FSDP and activation checkpointing leave in names. */
const WRAPPERS = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;

/** What stands at the root of a text model that was saved without its head. */
const HEADLESS = /^(?:layers|embed_tokens|norm)\./;

/**
 * A weight's name as the engine knows it (`model.layers.0.…`, `lm_head.weight`), whichever tool and version wrote it:
 * wrappers are taken off, multimodal prefixes normalised, and the `model.` that headless training leaves out is added.
 */
export function canonicalTensorName(name: string): string {
  const normal = normaliseTensorName(name.replace(WRAPPERS, ''));
  return HEADLESS.test(normal) ? `model.${normal}` : normal;
}

/** The tensor of a model that has this canonical name, whatever it is called in its file; undefined where there is none. */
export function findTensor(model: HuggingFaceModel, canonical: string): TensorRef | undefined {
  const exact = model.tensors.get(canonical);
  if (exact !== undefined) {
    return exact;
  }
  for (const tensor of model.tensors.values()) {
    if (canonicalTensorName(tensor.name) === canonical) {
      return tensor;
    }
  }
  return undefined;
}

/** `q_proj` of `model.layers.0.self_attn.q_proj.weight`. */
export function moduleLeaf(tensorName: string): string {
  return tensorName.split('.').at(-2) ?? tensorName;
}
