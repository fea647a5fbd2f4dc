import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { elementCount, type TensorRef } from '../formats/tensorRef';
import { isJsonObject, type Json, type JsonObject } from '../json';
import type { RowSource, StoredBytes } from './buildPlan';
import type { InputFiles } from './inputFiles';
import type { LogicalTensor } from './logicalTensor';
import { storedMatrix } from './storedMatrix';

/** mlx's modes (`mx.quantize`): affine levels with scale and bias, E2M1 or E4M3 floats with E8M0 or E4M3 scales. */
interface Packing {
  readonly mode: 'affine' | 'mxfp4' | 'mxfp8' | 'nvfp4';
  readonly bits: number;
  readonly groupSize: number;
}

/** Bits and group size of a mode where config.json leaves them out. */
const DEFAULTS: Readonly<Record<Packing['mode'], readonly [bits: number, groupSize: number]>> = {
  affine: [4, 64],
  mxfp4: [4, 32],
  mxfp8: [8, 32],
  nvfp4: [4, 16],
};

const AFFINE_BITS = [1, 2, 3, 4, 5, 6, 8];

/** Scales and biases of a packed weight belong to it and are no tensors of their own. */
export function isMlxPart(name: string, model: HuggingFaceModel): boolean {
  const found = /^(.*)\.(scales|biases)$/.exec(name);
  return found !== null && model.tensors.get(`${found[1]!}.weight`)?.dtype === 'U32';
}

/**
 * A weight that mlx quantised: levels in 32-bit words, with scales (and biases) beside them.
 * @throws StudioError model/quantised where the parts do not fit together or the form is not read
 */
export function mlxWeight(ref: TensorRef, model: HuggingFaceModel): Omit<LogicalTensor, 'name' | 'storedName'> {
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
    if (
      part.shape.at(-1) !== groups ||
      elementCount(part.shape) * packing.groupSize !== elementCount([...ref.shape.slice(0, -1), columns])
    ) {
      throw new StudioError(
        'model/quantised',
        `${part.name} has shape [${part.shape.join(', ')}], which does not fit ${packing.bits}-bit weights in groups of ${packing.groupSize}. config.json and the weights are not of the same model: fetch it again, or pass the 16-bit model.`,
        {
          path: part.file,
          detail: { tensor: part.name, shape: part.shape, bits: packing.bits, groupSize: packing.groupSize },
        },
      );
    }
  }
  return {
    shape: [...ref.shape.slice(0, -1), columns],
    encoding: packing.mode === 'affine' ? `${packing.bits}-bit affine` : packing.mode,
    dtype: packing.mode === 'affine' ? scales.dtype : 'BF16',
    file: ref.file,
    source: (files) => packedSource(ref, scales, biases, packing, files),
  };
}

function packedSource(
  ref: TensorRef,
  scales: TensorRef,
  biases: TensorRef | undefined,
  packing: Packing,
  files: InputFiles,
): RowSource {
  const words = packedBytes(ref, files);
  if (packing.mode === 'mxfp4') {
    return { kind: 'mxfp4', words, scales: packedBytes(scales, files) };
  }
  if (packing.mode !== 'affine') {
    const [encoding, scaleType] =
      packing.mode === 'mxfp8' ? (['F8_E4M3', 'F8_E8M0'] as const) : (['E2M1', 'F8_E4M3'] as const);
    return {
      kind: 'scaled',
      levels: words,
      encoding,
      scales: packedBytes(scales, files),
      scaleType,
      rowBlock: 1,
      columnBlock: packing.groupSize,
    };
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
  return new StudioError(
    'model/quantised',
    `${ref.name} is packed into 32-bit words but has no ${part}, so it is not one of mlx's forms (GPTQ and AWQ pack alike). Pass the 16-bit model that it was made from.`,
    {
      path: ref.file,
      detail: { tensor: ref.name },
    },
  );
}

/** How a module is packed: its own entry in config.json's `quantization`, else the common one. */
function packingOf(config: JsonObject, module: string): Packing {
  const common = config['quantization'] ?? config['quantization_config'];
  if (!isJsonObject(common)) {
    throw new StudioError(
      'model/quantised',
      `${module} is packed, but config.json has no \`quantization\` that says how. Fetch the model's config.json again, or pass the 16-bit model.`,
    );
  }
  const own = common[module];
  const entry: JsonObject = isJsonObject(own) ? { ...common, ...own } : common;
  const mode = entry['mode'] ?? 'affine';
  const [defaultBits, defaultGroup] =
    typeof mode === 'string' && Object.hasOwn(DEFAULTS, mode) ? DEFAULTS[mode as Packing['mode']] : DEFAULTS.affine;
  const bits = numberOr(entry['bits'], defaultBits);
  const groupSize = numberOr(entry['group_size'], defaultGroup);
  if (mode === 'affine' && AFFINE_BITS.includes(bits) && [16, 32, 64, 128].includes(groupSize)) {
    return { mode, bits, groupSize };
  }
  if (
    (mode === 'mxfp4' || mode === 'mxfp8' || mode === 'nvfp4') &&
    bits === defaultBits &&
    groupSize === defaultGroup
  ) {
    return { mode, bits, groupSize };
  }
  throw new StudioError(
    'model/quantised',
    `${module} is quantised as ${JSON.stringify(mode)} with ${bits} bits in groups of ${groupSize}, which is not read. Pass the 16-bit model that it was made from.`,
    {
      detail: { module, mode, bits, groupSize },
    },
  );
}

function numberOr(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
