import { StudioError } from '../errors';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { GgufValue } from '../formats/gguf/ggufTypes';
import { encodeGgufHeader } from '../formats/gguf/writeGguf';
import type { BuildOptions } from './buildOptions';
import type { PlannedOutput, PlannedSlice, PlannedTensor, PlanNote } from './buildPlan';
import { chooseTypes, type ChosenType } from './chooseTypes';
import type { MixtureModel } from './typeCandidate';
import { imatrixMetadata, planImportance } from './planImportance';
import { compareTensorNames } from './tensorCategory';

/** An output tensor before its type and place are known. */
export interface TensorDraft {
  readonly name: string;
  /** GGUF order. */
  readonly shape: readonly number[];
  /** The type that it keeps where no rule applies. */
  readonly kept: GgmlTypeName;
  /** It keeps it whatever the rules say (MXFP4 experts). */
  readonly fixed?: boolean | undefined;
  readonly columns: number;
  readonly slices: readonly PlannedSlice[];
}

export interface GgufLayout {
  readonly tensors: readonly PlannedTensor[];
  readonly outputs: readonly PlannedOutput[];
  readonly metadata: readonly (readonly [string, GgufValue])[];
  readonly importance: Float32Array | undefined;
  readonly warnings: readonly PlanNote[];
}

/**
 * Types, order, offsets and header of a GGUF.
 * @param drafts in the converter's order, which the `converter` layout keeps
 * @param metadata all keys in their final order, but for those of the importance matrix
 */
export function layOutGguf(
  drafts: readonly TensorDraft[],
  metadata: readonly (readonly [string, GgufValue])[],
  model: MixtureModel,
  options: BuildOptions,
): GgufLayout {
  const sorted = [...drafts].sort((a, b) => compareTensorNames(a.name, b.name));
  const typed = withTypes(sorted, model, options);
  refuseNewBlocks(typed);
  const ordered = options.layout === 'quantised' ? typed : inOrderOf(drafts, typed);
  const importance = planImportance(typed, options.imatrix);
  const keys = [...metadata, ...imatrixMetadata(options.imatrix)];
  const { header, tensors, dataBytes } = encodeGgufHeader({ metadata: keys, tensors: ordered });
  const planned = ordered.map((draft, index): PlannedTensor => {
    const place = tensors[index]!;
    return {
      name: draft.name,
      shape: draft.shape,
      type: draft.type,
      requestedType: draft.requestedType,
      columns: draft.columns,
      slices: draft.slices,
      output: 0,
      offset: header.length + place.offset,
      bytes: place.bytes,
      importance: importance.offsets.get(draft.name) ?? -1,
    };
  });
  return {
    tensors: planned,
    outputs: [{ name: '', header, bytes: header.length + dataBytes }],
    metadata: keys,
    importance: importance.data,
    warnings: [...importance.warnings, ...patternWarnings(planned, options)],
  };
}

type TypedDraft = TensorDraft & ChosenType;

function withTypes(sorted: readonly TensorDraft[], model: MixtureModel, options: BuildOptions): TypedDraft[] {
  const candidates = sorted.map(({ name, shape, kept, fixed }) => ({ name, shape, type: kept, fixed }));
  const chosen = chooseTypes(candidates, model, {
    ...options,
    hasImatrix: options.imatrix !== undefined,
    asConverter: options.layout === 'converter',
  });
  return sorted.map((draft, index) => ({
    ...draft,
    shape: options.layout === 'quantised' ? withoutTrailingOnes(draft.shape) : draft.shape,
    type: chosen[index]!.type,
    requestedType: chosen[index]!.requestedType,
  }));
}

/** MXFP4 blocks are copied, never made: experts that are not stored so cannot become so. */
function refuseNewBlocks(
  tensors: readonly { readonly name: string; readonly type: GgmlTypeName; readonly kept: GgmlTypeName }[],
): void {
  const made = tensors.find(({ type, kept }) => type === 'MXFP4' && kept !== 'MXFP4');
  if (made !== undefined) {
    throw new StudioError(
      'quantize/shape',
      `MXFP4_MOE keeps experts that are MXFP4 already, and ${made.name} is ${made.kept}. Take Q4_K_M or Q8_0 for this model, or the checkpoint of gpt-oss as it was published.`,
      { detail: { tensor: made.name, type: made.kept } },
    );
  }
}

/** llama.cpp's writer counts no dimension after the last one that is more than 1. */
function withoutTrailingOnes(shape: readonly number[]): readonly number[] {
  const last = shape.findLastIndex((dimension) => dimension !== 1);
  return last + 1 === shape.length ? shape : shape.slice(0, Math.max(1, last + 1));
}

function inOrderOf<T extends { readonly name: string }>(
  order: readonly { readonly name: string }[],
  items: readonly T[],
): T[] {
  const byName = new Map(items.map((item) => [item.name, item]));
  return order.map(({ name }) => {
    const item = byName.get(name);
    if (item === undefined || byName.size !== order.length) {
      throw new StudioError(
        'model/tensor-unknown',
        `Two weights of the model would both become ${name}. The files hold the same weight under two names: keep one of them.`,
        { detail: { tensor: name } },
      );
    }
    return item;
  });
}

/** A --tensor-type that matches nothing is a typing error more often than not. */
function patternWarnings(tensors: readonly PlannedTensor[], options: BuildOptions): PlanNote[] {
  return (options.tensorTypes ?? [])
    .filter(({ pattern }) => !tensors.some((tensor) => new RegExp(pattern.toLowerCase()).test(tensor.name)))
    .map(({ pattern, type }) => ({
      code: 'quantize/pattern',
      message: `--tensor-type ${pattern}=${type} matches no tensor of this model and changes nothing.`,
    }));
}
