import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { elementCount, type TensorRef } from '../formats/tensorRef';
import { isJsonObject, type Json, type JsonObject } from '../json';
import { normaliseTensorName } from './architectures/textTensors';
import type { RowSource, StoredBytes } from './buildPlan';
import type { InputFiles } from './inputFiles';
import { storedMatrix, storedType } from './storedMatrix';

/** One weight of a base as the model sees it, however it is stored. */
export interface LogicalTensor {
  /** The name in a text-only checkpoint. */
  readonly name: string;
  /** The name in its file. */
  readonly storedName: string;
  /** Slowest dimension first, dequantised. */
  readonly shape: readonly number[];
  /** What it is stored as, for people: `BF16`, `4-bit affine`. */
  readonly encoding: string;
  /** The type of its numbers (of its scales, where it is packed). */
  readonly dtype: TensorRef['dtype'];
  readonly file: string;
  /** Builds the source; `asColumn` for vectors whose values are moved like rows. */
  source(files: InputFiles, asColumn: boolean): RowSource;
}

interface Packing {
  readonly mode: 'affine' | 'mxfp4';
  readonly bits: number;
  readonly groupSize: number;
}

const AFFINE_BITS = [1, 2, 3, 4, 5, 6, 8];

/**
 * The weights of a base by their normalised names; mlx-quantised ones are one tensor of their full shape.
 * @throws StudioError model/quantised for packed weights that cannot be read exactly, model/dtype
 */
export function logicalTensors(model: HuggingFaceModel): Map<string, LogicalTensor> {
  const tensors = new Map<string, LogicalTensor>();
  for (const ref of model.tensors.values()) {
    if (isPart(ref.name, model)) {
      continue;
    }
    const tensor = ref.dtype === 'U32' ? packedTensor(ref, model) : plainTensor(ref);
    tensors.set(tensor.name, tensor);
  }
  return tensors;
}

/** Scales and biases of a packed weight belong to it and are no tensors of their own. */
function isPart(name: string, model: HuggingFaceModel): boolean {
  const found = /^(.*)\.(scales|biases)$/.exec(name);
  return found !== null && model.tensors.get(`${found[1]!}.weight`)?.dtype === 'U32';
}

function plainTensor(ref: TensorRef): LogicalTensor {
  return {
    name: normaliseTensorName(ref.name),
    storedName: ref.name,
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
    throw new StudioError('model/quantised', `${ref.name} is stored as ${ref.dtype}: this base is quantised in a form that cannot be undone exactly. Pass the 16-bit model that it was made from.`, {
      path: ref.file,
      detail: { tensor: ref.name, dtype: ref.dtype },
    });
  }
}

function packedTensor(ref: TensorRef, model: HuggingFaceModel): LogicalTensor {
  const module = ref.name.replace(/\.weight$/, '');
  const packing = packingOf(model.config, module);
  const scales = model.tensors.get(`${module}.scales`);
  const biases = model.tensors.get(`${module}.biases`);
  if (scales === undefined || (packing.mode === 'affine' && biases === undefined)) {
    throw incomplete(ref, scales === undefined ? 'scales' : 'biases');
  }
  const words = ref.shape.at(-1) ?? 0;
  const columns = (words * 32) / packing.bits;
  const groups = columns / packing.groupSize;
  const parts = packing.mode === 'affine' ? [scales, biases!] : [scales];
  for (const part of parts) {
    if (part.shape.at(-1) !== groups || elementCount(part.shape) * packing.groupSize !== elementCount([...ref.shape.slice(0, -1), columns])) {
      throw new StudioError('model/quantised', `${part.name} has shape [${part.shape.join(', ')}], which does not fit ${packing.bits}-bit weights in groups of ${packing.groupSize}. config.json and the weights are not of the same model: fetch it again, or pass the 16-bit model.`, {
        path: part.file,
        detail: { tensor: part.name, shape: part.shape, bits: packing.bits, groupSize: packing.groupSize },
      });
    }
  }
  return {
    name: normaliseTensorName(ref.name),
    storedName: ref.name,
    shape: [...ref.shape.slice(0, -1), columns],
    encoding: packing.mode === 'affine' ? `${packing.bits}-bit affine` : 'mxfp4',
    dtype: packing.mode === 'affine' ? scales.dtype : 'BF16',
    file: ref.file,
    source: (files) => packedSource(ref, scales, biases, packing, files),
  };
}

function packedSource(ref: TensorRef, scales: TensorRef, biases: TensorRef | undefined, packing: Packing, files: InputFiles): RowSource {
  const words = packedBytes(ref, files);
  if (packing.mode === 'mxfp4') {
    return { kind: 'mxfp4', words, scales: packedBytes(scales, files) };
  }
  return {
    kind: 'affine',
    words,
    scales: storedMatrix(scales, files.number(scales.file)),
    biases: storedMatrix(biases!, files.number(biases!.file)),
    bits: packing.bits,
    groupSize: packing.groupSize,
  };
}

function packedBytes(ref: TensorRef, files: InputFiles): StoredBytes {
  const rows = elementCount(ref.shape.slice(0, -1));
  return { file: files.number(ref.file), offset: ref.offset, rows, rowBytes: rows === 0 ? 0 : ref.bytes / rows };
}

function incomplete(ref: TensorRef, part: string): StudioError {
  return new StudioError('model/quantised', `${ref.name} is packed into 32-bit words but has no ${part}, so it is not one of mlx's forms (GPTQ and AWQ pack alike). Pass the 16-bit model that it was made from.`, {
    path: ref.file,
    detail: { tensor: ref.name },
  });
}

/** How a module is packed: its own entry in config.json's `quantization`, else the common one. */
function packingOf(config: JsonObject, module: string): Packing {
  const common = config['quantization'] ?? config['quantization_config'];
  if (!isJsonObject(common)) {
    throw new StudioError('model/quantised', `${module} is packed, but config.json has no \`quantization\` that says how. Fetch the model's config.json again, or pass the 16-bit model.`);
  }
  const own = common[module];
  const entry: JsonObject = isJsonObject(own) ? { ...common, ...own } : common;
  const mode = entry['mode'] ?? 'affine';
  const bits = numberOr(entry['bits'], 4);
  const groupSize = numberOr(entry['group_size'], mode === 'mxfp4' ? 32 : 64);
  if (mode === 'affine' && AFFINE_BITS.includes(bits) && [16, 32, 64, 128].includes(groupSize)) {
    return { mode, bits, groupSize };
  }
  if (mode === 'mxfp4' && bits === 4 && groupSize === 32) {
    return { mode, bits, groupSize };
  }
  throw new StudioError('model/quantised', `${module} is quantised as ${JSON.stringify(mode)} with ${bits} bits in groups of ${groupSize}, which is not read. Pass the 16-bit model that it was made from.`, {
    detail: { module, mode, bits, groupSize },
  });
}

function numberOr(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
