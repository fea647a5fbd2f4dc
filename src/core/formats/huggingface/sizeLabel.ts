/** Name and shape of a tensor to be written. */
export interface NamedShape {
  readonly name: string;
  /** GGUF order, fastest dimension first. */
  readonly shape: readonly number[];
}

/** Parameters of a model, and how they divide among experts. */
export interface ParameterCount {
  readonly total: number;
  readonly shared: number;
  /** Of one expert, over all layers. */
  readonly perExpert: number;
  readonly experts: number;
}

/** Counts as gguf-py's writer does: tensors of stacked experts (`_exps.`) are divided by their number. */
export function countParameters(tensors: readonly NamedShape[]): ParameterCount {
  let total = 0;
  let shared = 0;
  let perExpert = 0;
  let expertSum = 0;
  let stacks = 0;
  for (const { name, shape } of tensors) {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    const experts = shape[name.includes('.bias') ? 1 : 2];
    total += size;
    if (name.includes('_exps.') && shape.length >= 3 && experts !== undefined) {
      perExpert += Math.floor(size / experts);
      expertSum += experts;
      stacks++;
    } else {
      shared += size;
    }
  }
  return { total, shared, perExpert, experts: stacks === 0 ? 0 : Math.floor(expertSum / stacks) };
}

/** `3.3M`, `8x7.2B`: at least two digits, in the unit that suits. */
export function sizeLabel(count: ParameterCount): string {
  return count.experts > 0 ? `${count.experts}x${rounded(count.shared + count.perExpert)}` : rounded(count.total);
}

const UNITS = [
  { above: 1e12, scale: 1e-12, unit: 'T' },
  { above: 1e9, scale: 1e-9, unit: 'B' },
  { above: 1e6, scale: 1e-6, unit: 'M' },
  { above: -1, scale: 1e-3, unit: 'K' },
];

function rounded(parameters: number): string {
  const { scale, unit } = UNITS.find(({ above }) => parameters > above)!;
  const scaled = parameters * scale;
  const digits = String(roundHalfEven(scaled)).replace(/^0+/, '').length;
  return `${toFixedExact(scaled, Math.max(2 - digits, 0))}${unit}`;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Rounds the exact binary value, exact ties to even. A tie at one or two decimals is a multiple of an eighth. */
function toFixedExact(value: number, digits: number): string {
  const unit = 10 ** digits;
  return Number.isInteger(value * 8) ? (roundHalfEven(value * unit) / unit).toFixed(digits) : value.toFixed(digits);
}
