/** Random numbers that a printed seed brings back (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform, above 0 and below 1. */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  integer(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  bits(): number {
    return Math.floor(this.uniform() * 4294967296) >>> 0;
  }
}

/** A generator of values: `i` counts the values of a row, `row` the rows of this kind. */
export type Kind = (i: number, row: number, random: Random) => number;

const asBf16 = (value: number): number => {
  const f = new Float32Array([value]);
  const bits = new Uint32Array(f.buffer);
  bits[0] = bits[0]! & 0xffff0000;
  return f[0]!;
};
const scaled =
  (factor: number): Kind =>
  (_i, _row, r) =>
    r.normal() * factor;
const zero = (r: Random): number => (r.uniform() < 0.5 ? 0 : -0);
const IQ4_LEVELS = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113, -115.5, -4.5, 7, 19, 101, 61,
];

const IQ4_MIDPOINTS = Array.from({ length: 15 }, (_, i) => (IQ4_LEVELS[i]! + IQ4_LEVELS[i + 1]!) / 2);

/** Values as models have them. */
export const NOISE: Readonly<Record<string, Kind>> = {
  normal: scaled(1),
  weights: scaled(0.02),
  bf16Weights: (_i, _row, r) => asBf16(r.normal() * 0.02),
  heavyTails: (_i, _row, r) => 0.02 * (r.normal() + 0.3 * r.normal() * r.normal()),
  scaledRows: (_i, row, r) => r.normal() * [1, 0.02, 1e-3, 1e-4, 30, 1e-6, 0.3, 2000][row % 8]!,
};

/** Values that break quantisers: nothing, one sign, ties, exact grids, outliers, the ends of the range. */
export const UGLY: Readonly<Record<string, Kind>> = {
  zeros: () => 0,
  minusZeros: () => -0,
  zerosOfBothSigns: (i, row) => ((i + row) & 1 ? 0 : -0),
  someMinusZeros: (i) => (i % 3 ? -0 : 0),
  halfMinusZerosRestPositive: (i, row, r) => (i % 4 === row % 4 ? -0 : i % 4 === 1 ? 0 : Math.abs(r.normal())),
  halfMinusZerosRestNegative: (i, row, r) => (i % 4 === row % 4 ? -0 : i % 4 === 1 ? 0 : -Math.abs(r.normal())),
  zerosOfRandomSign: (_i, _row, r) => zero(r),
  zerosAmongPositive: (_i, _row, r) => (r.uniform() < 0.2 ? zero(r) : Math.abs(r.normal())),
  zerosAmongNegative: (_i, _row, r) => (r.uniform() < 0.2 ? zero(r) : -Math.abs(r.normal())),
  ones: () => 1,
  constant: () => -0.37,
  constantsOfBothSigns: (i) => (i & 256 ? 0.37 : -0.37),
  smallConstant: () => -3e-5,
  positive: (_i, _row, r) => Math.abs(r.normal()),
  negative: (_i, _row, r) => -Math.abs(r.normal()),
  farPositive: (_i, _row, r) => 1 + Math.abs(r.normal()) * 1e-3,
  farNegative: (_i, _row, r) => -1 - Math.abs(r.normal()) * 1e-3,
  uniform: (_i, _row, r) => r.uniform(),
  minusUniform: (_i, _row, r) => -r.uniform(),
  denormals: scaled(1e-40),
  leastDenormals: scaled(1e-44),
  singleDenormals: (i) => (i & 1) * 1.4e-45,
  borderOfDenormals: scaled(1e-38),
  tiny36: scaled(1e-36),
  tiny30: scaled(1e-30),
  tiny20: scaled(1e-20),
  tiny15: scaled(1e-15),
  tiny12: scaled(1e-12),
  tiny8: scaled(1e-8),
  tiny6: scaled(1e-6),
  large5: scaled(1e5),
  large10: scaled(1e10),
  huge18: scaled(1e18),
  huge30: scaled(1e30),
  huge37: scaled(1e37),
  largest: (i) => (i & 1 ? 1 : -1) * 3e38,
  largestPositive: (i) => (i & 1) * 3.4e38,
  outlier: (i, row, r) => (i % 256 === (17 * row) % 256 ? 1000 : r.normal()),
  negativeOutlier: (i, _row, r) => (i % 32 === 7 ? -100 : r.normal() * 0.01),
  hugeOutlier: (i, row, r) => (i % 256 === (60 * row) % 256 ? 1e30 : r.normal()),
  farOutlier: (i, _row, r) => (i % 16 === 5 ? -1 : r.normal() * 1e-7),
  hugeOutlierInDust: (i, row, r) => (i % 256 === (60 * row) % 256 ? -1e30 : 1e-30 * r.normal()),
  loneValue: (i, row) => (i % 256 === (60 * row) % 256 ? 1 : 0),
  loneNegative: (i, row) => (i % 32 === row % 32 ? -1 : 0),
  loneOfSixteen: (i, row, r) => (i % 16 === row % 16 ? r.normal() : 0),
  sparse: (_i, _row, r) => (r.uniform() < 0.1 ? r.normal() : 0),
  ties: (_i, _row, r) => Math.round(r.normal() * 2) / 2,
  signs: (_i, _row, r) => (r.uniform() < 0.5 ? 0.25 : -0.25),
  signsOfNormal: (_i, _row, r) => Math.sign(r.normal()),
  integers: (_i, _row, r) => Math.round(r.normal() * 20),
  halves: (_i, _row, r) => Math.round(r.normal() * 8) + 0.5,
  halvesTo127: (i, _row, r) => (i % 32 === 0 ? 127 : Math.floor(r.uniform() * 253) - 126.5),
  // The float below 0.5 must not become 1: 127 makes the scale of Q8_0 1.
  belowHalves: (i, _row, r) => (i % 32 === 0 ? 127 : (r.integer(3) - 1) * 0.49999997),
  ramp: (i) => (i % 256) - 128,
  ramp16: (i) => (i % 16) - 8,
  ramp32: (i) => (i % 32) / 2,
  rampOfBothSigns: (i) => (i % 31) - 15,
  grid4: (i) => (i % 4) - 1.5,
  grid15: (i, _row, r) => (i % 32 === 0 ? 15 : r.integer(31) / 2),
  grid31: (i, _row, r) => (i % 32 === 0 ? 31 : r.integer(63) / 2),
  grid8: (i, _row, r) => (i % 32 === 0 ? -8 : r.integer(32) / 2 - 8),
  q3Grid: (_i, _row, r) => Math.round(r.uniform() * 7 - 4) * 0.1,
  iq4Grid: (_i, _row, r) => IQ4_LEVELS[r.integer(IQ4_LEVELS.length)]! / 8,
  // All on the grid of one trial scale but the largest, so that the search ends at or beyond its last try.
  iq4Edges: (i, row, r) =>
    (i % 32 === 0 ? -(117 + ((row + Math.floor(i / 32)) % 20)) : IQ4_LEVELS[1 + r.integer(15)]!) * 0.01,
  iq4Midpoints: (i, row, r) =>
    (i % 32 === 0
      ? -(117 + ((row + Math.floor(i / 32)) % 20))
      : IQ4_MIDPOINTS[r.integer(15)]! * (0.98 + 0.04 * r.uniform())) * 0.01,
  cubes: (_i, _row, r) => r.normal() ** 3,
  fifthPowers: (_i, _row, r) => r.normal() ** 5,
  manyMagnitudes: (_i, _row, r) => Math.exp(r.normal() * 8) * (r.uniform() < 0.5 ? -1 : 1),
  blocksOfManyScales: (i, _row, r) => r.normal() * 10 ** (((i >> 4) % 12) - 6),
  blocksOfSmallScales: (i, _row, r) => r.normal() * 10 ** (((i >> 5) % 8) - 9),
  zeroBlocks: (i, _row, r) => ((i >> 4) & 1 ? r.normal() : 0),
  zeroBlocks32: (i, row, r) => ((i >> 5) % 8 === row % 8 ? 0 : r.normal()),
  dustBlocks: (i, _row, r) => ((i >> 5) % 2 ? 1e-9 * r.normal() : r.normal()),
  halfConstant: (i, _row, r) => (i % 256 < 128 ? 5 : r.normal()),
  oneBigOf32: (i, _row, r) => ((i & 31) === 0 ? r.normal() : 1e-3 * r.normal()),
  nearlyConstant: (i) => 1 + (i & 1) * 1.1920929e-7,
  nearlyConstantNegative: (i) => -1 - (i & 1) * 1.1920929e-7,
  constantButOne: (i, _row, r) => (i % 32 < 31 ? -5 - 1e-3 * r.uniform() : 0),
  negativeButOne: (i, _row, r) => (i % 32 < 31 ? -5 - r.uniform() : 1e-7),
  negativeButOneOf16: (i, _row, r) => (i % 16 < 15 ? -5 - 1e-3 * r.uniform() : 1e-6),
};

