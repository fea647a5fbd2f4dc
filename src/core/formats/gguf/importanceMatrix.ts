/** How much each column of each weight matters, as llama-imatrix measured it. */
export interface Imatrix {
  /** By tensor name: mean squared activation of each column, expert after expert (columns x experts values). */
  readonly entries: ReadonlyMap<string, Float32Array>;
  /** Names of the texts that it was made from. */
  readonly datasets: readonly string[];
  /** Chunks of text; 0 when the file does not say. */
  readonly chunkCount: number;
  readonly format: 'legacy' | 'gguf';
}
