import { TOKEN_TYPE } from './tokenType';
import type { GgufMetadata } from './ggufTypes';

/** More special tokens than any model has that people write stop texts for. */
const MAX_SPECIAL = 4000;

/** The control and user-defined tokens of a GGUF's vocabulary, by `tokenizer.ggml.token_type`; none where that array was not read. */
export function specialTokens(metadata: GgufMetadata, tokens: readonly string[]): string[] {
  const types = metadata.get('tokenizer.ggml.token_type');
  if (types?.type !== 'array') {
    return [];
  }
  const found: string[] = [];
  for (let id = 0; id < tokens.length && found.length < MAX_SPECIAL; id += 1) {
    const kind = Number(types.value[id]);
    if (kind === TOKEN_TYPE.control || kind === TOKEN_TYPE.userDefined) {
      found.push(tokens[id] ?? '');
    }
  }
  return found;
}
