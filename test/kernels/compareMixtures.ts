import { GGML_TYPES } from '../../src/core/formats/gguf/ggmlTypes';
import type { QuantisedType } from '../../src/core/engine/kernels/kernels';
import type { Ggml } from './ggml';
import type { Bench } from './instance';
import { mixedRows, mixedWeights } from './mixtures';
import { Random, type Rows } from './values';

/** One block that is not ggml's. */
export interface Difference {
  /** Of the round: with this seed the round comes first. */
  readonly seed: number;
  readonly kind: string;
  readonly weights: string;
  readonly row: number;
  readonly block: number;
  readonly ours: string;
  readonly theirs: string;
}

export interface Comparison {
  readonly blocks: number;
  readonly differing: number;
  /** The first few. */
  readonly differences: readonly Difference[];
}

/** Odd numbers of blocks a row, so that kernels that take several at a time meet the ends of rows everywhere. */
const NARROW_WIDTHS = [32, 96, 288, 544, 896, 1024];
const WIDE_WIDTHS = [256, 768, 1024, 1280, 2304];
const ROUND_VALUES = 65_536;
const KEPT = 5;

/** Types of which the bytes depend on an importance matrix. */
export function takesWeights(type: QuantisedType): boolean {
  return GGML_TYPES[type].block > 1 && type !== 'Q8_0';
}

function isFinite(rows: Rows, row: number): boolean {
  return rows.values.subarray(row * rows.columns, (row + 1) * rows.columns).every(Number.isFinite);
}

/**
 * At least `blocks` mixed blocks of `type` (counted as 256 values where a type has no blocks), ours against ggml's, in
 * rounds whose seeds follow each other from `seed` on. What becomes of a row with NaN or infinite values is not defined,
 * and not looked at: such rows are there for their neighbours, which must not notice.
 */
export function compareMixtures(
  ggml: Ggml,
  bench: Bench,
  type: QuantisedType,
  weighted: boolean,
  blocks: number,
  seed: number,
): Comparison {
  const { block, bytes } = GGML_TYPES[type];
  const differences: Difference[] = [];
  let [done, differing] = [0, 0];
  for (let round = seed; done < blocks; round++) {
    const random = new Random(round);
    const widths = block === 256 ? WIDE_WIDTHS : NARROW_WIDTHS;
    const columns = widths[random.integer(widths.length)]!;
    const rows = mixedRows(columns, Math.floor(ROUND_VALUES / columns), random);
    const importance = weighted ? mixedWeights(rows, random) : undefined;
    const count = rows.kinds.length;
    const theirs = ggml.quantise(type, rows.values, count, columns, importance?.weights);
    bench.reset();
    const source = bench.put(rows.values);
    const target = bench.room(theirs.length);
    const weights = importance === undefined ? 0 : bench.put(importance.weights);
    bench.kernels.quantise(type, source, target, count, columns, weights);
    const ours = bench.bytes(target, theirs.length);
    const total = rows.values.length / block;
    done += block === 1 ? total / 256 : total;
    if (Buffer.compare(ours, theirs) === 0) {
      continue;
    }
    for (let b = 0; b < total; b++) {
      const row = Math.floor((b * block) / columns);
      const mine = ours.subarray(b * bytes, (b + 1) * bytes);
      const other = theirs.subarray(b * bytes, (b + 1) * bytes);
      if (Buffer.compare(mine, other) === 0 || !isFinite(rows, row)) {
        continue;
      }
      if (++differing <= KEPT) {
        differences.push({
          seed: round,
          kind: rows.kinds[row]!,
          weights: importance?.name ?? 'none',
          row,
          block: b - (row * columns) / block,
          ours: Buffer.from(mine).toString('hex'),
          theirs: Buffer.from(other).toString('hex'),
        });
      }
    }
  }
  return { blocks: Math.floor(done), differing, differences };
}

/** What differs, for a person, with how to see it again. */
export function describeDifferences(type: QuantisedType, weighted: boolean, comparison: Comparison): string {
  const spec = weighted ? `${type}:importance` : type;
  return comparison.differences
    .map(
      (d) =>
        `${spec}, ${d.kind}, weights ${d.weights}: row ${d.row}, block ${d.block}\n  ours ${d.ours}\n  ggml ${d.theirs}\n` +
        `  again: npm run test:kernels -- --only ${spec} --seed ${d.seed} --blocks 1`,
    )
    .join('\n');
}
