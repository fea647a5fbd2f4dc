import { QUANTISED_TYPES, type QuantisedType } from '../../src/core/engine/kernels/kernels';
import { compareMixtures, describeDifferences, takesWeights } from './compareMixtures';
import { ggml } from './ggml';
import { Bench } from './instance';

/** A type with or without an importance matrix: `Q4_K`, `Q4_K:importance`. */
export function kernelSpecs(): string[] {
  return QUANTISED_TYPES.flatMap((type) => (takesWeights(type) ? [type, `${type}:importance`] : [type]));
}

/** Compares one of {@link kernelSpecs} and prints what came out; true when no block differs. */
export async function runMixtures(spec: string, blocks: number, seed: number): Promise<boolean> {
  if (ggml === undefined) {
    return false;
  }
  const [type, weighted] = spec.split(':') as [QuantisedType, string?];
  const started = performance.now();
  const comparison = compareMixtures(ggml, await Bench.create(), type, weighted !== undefined, blocks, seed);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${spec}: ${comparison.blocks} blocks, seed ${seed}: ${comparison.differing} differ (${seconds} s)`);
  if (comparison.differing > 0) {
    console.log(describeDifferences(type, weighted !== undefined, comparison));
  }
  return comparison.differing === 0;
}
