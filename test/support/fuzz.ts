import type { GoOracle } from './goOracle';

/** One input on which we and Ollama's own code differ. */
export interface Difference {
  /** The seed of this case alone. */
  readonly seed: number;
  readonly input: unknown;
  /** The smallest input found that still differs. */
  readonly smallest: unknown;
  readonly ours: unknown;
  readonly theirs: unknown;
}

export interface FuzzReport {
  readonly kind: string;
  readonly seed: number;
  readonly cases: number;
  /** How many cases ended how. */
  readonly counts: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
}

export interface FuzzOptions {
  readonly cases: number;
  readonly seed: number;
  readonly oracle: GoOracle;
  /** Called after every batch. */
  readonly onProgress?: (done: number) => void;
}

/** What was found for one input: how it ended, and both answers where they differ. */
export interface Verdict {
  readonly outcomes: readonly string[];
  readonly difference?: { readonly ours: unknown; readonly theirs: unknown };
}

/** A kind of input: how one is made from a seed, compared with the oracle, made smaller, and shown. */
export interface FuzzKind<T> {
  readonly name: string;
  make(seed: number): T;
  compare(input: T, oracle: GoOracle): Promise<Verdict>;
  /** The part that is cut when a difference is made smaller. */
  pieces(input: T): readonly string[];
  withPieces(input: T, pieces: readonly string[]): T;
  show(input: T): unknown;
}

/** Questions that are under way at once: the oracle answers in order. */
const BATCH = 100;
/** Differences after which a run ends. */
const ENOUGH = 50;

/** Compares `cases` inputs of consecutive seeds with the oracle; differences are made small. */
export async function fuzz<T>(
  kind: FuzzKind<T>,
  { cases, seed, oracle, onProgress }: FuzzOptions,
): Promise<FuzzReport> {
  const counts: Record<string, number> = {};
  const differences: Difference[] = [];
  let done = 0;
  while (done < cases && differences.length < ENOUGH) {
    const batch = Array.from({ length: Math.min(BATCH, cases - done) }, (_, at) => ({
      seed: seed + done + at,
      input: kind.make(seed + done + at),
    }));
    const verdicts = await Promise.all(batch.map(({ input }) => kind.compare(input, oracle)));
    for (const [at, verdict] of verdicts.entries()) {
      for (const outcome of verdict.outcomes) {
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      const tried = batch[at];
      if (verdict.difference !== undefined && tried !== undefined) {
        differences.push(await describe(kind, tried.seed, tried.input, verdict.difference, oracle));
      }
    }
    done += batch.length;
    onProgress?.(done);
  }
  return { kind: kind.name, seed, cases: done, counts, differences };
}

async function describe<T>(
  kind: FuzzKind<T>,
  seed: number,
  input: T,
  difference: { ours: unknown; theirs: unknown },
  oracle: GoOracle,
): Promise<Difference> {
  const pieces = await smallest(
    kind.pieces(input),
    async (kept) => (await kind.compare(kind.withPieces(input, kept), oracle)).difference !== undefined,
  );
  const small = kind.withPieces(input, pieces);
  const last = (await kind.compare(small, oracle)).difference ?? difference;
  return { seed, input: kind.show(input), smallest: kind.show(small), ours: last.ours, theirs: last.theirs };
}

/** Cuts runs of pieces, long ones first, as long as what remains still fails. */
async function smallest(
  pieces: readonly string[],
  fails: (pieces: readonly string[]) => Promise<boolean>,
): Promise<readonly string[]> {
  let kept = pieces;
  for (let length = Math.ceil(pieces.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + length)];
      if (await fails(without)) {
        kept = without;
      } else {
        at += length;
      }
    }
  }
  return kept;
}

/** The report as lines for people: seed, counts, every difference. */
export function reportLines({ kind, seed, cases, counts, differences }: FuzzReport): string[] {
  const outcomes = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`);
  const head = `${kind}: ${cases} cases from seed ${seed}: ${outcomes.join(', ')}; ${differences.length === 0 ? 'no difference' : `${differences.length} DIFFERENCES`}`;
  return [
    head,
    ...differences.flatMap(({ seed: own, input, smallest: small, ours, theirs }) => [
      `  seed ${own}: ${JSON.stringify(small)}`,
      `    from    ${JSON.stringify(input)}`,
      `    ours    ${JSON.stringify(ours)}`,
      `    Ollama  ${JSON.stringify(theirs)}`,
    ]),
  ];
}
