import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { encodeSafetensorsHeader } from '../formats/safetensors/writeSafetensors';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import { rowBytes } from '../formats/gguf/ggmlTypes';
import { elementCount } from '../formats/tensorRef';
import { applyAdapters, type MergedTensor, type WeightedAdapter } from './applyAdapters';
import { findArchitecture } from './architectures/architectures';
import { readModelConfig } from './architectures/readModelConfig';
import type { BuildPlan, PlannedOutput, PlannedTensor, PlanNote } from './buildPlan';
import { finishPlan } from './finishPlan';
import { InputFiles } from './inputFiles';
import { logicalTensors } from './logicalTensors';
import { matrixShape, mergedSlice } from './mergedSlice';
import { familyName } from './planBuild';
import { storedType } from './storedMatrix';
import { refuseFamily } from './refuseFamily';
import { toHuggingFaceNames } from './toHuggingFaceNames';

export type FuseType = 'F32' | 'F16' | 'BF16';

export interface FuseInput {
  readonly base: HuggingFaceModel;
  readonly adapters: readonly WeightedAdapter[];
  /** The folder to write. */
  readonly output: string;
  /** Undefined: each tensor keeps the base's own type, that of its scales where it is packed. */
  readonly dtype?: FuseType | undefined;
  /** What was found right before planning, to be said in the plan. */
  readonly checks?: readonly PlanNote[] | undefined;
  readonly warnings?: readonly PlanNote[] | undefined;
}

/** Bytes of weights in one file of the result, as transformers writes them. */
const SHARD_BYTES = 5e9;

/** A weight on its way to a shard. */
interface FusedTensor {
  readonly merged: MergedTensor;
  readonly type: FuseType;
  readonly bytes: number;
}

/**
 * Plans a merged Hugging Face folder: the base's tensors under their own names, with the adapters in them.
 * Packed (mlx) weights are written out in full.
 */
export function planFuse(input: FuseInput): BuildPlan {
  const { base } = input;
  const config = readModelConfig(base.config, base.tensors.keys());
  const architecture = findArchitecture(config.className);
  refuseFamily(architecture, input.adapters, base);
  const weights = logicalTensors(base, { architecture, config });
  const adapters = input.adapters.map(({ adapter, weight }) => ({
    adapter: toHuggingFaceNames(adapter, weights.keys(), architecture, config),
    weight,
  }));
  const merged = applyAdapters(weights, adapters, true);
  const fused = [...merged.tensors.values()]
    .map((tensor) => fusedTensor(tensor, input.dtype))
    .sort((a, b) => (a.merged.base.name < b.merged.base.name ? -1 : 1));
  const shards = intoShards(fused);
  const files = new InputFiles();
  const outputs: PlannedOutput[] = [];
  const tensors: PlannedTensor[] = [];
  shards.forEach((shard, index) => {
    const {
      header,
      tensors: places,
      fileBytes,
    } = encodeSafetensorsHeader(
      shard.map(({ merged: tensor, type }) => ({ name: tensor.base.storedName, dtype: type, shape: tensor.shape })),
      new Map([['format', 'pt']]),
    );
    outputs.push({ name: shardName(index, shards.length), header, bytes: fileBytes });
    const offsets = new Map(places.map((place) => [place.name, place]));
    for (const item of shard) {
      const place = offsets.get(item.merged.base.storedName)!;
      tensors.push(plannedTensor(item, index, place.offset, place.bytes, files));
    }
  });
  return finishPlan({
    kind: 'safetensors',
    fileType: input.dtype ?? mainType(fused),
    output: input.output,
    inputs: files.paths,
    layout: { tensors, outputs, metadata: [], importance: undefined, warnings: [] },
    base: {
      path: base.path,
      takenBecause: base.takenBecause,
      architecture: architecture.name,
      label: familyName(config.className),
      dtype: fused[0]?.merged.base.encoding ?? '',
    },
    adapters,
    checks: input.checks ?? [],
    warnings: [...(base.notes ?? []), ...(input.warnings ?? []), ...merged.notes],
  });
}

function fusedTensor(merged: MergedTensor, wanted: FuseType | undefined): FusedTensor {
  const { whole } = merged.base;
  if (whole !== undefined) {
    throw new StudioError(
      'model/architecture',
      `${whole.name} holds all experts of a layer in one tensor, and a merged folder of such a model is not written. Make the GGUF directly: modelfile-studio build --base DIR --adapter ADAPTER --type Q4_K_M --out model.gguf`,
      { path: merged.base.file, detail: { tensor: whole.name } },
    );
  }
  const own = storedType(merged.base.dtype);
  if (own === undefined) {
    throw new StudioError(
      'model/dtype',
      `${merged.base.storedName} is stored as ${merged.base.dtype}, which cannot be merged. Pass the 16-bit weights.`,
      { path: merged.base.file },
    );
  }
  const type = wanted ?? (own === 'F16' || own === 'BF16' ? own : 'F32');
  return { merged, type, bytes: elementCount(merged.shape) * (type === 'F32' ? 4 : 2) };
}

function intoShards(tensors: readonly FusedTensor[]): FusedTensor[][] {
  const shards: FusedTensor[][] = [];
  let bytes = Infinity;
  for (const tensor of tensors) {
    if (bytes + tensor.bytes > SHARD_BYTES) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(tensor);
    bytes += tensor.bytes;
  }
  return shards;
}

function shardName(index: number, count: number): string {
  const digits = (n: number): string => String(n).padStart(5, '0');
  return count === 1 ? 'model.safetensors' : `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

/** The index file of a result in several shards, as transformers reads it; undefined for a single file. */
export function shardIndexJson(plan: BuildPlan): string | undefined {
  if (plan.outputs.length < 2) {
    return undefined;
  }
  const total = plan.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const map = Object.fromEntries(plan.tensors.map((tensor) => [tensor.name, plan.outputs[tensor.output]!.name]));
  return `${JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2)}\n`;
}

function plannedTensor(
  item: FusedTensor,
  output: number,
  offset: number,
  bytes: number,
  files: InputFiles,
): PlannedTensor {
  const slice = mergedSlice(item.merged, { kind: 'none' }, files);
  const { columns } = matrixShape(item.merged.shape, false);
  const type: GgmlTypeName = item.type;
  const expected = slice.rows * (rowBytes(type, columns) ?? 0);
  if (expected !== bytes) {
    throw new StudioError(
      'internal/unexpected',
      `${item.merged.base.storedName} would have ${expected} bytes where its header says ${bytes}.`,
    );
  }
  return {
    name: item.merged.base.storedName,
    shape: item.merged.shape,
    type,
    columns,
    slices: [slice],
    output,
    offset,
    bytes,
    importance: -1,
  };
}

function mainType(tensors: readonly FusedTensor[]): FuseType {
  const matrices = tensors.filter(({ merged }) => merged.shape.length > 1);
  return matrices[0]?.type ?? 'F32';
}
