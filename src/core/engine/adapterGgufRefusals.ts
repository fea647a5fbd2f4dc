import { StudioError } from '../errors';
import type { Adapter, AdapterPart } from '../formats/adapters/adapter';
import type { BaseTensorShape } from '../formats/adapters/baseTensorShape';
import type { AdapterTarget } from './adapterTarget';
import { EMBEDDING, HEAD } from './applyAdapters';

/** Why an adapter cannot be a GGUF adapter although it can be fused; stable words for `detail.reason` and the route planner. */
export type NoGgufReason =
  | 'dora'
  | 'full'
  | 'trained-bias'
  | 'modules-to-save'
  | 'resized-vocabulary'
  | 'trained-tokens'
  | 'lora-bias'
  | 'tied-embedding'
  | 'no-head'
  | 'transposed'
  | 'experts'
  | 'changed-base';

/**
 * Refuses what llama.cpp's form of an adapter cannot hold or would apply wrongly: only pairs of low-rank factors on matrices of the base.
 * @throws StudioError adapter/no-gguf-form
 */
export function refuseUnfitForGguf(
  adapter: Adapter,
  target: Pick<AdapterTarget, 'tied' | 'architecture'>,
  shapes: ReadonlyMap<string, BaseTensorShape>,
): void {
  for (const part of adapter.parts) {
    const found = unfit(part, adapter, target, shapes);
    if (found !== undefined) {
      throw noGgufForm(adapter.path, found.reason, found.why, part.target);
    }
  }
}

/** The refusal, with the route that works. */
export function noGgufForm(path: string, reason: NoGgufReason, why: string, tensor: string): StudioError {
  return new StudioError(
    'adapter/no-gguf-form',
    `${path} cannot be a GGUF adapter: ${why}. Fuse it into its base instead: modelfile-studio create NAME --base DIR --adapter ${path}, or build for a GGUF.`,
    { path, detail: { reason, tensor } },
  );
}

interface Unfit {
  readonly reason: NoGgufReason;
  readonly why: string;
}

function unfit(
  part: AdapterPart,
  adapter: Adapter,
  target: Pick<AdapterTarget, 'tied' | 'architecture'>,
  shapes: ReadonlyMap<string, BaseTensorShape>,
): Unfit | undefined {
  switch (part.kind) {
    case 'lowRank':
      return unfitFactors(part, target, shapes);
    case 'replace':
      return unfitReplacement(part, adapter);
    case 'base':
      return isOtherShape(part.source.shape, shapes.get(part.target))
        ? {
            reason: 'resized-vocabulary',
            why: `it was trained with a vocabulary of another size (${part.target} is [${part.source.shape.join(', ')}]), and the base would keep its own`,
          }
        : undefined;
    case 'replaceRows':
      return {
        reason: 'trained-tokens',
        why: `it holds ${part.rows.length} newly trained tokens (trainable_token_indices), which are no low-rank change`,
      };
    case 'add':
      return {
        reason: 'lora-bias',
        why: 'it was trained with lora_bias, and llama.cpp applies no biases of an adapter',
      };
    case 'experts':
      return {
        reason: 'experts',
        why: `it changes all experts at once (${part.target}, from target_parameters), in a form that GGUF adapters do not have`,
      };
  }
}

function unfitFactors(
  part: Extract<AdapterPart, { kind: 'lowRank' }>,
  target: Pick<AdapterTarget, 'tied' | 'architecture'>,
  shapes: ReadonlyMap<string, BaseTensorShape>,
): Unfit | undefined {
  if (part.magnitude !== undefined) {
    return { reason: 'dora', why: 'it is a DoRA, whose magnitudes llama.cpp does not apply' };
  }
  if (part.target === EMBEDDING && target.tied) {
    return {
      reason: 'tied-embedding',
      why: "it changes the embedding, which is this model's output head as well, and llama.cpp stops with a failed assertion on such an adapter",
    };
  }
  if (part.target === HEAD && target.tied) {
    return {
      reason: 'no-head',
      why: 'it changes the output head, and this model has none of its own: its embedding is the head',
    };
  }
  const shape = shapes.get(part.target)?.shape;
  const [out, into] = [part.b.shape[0], part.a.shape[1]];
  const turned =
    part.layout === 'peftConv1d' ||
    (part.layout === 'peftLinear' && shape !== undefined && out !== shape[0] && out === shape[1] && into === shape[0]);
  return turned
    ? {
        reason: 'transposed',
        why: `${part.target} is stored as [in, out] (fan_in_fan_out), which the form does not know`,
      }
    : undefined;
}

function unfitReplacement(part: Extract<AdapterPart, { kind: 'replace' }>, adapter: Adapter): Unfit {
  if (adapter.method === 'full') {
    return { reason: 'full', why: 'it is a full fine-tune: whole weights and no low-rank factors' };
  }
  return part.target.endsWith('.bias')
    ? {
        reason: 'trained-bias',
        why: `it brings trained biases (${part.target}), and llama.cpp applies none of an adapter`,
      }
    : {
        reason: 'modules-to-save',
        why: `it brings whole weights (${part.target}, from modules_to_save), and llama.cpp would leave them out`,
      };
}

function isOtherShape(brought: readonly number[], base: BaseTensorShape | undefined): boolean {
  return base !== undefined && brought.join() !== base.shape.join();
}
