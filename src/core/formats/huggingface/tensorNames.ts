import type { TensorRef } from '../tensorRef';
import type { HuggingFaceModel } from './huggingFaceModel';

/** Wrappers that torch.compile, FSDP, Lightning and activation checkpointing leave anywhere in names. */
const WRAPPERS = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\./g;

/** What DistributedDataParallel, PEFT and TRL's models with a value head put in front of every name of the model that they hold. */
export const WRAPPER_PREFIXES = ['module.', 'base_model.model.', 'pretrained_model.'] as const;

/** What stands at the root of a text model that was saved without its head. */
const HEADLESS = /^(?:layers|embed_tokens|norm)\./;

/** What stands beside the text model in multimodal checkpoints, by the first part of its names; transformers 5 puts `model.` before it. */
const TOWER =
  /^(?:model\.)?(((?:vision|visual|image|multi_modal|mm|audio|sound)(?:_\w+)?|connector|embed_vision|embed_audio)\.(.+))$/s;

/** A part of a model that is not its text model, for people: `vision part`, `audio part`; undefined for any other name. */
export function towerOf(canonical: string): 'vision part' | 'audio part' | undefined {
  const first = TOWER.exec(canonical)?.[2];
  return first === undefined ? undefined : /audio|sound/.test(first) ? 'audio part' : 'vision part';
}

/** The one name of a tensor of another tower: transformers 5 puts `model.` before it, and leaves out `vision_model.` within some. */
function towerName(name: string): string | undefined {
  return TOWER.exec(name)?.[1]?.replace(/^vision_tower\.vision_model\./, 'vision_tower.');
}

/** The name without what wrappers leave anywhere in it. */
export function withoutWrappers(name: string): string {
  return name.replace(WRAPPERS, '');
}

/**
 * A weight's name as the engine knows it (`model.layers.0.…`, `lm_head.weight`), whichever tool and version wrote it:
 * wrappers are taken off, multimodal prefixes normalised (those of other towers too), and the `model.` that headless training
 * leaves out is added.
 */
export function canonicalTensorName(name: string): string {
  const bare = withoutWrappers(name).replace(/^module\./, '');
  const normal = towerName(bare) ?? normaliseTensorName(bare);
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

/** Mixtral's files keep the names of its first implementation; transformers 5 and PEFT under it say the same as for Qwen's experts. */
const MIXTRAL_MODULE = /^(model\.layers\.\d+\.)block_sparse_moe\.(gate|switch_mlp|experts)\./;
const EXPERT_PROJECTIONS: Readonly<Record<string, string>> = { w1: 'gate_proj', w2: 'down_proj', w3: 'up_proj' };

/**
 * The name that a tensor of a text model has in a text-only checkpoint: `model.language_model.X` (transformers 4.52 and
 * later), `model.text_model.X` (SmolVLM) and `language_model.model.X` (before, and mlx) become `model.X`, `language_model.lm_head.X` becomes `lm_head.X`,
 * Mixtral's `block_sparse_moe.experts.7.w1` and LFM2's `feed_forward.experts.7.w1` become `….experts.7.gate_proj`, and layers for
 * multi-token prediction stand outside the model (`mtp.`).
 */
export function normaliseTensorName(name: string): string {
  return textModelName(name)
    .replace(MIXTRAL_MODULE, '$1mlp.$2.')
    .replace(
      /^(.*\.experts\.\d+\.)(w[123])\./,
      (_all, before: string, projection: string) => `${before}${EXPERT_PROJECTIONS[projection]!}.`,
    );
}

/** Nemotron-H's own names. */
const BACKBONE: Readonly<Record<string, string>> = {
  embeddings: 'embed_tokens',
  embedding: 'embed_tokens',
  norm_f: 'norm',
};

function textModelName(name: string): string {
  const backbone = /^(?:model\.)?backbone\.([^.]+)(.*)$/s.exec(name);
  if (backbone !== null) {
    return `model.${BACKBONE[backbone[1]!] ?? backbone[1]!}${backbone[2]!}`;
  }
  if (name.startsWith('model.mtp.')) {
    return name.slice('model.'.length);
  }
  if (name.startsWith('model.text_model.')) {
    return `model.${name.slice('model.text_model.'.length)}`;
  }
  if (name.startsWith('model.language_model.')) {
    const rest = name.slice('model.language_model.'.length);
    return rest.startsWith('model.') || rest.startsWith('lm_head.') ? rest : `model.${rest}`;
  }
  return name.startsWith('language_model.') ? name.slice('language_model.'.length) : name;
}

/**
 * The name of one expert's weight where a file has all of them as a stack (mlx's `switch_mlp.gate_proj.weight`); under the
 * name that Hugging Face files give it. Undefined where the name is no stack's.
 */
export function expertOfStack(name: string, expert: number): string | undefined {
  const parts = /^(.*\.)(mlp|block_sparse_moe)\.switch_mlp\.(gate_proj|up_proj|down_proj)\.weight$/.exec(name);
  if (parts === null) {
    return undefined;
  }
  const [, before, module, projection] = parts;
  const mixtral: Readonly<Record<string, string>> = { gate_proj: 'w1', down_proj: 'w2', up_proj: 'w3' };
  return `${before!}${module!}.experts.${expert}.${module === 'mlp' ? projection! : mixtral[projection!]!}.weight`;
}
