import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { elementCount, type TensorRef } from '../formats/tensorRef';
import { isJsonObject, type JsonObject } from '../json';
import type { LevelEncoding, RowSource, ScaleType } from './buildPlan';
import type { LogicalTensor } from './logicalTensor';

/** What stands beside a weight that is stored as levels and scales, by the ending of its name. */
const PARTS =
  /^(.*)\.(?:weight_scale_inv|weight_scale|weight_shape|input_scale|activation_scale|weight_zero_point|weight_g_idx|weight_global_scale|input_global_scale)$/;
/** Scales of the key and value cache, which no weight needs. */
const CACHE_SCALES = /\.(?:self_attn|attn|k_proj|v_proj)\.(?:k_scale|v_scale|output_scale)$/;

/** True for scales and shapes, which belong to a weight and are no tensors of their own. */
export function isScalePart(name: string, model: HuggingFaceModel): boolean {
  const module = PARTS.exec(name)?.[1];
  return (
    CACHE_SCALES.test(name) ||
    (module !== undefined && (model.tensors.has(`${module}.weight`) || model.tensors.has(`${module}.weight_packed`)))
  );
}

/**
 * A weight of 8-bit floats or integers with scales: DeepSeek's block-wise FP8 (`weight_scale_inv`, which multiplies in spite of
 * its name) and compressed-tensors' float-, int-, naive- and pack-quantized forms (`weight_scale`), as
 * llama.cpp's converter and transformers undo them: level * scale in f32. Undefined for a weight that is stored plainly.
 * @throws StudioError model/quantised for forms that are not read
 */
export function scaledWeight(
  ref: TensorRef,
  model: HuggingFaceModel,
): Omit<LogicalTensor, 'name' | 'storedName'> | undefined {
  const module = ref.name.replace(/\.weight(?:_packed)?$/, '');
  const scales = model.tensors.get(`${module}.weight_scale_inv`) ?? model.tensors.get(`${module}.weight_scale`);
  const isFloat8 = ref.dtype === 'F8_E4M3' || ref.dtype === 'F8_E5M2';
  if (module === ref.name || (scales === undefined && !ref.name.endsWith('_packed') && !isFloat8)) {
    return undefined;
  }
  const refuse = (reason: string): never => {
    throw new StudioError('model/quantised', `${ref.name} ${reason}. Pass the 16-bit model that it was made from.`, {
      path: ref.file,
      detail: { tensor: ref.name, dtype: ref.dtype, shape: ref.shape },
    });
  };
  if (scales === undefined) {
    return refuse(`is stored ${isFloat8 ? 'in 8-bit floats' : 'packed'}, but has no weight_scale beside it`);
  }
  for (const part of ['weight_zero_point', 'weight_g_idx', 'weight_global_scale']) {
    if (model.tensors.has(`${module}.${part}`)) {
      return refuse(
        `has a ${part}: weights that are quantised about a zero point, in activation order or with a second scale are not read`,
      );
    }
  }
  const levels = ref.name.endsWith('_packed')
    ? packedLevels(ref, module, model, refuse)
    : { encoding: levelEncoding(ref, refuse), shape: ref.shape };
  const blocks =
    blocksOf(levels.shape, scales.shape, configuredBlocks(model.config)) ??
    refuse(`has scales of shape [${scales.shape.join(', ')}], which do not fit its shape [${levels.shape.join(', ')}]`);
  const scaleType = scaleTypeOf(scales) ?? refuse(`has scales of type ${scales.dtype}, which is not read`);
  return {
    shape: levels.shape,
    encoding: levels.encoding.startsWith('OFFSET') ? `${levels.encoding.slice(6)}-bit integers` : levels.encoding,
    dtype: 'BF16',
    file: ref.file,
    source: (files): RowSource => ({
      kind: 'scaled',
      levels: {
        file: files.number(ref.file),
        offset: ref.offset,
        rows: levels.shape[0]!,
        rowBytes: ref.bytes / levels.shape[0]!,
      },
      encoding: levels.encoding,
      scales: {
        file: files.number(scales.file),
        offset: scales.offset,
        rows: blocks.scaleRows,
        rowBytes: scales.bytes / blocks.scaleRows,
      },
      scaleType,
      rowBlock: blocks.rowBlock,
      columnBlock: blocks.columnBlock,
    }),
  };
}

