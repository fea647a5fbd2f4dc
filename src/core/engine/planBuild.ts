import { chatTemplateName } from '../formats/huggingface/chatTemplateName';
import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import type { JsonObject } from '../json';
import {
  applyAdapters,
  EMBEDDING,
  HEAD,
  type MergedModel,
  type MergedTensor,
  type WeightedAdapter,
} from './applyAdapters';
import type { Architecture, ModelConfig, TensorMapping } from './architectures/architecture';
import { findArchitecture } from './architectures/architectures';
import { readModelConfig } from './architectures/readModelConfig';
import { mapTensor, requiredTensors } from './architectures/tensorTable';
import { buildMetadata, toQuantisedLayout } from './buildMetadata';
import type { BuildOptions, Sha256 } from './buildOptions';
import type { BuildPlan, PlannedSlice, PlanNote } from './buildPlan';
import { checkShape } from './expectedShape';
import { FILE_TYPES, type FileTypeName, isQuantised } from './fileTypes';
import { finishPlan } from './finishPlan';
import { notText } from '../formats/huggingface/modelPurpose';
import { InputFiles } from './inputFiles';
import { layOutGguf, type TensorDraft } from './layOutGguf';
import { leaveOutOtherParts, textOnly } from './leaveOut';
import type { LogicalTensor } from './logicalTensor';
import { logicalTensors } from './logicalTensors';
import { ggufShape, matrixShape, mergedSlices, movesRows } from './mergedSlice';
import { refuseOtherPurposes } from './refuseOtherPurposes';
import { keptType, storedType } from './storedMatrix';
import { refuseFamily } from './refuseFamily';
import { toHuggingFaceNames } from './toHuggingFaceNames';

/** Everything that a build is planned from. */
export interface BuildInput {
  readonly base: HuggingFaceModel;
  readonly adapters: readonly WeightedAdapter[];
  readonly options: BuildOptions;
  readonly sha256: Sha256;
  /** What was found right before planning, to be said in the plan. */
  readonly checks?: readonly PlanNote[] | undefined;
  readonly warnings?: readonly PlanNote[] | undefined;
}

/** A merged tensor with its place in the GGUF. */
interface MappedTensor {
  readonly tensor: MergedTensor;
  readonly mapping: TensorMapping;
}

/**
 * Plans a GGUF from a Hugging Face model and adapters: pure and complete, nothing is read or written.
 * @throws StudioError model/…, tokenizer/…, adapter/…, quantize/…: every refusal comes from here
 */
export function planBuild(input: BuildInput): BuildPlan {
  const { base, options } = input;
  refuseOtherPurposes(input.adapters, base);
  const first = readModelConfig(base.config, base.tensors.keys());
  const architecture = findArchitecture(first.className);
  refuseFamily(architecture, input.adapters, base);
  if (base.pooling !== undefined && architecture.pools !== true) {
    throw notText('embedding', base.path, 'modules.json', base.path);
  }
  const tensors = logicalTensors(base, { architecture, config: first });
  const ofText = input.adapters.map(({ adapter, weight }) => ({
    ...leaveOutOtherParts(toHuggingFaceNames(adapter, tensors.keys(), architecture, first), architecture, first),
    weight,
  }));
  const adapters = ofText.map(({ adapter, weight }) => ({ adapter, weight }));
  refuseOwnHead(base, architecture, tensors);
  const merged = applyAdapters(tensors, adapters, architecture.noOutputTensor !== true);
  const { config, json } = resizedConfig(first, base.config, merged);
  const mapped = mapTensors(merged, config, architecture);
  const files = new InputFiles();
  const drafts = [...generatedDrafts(architecture, config), ...tensorDrafts(mapped, files, config, options)];
  requireAll(drafts, config, architecture, base);
  const vocabRows = merged.tensors.get(EMBEDDING)?.shape[0] ?? config.vocabSize;
  const notes: PlanNote[] = [];
  const fileType = fileTypeId(options.fileType, drafts);
  const metadata = buildMetadata({ ...base, config: json }, config, architecture, {
    fileType,
    tensors: drafts.map(({ name, shape }) => ({ name, shape })),
    vocabRows,
    sha256: input.sha256,
    note: (note) => notes.push(note),
  });
  const layout = layOutGguf(
    drafts,
    options.layout === 'quantised' ? toQuantisedLayout(metadata, fileType) : metadata,
    {
      architecture: architecture.name,
      layers: config.layers + config.mtpLayers,
      heads: config.heads,
      kvHeads: config.kvHeadsByLayer?.[0] ?? config.kvHeads,
      experts: config.experts,
    },
    options,
  );
  return finishPlan({
    kind: 'gguf',
    fileType: options.fileType,
    output: options.output,
    inputs: files.paths,
    layout,
    base: {
      path: base.path,
      takenBecause: base.takenBecause,
      architecture: architecture.name,
      label: familyName(first.className),
      dtype: mainEncoding(mapped),
      template: templateName(layout.metadata),
    },
    adapters,
    checks: input.checks ?? [],
    warnings: [
      ...(base.notes ?? []),
      ...(input.warnings ?? []),
      ...textOnly(base.path, tensors.values()),
      ...ofText.flatMap((one) => one.notes),
      ...merged.notes,
      ...notes,
      ...layout.warnings,
    ],
  });
}

