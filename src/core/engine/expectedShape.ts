import { StudioError } from '../errors';
import type { ExpectedShape } from './architectures/architecture';
import type { LogicalTensor } from './logicalTensor';

/**
 * Holds a weight against config.json, so that a wrong folder is noticed here and not by a runtime's refusal to load.
 * @throws StudioError model/tensor-shape
 */
export function checkShape(expected: ExpectedShape | undefined, shape: readonly number[], tensor: LogicalTensor): void {
  if (expected === undefined) {
    return;
  }
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
