import { throwIfAborted } from '../../core/errors';
import type { TensorTable } from '../../core/viewer/tensorTable';
import type { ByteSource } from '../../core/bytes';
import { CHUNK_VALUES, widenedType, type StoredValues, type ValueReader } from './tensorValues';

/** How far the values of two tensors are apart, both dequantised to f32. */
export interface ValueDifference {
  readonly values: number;
  /** Values that are not equal; NaN differs from everything. */
  readonly differing: number;
  /** Over the pairs of finite values. */
  readonly maxAbsolute: number;
  readonly meanAbsolute: number;
  /** |a - b| / |a|, Euclidean; undefined where a is all zero. */
  readonly relative: number | undefined;
  /** Undefined where one of them is all zero. */
  readonly cosine: number | undefined;
  /** NaN and infinite values in the one and the other. */
  readonly nonFinite: readonly [number, number];
}

/** A tensor of a table as values that can be read; a text that says why not, where they cannot. */
export function storedValues(source: ByteSource, table: TensorTable, index: number): StoredValues | string {
  const type = widenedType(table.type(index));
  const offset = table.offset(index);
  const bytes = table.bytes(index);
  const count = table.elements(index);
  if (type === undefined) {
    return `values of type ${table.type(index)} are not read`;
  }
  if (offset === undefined || bytes === undefined || !Number.isSafeInteger(count) || offset + bytes > source.size) {
    return 'its data lies outside the file';
  }
  return { source, offset, type, count };
}

/** Streams two tensors of as many values and measures their difference; sums are f64. */
export async function compareValues(
  reader: ValueReader,
  a: StoredValues,
  b: StoredValues,
  signal?: AbortSignal,
): Promise<ValueDifference> {
  const sums = { differing: 0, max: 0, absolute: 0, squares: 0, aa: 0, bb: 0, ab: 0, finite: 0 };
  const nonFinite: [number, number] = [0, 0];
  for (let first = 0; first < a.count; first += CHUNK_VALUES) {
    throwIfAborted(signal);
    const count = Math.min(CHUNK_VALUES, a.count - first);
    const left = await reader.read(a, first, count, 0);
    const right = await reader.read(b, first, count, 1);
    for (let at = 0; at < count; at++) {
      const x = left[at]!;
      const y = right[at]!;
      if (x !== y) {
        sums.differing++;
      }
      const difference = Math.abs(x - y);
      if (!(difference < Infinity) || !(Math.abs(x) < Infinity)) {
        nonFinite[0] += Number.isFinite(x) ? 0 : 1;
        nonFinite[1] += Number.isFinite(y) ? 0 : 1;
        continue;
      }
      sums.max = difference > sums.max ? difference : sums.max;
      sums.absolute += difference;
      sums.squares += difference * difference;
      sums.aa += x * x;
      sums.bb += y * y;
      sums.ab += x * y;
      sums.finite++;
    }
  }
  return {
    values: a.count,
    differing: sums.differing,
    maxAbsolute: sums.max,
    meanAbsolute: sums.finite === 0 ? 0 : sums.absolute / sums.finite,
    relative: sums.aa === 0 ? undefined : Math.sqrt(sums.squares / sums.aa),
    cosine: sums.aa === 0 || sums.bb === 0 ? undefined : Math.min(1, sums.ab / Math.sqrt(sums.aa * sums.bb)),
    nonFinite,
  };
}

/** The difference in one line. */
export function differenceText(difference: ValueDifference): string {
  const { values, differing, maxAbsolute, meanAbsolute, relative, cosine, nonFinite } = difference;
  if (differing === 0) {
    return `all ${values.toLocaleString('en-US')} values are equal`;
  }
  return [
    `${((differing / values) * 100).toPrecision(3)} % of the values differ`,
    `largest difference ${maxAbsolute.toPrecision(3)}`,
    `mean ${meanAbsolute.toPrecision(3)}`,
    relative === undefined ? undefined : `|a − b|/|a| ${relative.toPrecision(3)}`,
    cosine === undefined ? undefined : `cosine ${cosine.toFixed(6)}`,
    nonFinite[0] + nonFinite[1] === 0 ? undefined : `NaN or infinite: ${nonFinite[0]} and ${nonFinite[1]}`,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}