/** A file of plain numbers with MXFP4 experts among them has a type of its own. */
function fileTypeId(fileType: FileTypeName, drafts: readonly TensorDraft[]): number {
  const blocks = drafts.some(({ fixed }) => fixed === true) && !isQuantised(FILE_TYPES[fileType].base);
  return blocks ? FILE_TYPES.MXFP4_MOE.id : FILE_TYPES[fileType].id;
}

/** A head that is a copy of the embedding was taken out before; another would be lost where the format has no place for it. */
function refuseOwnHead(
  base: HuggingFaceModel,
  architecture: Architecture,
  tensors: ReadonlyMap<string, { readonly storedName: string; readonly file: string }>,
): void {
  const head = tensors.get(HEAD);
  if (architecture.noOutputTensor === true && head !== undefined) {
    throw new StudioError(
      'model/head',
      `${head.storedName} of ${base.path} is not the embedding, and a GGUF of this architecture (${architecture.label}) has no place for a head of its own: the model would answer differently. Use the original model, or one whose head was left tied.`,
      { path: head.file, detail: { tensor: head.storedName } },
    );
  }
}

/** Vocabulary rows that an adapter added count as config.json's own. */
function resizedConfig(
  config: ModelConfig,
  json: JsonObject,
  merged: MergedModel,
): { readonly config: ModelConfig; readonly json: JsonObject } {
  const embedding = merged.tensors.get(EMBEDDING);
  const rows = embedding?.shape[0];
  if (embedding === undefined || rows === undefined || rows === config.vocabSize || rows === embedding.base.shape[0]) {
    return { config, json };
  }
  const resized = { ...json, vocab_size: rows };
  return { config: { ...config, vocabSize: rows, raw: { ...config.raw, vocab_size: rows } }, json: resized };
}

function mapTensors(merged: MergedModel, config: ModelConfig, architecture: Architecture): MappedTensor[] {
  const mapped: MappedTensor[] = [];
  for (const tensor of merged.tensors.values()) {
    const mapping = mapTensor(architecture, tensor.base.name, config);
    if (mapping === undefined) {
      throw new StudioError(
        'model/tensor-unknown',
        `${tensor.base.storedName} is no weight of a ${architecture.label} model with ${config.layers} layers. The weights and config.json are not of the same model, or the model is of a newer kind than this version knows.`,
        {
          path: tensor.base.file,
          detail: { tensor: tensor.base.storedName },
        },
      );
    }
    if (mapping !== 'drop') {
      for (const one of mapping) {
        checkShape(one.expected, tensor.shape, tensor.base);
        mapped.push({ tensor, mapping: one });
      }
    }
  }
  return mapped;
}

function generatedDrafts(architecture: Architecture, config: ModelConfig): TensorDraft[] {
  return (architecture.generatedTensors?.(config) ?? []).map(({ name, shape, values }) => {
    const columns = shape[0] ?? 1;
    const slice: PlannedSlice = {
      source: { kind: 'generated', values: [...values] },
      rows: values.length / columns,
      contributions: [],
      transform: { kind: 'none' },
    };
    return { name, shape, kept: 'F32', columns, slices: [slice] };
  });
}

/**
 * Output tensors in the converter's order: blocks of MXFP4 first, then files by name, then the names of their tensors; a stack where its
 * last expert stands.
 */
