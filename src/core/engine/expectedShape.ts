import { StudioError } from '../errors';
import type { ModelConfig } from './architectures/architecture';
import type { LogicalTensor } from './logicalTensor';

/** Rows and columns that config.json demands, by the last part of a GGUF name; undefined: free. */
const EXPECTED: Readonly<Record<string, (config: ModelConfig) => readonly (number | undefined)[]>> = {
  token_embd: (c) => [c.vocabSize, c.hiddenSize],
  output: (c) => [c.vocabSize, c.hiddenSize],
  output_norm: (c) => [c.hiddenSize],
  attn_norm: (c) => [c.hiddenSize],
  ffn_norm: (c) => [c.hiddenSize],
  attn_q: (c) => [c.heads * c.headDim, c.hiddenSize],
  attn_k: (c) => [c.kvHeads * c.headDim, c.hiddenSize],
  attn_v: (c) => [c.kvHeads * c.headDim, c.hiddenSize],
  attn_output: (c) => [c.hiddenSize, c.heads * c.headDim],
  attn_q_norm: (c) => [c.headDim],
  attn_k_norm: (c) => [c.headDim],
  ffn_down: (c) => [c.hiddenSize, c.experts > 0 ? undefined : c.feedForward],
};

/**
 * Holds a weight against config.json, so that a wrong folder is noticed here and not by a runtime's refusal to load.
 * @throws StudioError model/tensor-shape
 */
export function checkShape(
  ggufName: string,
  shape: readonly number[],
  config: ModelConfig,
  tensor: LogicalTensor,
): void {
  const found = /(?:^|\.)([a-z_]+)\.(weight|bias)$/.exec(ggufName);
  const wanted = found === null ? undefined : EXPECTED[found[1]!]?.(config);
  if (wanted === undefined) {
    return;
  }
  const expected = found?.[2] === 'bias' ? wanted.slice(0, 1) : wanted;
  const fits =
    expected.length === shape.length &&
    expected.every((dimension, index) => dimension === undefined || dimension === shape[index]);
  if (!fits) {
    const text = expected.map((dimension) => dimension ?? 'any').join(', ');
    throw new StudioError(
      'model/tensor-shape',
      `${tensor.storedName} has shape [${shape.join(', ')}], and config.json demands [${text}]. The weights and config.json are not of the same model: fetch both again.`,
      {
        path: tensor.file,
        detail: { tensor: tensor.storedName, shape, expected: text },
      },
    );
  }
}
