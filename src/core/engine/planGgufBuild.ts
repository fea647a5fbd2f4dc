import { append } from '../append';
import { StudioError } from '../errors';
import { applyAdapters, EMBEDDING, type MergedTensor, type WeightedAdapter } from './applyAdapters';
import type { TensorMapping } from './architectures/architecture';
import { mapTensor } from './architectures/tensorTable';
import type { BuildOptions } from './buildOptions';
import type { BuildPlan, PlanNote } from './buildPlan';
import { FILE_TYPES, isQuantised } from './fileTypes';
import { finishPlan } from './finishPlan';
import { ggufBase, type GgufBase } from './ggufBase';
import { InputFiles } from './inputFiles';
import { leaveOutOtherParts } from './leaveOut';
import { layOutGguf, type TensorDraft } from './layOutGguf';
import { ggufShape, matrixShape, mergedSlices, movesRows } from './mergedSlice';
import { familyName, templateName } from './planBuild';
import { type GgufPart, mainType, mixtureModel, planQuantize, quantisedMetadata, tensorDraft } from './planQuantize';
import { refuseOtherPurposes } from './refuseOtherPurposes';
import { refuseFamily } from './refuseFamily';
import { toHuggingFaceNames } from './toHuggingFaceNames';

/** Everything that a build on a GGUF is planned from. */
export interface GgufBuildInput {
  /** The base, with the path that opens it; a split model is several. */
  readonly parts: readonly GgufPart[];
  readonly adapters: readonly WeightedAdapter[];
  readonly options: BuildOptions;
}

/** A tensor with what adapters do to it, and its place in the GGUF. */
interface ChangedTensor {
  readonly tensor: MergedTensor;
  readonly mapping: TensorMapping;
}

/**
 * Plans a GGUF from a GGUF and adapters: tensors that no adapter touches are copied or requantised, the others
 * dequantised to f32, brought back to the row order of training, changed, and quantised again. Metadata and tokenizer are the base's.
 * @throws StudioError model/…, adapter/…, gguf/metadata, quantize/…
 */
export function planGgufBuild({ parts, adapters, options }: GgufBuildInput): BuildPlan {
  if (adapters.length === 0) {
    return planQuantize(parts, options);
  }
  refuseOtherPurposes(adapters);
  const [{ path, file }] = parts as readonly [GgufPart];
  const model = mixtureModel(file.metadata, path);
  const base = ggufBase(parts);
  refuseFamily(base.architecture, adapters, undefined);
  const ofText = adapters.map(({ adapter, weight }) => ({
    ...leaveOutOtherParts(
      toHuggingFaceNames(adapter, base.tensors.keys(), base.architecture, base.config),
      base.architecture,
      base.config,
    ),
    weight,
  }));
  const named = ofText.map(({ adapter, weight }) => ({ adapter, weight }));
  const merged = applyAdapters(base.tensors, named, base.architecture.noOutputTensor !== true);
  refuseResized(merged.tensors.get(EMBEDDING), path);
  const changed = changedTensors(merged.tensors.values(), base);
  const files = new InputFiles();
  const drafts = parts.flatMap((part) =>
    part.file.tensors.map((tensor) => {
      const plain = tensorDraft(tensor, part, files);
      const members = changed.get(tensor.name);
      changed.delete(tensor.name);
      return members === undefined ? plain : changedDraft(plain, members, base, files);
    }),
  );
  // A head of its own, where the adapter trained one beside the embedding.
  append(
    drafts,
    [...changed].map(([name, members]) => addedDraft(name, members, files)),
  );
  const layout = layOutGguf(drafts, quantisedMetadata(file.metadata, FILE_TYPES[options.fileType].id), model, {
    ...options,
    layout: 'quantised',
  });
  const dtype = mainType(drafts);
  return finishPlan({
    kind: 'gguf',
    fileType: options.fileType,
    output: options.output,
    inputs: files.paths,
    layout,
    base: {
      path,
      architecture: model.architecture,
      label: familyName(base.config.className),
      dtype,
      template: templateName(layout.metadata),
    },
    adapters: named,
    checks: [],
    warnings: [
      ...(isQuantised(dtype) ? [quantisedBaseNote(dtype)] : []),
      ...ofText.flatMap(({ notes }) => notes),
      ...merged.notes,
      ...layout.warnings,
    ],
  });
}

function quantisedBaseNote(dtype: string): PlanNote {
  return {
    code: 'quantize/requantize',
    message: `the base is quantised (${dtype}): its weights have lost what ${dtype} loses, and those that are quantised again lose once more; the 16-bit model gives a better result`,
  };
}

/** The tokenizer of a GGUF is part of it, and an adapter's files do not hold one in that form. */
function refuseResized(embedding: MergedTensor | undefined, path: string): void {
  if (embedding !== undefined && embedding.shape[0] !== embedding.base.shape[0]) {
    throw new StudioError(
      'adapter/unsupported',
      `The adapter brings a vocabulary of ${embedding.shape[0] ?? 0} tokens, and ${path} has ${embedding.base.shape[0] ?? 0} with a tokenizer to match. Pass the Hugging Face folder of the base, from which the tokenizer can be made anew.`,
      { path },
    );
  }
}

/** What adapters change, by its tensor in the GGUF: one weight, or some experts of a stack. */
function changedTensors(tensors: Iterable<MergedTensor>, base: GgufBase): Map<string, ChangedTensor[]> {
  const changed = new Map<string, ChangedTensor[]>();
  for (const tensor of tensors) {
    // A head that adapters set apart may itself be what it was.
    if (tensor.parts.length === 0 && base.tensors.has(tensor.base.name)) {
      continue;
    }
    const places = base.mappings.get(tensor.base.name) ?? mapTensor(base.architecture, tensor.base.name, base.config);
    if (places === undefined || places === 'drop') {
      throw new StudioError(
        'internal/unexpected',
        `${tensor.base.name} has no place in a GGUF of ${base.architecture.name}.`,
      );
    }
    for (const mapping of places) {
      changed.set(mapping.name, [...(changed.get(mapping.name) ?? []), { tensor, mapping }]);
    }
  }
  return changed;
}

function changedDraft(
  plain: TensorDraft,
  members: readonly ChangedTensor[],
  base: GgufBase,
  files: InputFiles,
): TensorDraft {
  const matrices = plain.slices.map((slice) => [slice]);
  let { columns } = plain;
  for (const { tensor, mapping } of members) {
    const own = mapping.rows === undefined ? undefined : base.rowsOf(mapping.name, files);
    matrices[mapping.stack?.expert ?? 0] = mergedSlices(tensor, mapping, files, own);
    columns = columnsOf(tensor, mapping);
  }
  return {
    ...plain,
    columns,
    slices: matrices.flatMap((slices, matrix) => slices.map((slice) => ({ ...slice, matrix }))),
  };
}

function addedDraft(name: string, members: readonly ChangedTensor[], files: InputFiles): TensorDraft {
  const [{ tensor, mapping }] = members as readonly [ChangedTensor];
  return {
    name,
    shape: ggufShape(tensor.shape, mapping),
    kept: 'F32',
    columns: columnsOf(tensor, mapping),
    slices: mergedSlices(tensor, mapping, files),
  };
}

function columnsOf(tensor: MergedTensor, mapping: TensorMapping): number {
  return matrixShape(tensor.shape, tensor.shape.length === 1 && movesRows(mapping)).columns;
}
