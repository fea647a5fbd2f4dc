import { throwIfAborted } from '../../core/errors';
import type { AdapterModule, Factor } from './adapterModules';
import type { StoredValues, ValueReader } from './tensorValues';

export interface ModuleDelta {
  readonly module: AdapterModule;
  /** |scale * L @ R|, Euclidean; undefined where it was not measured. */
  readonly delta: number | undefined;
  /** Over |W| of the base, taken from some of its rows. */
  readonly ratio: number | undefined;
  readonly problem: string | undefined;
}

/** A weight of the base: rows of `columns` values. */
export interface BaseMatrix {
  readonly values: StoredValues;
  readonly columns: number;
}

/** Multiplications that a look at an adapter may take: some seconds. Of a larger one, modules are measured at even distances. */
const MAX_WORK = 2e9;
/** Values of one factor that are held in memory. */
const MAX_VALUES = 16 * 1024 * 1024;
const SAMPLED_ROWS = 16;

/** Measures every module, or a sample spread evenly over the adapter; the norm of L @ R is exact, from the Gram matrices of its factors. */
export async function adapterDeltas(
  modules: readonly AdapterModule[],
  base: (target: string) => BaseMatrix | undefined,
  reader: ValueReader,
  signal?: AbortSignal,
): Promise<ModuleDelta[]> {
  const work = modules.reduce((sum, { rank, rows, columns }) => sum + (rank * rank * (rows + columns)) / 2, 0);
  const every = Math.max(1, Math.ceil(work / MAX_WORK));
  const deltas: ModuleDelta[] = [];
  for (const [index, module] of modules.entries()) {
    throwIfAborted(signal);
    const skipped = module.problem ?? (index % every === 0 ? undefined : 'not measured: the adapter is large');
    deltas.push(
      skipped === undefined
        ? await measure(module, base(module.target), reader, signal)
        : { module, delta: undefined, ratio: undefined, problem: skipped },
    );
  }
  return deltas;
}

async function measure(
  module: AdapterModule,
  base: BaseMatrix | undefined,
  reader: ValueReader,
  signal: AbortSignal | undefined,
): Promise<ModuleDelta> {
  const { left, right, rank } = module;
  if (left === undefined || right === undefined || left.values.count > MAX_VALUES || right.values.count > MAX_VALUES) {
    return { module, delta: undefined, ratio: undefined, problem: 'its factors are too large to be measured' };
  }
  const a = await gram(left, rank, reader, signal);
  const b = await gram(right, rank, reader, signal);
  let squared = 0;
  for (let at = 0; at < a.length; at++) {
    squared += a[at]! * b[at]!;
  }
  const delta = Math.abs(module.scale) * Math.sqrt(Math.max(0, squared));
  if (!Number.isFinite(delta)) {
    return {
      module,
      delta: undefined,
      ratio: undefined,
      problem: 'it holds NaN or infinite values: the training run diverged',
    };
  }
  const norm =
    base === undefined || base.values.count !== module.rows * module.columns
      ? undefined
      : await sampledNorm(base, reader);
  return { module, delta, ratio: norm === undefined || norm === 0 ? undefined : delta / norm, problem: undefined };
}

/** The rank x rank matrix of inner products of a factor's rank vectors, in f64. */
async function gram(
  { values, rankFirst }: Factor,
  rank: number,
  reader: ValueReader,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const wide = await reader.readAll(values, signal);
  const length = values.count / rank;
  const at = (row: number, column: number): number => (rankFirst ? row * length + column : column * rank + row);
  const result = new Float64Array(rank * rank);
  const step = rankFirst ? 1 : rank;
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0, x = at(i, 0), y = at(j, 0); k < length; k++, x += step, y += step) {
        sum += wide[x]! * wide[y]!;
      }
      result[i * rank + j] = sum;
      result[j * rank + i] = sum;
    }
  }
  return result;
}

/** |W|, taken from rows spread evenly over it. */
async function sampledNorm({ values, columns }: BaseMatrix, reader: ValueReader): Promise<number | undefined> {
  const rows = values.count / columns;
  const sampled = Math.min(SAMPLED_ROWS, rows);
  let squared = 0;
  for (let at = 0; at < sampled; at++) {
    for (const value of await reader.read(values, Math.floor((at * rows) / sampled) * columns, columns)) {
      squared += value * value;
    }
  }
  return Number.isFinite(squared) ? Math.sqrt((squared * rows) / sampled) : undefined;
}
