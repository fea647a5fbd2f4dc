import type { Note } from '../../note';
import { StudioError } from '../../errors';
import { quoteName } from '../../quoteName';
import type { TensorRef } from '../tensorRef';
import { isValueHead } from './modelPurpose';
import { WRAPPER_PREFIXES, withoutWrappers } from './tensorNames';

export interface UnwrappedTensors {
  /** By the names that the model itself gives to its weights. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly notes: readonly Note[];
}

/** What PEFT keeps beside the base's weights while an adapter is not merged. */
const UNMERGED =
  /\.(?:lora_(?:[AB]|embedding_[AB]|magnitude_vector)|modules_to_save|original_module|trainable_tokens_delta|trainable_tokens_original)(?:\.|$)/;

/** FSDP's weights of several modules in one vector: shapes and names are lost. */
const FLAT = /(?:^|\.)_?flat_param(?:_\d+)?$/;

const BASE_LAYER = /\.base_layer\.(?=[^.]+$)/;

/**
 * Takes off what wrappers put around the names of a model that was saved in them: torch.compile, DistributedDataParallel, FSDP,
 * activation checkpointing, Lightning, and PEFT without factors. A name counts as wrapped in front only where all are.
 * @throws StudioError model/unmerged for an adapter that was saved with its base, or weights that FSDP flattened;
 * index/mismatch where two names become one
 */
export function unwrapTensors(given: ReadonlyMap<string, TensorRef>, path: string): UnwrappedTensors {
  refuseUnmerged(given, path);
  const valueHead = [...given.keys()].filter((name) => isValueHead(withoutWrappers(name).replace(/^module\./, '')));
  let names = [...given.keys()]
    .filter((name) => !valueHead.includes(name))
    .map((name) => [withoutWrappers(name), name] as const);
  const taken = new Set<string>();
  names.forEach(([bare, name]) => (bare === name ? undefined : taken.add('torch.compile or FSDP')));
  for (let prefix = commonPrefix(names); prefix !== undefined; prefix = commonPrefix(names)) {
    taken.add(prefix);
    names = names.map(([bare, name]) => [bare.slice(prefix.length), name] as const);
  }
  const notes: Note[] = [];
  if (names.some(([bare]) => BASE_LAYER.test(bare))) {
    names = names.map(([bare, name]) => [bare.replace(BASE_LAYER, '.'), name] as const);
    notes.push({
      code: 'model/base-layer',
      message:
        'the weights were saved out of a PEFT model (base_layer in their names) and hold no adapter: this is the base as it was before training. If the adapter was to be in it, merge it where it was trained (merge_and_unload), or pass the adapter with --adapter.',
    });
  }
  if (valueHead.length > 0) {
    notes.push({
      code: 'model/value-head',
      message: `${valueHead.length} tensors of a value head (${valueHead[0]!}) are left out: it judged the answers while PPO trained, and the model is complete without it.`,
    });
  }
  if (taken.size === 0 && notes.length === 0) {
    return { tensors: given, notes };
  }
  const tensors = new Map<string, TensorRef>();
  for (const [bare, name] of names) {
    const other = tensors.get(bare);
    if (other !== undefined) {
      throw new StudioError(
        'index/mismatch',
        `${quoteName(name)} is the weight ${quoteName(bare)}, which stands in the model under another name too. Two saves are mixed: keep the files of one.`,
        { path, detail: { tensor: bare } },
      );
    }
    tensors.set(bare, { ...given.get(name)!, name: bare });
  }
  return { tensors, notes };
}

/** Something that stands in front of all names and belongs to none of them. */
function commonPrefix(names: readonly (readonly [string, string])[]): string | undefined {
  const [first] = names;
  if (first === undefined) {
    return undefined;
  }
  const isEverywhere = (prefix: string): boolean => names.every(([bare]) => bare.startsWith(prefix));
  const wrapper = WRAPPER_PREFIXES.find((prefix) => first[0].startsWith(prefix));
  if (wrapper !== undefined && isEverywhere(wrapper)) {
    return wrapper;
  }
  // Lightning keeps a whole model, head and all, under `model.`.
  return isEverywhere('model.') && names.some(([bare]) => /^model\.(?:model|lm_head)\./.test(bare))
    ? 'model.'
    : undefined;
}

function refuseUnmerged(tensors: ReadonlyMap<string, TensorRef>, path: string): void {
  for (const name of tensors.keys()) {
    if (UNMERGED.test(name)) {
      throw new StudioError(
        'model/unmerged',
        `The folder holds a PEFT model that was saved without being merged: ${quoteName(name)} is a part of an adapter, beside the weights of its base. Merge it where it was trained (model.merge_and_unload(), then save_pretrained), or save the adapter alone (save_pretrained of the PeftModel) and pass it with --adapter, and its base with --base.`,
        { path, detail: { tensor: name } },
      );
    }
    if (FLAT.test(name)) {
      throw new StudioError(
        'model/unmerged',
        `${quoteName(name)} holds the weights of several modules in one row of numbers, as FSDP keeps them. Save the model with FULL_STATE_DICT (Accelerate: \`accelerate merge-weights\` of the checkpoint), and pass that.`,
        { path, detail: { tensor: name } },
      );
    }
  }
}
