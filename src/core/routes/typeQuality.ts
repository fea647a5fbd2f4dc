import type { FileTypeName } from '../engine/fileTypes';

/** What a type costs in quality, as llama.cpp publishes it for one model. */
export interface TypeQuality {
  readonly bitsPerWeight: number;
  /** Perplexity added on wikitext; undefined where none was published without an importance matrix. */
  readonly perplexity: number | undefined;
  /** Mean Kullback-Leibler divergence of the next token from the F16 model. */
  readonly divergence: number | undefined;
}

/** Where the figures come from, in a line for people. */
export const QUALITY_SOURCE =
  'published by llama.cpp for Llama 3 8B (base) on wikitext, no importance matrix; fine-tunes differ';

/**
 * Bits a weight of Llama 3.1 8B (tools/quantize/README.md), loss of Llama 3 8B (tools/perplexity/README.md of llama.cpp). The types that
 * are not in those tables have no entry.
 */
export const TYPE_QUALITY: Readonly<Partial<Record<FileTypeName, TypeQuality>>> = {
  F32: { bitsPerWeight: 32, perplexity: 0, divergence: 0 },
  F16: { bitsPerWeight: 16.0005, perplexity: 0, divergence: 0 },
  BF16: { bitsPerWeight: 16.0005, perplexity: 0, divergence: 0 },
  Q8_0: { bitsPerWeight: 8.5008, perplexity: 0.0027, divergence: 0.00136 },
  Q6_K: { bitsPerWeight: 6.5633, perplexity: 0.0217, divergence: 0.00545 },
  Q5_K_M: { bitsPerWeight: 5.7036, perplexity: 0.057, divergence: 0.01076 },
  Q5_K_S: { bitsPerWeight: 5.5704, perplexity: 0.105, divergence: 0.0166 },
  Q4_K_M: { bitsPerWeight: 4.8944, perplexity: 0.1755, divergence: 0.0313 },
  Q4_K_S: { bitsPerWeight: 4.6672, perplexity: 0.2689, divergence: 0.0431 },
  Q4_0: { bitsPerWeight: 4.5, perplexity: 0.4685, divergence: 0.0719 },
  Q3_K_L: { bitsPerWeight: 4.2979, perplexity: 0.556, divergence: 0.0872 },
  Q3_K_M: { bitsPerWeight: 3.996, perplexity: 0.657, divergence: 0.1019 },
  Q3_K_S: { bitsPerWeight: 3.6429, perplexity: 1.632, divergence: 0.2282 },
  Q2_K: { bitsPerWeight: 3.1593, perplexity: 3.52, divergence: 0.4451 },
};
