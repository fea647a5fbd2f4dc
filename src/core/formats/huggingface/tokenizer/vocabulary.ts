import { StudioError } from '../../../errors';
import { TOKEN_TYPE } from '../../gguf/tokenType';

/** A vocabulary as a GGUF holds it, one token a row of the embedding. */
export interface Vocabulary {
  /** `tokenizer.ggml.model`: byte-level BPE is `gpt2`, SentencePiece `llama`. */
  readonly model: 'gpt2' | 'llama' | 'gemma4';
  /** `tokenizer.ggml.pre`; undefined where the model alone says how texts are split. */
  readonly pre?: string | undefined;
  readonly tokens: readonly string[];
  /** SentencePiece only: higher merges first. */
  readonly scores?: Float32Array | undefined;
  /** {@link TOKEN_TYPE} */
  readonly types: Int32Array;
}

/** A token that was added to a vocabulary beside its model, with what its files say of it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** False: found in the text as it was before normalisation. */
  readonly normalized: boolean;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Named as a special token by tokenizer_config.json only: it counts where the embedding has a row for it. */
  readonly implied?: boolean | undefined;
}

/**
 * Tokens that ought to be control tokens even where their file forgets to say so: the converter's rule
 * (`does_token_look_special`).
 */
export function looksSpecial(token: string): boolean {
  return (
    token === '<pad>' ||
    token === '<mask>' ||
    token === '<2mass>' ||
    token === '[@BOS@]' ||
    (token.startsWith('<|') && token.endsWith('|>')) ||
    (token.startsWith('<\uFF5C') && token.endsWith('\uFF5C>')) ||
    (token.startsWith('<unused') && token.endsWith('>'))
  );
}

/** Type and stored text of an added token: user-defined ones are matched in the text, so they hold real spaces. */
export function addedTokenEntry(content: string, special: boolean): { readonly text: string; readonly type: number } {
  return special || looksSpecial(content)
    ? { text: content, type: TOKEN_TYPE.control }
    : { text: content.replaceAll('\u2581', ' '), type: TOKEN_TYPE.userDefined };
}

/** Refuses an id that has no row in the embedding. */
export function checkTokenFits(id: number, token: string, rows: number): void {
  if (id >= rows) {
    throw new StudioError(
      'tokenizer/vocabulary',
      `The tokenizer has the token ${JSON.stringify(token.slice(0, 60))} with id ${id}, but the embedding has ${rows} rows only. The tokenizer belongs to another model, or tokens were added without resizing the embedding: use the tokenizer files of the model itself.`,
      { detail: { id, token: token.slice(0, 200), rows } },
    );
  }
}
