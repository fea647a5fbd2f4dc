import { StudioError } from '../../errors';
import type { GeneratedTensor, ModelConfig } from './architecture';
import { ropeNumber } from './ropeParameters';

/**
 * `rope_freqs.weight` of Llama 3.1 and later (rope type `llama3`): f32 divisors, one a rotary pair. High frequencies keep 1,
 * low ones get the scaling factor, and those between are blended by their wavelength, all in f32 as the converter does.
 */
export function llama3RopeFrequencies(config: ModelConfig): readonly GeneratedTensor[] {
  const rope = config.ropeScaling;
  const type = rope?.['rope_type'];
  if (rope === undefined || typeof type !== 'string' || type.toLowerCase() !== 'llama3') {
    return [];
  }
  const factor = ropeNumber(rope, 'factor') ?? 8;
  const low = ropeNumber(rope, 'low_freq_factor') ?? 1;
  const high = ropeNumber(rope, 'high_freq_factor') ?? 4;
  const original = ropeNumber(rope, 'original_max_position_embeddings') ?? 8192;
  if (!(factor > 0 && low > 0 && high > low && original > 0)) {
    throw new StudioError(
      'model/config',
      "config.json has llama3 rope scaling whose factors cannot be: `factor` and `low_freq_factor` must be positive and `high_freq_factor` greater than `low_freq_factor`. Fetch the model's config.json again.",
      {
        detail: { factor, low, high, original },
      },
    );
  }
  const values = new Float32Array(config.headDim / 2);
  for (let pair = 0; pair < values.length; pair++) {
    const exponent = Math.fround(Math.fround(2 * pair) / config.headDim);
    const frequency = divide(1, Math.fround(config.ropeTheta ** exponent));
    values[pair] = divisor(frequency, { factor, low, high, original });
  }
  return [{ name: 'rope_freqs.weight', shape: [values.length], values }];
}

interface Llama3Scaling {
  readonly factor: number;
  readonly low: number;
  readonly high: number;
  readonly original: number;
}

function divisor(frequency: number, { factor, low, high, original }: Llama3Scaling): number {
  const wavelength = divide(2 * Math.PI, frequency);
  if (wavelength < original / high) {
    return 1;
  }
  if (wavelength > original / low) {
    return factor;
  }
  const smooth = Math.fround(Math.fround(divide(original, wavelength) - low) / (high - low));
  return divide(1, Math.fround(Math.fround(Math.fround(1 - smooth) / factor) + smooth));
}

/** A number divided by an f32 tensor's value, as PyTorch does it: the f32 reciprocal, times the number. */
function divide(number: number, value: number): number {
  return Math.fround(Math.fround(1 / value) * Math.fround(number));
}