function tensorDrafts(
  mapped: readonly MappedTensor[],
  files: InputFiles,
  config: ModelConfig,
  options: BuildOptions,
): TensorDraft[] {
  const inOrder = [...mapped].sort(
    ({ tensor: { base: a } }, { tensor: { base: b } }) =>
      Number(b.encoding === 'MXFP4') - Number(a.encoding === 'MXFP4') ||
      compareText(a.file, b.file) ||
      compareText(nameInFile(a), nameInFile(b)),
  );
  const stacks = new Map<string, MappedTensor[]>();
  const drafts: TensorDraft[] = [];
  for (const item of inOrder) {
    const { stack, name } = item.mapping;
    if (stack === undefined) {
      drafts.push(draft(name, [item], files, options));
      continue;
    }
    const members = stacks.get(name) ?? [];
    members.push(item);
    stacks.set(name, members);
    if (members.length === membersOf(item.mapping)) {
      members.sort((a, b) => placeInStack(a.mapping) - placeInStack(b.mapping));
      drafts.push(draft(name, members, files, options));
    }
  }
  const incomplete = [...stacks].find(([, members]) => members.length !== membersOf(members[0]!.mapping));
  if (incomplete !== undefined) {
    throw new StudioError(
      'model/tensor-missing',
      `${incomplete[0]} needs the weights of ${incomplete[1][0]?.mapping.stack?.experts ?? config.experts} experts, and ${incomplete[1].length} are there. The model folder is incomplete: fetch it again.`,
      { detail: { tensor: incomplete[0] } },
    );
  }
  return drafts;
}

/** The tensor that is in the file, of which this may be one expert. */
function nameInFile({ whole, storedName }: LogicalTensor): string {
  return whole?.name ?? storedName;
}

/** Weights that make up a stack. */
function membersOf({ stack, within }: TensorMapping): number {
  return (stack?.experts ?? 1) * (within?.[1] ?? 1);
}

function placeInStack({ stack, within }: TensorMapping): number {
  return (stack?.expert ?? 0) * (within?.[1] ?? 1) + (within?.[0] ?? 0);
}

function draft(name: string, members: readonly MappedTensor[], files: InputFiles, options: BuildOptions): TensorDraft {
  const [{ tensor, mapping }] = members as readonly [MappedTensor];
  const asColumn = tensor.shape.length === 1 && movesRows(mapping);
  const slices = members.flatMap((member) => mergedSlices(member.tensor, member.mapping, files));
  const shape = ggufShape(tensor.shape, mapping);
  const left = options.leaveOutputTensor === true && name === 'output.weight';
  const blocks = name.endsWith('.weight') && slices.every(isUntouchedMxfp4) && tensor.base.whole !== undefined;
  const kept = blocks ? 'MXFP4' : left ? keptType(storedType(tensor.base.dtype) ?? 'F32') : 'F32';
  return {
    name,
    shape,
    kept,
    columns: mapping.transform.kind === 'transpose' ? shape[0]! : matrixShape(tensor.shape, asColumn).columns,
    slices,
    ...(blocks ? { fixed: true } : {}),
  };
}

/** Blocks that no adapter changes keep what they are in every type. */
function isUntouchedMxfp4({ source, contributions }: PlannedSlice): boolean {
  return source.kind === 'mxfp4' && contributions.length === 0;
}

function requireAll(
  drafts: readonly TensorDraft[],
  config: ModelConfig,
  architecture: Architecture,
  base: HuggingFaceModel,
): void {
  const there = new Set(drafts.map((tensor) => tensor.name));
  // A model that answers with vectors needs no head, and llama.cpp loads it without.
  const isHeadless = base.pooling !== undefined || /Model$/.test(config.className);
  const missing = requiredTensors(architecture, config).filter(
    (name) => !there.has(name) && !(isHeadless && name === 'output.weight'),
  );
  if (missing.length > 0) {
    throw new StudioError(
      'model/tensor-missing',
      `${base.path} lacks ${missing.length} of the weights that a ${architecture.label} model of ${config.layers} layers needs (${missing.slice(0, 4).join(', ')}${missing.length > 4 ? ', …' : ''}). The folder is incomplete or holds another model's config.json: fetch it again.`,
      {
        path: base.path,
        detail: { missing: missing.slice(0, 50) },
      },
    );
  }
}

/** `Qwen3ForCausalLM` as people say it. */
export function familyName(className: string): string {
  return className.replace(/For[A-Z]\w*$/, '');
}

/** The storage form of most weights, for people. */
function mainEncoding(mapped: readonly MappedTensor[]): string {
  const counts = new Map<string, number>();
  for (const { tensor } of mapped) {
    counts.set(tensor.base.encoding, (counts.get(tensor.base.encoding) ?? 0) + (tensor.shape.length > 1 ? 1 : 0));
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

/** The name of the chat template in a GGUF's keys, for people. */
export function templateName(
  metadata: readonly (readonly [string, { readonly value: unknown }])[],
): string | undefined {
  const template = metadata.find(([key]) => key === 'tokenizer.chat_template')?.[1].value;
  return typeof template === 'string' ? chatTemplateName(template) : undefined;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
