import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { normaliseTensorName } from '../formats/huggingface/tensorNames';
import { outerSlice, type TensorRef } from '../formats/tensorRef';
import type { Architecture, ModelConfig } from './architectures/architecture';
import type { RowSource, StoredBytes } from './buildPlan';
import type { InputFiles } from './inputFiles';
import type { LogicalTensor } from './logicalTensor';
import { storedMatrix, storedRowBytes, storedType } from './storedMatrix';

/** What a model is. */
export interface Family {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
}

/** What the experts of a layer stand as, all in one tensor: transformers 5's parameters, gpt-oss' MXFP4 blocks. */
const FUSED = /^(.+\.experts)\.(gate_up_proj|down_proj)(_bias|_blocks|_scales|\.weight)?$/;

/** One projection within the rows of a fused weight: `first`, then every `step`-th. */
interface Part {
  readonly projection: 'gate_proj' | 'up_proj' | 'down_proj';
  readonly first: number;
  readonly step: number;
  readonly rows: number;
}

/** True for a part of a fused tensor that belongs to another and is none of its own. */
export function isFusedScale(name: string): boolean {
  return FUSED.exec(name)?.[3] === '_scales';
}

/**
 * The experts of a fused tensor one by one, as most files have them: `experts.gate_up_proj` [experts, 2 * width, hidden] becomes
 * `experts.0.gate_proj.weight` and so on. Undefined for any other tensor. Which way round it lies tell its shape and config.json;
 * gate and up are halves, or every second row (gpt-oss).
 * @throws StudioError model/tensor-shape where it fits neither way
 */
export function fusedExperts(
  ref: TensorRef,
  model: HuggingFaceModel,
  { architecture, config }: Family,
): LogicalTensor[] | undefined {
  const found = FUSED.exec(ref.name);
  const [, module = '', parameter = '', ending = ''] = found ?? [];
  const dimensions = ending === '_blocks' ? 4 : ending === '_bias' ? 2 : 3;
  if (found === null || ending === '_scales' || ref.shape.length !== dimensions) {
    return undefined;
  }
  const scales = ending === '_blocks' ? model.tensors.get(ref.name.replace(/_blocks$/, '_scales')) : undefined;
  const layout = layoutOf(ref, scales, parameter, ending, architecture, config);
  const experts = ref.shape[0] ?? 0;
  const list: LogicalTensor[] = [];
  for (let expert = 0; expert < experts; expert++) {
    for (const part of partsOf(parameter, layout.rows, architecture.interleavedExperts === true)) {
      const name = `${module}.${expert}.${part.projection}.${ending === '_bias' ? 'bias' : 'weight'}`;
      list.push({
        name: normaliseTensorName(name),
        storedName: name,
        shape: ending === '_bias' ? [part.rows] : [part.rows, layout.columns],
        encoding: scales === undefined ? ref.dtype : 'MXFP4',
        dtype: scales === undefined ? ref.dtype : 'BF16',
        file: ref.file,
        whole: { name: ref.name, turned: layout.transposed || part.step > 1 || scales !== undefined, dtype: ref.dtype },
        source: (files) => sourceOf(outerSlice(ref, expert), scales, layout, part, files, expert),
      });
    }
  }
  return list;
}

interface Layout {
  /** Of one expert's fused weight, as the model multiplies by it. */
  readonly rows: number;
  readonly columns: number;
  /** Stored [columns, rows]. */
  readonly transposed: boolean;
}

function layoutOf(
  ref: TensorRef,
  scales: TensorRef | undefined,
  parameter: string,
  ending: string,
  architecture: Architecture,
  config: ModelConfig,
): Layout {
  const [, first = 0, second = 0, size = 0] = ref.shape;
  if (ending === '_bias') {
    return { rows: first, columns: 1, transposed: false };
  }
  if (ending === '_blocks') {
    const fits =
      ref.dtype === 'U8' &&
      size === 16 &&
      scales?.dtype === 'U8' &&
      scales.shape.join() === ref.shape.slice(0, 3).join();
    if (!fits) {
      throw misfit(ref, 'U8 blocks of 16 bytes with one scale each beside them');
    }
    return { rows: first, columns: second * 32, transposed: false };
  }
  // gate_up's columns and down's rows are those of the hidden state.
  const plain = (parameter === 'gate_up_proj' ? second : first) === config.hiddenSize;
  const turned = (parameter === 'gate_up_proj' ? first : second) === config.hiddenSize;
  const transposed =
    architecture.interleavedExperts === true || architecture.squareExperts === 'transposed' ? turned : turned && !plain;
  if (plain && turned && architecture.squareExperts === 'refused') {
    throw misfit(
      ref,
      'a shape that tells which way round it lies; convert the published checkpoint, or save it with experts one by one',
    );
  }
  if (!plain && !transposed) {
    throw misfit(ref, `one dimension of hidden_size ${config.hiddenSize}`);
  }
  return transposed ? { rows: second, columns: first, transposed } : { rows: first, columns: second, transposed };
}

function misfit(ref: TensorRef, wanted: string): StudioError {
  return new StudioError(
    'model/tensor-shape',
    `${ref.name} has shape [${ref.shape.join(', ')}], where experts need ${wanted}. The weights and config.json are not of the same model: fetch both again.`,
    { path: ref.file, detail: { tensor: ref.name, shape: ref.shape } },
  );
}

function partsOf(parameter: string, rows: number, interleaved: boolean): readonly Part[] {
  if (parameter === 'down_proj') {
    return [{ projection: 'down_proj', first: 0, step: 1, rows }];
  }
  const half = Math.floor(rows / 2);
  return [
    { projection: 'gate_proj', first: 0, step: interleaved ? 2 : 1, rows: half },
    { projection: 'up_proj', first: interleaved ? 1 : half, step: interleaved ? 2 : 1, rows: half },
  ];
}

function sourceOf(
  ref: TensorRef,
  scales: TensorRef | undefined,
  layout: Layout,
  part: Part,
  files: InputFiles,
  expert: number,
): RowSource {
  const file = files.number(ref.file);
  if (scales !== undefined) {
    const groups = layout.columns / 32;
    const piece = (tensor: TensorRef, bytes: number): StoredBytes => ({
      file: files.number(tensor.file),
      offset: tensor.offset + part.first * bytes,
      rows: part.rows,
      rowBytes: bytes,
      ...(part.step === 1 ? {} : { rowStride: part.step * bytes }),
    });
    return { kind: 'mxfp4', words: piece(ref, groups * 16), scales: piece(outerSlice(scales, expert), groups) };
  }
  if (ref.shape.length === 1) {
    // A bias: one row of every step-th value.
    const width = ref.bytes / (ref.shape[0] ?? 1);
    const type = storedType(ref.dtype) ?? 'F32';
    const matrix = { file, offset: ref.offset + part.first * width, type, rows: 1, columns: part.rows };
    return {
      kind: 'stored',
      matrix: part.step === 1 ? matrix : { ...matrix, strides: { row: ref.bytes, column: part.step * width } },
    };
  }
  const whole = storedMatrix(ref, file);
  const width = storedRowBytes(whole.type, 1);
  const [row, column] = layout.transposed
    ? [part.step * width, layout.rows * width]
    : [part.step * layout.columns * width, width];
  return {
    kind: 'stored',
    matrix: {
      ...whole,
      offset: whole.offset + part.first * (layout.transposed ? width : layout.columns * width),
      rows: part.rows,
      columns: layout.columns,
      ...(layout.transposed || part.step > 1 ? { strides: { row, column } } : {}),
    },
  };
}
