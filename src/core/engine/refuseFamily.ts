import { StudioError } from '../errors';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import type { WeightedAdapter } from './applyAdapters';
import type { Architecture } from './architectures/architecture';

/**
 * Refuses what a family would do wrongly without a word: experts whose rows of gate and up alternate, changed all at once by an
 * adapter, and checkpoints of mlx that hold other values than those of Hugging Face.
 * @throws StudioError adapter/unsupported, model/quantised
 */
export function refuseFamily(
  architecture: Architecture,
  adapters: readonly WeightedAdapter[],
  base: Pick<HuggingFaceModel, 'path' | 'weightsFormat'> | undefined,
): void {
  const fused = adapters.find(({ adapter }) => adapter.parts.some(({ kind }) => kind === 'experts'));
  if (architecture.interleavedExperts === true && fused !== undefined) {
    throw new StudioError(
      'adapter/unsupported',
      `${fused.adapter.path} changes all experts of ${architecture.label} at once (target_parameters), which is not merged here. Merge it with PEFT (merge_and_unload, save_pretrained) and pass the merged folder as the base.`,
      { path: fused.adapter.path },
    );
  }
  if (architecture.mlxDiffers === true && base?.weightsFormat === 'mlx') {
    throw new StudioError(
      'model/quantised',
      `${base.path} was written by mlx, which stores the norms of ${architecture.label} with one added already. Pass the model as it was published for transformers.`,
      { path: base.path },
    );
  }
}
