import { isScoringHead, notText } from '../formats/huggingface/modelPurpose';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { canonicalTensorName } from '../formats/huggingface/tensorNames';
import type { WeightedAdapter } from './applyAdapters';

/**
 * A GGUF of what was trained to score or to label would answer with text that nobody trained.
 * @throws StudioError model/purpose
 */
export function refuseOtherPurposes(adapters: readonly WeightedAdapter[], base?: HuggingFaceModel): void {
  for (const { adapter } of adapters) {
    if (adapter.purpose !== undefined) {
      throw notText(adapter.purpose.purpose, adapter.path, adapter.purpose.seenBy, adapter.path);
    }
  }
  const head = [...(base?.tensors.keys() ?? [])].find((name) => isScoringHead(canonicalTensorName(name)));
  if (base !== undefined && head !== undefined) {
    throw notText('classifier', base.path, head, base.path);
  }
}
