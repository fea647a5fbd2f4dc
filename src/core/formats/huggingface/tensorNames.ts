import { normaliseTensorName } from '../../engine/architectures/textTensors';

/** Wrappers that torch.compile, FSDP, Lightning and activation checkpointing leave anywhere in names. */
const WRAPPERS = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\./g;

/** What DistributedDataParallel, PEFT and TRL's models with a value head put in front of every name of the model that they hold. */
export const WRAPPER_PREFIXES = ['module.', 'base_model.model.', 'pretrained_model.'] as const;

/** What stands at the root of a text model that was saved without its head. */
const HEADLESS = /^(?:layers|embed_tokens|norm)\./;

/** The name without what wrappers leave anywhere in it. */
export function withoutWrappers(name: string): string {
  return name.replace(WRAPPERS, '');
}

/**
 * A weight's name as the engine knows it (`model.layers.0.…`, `lm_head.weight`), whichever tool and version wrote it:
 * wrappers are taken off, multimodal prefixes normalised, and the `model.` that headless training leaves out is added.
 */
export function canonicalTensorName(name: string): string {
  const normal = normaliseTensorName(withoutWrappers(name).replace(/^module\./, ''));
  return HEADLESS.test(normal) ? `model.${normal}` : normal;
}

/** `q_proj` of `model.layers.0.self_attn.q_proj.weight`. */
export function moduleLeaf(tensorName: string): string {
  return tensorName.split('.').at(-2) ?? tensorName;
}
