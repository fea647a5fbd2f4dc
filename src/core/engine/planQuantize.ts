import { StudioError } from '../errors';
import { GGML_TYPES, type GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { GgufFile, GgufMetadata, GgufTensor, GgufValue } from '../formats/gguf/ggufTypes';
import type { BuildOptions } from './buildOptions';
import type { BuildPlan, Contribution } from './buildPlan';
import type { MixtureModel } from './typeCandidate';
import { FILE_TYPES, isQuantised, WRITABLE_TYPES } from './fileTypes';
import { finishPlan } from './finishPlan';
import { InputFiles } from './inputFiles';
import { layOutGguf, type TensorDraft } from './layOutGguf';

/** A GGUF as it was read, with the path that opens it; a split model is several. */
export interface GgufPart {
  readonly path: string;
  readonly file: GgufFile;
}

/**
 * Plans a GGUF from a GGUF: other types, the same model. Several parts of a split model become one file.
 * @throws StudioError quantize/requantize for inputs that are quantised already, gguf/metadata, quantize/…
 */
export function planQuantize(parts: readonly GgufPart[], options: BuildOptions): BuildPlan {
  const [{ path, file }] = parts as readonly [GgufPart];
  const metadata = quantisedMetadata(file.metadata, FILE_TYPES[options.fileType].id);
  const model = mixtureModel(file.metadata, path);
  const files = new InputFiles();
  const drafts = parts.flatMap((part) => part.file.tensors.map((tensor) => tensorDraft(tensor, part, files)));
  // Text output of a plan in the `converter` layout would promise a converter's file, which this is not.
  const layout = layOutGguf(drafts, metadata, model, { ...options, layout: 'quantised' });
  const sources = new Map(drafts.map((draft) => [draft.name, draft.kept]));
  const again = layout.tensors.find(
    (tensor) => tensor.type !== sources.get(tensor.name) && isQuantised(sources.get(tensor.name) ?? 'F32'),
  );
  if (again !== undefined && options.allowRequantize !== true) {
    const from = sources.get(again.name) ?? '';
    throw new StudioError(
      'quantize/requantize',
      `${again.name} of ${path} is ${from} already, and quantising it again loses more than quantising once. Start from the F16, BF16 or F32 file, or pass --allow-requantize.`,
      { path, detail: { tensor: again.name, from } },
    );
  }
  const dtype = mainType(drafts);
  return finishPlan({
    kind: 'gguf',
    fileType: options.fileType,
    output: options.output,
    inputs: files.paths,
    layout,
    base: { path, architecture: model.architecture, label: model.architecture, dtype },
    adapters: [],
    checks: [],
    warnings: [
      ...(again === undefined
        ? []
        : [
            {
              code: 'quantize/requantize',
              message: `the input is quantised already (${dtype}): the result is worse than one made from the 16-bit model`,
            },
          ]),
      ...layout.warnings,
    ],
  });
}

const SPLIT_KEYS = ['split.no', 'split.count', 'split.tensors.count'];
const REWRITTEN_KEYS = ['general.quantization_version', 'general.file_type'];

/** The keys of the input but for those of a split; the two that describe the types come last. */
export function quantisedMetadata(metadata: GgufMetadata, fileType: number): (readonly [string, GgufValue])[] {
  const kept = [...metadata].filter(
    ([key]) => !SPLIT_KEYS.includes(key) && !REWRITTEN_KEYS.includes(key) && key !== 'general.alignment',
  );
  return [
    ...kept,
    ['general.quantization_version', { type: 'u32', value: 2 }],
    ['general.file_type', { type: 'u32', value: fileType }],
  ];
}

/**
 * What the choice of types looks at, from a GGUF's metadata.
 * @throws StudioError gguf/metadata where the file is no model
 */
export function mixtureModel(metadata: GgufMetadata, path: string): MixtureModel {
  const architecture = metadata.get('general.architecture');
  const kind = metadata.get('general.type');
  if (architecture?.type !== 'string' || (kind?.type === 'string' && kind.value !== 'model')) {
    throw new StudioError(
      'gguf/metadata',
      `${path} is no language model${kind?.type === 'string' ? ` but ${kind.value}` : ''}, so it cannot be quantised. Pass a model's GGUF.`,
      { path },
    );
  }
  const number = (key: string): number => firstNumber(metadata.get(`${architecture.value}.${key}`));
  const heads = number('attention.head_count');
  return {
    architecture: architecture.value,
    layers: number('block_count'),
    heads,
    // A model without the key has as many key/value heads as heads.
    kvHeads: metadata.has(`${architecture.value}.attention.head_count_kv`) ? number('attention.head_count_kv') : heads,
    experts: number('expert_count'),
  };
}

/** A count, or the first of those that are given by layer. */
function firstNumber(value: GgufValue | undefined): number {
  const first: unknown = value?.type === 'array' ? value.value[0] : value?.value;
  return typeof first === 'number' || typeof first === 'bigint' ? Number(first) : 0;
}

// Shared by all slices: a file may hold hundreds of thousands.
const UNCHANGED: readonly Contribution[] = [];
const AS_IT_IS = { kind: 'none' } as const;

/** A tensor that keeps its values, one slice a matrix. */
export function tensorDraft(tensor: GgufTensor, part: GgufPart, files: InputFiles): TensorDraft {
  const columns = tensor.shape[0] ?? 1;
  const rowsTotal = tensor.shape.slice(1).reduce((product, dimension) => product * dimension, 1);
  const slicesCount =
    tensor.shape.length > 2 ? tensor.shape.slice(2).reduce((product, dimension) => product * dimension, 1) : 1;
  const rows = slicesCount === 0 ? 0 : rowsTotal / slicesCount;
  const rowLength = (columns / GGML_TYPES[tensor.type].block) * GGML_TYPES[tensor.type].bytes;
  checkReadable(tensor, part.path);
  const file = files.number(part.path);
  const slices = Array.from({ length: slicesCount }, (_, index) => ({
    source: {
      kind: 'stored' as const,
      matrix: {
        file,
        offset: part.file.dataOffset + tensor.offset + index * rows * rowLength,
        type: tensor.type,
        rows,
        columns,
      },
    },
    rows,
    contributions: UNCHANGED,
    transform: AS_IT_IS,
  }));
  return { name: tensor.name, shape: tensor.shape, kept: tensor.type, columns, slices };
}

const READABLE = new Set<string>([...WRITABLE_TYPES, 'F64', 'I8', 'I16', 'I32', 'I64']);

function checkReadable(tensor: GgufTensor, path: string): void {
  if (!READABLE.has(tensor.type)) {
    throw new StudioError(
      'quantize/requantize',
      `${tensor.name} of ${path} is ${tensor.type}, which is not read. Start from the F16, BF16 or F32 file of this model.`,
      { path, detail: { tensor: tensor.name, type: tensor.type } },
    );
  }
}

/** The type of most weights. */
export function mainType(drafts: readonly TensorDraft[]): GgmlTypeName {
  const sizes = new Map<GgmlTypeName, number>();
  for (const draft of drafts) {
    sizes.set(
      draft.kept,
      (sizes.get(draft.kept) ?? 0) + draft.slices.reduce((sum, slice) => sum + slice.rows, 0) * draft.columns,
    );
  }
  return [...sizes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'F32';
}