/** Values that the engine refuses, and that the searches of the reference survive all the same. */
export const NOT_FINITE: Readonly<Record<string, Kind>> = {
  nan: (i, _row, r) => (i % 211 === 5 ? NaN : r.normal()),
  allNan: () => NaN,
  firstNan: (i, _row, r) => (i % 32 === 0 ? NaN : r.normal()),
  infinite: (i, _row, r) => (i % 97 === 5 ? Infinity : r.normal()),
  minusInfinite: (i, _row, r) => (i % 300 === 5 ? -Infinity : r.normal()),
};

/** Importance weights: as measured, and as they break sums. */
export const WEIGHTS: Readonly<Record<string, Kind>> = {
  plain: (_i, _row, r) => r.uniform() + 0.01,
  squares: (_i, _row, r) => r.normal() ** 2,
  ones: () => 1,
  sparse: (_i, _row, r) => (r.uniform() < 0.3 ? 0 : r.uniform()),
  zeros: () => 0,
  tiny: (_i, _row, r) => r.uniform() * 1e-30,
  large: (_i, _row, r) => r.uniform() * 1e12,
  eightDecades: (_i, _row, r) => 10 ** (8 * r.uniform() - 6),
};

/** Rows of several kinds of values, with the kind of each row. */
export interface Rows {
  readonly values: Float32Array;
  readonly columns: number;
  readonly kinds: readonly string[];
}

/** `each[kind]` rows of every kind. */
export function makeRows(columns: number, kinds: Readonly<Record<string, Kind>>, each: number, random: Random): Rows {
  const names = Object.keys(kinds).flatMap((name) => Array.from({ length: each }, () => name));
  const values = new Float32Array(names.length * columns);
  names.forEach((name, row) => {
    for (let i = 0; i < columns; i++) {
      values[row * columns + i] = kinds[name]!(i, row % each, random);
    }
  });
  return { values, columns, kinds: names };
}

/** Several sets of rows of one width as one. */
export function joinRows(...parts: readonly Rows[]): Rows {
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at);
    at += part.values.length;
  }
  return { values, columns: parts[0]!.columns, kinds: parts.flatMap((part) => part.kinds) };
}
