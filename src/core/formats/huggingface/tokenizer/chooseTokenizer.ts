import type { TokenizerFiles } from '../huggingFaceModel';
import { hasTokenizer, knownTokens } from './knownTokens';

/** Tokens of the base that an adapter's tokenizer must know by the same ids to be of the same model. */
export const SAME_MODEL = 0.9;

/** Why a tokenizer beside an adapter is taken or left. */
export type TokenizerChoice =
  /** It knows tokens that the base's does not, or other ones: the adapter was trained with it. */
  | { readonly kind: 'trained'; readonly files: TokenizerFiles; readonly more: number; readonly renamed: number }
  /** It knows what the base's knows. */
  | { readonly kind: 'same' }
  /** It is another model's. */
  | { readonly kind: 'foreign'; readonly agreeing: number; readonly tokens: number }
  | { readonly kind: 'none' };

/**
 * Whether an adapter's tokenizer counts instead of the base's: whenever it knows more. Rows need not be added for that, since
 * many models have spare ones. Where the adapter's folder lacks the base's tokenizer.model, which transformers 5 no longer
 * writes, that stays, and tokenizer.json adds to it.
 * @throws StudioError tokenizer/invalid
 */
export function chooseTokenizer(base: TokenizerFiles, adapter: TokenizerFiles): TokenizerChoice {
  if (!hasTokenizer(adapter)) {
    return { kind: 'none' };
  }
  const own = knownTokens(base);
  const trained = knownTokens(adapter);
  let [agreeing, more, renamed] = [0, 0, 0];
  for (const [id, text] of trained) {
    const before = own.get(id);
    if (before === undefined) {
      more++;
    } else if (before === text) {
      agreeing++;
    } else {
      renamed++;
    }
  }
  const compared = Math.min(own.size, trained.size);
  if (own.size > 0 && agreeing < SAME_MODEL * compared) {
    return { kind: 'foreign', agreeing, tokens: compared };
  }
  if (more + renamed === 0) {
    return { kind: 'same' };
  }
  const inherits = adapter.tokenizerModel === undefined && base.tokenizerModel !== undefined && renamed === 0;
  const files = inherits
    ? { ...adapter, tokenizerModel: base.tokenizerModel, modelDirectory: base.directory }
    : adapter;
  return { kind: 'trained', files, more, renamed };
}
