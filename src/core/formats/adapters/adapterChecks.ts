import { StudioError } from '../../errors';
import { elementCount, type SafetensorsDtype, type TensorRef } from '../tensorRef';
import type { AdapterPart } from './adapter';
import type { AdapterInput } from './adapterInput';

const FACTOR_DTYPES: ReadonlySet<SafetensorsDtype> = new Set<SafetensorsDtype>(['F32', 'F16', 'BF16']);

/** What is wrong with the tensors of an adapter whatever its format: none at all, empty ones, types that hold no weights. */
export function checkTensors(input: AdapterInput): StudioError[] {
  if (input.tensors.size === 0) {
    return [
      new StudioError(
        'adapter/empty',
        `${input.weightsFile} holds no tensors. The training saved an empty adapter: pass another checkpoint, or save it again from the trained model.`,
        { path: input.path },
      ),
    ];
  }
  const problems: StudioError[] = [];
  const empty = [...input.tensors.values()].filter((tensor) => elementCount(tensor.shape) === 0);
  const [first] = empty;
  if (first !== undefined) {
    problems.push(
      new StudioError(
        'adapter/empty',
        `${empty.length} of ${input.tensors.size} tensors in ${input.weightsFile} are empty (${first.name} has shape [${first.shape.join(', ')}]). DeepSpeed ZeRO-3 and FSDP save such files when the weights are not gathered first: run zero_to_fp32.py of the checkpoint, or save with stage3_gather_16bit_weights_on_model_save or FULL_STATE_DICT.`,
        {
          path: input.path,
          detail: { tensor: first.name, shape: first.shape },
        },
      ),
    );
  }
  const odd = [...input.tensors.values()].find((tensor) => !FACTOR_DTYPES.has(tensor.dtype));
  if (odd !== undefined) {
    problems.push(
      new StudioError(
        'model/dtype',
        `${odd.name} is of type ${odd.dtype}, and adapters are read as F32, F16 or BF16. Save the adapter in one of these.`,
        { path: input.path, detail: { tensor: odd.name, dtype: odd.dtype } },
      ),
    );
  }
  return problems;
}

/** Two spellings of one name in a file, both with something for the same weight. */
export function duplicateTargets(parts: readonly AdapterPart[], path: string): StudioError[] {
  const seen = new Set<string>();
  const twice = parts.find((part) => {
    const key = `${part.kind} ${part.target}`;
    return seen.has(key) || !seen.add(key);
  });
  return twice === undefined
    ? []
    : [
        new StudioError(
          'adapter/unsupported',
          `Several tensors of the file change ${twice.target}: it holds more than one adapter. Save one adapter a file.`,
          { path, detail: { tensor: twice.target } },
        ),
      ];
}

/** The value that stands there most often, the first of equals; undefined for none. */
export function mostCommon(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** `[8, 256]`. */
export function shapeText(tensor: TensorRef): string {
  return `[${tensor.shape.join(', ')}]`;
}
