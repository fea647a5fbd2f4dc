import type { Rows } from './values';
import { NOISE, NOT_FINITE, UGLY, WEIGHTS, type Kind, type Random } from './values';

// Rows as no list of kinds has them: kinds of values mixed within a sub-block, one sign forced on all of them, values cut
// to the grid of bf16 or of sixteenths; and weights that are decades apart, of a pattern of their own, or tied to the
// values. A bound that a kernel takes for granted (a level's range, a factor's sign, an order) breaks here or nowhere.

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The nearest bfloat16, ties to even; the largest finite one beyond it. */
function toBf16(value: number): number {
  float[0] = value;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude <= 0x7f7f7fff) {
    bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  } else if (magnitude < 0x7f800000) {
    bits[0] = bits[0]! & 0xffff0000;
  }
  return float[0];
}

/** Magnitudes from one end of f32 to the other, one decade as likely as the next. */
const anyMagnitude: Kind = (_i, _row, r) => 10 ** (83 * r.uniform() - 45) * (r.uniform() < 0.5 ? -1 : 1);

const MORE_VALUES: Readonly<Record<string, Kind>> = {
  anyMagnitude,
  zeros: (_i, _row, r) => (r.uniform() < 0.5 ? 0 : -0),
  denormals: (_i, _row, r) => r.normal() * 10 ** -(38 + 7 * r.uniform()),
  huge30: (_i, _row, r) => r.normal() * 1e30,
  sixteenths: (_i, _row, r) => Math.round(r.normal() * 16) / 16,
  fewSixteenths: (_i, _row, r) => (r.integer(33) - 16) / 16,
  thirds: (_i, _row, r) => r.integer(13) / 3 - 2,
  powersOfTwo: (_i, _row, r) => 2 ** (r.integer(40) - 20) * (r.uniform() < 0.5 ? -1 : 1),
  twoValues: (_i, row, r) => (r.uniform() < 0.5 ? 1 : -0.5) * (1 + (row & 7)),
  nearlyTwoValues: (_i, _row, r) => (r.uniform() < 0.5 ? -3 : 2) * (1 + 1e-6 * r.normal()),
  aroundMinusOne: (_i, _row, r) => -1 + 1e-4 * r.normal(),
  aroundOne: (_i, _row, r) => 1 + 1e-6 * r.normal(),
  exponential: (_i, _row, r) => Math.log(r.uniform()),
};

const KINDS: Readonly<Record<string, Kind>> = { ...UGLY, ...NOISE, ...MORE_VALUES };
const KIND_NAMES = Object.keys(KINDS);
const ODD_NAMES = Object.keys(NOT_FINITE);

/** Weights beyond those of the list in values.ts; `i` counts the columns. */
const MORE_WEIGHTS: Readonly<Record<string, Kind>> = {
  sixteenDecades: (_i, _row, r) => 10 ** (16 * r.uniform() - 8),
  anyMagnitude: (_i, _row, r) => 10 ** (74 * r.uniform() - 44),
  exponentsOfNormal: (_i, _row, r) => Math.exp(6 * r.normal()),
  spikes: (_i, _row, r) => (r.uniform() < 0.03 ? 1e8 : 1e-8),
  oneSpike: (i) => (i % 16 === 3 ? 1e9 : 1e-9),
  denormals: (_i, _row, r) => 1e-40 * r.uniform(),
  huge30: (_i, _row, r) => 1e30 * r.uniform(),
  powersOfTwo: (_i, _row, r) => 2 ** (r.integer(60) - 30),
  zerosAndHuge: (_i, _row, r) => (r.uniform() < 0.7 ? 0 : 1e12 * r.uniform()),
  loneOfSixteen: (i, _row, r) => (i % 16 === 9 ? r.uniform() : 0),
  decadesBySubBlock: (i, _row, r) => 10 ** (((i >> 4) % 13) - 6) * (0.5 + r.uniform()),
  fourthPowers: (_i, _row, r) => 1000 * r.uniform() ** 4,
  someNegative: (_i, _row, r) => (r.uniform() < 0.1 ? -1 : 1) * r.uniform(),
};