function levelEncoding(ref: TensorRef, refuse: (reason: string) => never): LevelEncoding {
  if (ref.dtype === 'F8_E4M3' || ref.dtype === 'F8_E5M2' || ref.dtype === 'I8') {
    return ref.shape.length === 2
      ? ref.dtype
      : refuse(`has ${ref.shape.length} dimensions, where a quantised weight has two`);
  }
  return refuse(`is stored as ${ref.dtype} with a scale beside it, which is not read`);
}

/** compressed-tensors' pack-quantized: `32 / bits` levels a word, lowest bits first, stored with half their range added. */
function packedLevels(
  ref: TensorRef,
  module: string,
  model: HuggingFaceModel,
  refuse: (reason: string) => never,
): { readonly encoding: LevelEncoding; readonly shape: readonly number[] } {
  const bits = weightSettings(model.config)?.['num_bits'];
  if (ref.dtype !== 'I32' || ref.shape.length !== 2 || (bits !== 4 && bits !== 8)) {
    return refuse(`is packed in a form that is not read (${ref.dtype}, ${JSON.stringify(bits ?? null)} bits)`);
  }
  const [rows = 0, words = 0] = ref.shape;
  const scales = model.tensors.get(`${module}.weight_scale`);
  const size = weightSettings(model.config)?.['group_size'];
  // The true width stands in weight_shape, whose numbers are data; groups tell it as well, and padding is refused.
  const columns = typeof size === 'number' && size > 0 ? (scales?.shape.at(-1) ?? 0) * size : (words * 32) / bits;
  if (columns !== (words * 32) / bits || rows === 0) {
    return refuse('is packed with padding at the ends of its rows, which is not read');
  }
  return { encoding: bits === 4 ? 'OFFSET4' : 'OFFSET8', shape: [rows, columns] };
}

function scaleTypeOf(scales: TensorRef): ScaleType | undefined {
  return scales.dtype === 'F32' || scales.dtype === 'F16' || scales.dtype === 'BF16' ? scales.dtype : undefined;
}

/** Rows and columns of a weight that share a scale. */
function blocksOf(
  shape: readonly number[],
  scale: readonly number[],
  configured: readonly [number, number] | undefined,
): { readonly scaleRows: number; readonly rowBlock: number; readonly columnBlock: number } | undefined {
  const [rows = 0, columns = 0] = shape;
  const [scaleRows = 1, scaleColumns = 1] = scale.length === 1 ? [scale[0]!, 1] : scale;
  if (scale.length > 2 || rows === 0 || columns === 0 || elementCount(scale) === 0) {
    return undefined;
  }
  const rowBlock = blockOf(rows, scaleRows, configured?.[0]);
  const columnBlock = blockOf(columns, scaleColumns, configured?.[1]);
  return rowBlock === undefined || columnBlock === undefined ? undefined : { scaleRows, rowBlock, columnBlock };
}

/** One scale for all, one for each, one for `configured` of them, or for an equal share. */
function blockOf(size: number, scales: number, configured: number | undefined): number | undefined {
  if (scales === 1) {
    return size;
  }
  if (configured !== undefined && Math.ceil(size / configured) === scales) {
    return configured;
  }
  return size % scales === 0 ? size / scales : undefined;
}

function quantisationConfig(config: JsonObject): JsonObject | undefined {
  const nested = config['text_config'];
  const found = config['quantization_config'] ?? (isJsonObject(nested) ? nested['quantization_config'] : undefined);
  return isJsonObject(found) ? found : undefined;
}

/** `weights` of the one group that a compressed-tensors configuration has. */
function weightSettings(config: JsonObject): JsonObject | undefined {
  const groups = quantisationConfig(config)?.['config_groups'];
  const first = isJsonObject(groups) ? Object.values(groups)[0] : undefined;
  const weights = isJsonObject(first) ? first['weights'] : undefined;
  return isJsonObject(weights) ? weights : undefined;
}

/** [rows, columns] of a block, from `weight_block_size` or `block_structure`. */
function configuredBlocks(config: JsonObject): readonly [number, number] | undefined {
  const size: unknown =
    quantisationConfig(config)?.['weight_block_size'] ?? weightSettings(config)?.['block_structure'];
  const [rows, columns] = Array.isArray(size) ? (size as readonly unknown[]) : [];
  return typeof rows === 'number' && typeof columns === 'number' && rows >= 1 && columns >= 1
    ? [rows, columns]
    : undefined;
}
