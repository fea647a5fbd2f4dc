import type { SafetensorsDtype } from '../formats/tensorRef';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import { GGML_TYPES } from '../formats/gguf/ggmlTypes';
import type { GgufTensor } from '../formats/gguf/ggufTypes';
import { targetOfGguf } from './adapterTarget';
import type { Architecture, ModelConfig, TensorMapping } from './architectures/architecture';
import { mapTensor, tensorNames } from './architectures/tensorTable';
import type { RowSource } from './buildPlan';
import type { InputFiles } from './inputFiles';
import type { LogicalTensor } from './logicalTensor';
import type { GgufPart } from './planQuantize';

/** A GGUF taken for the base of a merge: its tensors under the names that adapters know, with the way back. */
export interface GgufBase {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  /** By Hugging Face name; one of every expert. */
  readonly tensors: ReadonlyMap<string, LogicalTensor>;
  /** Where each of them stands in the GGUF: in one tensor, or split over several. */
  readonly mappings: ReadonlyMap<string, readonly TensorMapping[]>;
  /** All rows of a tensor of the GGUF as they stand there. */
  readonly rowsOf: (name: string, files: InputFiles) => RowSource;
}

/**
 * Names the tensors of a GGUF as a Hugging Face checkpoint would: the architecture's own map, read backwards.
 * @throws StudioError model/architecture, model/config where the GGUF does not tell enough
 */
export function ggufBase(parts: readonly GgufPart[]): GgufBase {
  const [{ path, file }] = parts as readonly [GgufPart];
  const stored = new Map(
    parts.flatMap((part) => part.file.tensors.map((tensor) => [tensor.name, { tensor, part }] as const)),
  );
  const { architecture, config } = targetOfGguf({
    path,
    value: (key) => {
      const found = file.metadata.get(key)?.value;
      return typeof found === 'string' || typeof found === 'number' ? found : undefined;
    },
    tensors: new Map([...stored].map(([name, { tensor }]) => [name, tensor.shape])),
  });
  const tensors = new Map<string, LogicalTensor>();
  const mappings = new Map<string, readonly TensorMapping[]>();
  for (const name of tensorNames(architecture, config)) {
    const mapping = mapTensor(architecture, name, config);
    const places = mapping === undefined || mapping === 'drop' ? [] : mapping;
    const found = places.flatMap((place) => stored.get(place.name) ?? []);
    const [first] = found;
    if (first !== undefined && found.length === places.length) {
      const whole = storedTensor(name, places[0]!, first.tensor, first.part);
      const rows =
        places.length === 1 ? whole.shape[0]! : found.reduce((sum, { tensor }) => sum + (tensor.shape[1] ?? 1), 0);
      tensors.set(name, { ...whole, shape: [rows, ...whole.shape.slice(1)] });
      mappings.set(name, places);
    }
  }
  const rowsOf = (name: string, files: InputFiles): RowSource => {
    const { tensor, part } = stored.get(name)!;
    const asColumn = tensor.shape.length === 1;
    return storedTensor(name, { name, transform: { kind: 'none' } }, tensor, part).source(files, asColumn);
  };
  return { architecture, config, tensors, mappings, rowsOf };
}

/** A tensor of a GGUF, or one expert of a stack, with the order of its rows to be undone before anything is added. */
function storedTensor(name: string, mapping: TensorMapping, tensor: GgufTensor, part: GgufPart): LogicalTensor {
  const ne = mapping.stack === undefined ? tensor.shape : tensor.shape.slice(0, 2);
  const [columns = 1, rows = 1] = ne;
  const rowBytes = (length: number): number => (length / GGML_TYPES[tensor.type].block) * GGML_TYPES[tensor.type].bytes;
  const first = part.file.dataOffset + tensor.offset + (mapping.stack?.expert ?? 0) * rows * rowBytes(columns);
  return {
    name,
    storedName: mapping.name,
    shape: [...ne].reverse(),
    encoding: tensor.type,
    dtype: dtypeOf(tensor.type),
    file: part.path,
    source: (files, asColumn) => ({
      kind: 'stored',
      matrix: {
        file: files.number(part.path),
        offset: first,
        type: tensor.type,
        rows: asColumn ? columns : ne.length < 2 ? 1 : rows,
        columns: asColumn ? 1 : columns,
      },
      ...(mapping.transform.kind === 'none' ? {} : { undo: mapping.transform }),
    }),
  };
}

/** The dtype that comes nearest; what is packed counts as bf16. */
function dtypeOf(type: GgmlTypeName): SafetensorsDtype {
  return type === 'F32' || type === 'F16' ? type : 'BF16';
}