const WEIGHT_KINDS: Readonly<Record<string, Kind>> = { ...WEIGHTS, ...MORE_WEIGHTS };
const WEIGHT_NAMES = Object.keys(WEIGHT_KINDS);

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.integer(from.length)]!;
}

/** A source of one row's values, and what it is called. */
interface Source {
  readonly name: string;
  at(i: number): number;
}

/** One kind throughout, a kind for each run of 16 or 32 values, or several kinds value by value. */
function sourceOf(row: number, odd: boolean, random: Random): Source {
  const names = Array.from({ length: 2 + random.integer(3) }, () => pick(KIND_NAMES, random));
  const kinds = names.map((name) => KINDS[name]!);
  if (odd) {
    const name = pick(ODD_NAMES, random);
    return { name, at: (i) => NOT_FINITE[name]!(i, row, random) };
  }
  switch (random.integer(3)) {
    case 0:
      return { name: names[0]!, at: (i) => kinds[0]!(i, row, random) };
    case 1: {
      const shift = 4 + random.integer(2);
      return {
        name: `runs of ${names.join(', ')}`,
        at: (i) => kinds[(i >> shift) % kinds.length]!(i, row, random),
      };
    }
    default:
      // Most values of the first kind: a few others among them do more than an even mixture.
      return {
        name: `mixture of ${names.join(', ')}`,
        at: (i) => kinds[random.uniform() < 0.6 ? 0 : random.integer(kinds.length)]!(i, row, random),
      };
  }
}

const FILTERS: readonly (readonly [string, (value: number, i: number) => number])[] = [
  ['', (value) => value],
  ['', (value) => value],
  [', all negative', (value) => -Math.abs(value)],
  [', all negative', (value) => -Math.abs(value)],
  [', every other run negative', (value, i) => (i & 32 ? -Math.abs(value) : Math.abs(value))],
  [', all positive', (value) => Math.abs(value)],
  [', bf16', toBf16],
  [', bf16, all negative', (value) => -Math.abs(toBf16(value))],
  [', sixteenths', (value) => Math.round(value * 16) / 16],
  [', far from zero', (value) => value - 1000],
];

/** `count` rows of `columns` values; one row of fifty has NaN or infinite values. */
export function mixedRows(columns: number, count: number, random: Random): Rows {
  const values = new Float32Array(columns * count);
  const kinds: string[] = [];
  for (let row = 0; row < count; row++) {
    const source = sourceOf(row, random.integer(50) === 0, random);
    const [suffix, filter] = pick(FILTERS, random);
    kinds.push(source.name + suffix);
    for (let i = 0; i < columns; i++) {
      values[row * columns + i] = filter(source.at(i), i);
    }
  }
  return { values, columns, kinds };
}

/** One row of weights, with its name: of one kind, of two by turns, or the larger the smaller (or larger) the first row's values are. */
export function mixedWeights(rows: Rows, random: Random): { readonly name: string; readonly weights: Float32Array } {
  const weights = new Float32Array(rows.columns);
  const names = [pick(WEIGHT_NAMES, random), pick(WEIGHT_NAMES, random)];
  const [first, second] = names.map((name) => WEIGHT_KINDS[name]!);
  const shape = random.integer(6);
  const power = random.uniform() < 0.5 ? -2 : 2;
  for (let i = 0; i < weights.length; i++) {
    if (shape === 0) {
      const value = Math.abs(rows.values[i]!);
      weights[i] = Number.isFinite(value) ? Math.min((value + 1e-12) ** power, 1e30) : 1;
    } else {
      const kind = shape === 1 && (i >> 4) & 1 ? second! : shape === 2 && random.uniform() < 0.3 ? second! : first!;
      weights[i] = kind(i, 0, random);
    }
  }
  const name = shape === 0 ? `values to the power of ${power}` : shape < 3 ? names.join(' and ') : names[0]!;
  return { name, weights };
}
